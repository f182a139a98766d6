"""STL: triangles without shared vertices, binary or text."""

from __future__ import annotations

import re
import struct

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import fill_odd, kernels_pay, parse_numbers
from clip2point.shapes.guards import check_lines, check_promise
from clip2point.shapes.parsed import Parsed

_HEADER_BYTES = 84
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an STL file; every triangle keeps its own three vertices, as the file has them."""
    if _is_text(data):
        vertices: NDArray[np.floating] = _read_text(data)
    elif len(data) < _HEADER_BYTES:
        raise ShapeError(f"has {len(data)} bytes: expected at least {_HEADER_BYTES}; the file is cut off")
    else:
        (count,) = struct.unpack_from("<I", data, 80)
        check_promise("triangles", count, _TRIANGLE.itemsize, len(data) - _HEADER_BYTES)
        triangles = np.frombuffer(data, _TRIANGLE, count, _HEADER_BYTES)
        vertices = np.ascontiguousarray(triangles["corners"]).reshape(-1, 3)
    return Parsed(vertices, np.arange(len(vertices)).reshape(-1, 3))


def _is_text(data: bytes) -> bool:
    """Tell text from binary: many binary files begin with "solid" too, but their length fits their count."""
    if not data[:80].lstrip().lower().startswith(b"solid"):
        return False
    if len(data) < _HEADER_BYTES:
        return True
    (count,) = struct.unpack_from("<I", data, 80)
    length = _HEADER_BYTES + count * _TRIANGLE.itemsize
    if len(data) == length:
        return False
    # Some writers append bytes; text has none that are zero, and no triangle lacks a 'vertex'.
    return not (len(data) > length and count and b"\0" in data[_HEADER_BYTES:length] and b"\0" in data[:_HEADER_BYTES])


def _read_text(data: bytes) -> NDArray[np.float64]:
    if not re.search(rb"endsolid", data[-1024:], re.IGNORECASE):
        raise ShapeError("has no 'endsolid' at its end: the file is cut off; export or download it again")
    if kernels_pay(data):
        from clip2point.shapes.formats.text_kernels import scan_vertices

        most = len(data) // len("vertex 0 0 0") + 1
        vertices, odd = np.empty((most, 3)), np.empty((most // 8 + 8, 2), np.int64)
        count, odds = scan_vertices(np.frombuffer(data, np.uint8), vertices, odd)
        vertices = vertices[: max(count, 0)]
        if count > 0 and not count % 3 and fill_odd(data, vertices, odd, odds):
            return vertices
    return _read_lines(data)


def _read_lines(data: bytes) -> NDArray[np.float64]:
    check_lines(data)
    corners = re.findall(rb"vertex[ \t]+([^\r\n]+)", data, re.IGNORECASE)
    numbers = parse_numbers(b" ".join(corners))
    if len(corners) % 3 or len(numbers) != 3 * len(corners):
        raise ShapeError(
            f"has {len(corners):,} 'vertex' lines with {len(numbers):,} numbers: expected 3 numbers a line "
            "and 3 lines a triangle; export it again"
        )
    return numbers.reshape(-1, 3)
