"""OBJ: Wavefront's text format."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.lines import Lines, count_words
from clip2point.shapes.formats.mtl import read_libraries
from clip2point.shapes.formats.text import parse_integers
from clip2point.shapes.guards import MAX_INSTANCES
from clip2point.shapes.hierarchy import Hierarchy, Nodes
from clip2point.shapes.parsed import WHITE, Parsed, colors_to_uint8
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import split_corners

Int = NDArray[np.int64]


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an OBJ file; polygons become triangles, lines and curves are passed over."""
    if b"\\" in data:  # lines that go on in the next
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    if b"\n" not in data:  # line ends of old Macs
        data = data.replace(b"\r", b"\n")
    lines = Lines(data)
    v, vt, f = (lines.find(key) for key in (b"v", b"vt", b"f"))
    if not len(v):
        raise ShapeError("has no vertices ('v x y z' lines): this is no OBJ file, or an empty one; export it again")
    vertices = lines.read_table(v, b"v", 3)
    colors = colors_to_uint8(vertices[:, 3:6]) if vertices.shape[1] == 6 else None
    plain = Material() if colors is None else WHITE
    parsed = Parsed(vertices[:, :3], materials=(plain,), vertex_colors=colors)
    if not len(f):
        return parsed
    sizes, corners = lines.read_corners(f, b"f") or _corners(lines.join(f, b"f"))
    if (corners < 0).any():  # these count back from the last line before them
        so_far = np.stack([np.searchsorted(v, f), np.searchsorted(vt, f)], axis=1)
        corners = np.where(corners < 0, np.maximum(corners + np.repeat(so_far, sizes, axis=0) + 1, 0), corners)
    corners -= 1
    positions, polygon = cut_polygons(parsed.vertices, corners[:, 0], sizes)
    parsed.faces = corners[positions, 0]
    library = read_libraries(lines.rest(lines.find(b"mtllib"), b"mtllib"), companions)
    names, materials = _names_in_force(lines, b"usemtl", f)
    parsed.materials = tuple(library.get(name, plain) for name in names)
    parsed.face_materials = materials[polygon]
    parsed.hierarchy = _read_groups(lines, f, polygon)
    if len(vt) and any(material.texture is not None for material in parsed.materials):
        _split_seams(parsed, lines.read_table(vt, b"vt", 1), corners[positions])
    return parsed


def _corners(text: bytes) -> tuple[Int, Int]:
    """Return the sizes of faces [P], and vertex and texture numbers of all corners [C, 2] as they stand, 0 for none."""
    rows, sizes = text.split(b"\n"), count_words(text)
    # Most files write all faces alike, many a few ways (v/vt/vn with texture, v//vn without): each way at once.
    slashes, gaps = np.array([row.count(b"/") for row in rows]), np.array([b"//" in row for row in rows])
    ways = np.stack([slashes / np.maximum(sizes, 1), gaps], axis=1)
    corners = np.zeros((int(sizes.sum()), 2), dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    known, way_of = np.unique(ways, axis=0, return_inverse=True)
    order = np.argsort(way_of.ravel(), kind="stable")
    for way, chosen in zip(known, np.split(order, np.flatnonzero(np.diff(way_of.ravel()[order])) + 1), strict=True):
        part, counts = b" ".join([rows[row] for row in chosen.tolist()]), sizes[chosen]
        places = np.repeat(starts[chosen] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        corners[places] = _corner_numbers(part, float(way[0]), bool(way[1]), len(places))
    return sizes, corners


def _corner_numbers(text: bytes, slashes: float, gap: bool, corners: int) -> Int:
    """Return vertex and texture numbers [corners, 2] as they stand, 0 for none; ``slashes`` are those of a corner."""
    columns = 2 if gap else int(slashes) + 1
    if (slashes, gap) in ((0, False), (1, False), (2, False), (2, True)):
        numbers = parse_integers(text.replace(b"/", b" "))
        if len(numbers) == columns * corners and all(word.count(b"/") == slashes for word in text.split()):
            table = numbers.reshape(corners, columns)
            texture = np.zeros(corners, np.int64) if gap or columns == 1 else table[:, 1]
            return np.stack([table[:, 0], texture], axis=1)
    words = [[*word.split(b"/"), b""] for word in text.split()]
    try:
        return np.array([(int(word[0]), int(word[1] or 0)) for word in words], dtype=np.int64).reshape(corners, 2)
    except (ValueError, OverflowError):
        raise ShapeError("has a face whose corners are not numbers: expected 'f 1/2/3 ...'; export it again") from None


def _read_groups(lines: Lines, faces: Int, polygon: Int) -> Hierarchy | None:
    """Return objects and the groups in them, or if all faces are in one, materials; None if these are one, too."""
    entered, top = Nodes(), np.eye(4)
    chosen = [_names_in_force(lines, key, faces) for key in (b"o", b"g")]
    kinds: tuple[str, ...] = ("object", "group")
    if all(len(np.unique(numbers)) < 2 for _, numbers in chosen):
        chosen, kinds = [_names_in_force(lines, b"usemtl", faces)], ("material",)
    combined = np.stack([numbers for _, numbers in chosen], axis=1)
    distinct, place = np.unique(combined, axis=0, return_inverse=True)
    if len(distinct) < 2 or len(distinct) > MAX_INSTANCES:
        return None
    leaves = np.empty(len(distinct), dtype=np.int32)
    for row, numbers in enumerate(distinct.tolist()):
        above = -1
        for (names, _), number, kind in zip(chosen, numbers, kinds, strict=True):
            name = names[number].decode("utf-8", "replace").strip()
            if number or above < 0:  # no group inside an object: the object itself
                above = entered.enter((kind, above, number), name, above, top, kind)
        leaves[row] = above
    return Hierarchy(tuple(entered.entered), leaves[place.ravel()][polygon])


def _names_in_force(lines: Lines, key: bytes, faces: Int) -> tuple[list[bytes], Int]:
    """Return the names that lines with a key give, first none, and which is in force for each face [P]."""
    numbers, chosen = {b"": 0}, [0]
    places = lines.find(key)
    for name in lines.rest(places, key):
        chosen.append(numbers.setdefault(name, len(numbers)))
    return list(numbers), np.array(chosen)[np.searchsorted(places, faces)]


def _split_seams(parsed: Parsed, uv: NDArray[np.float64], corners: NDArray[np.int64]) -> None:
    """Give vertices that are used with several texture coordinates one copy for each."""
    vertex, texture = corners[..., 0].ravel(), corners[..., 1].ravel()
    if not 0 <= vertex.min(initial=0) <= vertex.max(initial=0) < len(parsed.vertices):
        return  # the faces are refused later, with a clear message
    texture = np.where(texture < len(uv), texture, -1)
    (vertex, texture), combination = split_corners(vertex, texture + 1)
    uv = np.column_stack([uv, np.zeros(len(uv))])[:, :2]  # a one-dimensional texture has no v
    parsed.uv = np.vstack([np.zeros((1, 2)), uv])[texture]
    parsed.vertices = parsed.vertices[vertex]
    parsed.vertex_colors = None if parsed.vertex_colors is None else parsed.vertex_colors[vertex]
    parsed.faces = combination.reshape(-1, 3)
