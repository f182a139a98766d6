"""Fast parsing of numbers, for formats whose bodies are plain text."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.guards import MAX_NUMBERS

#: Bytes from which numba's kernels are worth the import of numba, where nothing has imported it yet.
_LARGE = 8 * 1024**2


def parse_numbers(text: bytes | str) -> NDArray[np.float64]:
    """Return all numbers of a text, separated by white space, as float64 [N]: each the nearest to what is written.

    Raises:
        ShapeError: If something in the text is not a number.

    Examples:
        >>> parse_numbers(b"1 -2.5e-3").tolist()
        [1.0, -0.0025]
    """
    raw = text.encode() if isinstance(text, str) else text
    if not kernels_pay(raw):
        return _parse(raw, np.float64)
    from clip2point.shapes.formats.text_kernels import count_words, scan_numbers

    data = np.frombuffer(raw, np.uint8)
    words = count_words(data)
    _check_count(words)
    numbers = np.empty(words)
    odd = np.empty((words // 8 + 8, 2), np.int64)
    return numbers if fill_odd(raw, numbers, odd, scan_numbers(data, numbers, odd)) else _parse(raw, np.float64)


def fill_odd(text: bytes, numbers: NDArray[np.float64], odd: NDArray[np.int64], odds: int) -> bool:
    """Fill in the numbers that a kernel of ``text_kernels`` left NaN; False if it gave up, or words are no numbers."""
    if odds > 0:
        rest = _parse(b" ".join([text[start:end] for start, end in odd[:odds].tolist()]), np.float64)
        if len(rest) != odds:
            return False  # words such as "1-2" hold several numbers
        numbers[np.isnan(numbers)] = rest
    return odds >= 0


def parse_integers(text: bytes | str) -> NDArray[np.int64]:
    """Return all integers of a text as int64 [N], in a fraction of the time that parse_numbers needs.

    Raises:
        ShapeError: If something in the text is not an integer.
    """
    raw = text.encode() if isinstance(text, str) else text
    if kernels_pay(raw):
        from clip2point.shapes.formats.text_kernels import count_words, scan_integers

        data = np.frombuffer(raw, np.uint8)
        words = count_words(data)
        _check_count(words)
        numbers = np.empty(words, np.int64)
        if scan_integers(data, numbers):
            return numbers
    return _parse(raw, np.int64)


def kernels_pay(text: bytes) -> bool:
    """Tell whether to scan a text with ``text_kernels`` rather than with NumPy, for the same numbers.

    numba takes a third of a second to import, so for the first small files of a process that is not worth while.
    """
    return "numba" in sys.modules or len(text) > _LARGE


def _parse(text: bytes, dtype: type) -> NDArray[Any]:
    if not text.strip():
        return np.zeros(0, dtype)
    if len(text) > 2 * MAX_NUMBERS:
        _check_count(sum(text.count(space) for space in (b" ", b"\n", b"\r", b"\t", b"\v", b"\f")))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy reports that it stopped early
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError):
            kind = "integers" if dtype is np.int64 else "numbers"
            raise ShapeError(
                f"has text where {kind} were expected: the file is damaged or of another format; export it again"
            ) from None


def _check_count(numbers: int) -> None:
    if numbers > MAX_NUMBERS:
        raise ShapeError(f"has more than {MAX_NUMBERS:,} numbers: thin the shape out first")


def to_integers(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return numbers as int64; ShapeError if one is not whole or beyond 2**53, where float64 skips integers."""
    if len(numbers) and not (np.abs(numbers) < 2.0**53).all():
        raise ShapeError("has indices or counts beyond 2^53: the file is damaged; export it again")
    integers = numbers.astype(np.int64)
    if not np.array_equal(integers, numbers):
        raise ShapeError("has a fraction where an integer was expected: the file is damaged; export it again")
    return integers
