"""OBJ: Wavefront's text format, with its material libraries (MTL) and textures."""

from __future__ import annotations

import io
import posixpath
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_integers, parse_numbers
from clip2point.shapes.guards import check_lines
from clip2point.shapes.parsed import WHITE, Parsed, colors_to_uint8
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import fan_triangles, split_corners

#: Options before the file name of a map, and how many words follow each; the others take up to three numbers.
_MAP_OPTIONS = {
    option: 2 if option == "-mm" else 1
    for option in ("-blendu", "-blendv", "-bm", "-boost", "-cc", "-clamp", "-imfchan", "-mm", "-texres", "-type")
}
#: Most names on one line of material libraries.
_MOST_LIBRARIES = 100


@dataclass
class _Lines:
    """The lines of a file by their kind; for each face what was current when it was read."""

    v: list[bytes] = field(default_factory=list)
    vt: list[bytes] = field(default_factory=list)
    f: list[bytes] = field(default_factory=list)
    face_materials: list[int] = field(default_factory=list)
    materials: dict[bytes, int] = field(default_factory=dict)
    libraries: list[bytes] = field(default_factory=list)
    #: For faces with negative numbers, the vertices and texture coordinates so far.
    known: dict[int, tuple[int, int]] = field(default_factory=dict)


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an OBJ file; polygons become fans of triangles, lines and curves are passed over."""
    lines = _sort_lines(data)
    if not lines.v:
        raise ShapeError("has no vertices ('v x y z' lines): this is no OBJ file, or an empty one; export it again")
    vertices = _table(lines.v, 3)
    colors = colors_to_uint8(vertices[:, 3:6]) if vertices.shape[1] == 6 else None
    plain = Material() if colors is None else WHITE
    parsed = Parsed(vertices[:, :3], materials=(plain,), vertex_colors=colors)
    if not lines.f:
        return parsed
    sizes, corners = _corners(lines)
    positions, polygon = fan_triangles(sizes)
    parsed.faces = corners[positions, 0]
    library = _read_libraries(lines.libraries, companions)
    parsed.materials = tuple(library.get(name, plain) for name in lines.materials)
    parsed.face_materials = np.array(lines.face_materials)[polygon]
    if lines.vt and any(material.texture is not None for material in parsed.materials):
        _split_seams(parsed, _table(lines.vt, 1), corners[positions])
    return parsed


def _sort_lines(data: bytes) -> _Lines:
    data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").replace(b"\t", b" ")
    check_lines(data)
    if b"\n" not in data:  # line ends of old Macs
        data = data.replace(b"\r", b"\n")
    lines = _Lines()
    material = lines.materials.setdefault(b"", 0)
    for line in io.BytesIO(data):  # one at a time: most are not kept
        key, _, rest = line.strip().partition(b" ")
        if key == b"v":
            lines.v.append(rest)
        elif key == b"vt":
            lines.vt.append(rest)
        elif key == b"f":
            lines.f.append(rest)
            lines.face_materials.append(material)
            if b"-" in rest:
                lines.known[len(lines.f) - 1] = len(lines.v), len(lines.vt)
        elif key == b"usemtl":
            material = lines.materials.setdefault(rest.strip(), len(lines.materials))
        elif key == b"mtllib":
            lines.libraries.append(rest.strip())
    return lines


def _without_comments(rows: list[bytes]) -> list[bytes]:
    """Cut comments off lines of numbers; names, on other lines, may hold a '#'."""
    return [row.partition(b"#")[0] for row in rows] if any(b"#" in row for row in rows) else rows


def _table(rows: list[bytes], least: int) -> NDArray[np.float64]:
    """Return lines of numbers as [N, C]; where lines differ in length, C is the shortest's."""
    rows = _without_comments(rows)
    columns = len(rows[0].split())
    numbers = parse_numbers(b"\n".join(rows))
    lengths = np.full(len(rows), columns)
    if len(numbers) != columns * len(rows) or columns == 0:
        lengths = np.array([len(row.split()) for row in rows])
        columns = int(lengths.min())
    if columns < least or lengths.sum() != len(numbers):
        raise ShapeError(f"has a line with fewer than {least} numbers: the file is damaged; export it again")
    starts = np.cumsum(lengths) - lengths
    table: NDArray[np.float64] = numbers[starts[:, None] + np.arange(columns)]
    return table


def _corners(lines: _Lines) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sizes of the faces [P], and [C, 2] vertex and texture numbers of all corners, from 0 (-1: none)."""
    rows = _without_comments(lines.f)
    sizes = np.array([len(row.split()) for row in rows])
    # Most files write all faces alike, many a few ways (v/vt/vn with texture, v//vn without): each way at once.
    ways: dict[tuple[float, bool], list[int]] = {}
    for i, (row, size) in enumerate(zip(rows, sizes.tolist(), strict=True)):
        ways.setdefault((row.count(b"/") / max(size, 1), b"//" in row), []).append(i)
    corners = np.zeros((int(sizes.sum()), 2), dtype=np.int64)
    for (slashes, gap), members in ways.items():
        chosen = np.zeros(len(rows), dtype=bool)
        chosen[members] = True
        text = b" ".join([rows[i] for i in members])
        corners[np.repeat(chosen, sizes)] = _corner_numbers(text, slashes, gap, int(sizes[members].sum()))
    return sizes, _from_zero(corners, sizes, lines.known)


def _corner_numbers(text: bytes, slashes: float, gap: bool, corners: int) -> NDArray[np.int64]:
    """Return vertex and texture numbers [corners, 2] as they stand, 0 for none; ``slashes`` are those of a corner."""
    columns = 2 if gap else int(slashes) + 1
    if (slashes, gap) in ((0, False), (1, False), (2, False), (2, True)):
        numbers = parse_integers(text.replace(b"/", b" "))
        if len(numbers) == columns * corners:
            table = numbers.reshape(corners, columns)
            texture = np.zeros(corners, np.int64) if gap or columns == 1 else table[:, 1]
            return np.stack([table[:, 0], texture], axis=1)
    words = [[*word.split(b"/"), b""] for word in text.split()]
    try:
        return np.array([(int(word[0]), int(word[1] or 0)) for word in words], dtype=np.int64).reshape(corners, 2)
    except (ValueError, OverflowError):
        raise ShapeError("has a face whose corners are not numbers: expected 'f 1/2/3 ...'; export it again") from None


def _from_zero(
    corners: NDArray[np.int64], sizes: NDArray[np.int64], known: dict[int, tuple[int, int]]
) -> NDArray[np.int64]:
    """Count from 0: positive numbers count from 1, negative ones back from the last line so far, 0 is none."""
    if not known:
        return corners - 1
    so_far = np.zeros((len(sizes), 2), dtype=np.int64)
    so_far[list(known)] = list(known.values())
    back = np.maximum(corners + np.repeat(so_far, sizes, axis=0), -1)
    return np.where(corners < 0, back, corners - 1)


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


def _read_libraries(names: list[bytes], companions: Companions) -> dict[bytes, Material]:
    materials: dict[bytes, Material] = {}
    for line in dict.fromkeys(names):
        name = line.decode("utf-8", "replace")
        text = companions.read(name)
        if text is not None:
            materials |= _read_mtl(text, companions, name)
        elif len(words := name.split()[:_MOST_LIBRARIES]) > 1:  # several names rather than one with spaces
            materials |= _read_libraries([word.encode() for word in words], companions)
    return materials


def _read_texture(name: str, library: str, companions: Companions) -> NDArray[np.uint8] | None:
    """Return the image that a library names: beside the library, or else beside the OBJ file."""
    folder = posixpath.dirname(library.replace("\\", "/"))
    texture = None
    if folder:
        texture = companions.read_texture(posixpath.normpath(posixpath.join(folder, name.replace("\\", "/"))))
    return companions.read_texture(name) if texture is None else texture


def _read_mtl(data: bytes, companions: Companions, library: str) -> dict[bytes, Material]:
    """Read a material library; what cannot be understood keeps its default, since looks are not the shape."""
    materials: dict[bytes, Material] = {}
    name, alpha, texture = b"", 1.0, None
    color: tuple[float, ...] = (1.0, 1.0, 1.0)
    for line in data.splitlines():
        key, _, rest = line.strip().replace(b"\t", b" ").partition(b" ")
        key = key.lower()
        if key == b"newmtl":
            name, color, alpha, texture = rest.strip(), (1.0, 1.0, 1.0), 1.0, None
        elif key == b"kd":
            color = _fractions(rest, 3) or color
        elif key in (b"d", b"tr"):
            (opaque,) = _fractions(rest, 1) or (alpha if key == b"d" else 1 - alpha,)
            alpha = opaque if key == b"d" else 1 - opaque
        elif key == b"map_kd":
            texture = _read_texture(_map_name(rest.decode("utf-8", "replace")), library, companions)
        else:
            continue
        # Some exporters write a black diffuse colour beside a texture, which would hide it.
        red, green, blue = (1.0, 1.0, 1.0) if texture is not None and not any(color) else color
        materials[name] = Material((red, green, blue, alpha), texture)
    return materials


def _fractions(text: bytes, count: int) -> tuple[float, ...] | None:
    try:
        values = [float(word) for word in text.split()[:count]]
    except ValueError:
        return None
    if len(values) != count or not np.isfinite(values).all():
        return None
    return tuple(min(max(value, 0.0), 1.0) for value in values)


def _map_name(text: str) -> str:
    """Return the file name of a map line, which may hold spaces and follow options."""
    words = text.split()
    while words and words[0].startswith("-"):
        option = words.pop(0).lower()
        if option in _MAP_OPTIONS:
            words = words[_MAP_OPTIONS[option] :]
            continue
        for _ in range(3):
            if words and re.fullmatch(r"[-+.\deE]+", words[0]):
                words.pop(0)
    return " ".join(words)
