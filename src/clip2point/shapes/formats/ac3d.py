"""AC3D: the text format of the modeller AC3D, in which flight and racing simulators keep aircraft, ships and cars."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_numbers, to_integers
from clip2point.shapes.guards import MAX_INSTANCES, check_lines, check_promise
from clip2point.shapes.parsed import Parsed, Scene
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import strip_triangles

#: The low four bits of a surface's flags say what it is: these, or lines. Strips are TORCS's addition (.acc).
_POLYGON, _STRIP = 0, 4


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an AC3D file, y-up; polygons become triangles, lines and lights are passed over."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.startswith(b"AC3D"):
        raise ShapeError("does not begin with AC3D: this is no AC3D file; check its ending or export it again")
    check_lines(data)
    return _File(data, companions).read().join(up="y")


class _Object:
    """Lines of one object, from OBJECT to kids."""

    def __init__(self) -> None:
        self.vertices: NDArray[np.float64] = np.zeros((0, 3))
        self.sizes: list[int] = []
        self.surface_materials: list[int] = []
        self.corners: list[bytes] = []
        self.texture: bytes | None = None
        self.repeat = np.ones(2)
        self.offset = np.zeros(2)
        self.transform = np.eye(4)

    def add_surface(self, kind: int, material: int, corners: list[bytes]) -> None:
        """Add a polygon, or a strip as the triangles that it stands for."""
        if kind == _POLYGON:
            polygons = [corners]
        elif kind == _STRIP:
            polygons = [[corners[i] for i in triangle] for triangle in strip_triangles(len(corners)).tolist()]
        else:
            return
        self.sizes += [len(polygon) for polygon in polygons]
        self.surface_materials += [material] * len(polygons)
        self.corners += [corner for polygon in polygons for corner in polygon]


class _File:
    """Reader of the lines of a file; an object is at its place once those around it are known."""

    def __init__(self, data: bytes, companions: Companions) -> None:
        self._data = data
        self._place = data.find(b"\n") + 1 or len(data)
        self._companions = companions
        self._palette: list[tuple[float, float, float, float]] = []
        self._materials: dict[tuple[int, bytes | None], Material] = {}
        self._scene = Scene()

    def read(self) -> Scene:
        """Read all objects."""
        # For each object that encloses the next one: how many of its kids are to come, and where they are placed.
        open_objects: list[tuple[int, NDArray[np.float64]]] = []
        objects = 0
        while self._place < len(self._data):
            key, rest = self._line()
            if key == b"MATERIAL":
                self._palette.append(_color(rest))
            elif key == b"OBJECT":
                objects += 1
                if objects > MAX_INSTANCES:
                    raise ShapeError(f"has more than {MAX_INSTANCES:,} objects: join some of them")
                around = np.eye(4)
                if open_objects:
                    kids, around = open_objects.pop()
                    if kids > 1:
                        open_objects.append((kids - 1, around))
                kids, placed = self._object(around)
                if kids > 0:
                    open_objects.append((kids, placed))
        # Kids that never came are no error: whole files promise too many where objects were deleted by hand.
        return self._scene

    def _object(self, around: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
        """Read an object up to its line kids; return how many it has, and the place of it and them."""
        found = _Object()
        while self._place < len(self._data):
            key, rest = self._line()
            if key == b"kids":
                placed = around @ found.transform
                self._add(found, placed)
                return self._count(rest, "kids"), placed
            self._entry(found, key, rest)
        raise ShapeError("ends within an object: the file is cut off; export or download it again")

    def _entry(self, found: _Object, key: bytes, rest: bytes) -> None:
        if key == b"numvert":
            found.vertices = self._vertices(self._count(rest, "vertices"))
        elif key == b"SURF":
            self._surface(found, rest)
        elif key == b"data":  # free text, which may look like anything
            self._place += self._count(rest, "characters")
        elif key == b"texture" and found.texture is None:  # more of them are light maps
            found.texture = rest.split(b'"')[1] if rest.count(b'"') > 1 else rest.strip()
        elif key == b"texrep":
            found.repeat = _numbers(rest, 2)
        elif key == b"texoff":
            found.offset = _numbers(rest, 2)
        elif key == b"rot":  # of row vectors
            found.transform[:3, :3] = _numbers(rest, 9).reshape(3, 3).T
        elif key == b"loc":
            found.transform[:3, 3] = _numbers(rest, 3)

    def _vertices(self, count: int) -> NDArray[np.float64]:
        check_promise("vertices", count, 6, len(self._data) - self._place + 1)
        return _table(self._lines(count))

    def _surface(self, found: _Object, flags: bytes) -> None:
        """Read a surface, which ends with its corners."""
        try:
            kind = int(flags.strip(), 16) & 15
        except ValueError:
            _refuse(b"SURF " + flags)
        material = 0
        while self._place < len(self._data):
            key, rest = self._line()
            if key == b"mat":
                material = self._count(rest, "materials")
            elif key == b"refs":
                count = self._count(rest, "corners")
                check_promise("corners", count, 2, len(self._data) - self._place + 1)
                found.add_surface(kind, material, self._lines(count))
                return
        raise ShapeError("ends within a surface: the file is cut off; export or download it again")

    def _add(self, found: _Object, transform: NDArray[np.float64]) -> None:
        if not any(size > 2 for size in found.sizes):
            return
        table = _table(found.corners)
        corners = to_integers(table[:, 0])
        if (corners < 0).any() or (corners >= len(found.vertices)).any():
            raise ShapeError(
                f"has a surface that names vertices beyond the {len(found.vertices):,} of its object: "
                "the file is damaged; export it again"
            )
        positions, polygon = cut_polygons(found.vertices, corners, np.array(found.sizes, dtype=np.int64))
        used, face_materials = np.unique(np.array(found.surface_materials)[polygon], return_inverse=True)
        part = Parsed(
            found.vertices,
            corners[positions],
            tuple(self._material(number, found.texture) for number in used.tolist()),
            face_materials,
        )
        if any(material.texture is not None for material in part.materials):
            # Texture coordinates belong to corners: each becomes a vertex.
            part.vertices, part.faces = found.vertices[corners], positions
            part.uv = table[:, 1:3] * found.repeat + found.offset
        self._scene.add(part, transform)

    def _material(self, number: int, texture: bytes | None) -> Material:
        if (number, texture) not in self._materials:
            color = self._palette[number] if number < len(self._palette) else Material().color
            image = None if texture is None else self._companions.read_texture(texture.decode("utf-8", "replace"))
            self._materials[number, texture] = Material(color, image)
        return self._materials[number, texture]

    def _line(self) -> tuple[bytes, bytes]:
        """Return the first word and the rest of the next line."""
        end = self._data.find(b"\n", self._place)
        end = len(self._data) if end < 0 else end
        key, _, rest = self._data[self._place : end].strip().replace(b"\t", b" ").partition(b" ")
        self._place = end + 1
        return key, rest

    def _lines(self, count: int) -> list[bytes]:
        """Return the next lines that are not blank; some programs put blank ones between those of numbers."""
        lines: list[bytes] = []
        while len(lines) < count and self._place < len(self._data):
            end = self._data.find(b"\n", self._place)
            end = len(self._data) if end < 0 else end
            line = self._data[self._place : end].strip()
            self._place = end + 1
            if line:
                lines.append(line)
        if len(lines) < count:
            raise ShapeError("ends within a list of numbers: the file is cut off; export or download it again")
        return lines

    @staticmethod
    def _count(text: bytes, what: str) -> int:
        try:
            count = int(text)
        except ValueError:
            count = -1
        if count < 0:
            raise ShapeError(f"has {text[:40]!r} for a number of {what}: the file is damaged; export it again")
        return count


def _table(rows: list[bytes]) -> NDArray[np.float64]:
    """Return lines of at least three numbers as [N, 3]; some programs write normals or more coordinates behind them."""
    if not rows:
        return np.zeros((0, 3))
    numbers = parse_numbers(b"\n".join(rows))
    if len(numbers) == 3 * len(rows):
        return numbers.reshape(-1, 3)
    lengths = np.array([len(row.split()) for row in rows])
    if lengths.min() < 3 or lengths.sum() != len(numbers):
        raise ShapeError("has a line with fewer than 3 numbers: the file is cut off or damaged; export it again")
    starts = np.cumsum(lengths) - lengths
    table: NDArray[np.float64] = numbers[starts[:, None] + np.arange(3)]
    return table


def _color(text: bytes) -> tuple[float, float, float, float]:
    """Return colour and opacity of a material; what cannot be understood keeps its default."""
    words = text.rpartition(b'"')[2].split()  # behind the name, which may hold anything
    try:
        red, green, blue = (float(word) for word in words[words.index(b"rgb") + 1 :][:3])
        alpha = 1 - float(words[words.index(b"trans") + 1])
    except (ValueError, IndexError):
        return Material().color
    if not np.isfinite([red, green, blue, alpha]).all():
        return Material().color
    red, green, blue, alpha = (min(max(value, 0.0), 1.0) for value in (red, green, blue, alpha))
    return red, green, blue, alpha


def _numbers(text: bytes, count: int) -> NDArray[np.float64]:
    numbers = parse_numbers(text)
    if len(numbers) != count:
        _refuse(text)
    return numbers


def _refuse(text: bytes) -> NoReturn:
    raise ShapeError(f"has {text[:40]!r}, which cannot be read: the file is damaged; export it again")
