"""Rows of binary PLY files whose lists differ in length: a walk from row to row, compiled."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def walk(
    data: bytes, place: int, rows: int, counts: list[np.dtype[np.generic] | None], widths: list[int]
) -> tuple[Int, Int, int]:
    """Find the values of every property of every row.

    Args:
        data: Content of the file.
        place: Offset of the first row.
        rows: Number of rows.
        counts: Type of the count before the values of each list property, None for a property of one value, [P].
        widths: Bytes of one value of each property, [P].

    Returns:
        Offsets and numbers of the values, both [rows, P], and the end of the last row: -1 if that is beyond the data,
        or if a count is negative or no integer.
    """
    kinds = np.zeros((len(counts), 3), dtype=np.int64)
    for kind, count in zip(kinds, counts, strict=True):
        if count is not None:
            kind[:] = count.itemsize, "uif".index(count.kind), count.newbyteorder("=") != count
    starts = np.empty((rows, len(counts)), dtype=np.int64)
    sizes = np.ones((rows, len(counts)), dtype=np.int64)
    end = _walk(np.frombuffer(data, np.uint8), place, kinds, np.array(widths), starts, sizes)
    return starts, sizes, int(end)


def gather(data: bytes, starts: Int, lengths: Int) -> Bytes:
    """Return the bytes at all places, one after the other."""
    target = np.empty(int(lengths.sum()), dtype=np.uint8)
    _gather(np.frombuffer(data, np.uint8), starts, lengths, target)
    return target


@numba.njit(cache=True, nogil=True)
def _walk(data: Bytes, place: int, kinds: Int, widths: Int, starts: Int, sizes: Int) -> int:
    number = np.empty(8, np.uint8)
    for row in range(starts.shape[0]):
        for column in range(starts.shape[1]):
            width, kind, swapped = kinds[column]
            size = 1
            if width:
                if place + width > data.size:
                    return -1
                number[:] = 255 if kind == 1 and data[place if swapped else place + width - 1] > 127 else 0
                for i in range(width):  # into little-endian order, with the sign carried on
                    number[i] = data[place + width - 1 - i] if swapped else data[place + i]
                place += width
                if kind == 2:
                    fraction = number.view(np.float64)[0]
                    if not 0 <= fraction <= data.size:
                        return -1
                    size = int(fraction)
                    if size != fraction:
                        return -1
                else:
                    size = number.view(np.int64)[0]
            if not 0 <= size <= data.size or place + size * widths[column] > data.size:
                return -1
            starts[row, column] = place
            sizes[row, column] = size
            place += size * widths[column]
    return place


@numba.njit(cache=True, nogil=True)
def _gather(data: Bytes, starts: Int, lengths: Int, target: Bytes) -> None:
    place = 0
    for row in range(starts.size):
        for i in range(lengths[row]):
            target[place] = data[starts[row] + i]
            place += 1
