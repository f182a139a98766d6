"""Fast parsing of numbers, for formats whose bodies are plain text."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.guards import MAX_NUMBERS


def parse_numbers(text: bytes | str) -> NDArray[np.float64]:
    """Return all numbers of a text, separated by white space, as float64 [N].

    Raises:
        ShapeError: If something in the text is not a number.
    """
    return _parse(text, np.float64)


def parse_integers(text: bytes | str) -> NDArray[np.int64]:
    """Return all integers of a text as int64 [N], in a fraction of the time that parse_numbers needs.

    Raises:
        ShapeError: If something in the text is not an integer.
    """
    return _parse(text, np.int64)


def _parse(text: bytes | str, dtype: type) -> NDArray[Any]:
    if not text.strip():
        return np.zeros(0, dtype)
    if len(text) > 2 * MAX_NUMBERS and _spaces(text) > MAX_NUMBERS:
        raise ShapeError(f"has more than {MAX_NUMBERS:,} numbers: thin the shape out first")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy reports that it stopped early
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (DeprecationWarning, ValueError):
            kind = "integers" if dtype is np.int64 else "numbers"
            raise ShapeError(
                f"has text where {kind} were expected: the file is damaged or of another format; export it again"
            ) from None


def _spaces(text: bytes | str) -> int:
    raw = text.encode("latin-1", "replace") if isinstance(text, str) else text
    return sum(raw.count(space) for space in (b" ", b"\n", b"\r", b"\t", b"\v", b"\f"))


def to_integers(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Return numbers as int64; ShapeError if one is not whole or beyond 2**53, where float64 skips integers."""
    if len(numbers) and not (np.abs(numbers) < 2.0**53).all():
        raise ShapeError("has indices or counts beyond 2^53: the file is damaged; export it again")
    integers = numbers.astype(np.int64)
    if not np.array_equal(integers, numbers):
        raise ShapeError("has a fraction where an integer was expected: the file is damaged; export it again")
    return integers
