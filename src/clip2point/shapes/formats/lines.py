"""Lines of a text by their first word, many at a time."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.text import fill_odd, kernels_pay, parse_numbers
from clip2point.shapes.guards import check_count

Int = NDArray[np.int64]

_NEWLINE, _SPACE = 10, 32


class Lines:
    r"""The lines of a text, parted by line feeds.

    Args:
        data: Text; bytes up to a space count as white space.

    Examples:
        >>> lines = Lines(b"v 0 0 1\n# a comment\n  v 0 1 0")
        >>> lines.find(b"v").tolist(), lines.join(lines.find(b"v"), b"v")
        ([0, 2], b'  0 0 1\n  0 1 0')
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._text = np.frombuffer(data + b"\n" * 16, np.uint8)  # so that every line ends, and words can be compared
        self._ends = np.flatnonzero(self._text[: len(data) + 1] == _NEWLINE)
        check_count("lines", len(self._ends))
        starts = np.concatenate([[0], self._ends[:-1] + 1])
        first = self._text[starts]
        if ((first <= _SPACE) & (first != _NEWLINE)).any():  # indented
            visible = np.flatnonzero(self._text > _SPACE)
            following = np.append(visible, len(data))[np.searchsorted(visible, starts)]
            starts = np.minimum(following, self._ends)
        self._starts = starts

    def find(self, word: bytes) -> Int:
        """Return the numbers of the lines that begin with a word of at most 15 bytes, in order."""
        lines = np.arange(len(self._starts))
        for place, byte in enumerate(word):
            lines = lines[self._text[self._starts[lines] + place] == byte]
        return lines[self._text[self._starts[lines] + len(word)] <= _SPACE]

    def read_table(self, lines: Int, word: bytes, least: int) -> NDArray[np.float64]:
        """Return the numbers of lines as [N, C]; where lines differ in length, C is the shortest's.

        Args:
            lines: Numbers of lines, as of ``find``.
            word: First word of each.
            least: Smallest C.

        Raises:
            ShapeError: If a line has fewer numbers, or something else.
        """
        if kernels_pay(self._data):
            from clip2point.shapes.formats.text_kernels import scan_rows

            columns = len(self.rest(lines[:1], word)[0].partition(b"#")[0].split())
            table, odd = np.empty((len(lines), columns)), np.empty((len(lines) // 8 + 8, 2), np.int64)
            starts, ends = self._starts[lines] + len(word), self._ends[lines]
            if columns >= least and fill_odd(self._data, table, odd, scan_rows(self._text, starts, ends, table, odd)):
                return table
        text = self.join(lines, word)
        numbers, lengths = parse_numbers(text), count_words(text)
        columns = int(lengths.min())
        if columns < least or lengths.sum() != len(numbers):
            raise ShapeError(f"has a line with fewer than {least} numbers: the file is damaged; export it again")
        starts = np.cumsum(lengths) - lengths
        return np.asarray(numbers[starts[:, None] + np.arange(columns)])

    def read_corners(self, lines: Int, word: bytes) -> tuple[Int, Int] | None:
        """Return the sizes [P] and corners [C, 2] of OBJ's faces where that is quick; see ``scan_corners``."""
        if not kernels_pay(self._data):
            return None
        from clip2point.shapes.formats.text_kernels import scan_corners

        starts, ends = self._starts[lines] + len(word), self._ends[lines]
        sizes = np.empty(len(lines), np.int64)
        corners = np.empty((int((ends - starts).sum() + len(lines)) // 2 + 1, 2), np.int64)
        count = scan_corners(self._text, starts, ends, corners, sizes)
        return None if count < 0 else (sizes, corners[:count])

    def join(self, lines: Int, word: bytes) -> bytes:
        """Return lines of numbers without their first word and without comments, parted by line feeds.

        Args:
            lines: Numbers of lines, as of ``find``.
            word: First word of each.

        Raises:
            ShapeError: If the word stands elsewhere as well.
        """
        breaks = np.flatnonzero(np.diff(lines) != 1) + 1
        first = self._starts[lines[np.concatenate([[0], breaks])]]
        last = self._ends[lines[np.concatenate([breaks, [len(lines)]]) - 1]]
        text = b"\n".join([self._data[start:end] for start, end in zip(first.tolist(), last.tolist(), strict=True)])
        if b"#" in text:
            text = re.sub(rb"#[^\n]*", b"", text)
        if text.count(word) != len(lines):
            raise ShapeError("has text where numbers were expected: the file is damaged; export it again")
        return text.replace(word, b" " * len(word))

    def rest(self, lines: Int, word: bytes) -> list[bytes]:
        """Return what stands behind the first word of each line."""
        starts, ends = self._starts[lines] + len(word), self._ends[lines]
        return [self._data[start:end].strip() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def count_words(text: bytes) -> Int:
    r"""Return the number of words in each line.

    Examples:
        >>> count_words(b"1 2\n\n3 ").tolist()
        [2, 0, 1]
    """
    raw = np.frombuffer(text, np.uint8)
    space = raw <= _SPACE
    first = ~space
    first[1:] &= space[:-1]
    words = np.flatnonzero(first)
    return np.diff(np.searchsorted(words, np.flatnonzero(raw == _NEWLINE)), prepend=0, append=len(words))
