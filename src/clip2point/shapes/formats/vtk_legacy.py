"""VTK's legacy format (.vtk): polygons, clouds and the surface of unstructured grids, as text or binary."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_numbers
from clip2point.shapes.formats.vtk_cells import Int, make_surface
from clip2point.shapes.guards import check_promise
from clip2point.shapes.parsed import Parsed

_TYPES = {
    **{f"unsigned_{name}": f"u{size}" for name, size in (("char", 1), ("short", 2), ("int", 4), ("long", 8))},
    **{name: f"i{size}" for name, size in (("char", 1), ("short", 2), ("int", 4), ("long", 8), ("vtkidtype", 4))},
    **{f"vtktypeint{8 * size}": f"i{size}" for size in (1, 2, 4, 8)},
    **{f"vtktypeuint{8 * size}": f"u{size}" for size in (1, 2, 4, 8)},
    "float": "f4",
    "double": "f8",
}
#: Lists of cells of polygons, and the kind of cell in VTK's numbers.
_POLYDATA = {"VERTICES": 2, "LINES": 4, "POLYGONS": 7, "TRIANGLE_STRIPS": 6}
_HEADER = re.compile(rb"# vtk DataFile Version (\d+)\.(\d+)[^\n]*\n[^\n]*\n\s*(ASCII|BINARY)\s*\n", re.IGNORECASE)
_WORD = re.compile(rb"\n\s*(?=[A-Z][A-Z_]{3,}\b)")
#: What follows the cells and is no part of the shape.
_ENDS = ("POINT_DATA", "CELL_DATA")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the polygons, or else the points, of a POLYDATA, or the surface of an UNSTRUCTURED_GRID."""
    header = _HEADER.match(data[:4096].replace(b"\r\n", b"\n"))
    if header is None:
        raise ShapeError("does not begin with '# vtk DataFile': this is no legacy VTK file; check its ending")
    text = header[3].upper() == b"ASCII"
    if text:
        data = data.replace(b"\r\n", b"\n")
    return _Reader(data, header.end() + data[: header.end()].count(b"\r"), text).read()


class _Reader:
    """Reader of one section after the other."""

    def __init__(self, data: bytes, place: int, text: bool) -> None:
        self._data, self._place, self._text = data, place, text
        self._points: NDArray[Any] | None = None
        self._grid = False
        self._corners: list[Int] = []
        self._sizes: list[Int] = []
        self._kinds: list[Int] = []

    def read(self) -> Parsed:
        """Read all sections up to the data of points and cells."""
        while (words := self._line()) and words[0].upper() not in _ENDS:
            self._section(words[0].upper(), words[1:])
        if self._points is None:
            raise ShapeError("has no POINTS: the file is cut off or damaged; export it again")
        if self._grid and not self._kinds:
            raise ShapeError("has no CELL_TYPES: the file is cut off or damaged; export it again")
        return make_surface(self._points, *map(_join, (self._corners, self._sizes, self._kinds)))

    def _section(self, key: str, words: list[str]) -> None:
        """Read one section, of which the words behind its key are given."""
        if key == "DATASET":
            self._grid = self._check_kind(words[0].upper())
        elif key == "POINTS":
            self._points = self._numbers(3 * int(words[0]), words[1]).reshape(-1, 3)
        elif key in _POLYDATA or key == "CELLS":
            corners, sizes = self._cells(int(words[0]), int(words[1]))
            self._corners.append(corners)
            self._sizes.append(sizes)
            if key != "CELLS":
                self._kinds.append(np.full(len(sizes), _POLYDATA[key]))
        elif key == "CELL_TYPES":
            self._kinds.append(self._numbers(int(words[0]), "int").astype(np.int64))
        elif key == "FIELD":
            self._skip_field(int(words[1]))
        elif key == "METADATA":
            end = self._data.find(b"\n\n", self._place)
            self._place = len(self._data) if end < 0 else end + 2
        else:
            raise ShapeError(f"has the section {key[:40]!r}, which is not known: the file is damaged; export it again")

    def _check_kind(self, kind: str) -> bool:
        if kind not in ("POLYDATA", "UNSTRUCTURED_GRID"):
            raise ShapeError(
                f"holds a {kind[:40]}: expected POLYDATA or an UNSTRUCTURED_GRID; extract a surface in ParaView and "
                "save it as PLY"
            )
        return kind == "UNSTRUCTURED_GRID"

    def _line(self) -> list[str]:
        """Return the words of the next line that has any, or none at the end."""
        while self._place < len(self._data):
            end = self._data.find(b"\n", self._place)
            end = len(self._data) if end < 0 else end
            words = self._data[self._place : min(end, self._place + 1000)].decode("latin-1").split()
            self._place = end + 1
            if words:
                return words
        return []

    def _cells(self, first: int, second: int) -> tuple[Int, Int]:
        """Return corners and sizes of cells, in the layout of version 5.1 or of those before."""
        place = self._place
        words = self._line()
        if words and words[0].upper() == "OFFSETS":
            offsets = self._numbers(first, words[1]).astype(np.int64)
            words = self._line()
            if not words or words[0].upper() != "CONNECTIVITY":
                raise ShapeError("has OFFSETS without CONNECTIVITY: the file is cut off or damaged; export it again")
            corners = self._numbers(second, words[1]).astype(np.int64)
            return corners, np.diff(offsets)
        self._place = place
        return split_cells(self._numbers(second, "int").astype(np.int64), first)

    def _numbers(self, count: int, kind: str) -> NDArray[Any]:
        code = _TYPES.get(kind.lower())
        if not code:
            raise ShapeError(f"has numbers of type {kind[:20]!r}: expected one of {', '.join(_TYPES)}")
        if self._text:
            check_promise("numbers", count, 2, len(self._data) - self._place + 1)
            after = _WORD.search(self._data, self._place - 1)
            end = len(self._data) if after is None else after.start()
            numbers = parse_numbers(self._data[self._place : end])
            if len(numbers) < count:
                raise ShapeError(f"has {len(numbers):,} numbers where {count:,} are declared: the file is cut off")
            self._place = end
            return numbers[:count]
        kept = np.dtype(">" + code)
        check_promise("numbers", count, kept.itemsize, len(self._data) - self._place)
        values = np.frombuffer(self._data, kept, count, self._place).astype(kept.newbyteorder("="))
        self._place += count * kept.itemsize
        return values

    def _skip_field(self, arrays: int) -> None:
        for _ in range(min(arrays, 1000)):
            words = self._line()
            if len(words) < 4:
                raise ShapeError("has a FIELD that ends too early: the file is cut off or damaged; export it again")
            if words[3].lower() == "string":  # of any length
                after = _WORD.search(self._data, self._place - 1)
                self._place = len(self._data) if after is None else after.start()
                return
            self._numbers(int(words[1]) * int(words[2]), words[3])


def split_cells(values: Int, cells: int) -> tuple[Int, Int]:
    """Return corners and sizes of cells, each written as its size and then its corners."""
    check_promise("cells", cells, 1, len(values))
    if cells and len(values) == cells * (values[0] + 1) and (values[:: values[0] + 1] == values[0]).all():
        rows = values.reshape(cells, -1)  # cells of one size, as nearly all meshes have
        return rows[:, 1:].ravel(), rows[:, 0].copy()
    sizes = np.empty(cells, np.int64)
    places = values.tolist()
    place = 0
    for i in range(cells):
        if place >= len(places) or places[place] < 0:
            raise ShapeError("has cells that end too early: the file is cut off or damaged; export it again")
        sizes[i] = places[place]
        place += places[place] + 1
    if place != len(places):
        raise ShapeError("has cells whose sizes do not fit their points: the file is damaged; export it again")
    kept = np.ones(len(values), bool)
    kept[np.cumsum(sizes + 1) - sizes - 1] = False
    return values[kept], sizes


def _join(arrays: list[Int]) -> Int:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
