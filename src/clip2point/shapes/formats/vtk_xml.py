"""VTK's XML formats (.vtp, .vtu): polygons, clouds and the surface of unstructured grids, in text, base64 or raw."""

from __future__ import annotations

import base64
import binascii
import lzma
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_numbers
from clip2point.shapes.formats.vtk_cells import make_surface
from clip2point.shapes.guards import MAX_BYTES, check_promise, expansion_limit, parse_xml
from clip2point.shapes.parsed import Parsed, Scene

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_TYPES = {f"{name}{8 * size}": f"{kind}{size}" for name, kind in (("Int", "i"), ("UInt", "u")) for size in (1, 2, 4, 8)}
_TYPES |= {"Float32": "f4", "Float64": "f8"}
_POLYDATA = {"Verts": 2, "Lines": 4, "Polys": 7, "Strips": 6}
_APPENDED = re.compile(rb"<AppendedData[^>]*>\s*_")
_CUT_OFF = "ends within its data: the file is cut off or damaged; export it again"


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the polygons, or else the points, of PolyData, or the surface of an UnstructuredGrid."""
    appended = b""
    encoding = b"base64"
    if (match := _APPENDED.search(data)) is not None:  # its raw bytes are no XML
        appended = data[match.end() :]
        encoding = b"raw" if b"raw" in match[0] else b"base64"
        data = data[: match.start()] + b"</VTKFile>"
    root = parse_xml(data)
    kind = root.get("type", "")
    if root.tag != "VTKFile" or kind not in ("PolyData", "UnstructuredGrid"):
        raise ShapeError(
            f"holds a {kind[:40] or root.tag[:40]}: expected PolyData or an UnstructuredGrid of VTK; extract a surface "
            "in ParaView and save it as PLY"
        )
    arrays = _Arrays(root, appended, encoding == b"raw", len(data) + len(appended))
    scene = Scene()
    for piece in root.iterfind(f"{kind}/Piece"):
        if int(piece.get("NumberOfPoints", "0")):
            scene.add(_read_piece(piece, arrays, kind == "PolyData"))
    return scene.join()


def _read_piece(piece: Element, arrays: _Arrays, polygons: bool) -> Parsed:
    count = int(piece.get("NumberOfPoints", "0"))
    place = piece.find("Points/DataArray")
    if place is None:
        raise ShapeError("has a piece without points: the file is damaged; export it again")
    points = arrays.read(place).reshape(-1, 3)
    if len(points) != count:
        raise ShapeError(f"declares {count:,} points and has {len(points):,}: the file is damaged; export it again")
    corners, sizes, kinds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for name, kind in _POLYDATA.items() if polygons else [("Cells", 0)]:
        named = {array.get("Name"): array for array in piece.iterfind(f"{name}/DataArray")}
        if "connectivity" not in named or "offsets" not in named:
            continue
        corners.append(arrays.read(named["connectivity"]).astype(np.int64))
        ends = arrays.read(named["offsets"]).astype(np.int64)
        sizes.append(ends - np.concatenate([[0], ends[:-1]]))
        if polygons:
            kinds.append(np.full(len(sizes[-1]), kind))
        elif "types" in named:
            kinds.append(arrays.read(named["types"]).astype(np.int64))
    return make_surface(
        points, np.concatenate(corners), np.concatenate(sizes), np.concatenate(kinds), _colors(piece, arrays, count)
    )


def _colors(piece: Element, arrays: _Arrays, count: int) -> NDArray[np.uint8] | None:
    """Return the first array of bytes of three or four components as colours."""
    for array in piece.iterfind("PointData/DataArray"):
        width = array.get("NumberOfComponents")
        if array.get("type") == "UInt8" and width in ("3", "4"):
            values = arrays.read(array)
            if len(values) == count * int(width):
                return values.reshape(count, -1)[:, :3]
    return None


class _Arrays:
    """Reader of arrays, wherever and however they are stored."""

    def __init__(self, root: Element, appended: bytes, raw: bool, size: int) -> None:
        self._appended, self._raw = appended, raw
        self._order = ">" if root.get("byte_order") == "BigEndian" else "<"
        self._header = np.dtype(self._order + ("u8" if root.get("header_type") == "UInt64" else "u4"))
        self._bytes_left = expansion_limit(size)
        compressor = root.get("compressor", "")
        known = {"": None, "vtkZLibDataCompressor": _inflate, "vtkLZMADataCompressor": _unpack_lzma}
        if compressor not in known:
            raise ShapeError(f"is compressed with {compressor[:40]}: expected zlib; save it again with that")
        self._unpack: Callable[[bytes, int], bytes] | None = known[compressor]

    def read(self, element: Element) -> NDArray[Any]:
        """Return the numbers of a DataArray, flat."""
        code = _TYPES.get(element.get("type", ""))
        if code is None:
            raise ShapeError(f"has numbers of type {str(element.get('type'))[:20]!r}: expected integers or floats")
        form, text = element.get("format", "ascii"), element.text or ""
        if form == "ascii":
            return parse_numbers(text).astype(code)
        dtype = np.dtype(self._order + code)
        if form == "appended":
            offset = int(element.get("offset", "0"))
            if not 0 <= offset <= len(self._appended):
                raise ShapeError(_CUT_OFF)
            data = self._decode(memoryview(self._appended)[offset:], self._raw)
        else:
            data = self._decode(memoryview(text.strip().encode("ascii", "replace")), raw=False)
        if len(data) % dtype.itemsize:
            raise ShapeError(_CUT_OFF)
        return np.frombuffer(data, dtype).astype(dtype.newbyteorder("="))

    def _decode(self, stored: memoryview, raw: bool) -> bytes:
        """Return the bytes of an array behind their header: its size, or the sizes of compressed blocks."""
        size = self._header.itemsize
        first = int(np.frombuffer(self._take(stored, 0, size, raw), self._header)[0])
        if self._unpack is None:
            self._spend(first)
            return self._take(stored, 0, size + first, raw)[size:]
        check_promise("blocks", first, size, len(stored))
        header = np.frombuffer(self._take(stored, 0, (3 + first) * size, raw), self._header).astype(object)
        block, last, packed = int(header[1]), int(header[2]), [int(length) for length in header[3:]]
        begin = (3 + first) * size if raw else _count_letters((3 + first) * size)
        body = self._take(stored, begin, sum(packed), raw)
        self._spend(block * max(first - 1, 0) + (last or block) * (first > 0))
        pieces, place = [], 0
        for length in packed:
            pieces.append(self._unpack(body[place : place + length], block))
            place += length
        return b"".join(pieces)

    def _take(self, stored: memoryview, begin: int, size: int, raw: bool) -> bytes:
        """Return ``size`` bytes that are stored from a place on."""
        end = begin + (size if raw else _count_letters(size))
        if end > len(stored):
            raise ShapeError(_CUT_OFF)
        if raw:
            return bytes(stored[begin:end])
        try:
            return base64.b64decode(stored[begin:end], validate=True)[:size]
        except binascii.Error:
            raise ShapeError("has an array that is not base64: the file is damaged; export it again") from None

    def _spend(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0 or size > MAX_BYTES:
            raise ShapeError("unfolds to more than its size allows: the file is damaged, or a decompression bomb")


def _count_letters(size: int) -> int:
    """Return the number of base64's letters for so many bytes."""
    return (size + 2) // 3 * 4


def _inflate(data: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        return inflater.decompress(data, most)
    except zlib.error as error:
        raise ShapeError(f"has damaged compressed data ({error}): export it again") from None


def _unpack_lzma(data: bytes, most: int) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=256 * 1024**2).decompress(data, most)
    except lzma.LZMAError as error:
        raise ShapeError(f"has damaged compressed data ({error}): export it again") from None
