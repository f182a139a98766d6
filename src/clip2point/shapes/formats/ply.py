"""PLY: the polygon format of Stanford, text or binary, meshes and clouds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_numbers, to_integers
from clip2point.shapes.guards import MAX_ELEMENTS, check_promise
from clip2point.shapes.parsed import WHITE, Parsed, colors_to_uint8
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import strip_triangles

_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_COLOR_NAMES = (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
#: Most values and lists of an element that has lists: 16 bytes are held for each.
_MAX_LIST_ENTRIES = 4 * MAX_ELEMENTS
#: Faces of more colours than this are shown grey: each colour becomes a material.
_MAX_FACE_COLORS = 1024

_SPLATS_PER_CHUNK = 256


class Lists(NamedTuple):
    """A list property: ``sizes`` [N] and all ``values`` one after the other."""

    sizes: NDArray[np.int64]
    values: NDArray[Any]


Columns = dict[str, NDArray[Any] | Lists]


@dataclass
class _Property:
    name: str
    type: str
    count_type: str | None = None


@dataclass
class _Element:
    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)

    def least_bytes(self, text: bool) -> int:
        if text:
            return 2 * len(self.properties)
        return sum(np.dtype(p.count_type or p.type).itemsize for p in self.properties)


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a PLY file: polygons, triangle strips or points, with colours and one texture."""
    elements, style, texture_name, start = _header(data)
    left = len(data) - start
    for element in elements:
        check_promise(f"{element.name} rows", element.count, element.least_bytes(style == "ascii"), left + 1)
    if style == "ascii":
        # Once parsed, a text is a binary file in which every number is a double.
        for prop in (prop for element in elements for prop in element.properties):
            prop.type, prop.count_type = "f8", prop.count_type and "f8"
        data, start, style = parse_numbers(data[start:]).astype("<f8").tobytes(), 0, "binary_little_endian"
    columns = _read_rows(elements, data, start, "<" if style == "binary_little_endian" else ">")
    return _interpret(columns, texture_name, companions)


def _header(data: bytes) -> tuple[list[_Element], str, str | None, int]:
    """Return the elements, the style, the texture's name, and where the body begins."""
    end = re.search(rb"end_header[ \t]*(\r\n|\n|\r)", data[: 1 << 20])
    if not data.startswith(b"ply") or end is None:
        raise ShapeError("has no PLY header from 'ply' to 'end_header': this is no PLY file, or cut off")
    elements: list[_Element] = []
    style, texture = "", None
    for line in data[: end.start()].decode("latin-1").splitlines():
        match line.split():
            case ["format", name, *_]:
                style = name
            case ["comment", "TextureFile", *name]:
                texture = " ".join(name)
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count)))
            case ["property", "list", count_type, type_, name] if elements:
                elements[-1].properties.append(_Property(name, _type(type_), _type(count_type)))
            case ["property", type_, name] if elements:
                elements[-1].properties.append(_Property(name, _type(type_)))
            case ["ply"] | ["comment" | "obj_info", *_] | []:
                pass
            case _:
                raise ShapeError(f"has a header line {line[:80]!r} that is no PLY: export it again")
    if style not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise ShapeError(f"has the PLY format {style!r}: expected ascii or binary_(little|big)_endian")
    return elements, style, texture, end.end()


def _type(name: str) -> str:
    if name not in _TYPES:
        raise ShapeError(f"has the PLY type {name!r}: expected one of {', '.join(_TYPES)}")
    return _TYPES[name]


def _read_rows(elements: list[_Element], data: bytes, place: int, order: str) -> dict[str, Columns]:
    """Read the rows of all elements; ``order`` is "<" or ">"."""
    found: dict[str, Columns] = {}
    for element in elements:
        if not element.count or not element.properties:
            continue
        if any(prop.count_type for prop in element.properties):
            columns, place = _read_lists(element, data, place, order)
        else:
            dtype = np.dtype([(f"{i}", order + prop.type) for i, prop in enumerate(element.properties)])
            if place + dtype.itemsize * element.count > len(data):
                raise _cut_off(element)
            rows = np.frombuffer(data, dtype, element.count, place)
            columns = {prop.name: rows[f"{i}"] for i, prop in enumerate(element.properties)}
            place += dtype.itemsize * element.count
        found.setdefault(element.name, columns)
    return found


def _cut_off(element: _Element) -> ShapeError:
    return ShapeError(
        f"ends before its {element.count:,} {element.name} rows do: the file is cut off or damaged; "
        "export or download it again"
    )


def _read_lists(element: _Element, data: bytes, place: int, order: str) -> tuple[Columns, int]:
    """Read rows that hold lists, which may differ in length from row to row; return where they end."""
    from clip2point.shapes.formats.ply_rows import gather, walk

    properties = element.properties
    if element.count * len(properties) > _MAX_LIST_ENTRIES:
        raise ShapeError(f"has more than {_MAX_LIST_ENTRIES:,} values beside lists: thin the shape out first")
    starts, sizes, end = walk(
        data,
        place,
        element.count,
        [np.dtype(order + prop.count_type) if prop.count_type else None for prop in properties],
        [np.dtype(prop.type).itemsize for prop in properties],
    )
    if end < 0:
        raise _cut_off(element)
    columns: Columns = {}
    for i, prop in enumerate(properties):
        dtype = np.dtype(order + prop.type)
        values = gather(data, starts[:, i], sizes[:, i] * dtype.itemsize).view(dtype)
        columns[prop.name] = Lists(sizes[:, i], values) if prop.count_type else values
    return columns, end


def _interpret(found: dict[str, Columns], texture_name: str | None, companions: Companions) -> Parsed:
    rows = found.get("vertex", {})
    vertices = _stack_columns(rows, (("x", "y", "z"),))
    if vertices is None and "packed_position" in rows:
        vertices = _unpack_positions(rows, found.get("chunk", {}))
    if vertices is None:
        raise ShapeError("has no vertices with x, y, z: expected a PLY element 'vertex'; export it again")
    colors = _stack_columns(rows, _COLOR_NAMES)
    parsed = Parsed(
        vertices,
        vertex_colors=None if colors is None else _colors(colors),
        materials=(Material() if colors is None else WHITE,),
    )
    face_rows = found.get("face", {})
    polygons = face_rows.get("vertex_indices", face_rows.get("vertex_index"))
    if isinstance(polygons, Lists):
        corners = _to_whole(polygons.values)
        positions, polygon = cut_polygons(vertices, corners, polygons.sizes)
        parsed.faces = corners[positions]
        _paint(parsed, face_rows, polygons.sizes, positions, polygon)
    elif isinstance(strips := found.get("tristrips", {}).get("vertex_indices"), Lists):
        parsed.faces = _strips(_to_whole(strips.values))
    texture = companions.read_texture(texture_name) if texture_name else None
    if texture is not None:
        parsed.uv = _stack_columns(rows, _UV_NAMES) if parsed.uv is None else parsed.uv
        if parsed.uv is not None:
            parsed.materials = tuple(Material((1.0, 1.0, 1.0, 1.0), texture) for _ in parsed.materials)
    return parsed


def _unpack_positions(rows: Columns, chunks: Columns) -> NDArray[np.float64] | None:
    """Return the positions [N, 3] of compressed splats (SuperSplat): 11, 10 and 11 bits in the box of their chunk."""
    packed = rows["packed_position"]
    low = _stack_columns(chunks, (("min_x", "min_y", "min_z"),))
    high = _stack_columns(chunks, (("max_x", "max_y", "max_z"),))
    if low is None or high is None or isinstance(packed, Lists):
        return None
    chunk = np.arange(len(packed)) // _SPLATS_PER_CHUNK
    if len(packed) and chunk[-1] >= len(low):
        raise ShapeError(f"has {len(low):,} chunks, too few for {len(packed):,} splats: the file is damaged")
    bits = packed.astype(np.int64)
    fractions = np.stack([bits >> 21 & 2047, bits >> 11 & 1023, bits & 2047], axis=1) / (2047, 1023, 2047)
    low, high = low.astype(np.float64)[chunk], high.astype(np.float64)[chunk]
    return np.asarray(low + fractions * (high - low))


def _paint(
    parsed: Parsed,
    rows: Columns,
    sizes: NDArray[np.int64],
    positions: NDArray[np.int64],
    polygon: NDArray[np.int64],
) -> None:
    """Take over colours of faces, and texture coordinates that are stored for the corners of faces."""
    coordinates = rows.get("texcoord")
    if isinstance(coordinates, Lists) and np.array_equal(coordinates.sizes, 2 * sizes):
        # Corners of one vertex may differ here, so every corner becomes a vertex of its own.
        assert parsed.faces is not None
        corners = parsed.faces.ravel()
        if len(corners) and not 0 <= corners.min() <= corners.max() < len(parsed.vertices):
            return  # the faces are refused later, with a clear message
        parsed.uv = coordinates.values.reshape(-1, 2)[positions.ravel()]
        parsed.vertices = parsed.vertices[corners]
        parsed.vertex_colors = None if parsed.vertex_colors is None else parsed.vertex_colors[corners]
        parsed.faces = np.arange(len(corners)).reshape(-1, 3)
    colors = _stack_columns(rows, _COLOR_NAMES)
    if colors is not None and parsed.vertex_colors is None:
        palette, index = np.unique(_colors(colors), axis=0, return_inverse=True)
        if len(palette) <= _MAX_FACE_COLORS:
            parsed.materials = tuple(Material((r / 255, g / 255, b / 255, 1.0)) for r, g, b in palette.tolist())
            parsed.face_materials = index.ravel()[polygon]


def _stack_columns(columns: Columns, choices: tuple[tuple[str, ...], ...]) -> NDArray[Any] | None:
    """Return the first complete choice of columns as [N, len(choice)], or None."""
    for names in choices:
        arrays = [columns[name] for name in names if isinstance(columns.get(name), np.ndarray)]
        if len(arrays) == len(names):
            return np.stack(arrays, axis=1)
    return None


def _colors(colors: NDArray[Any]) -> NDArray[np.uint8]:
    return colors if colors.dtype == np.uint8 else colors_to_uint8(colors)


def _to_whole(values: NDArray[Any]) -> NDArray[np.int64]:
    return to_integers(values) if values.dtype == np.float64 else values.astype(np.int64)


def _strips(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the triangles of strips that are parted by -1."""
    strips = np.split(corners, np.flatnonzero(corners == -1))
    strips = [strip[strip != -1] for strip in strips]
    return np.concatenate([strip[strip_triangles(len(strip))] for strip in strips])
