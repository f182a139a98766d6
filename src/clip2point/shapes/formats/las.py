"""LAS and LAZ: laser scans."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_promise, expansion_limit
from clip2point.shapes.parsed import Parsed

_COMPRESSED = 0x80


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the coordinates of a LAS or LAZ file, in float64 and the file's own reference system; up is z."""
    if not data.startswith(b"LASF") or len(data) < 227:
        raise ShapeError("does not begin with a LAS header: this is no LAS or LAZ file, or cut off; export it again")
    minor, header_size = data[25], struct.unpack_from("<H", data, 94)[0]
    start, records, point_format, size, count = struct.unpack_from("<IIBHI", data, 96)
    if minor >= 4 and header_size >= 375 and len(data) >= 375:
        extended_start, extended, count = struct.unpack_from("<QIQ", data, 235)
        if extended:
            check_promise("extended variable records", extended, 60, len(data) - extended_start)
    if not 227 <= header_size <= start <= len(data) or size < 20:
        raise ShapeError("has a LAS header that contradicts itself: the file is damaged; export it again")
    check_promise("variable records", records, 54, start - header_size)
    if point_format & _COMPRESSED:
        from clip2point.shapes.formats.laz import decompress

        check_promise("points", count, size, expansion_limit(len(data)))
        return Parsed(decompress(data, count, size), up="z")
    check_promise("points", count, size, len(data) - start)
    # Every point format begins with x, y, z as integers, to be scaled and shifted.
    steps = np.ndarray((count, 3), "<i4", data, start, (size, 4))
    scale_and_offset: NDArray[np.float64] = np.frombuffer(data, "<f8", 6, 131).reshape(2, 3)
    return Parsed(steps * scale_and_offset[0] + scale_and_offset[1], up="z")
