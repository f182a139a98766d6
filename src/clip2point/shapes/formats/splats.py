"""SPZ and SPLAT: packed Gaussian splats, of which the positions are read.

SPZ (Niantic), versions 1 to 3, is gzip around a header and the columns of all splats. Positions come first: float16 in
version 1, fixed-point numbers of 24 bits after that. SPLAT is rows of 32 bytes without a header.
"""

from __future__ import annotations

import struct

import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_promise, gunzip
from clip2point.shapes.parsed import Parsed

_MAGIC, _HEADER = 0x5053474E, 16
_ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("color", "u1", 4), ("rotation", "u1", 4)])


def read_spz(data: bytes, companions: Companions) -> Parsed:
    """Read the centres of the splats of an SPZ file as a cloud."""
    if data.startswith(b"\x1f\x8b"):
        data = gunzip(data)
    if len(data) < _HEADER or struct.unpack_from("<I", data)[0] != _MAGIC:
        raise ShapeError("is no SPZ file of splats: expected gzip around its header; export it as PLY")
    version, count, _, bits = struct.unpack_from("<IIBB", data, 4)
    if version not in (1, 2, 3):
        raise ShapeError(f"is of SPZ version {version}: expected 1 to 3; export it as PLY, for one with SuperSplat")
    check_promise("splats", count, 6 if version == 1 else 9, len(data) - _HEADER)
    if version == 1:
        return Parsed(np.frombuffer(data, "<f2", 3 * count, _HEADER).reshape(-1, 3).astype(np.float32))
    packed = np.frombuffer(data, np.uint8, 9 * count, _HEADER).reshape(-1, 3, 3).astype(np.int32)
    fixed = packed[..., 0] | packed[..., 1] << 8 | packed[..., 2] << 16
    fixed -= (fixed & 0x800000) << 1
    return Parsed((fixed / 2.0**bits).astype(np.float32))


def read_splat(data: bytes, companions: Companions) -> Parsed:
    """Read the centres of the splats of a SPLAT file as a cloud."""
    if len(data) % _ROW.itemsize:
        raise ShapeError("ends within a splat, or is no SPLAT file: expected 32 bytes for each; export it as PLY")
    rows = np.frombuffer(data, _ROW)
    if not ((rows["scale"] >= 0) & (rows["scale"] < 1e6)).all():
        raise ShapeError("has sizes of splats that are none: this is no SPLAT file; export it as PLY")
    return Parsed(rows["position"])
