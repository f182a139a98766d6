"""LZF, the byte-wise compression inside PCD files."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError


def decompress(data: bytes, size: int) -> bytes:
    """Unfold LZF data to exactly ``size`` bytes.

    Raises:
        ShapeError: If the data is damaged or decompresses to another size.
    """
    target = np.zeros(size, dtype=np.uint8)
    if _unfold(np.frombuffer(data, dtype=np.uint8), target) != size:
        raise ShapeError("has damaged compressed points: export or download the file again")
    return target.tobytes()


@numba.njit(cache=True, nogil=True)
def _unfold(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> int:
    """Fill ``target``; return how many bytes were written, or -1 if the data does not fit."""
    read, written = 0, 0
    while read < len(source):
        control = int(source[read])
        read += 1
        if control < 32:  # a run of bytes to copy as they are
            length = control + 1
            if read + length > len(source) or written + length > len(target):
                return -1
            for _ in range(length):
                target[written] = source[read]
                read += 1
                written += 1
            continue
        length = control >> 5  # a repeat of bytes that were written before
        if length == 7:
            if read >= len(source):
                return -1
            length += int(source[read])
            read += 1
        if read >= len(source):
            return -1
        place = written - ((control & 31) << 8) - int(source[read]) - 1
        read += 1
        length += 2
        if place < 0 or written + length > len(target):
            return -1
        for _ in range(length):  # byte by byte, because a repeat may overlap itself
            target[written] = target[place]
            written += 1
            place += 1
    return written
