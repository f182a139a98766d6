"""DAE: COLLADA scenes with materials and textures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.collision import is_collision, note_collision
from clip2point.shapes.formats.dae_skin import pose
from clip2point.shapes.formats.text import parse_integers, parse_numbers
from clip2point.shapes.guards import MAX_INSTANCES, check_parts, parse_xml
from clip2point.shapes.parsed import WHITE, Parsed, Scene, colors_to_uint8
from clip2point.shapes.polygons import cut_polygons, cut_rings
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import fan_triangles, find_used_vertices, split_corners, strip_triangles

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Nodes above one another that are told apart.
_DEEPEST = 32
_UP_AXES = {"X_UP": "x", "Y_UP": "y", "Z_UP": "z"}
_SHADERS = ("phong", "lambert", "blinn", "constant")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a COLLADA scene in its places, in the axes of the file; its <up_axis> (default Y_UP) is declared.

    Skins are read in the pose that the nodes give them, morphs as the mesh that they start from; bodies for collision
    are passed over.
    """
    root = parse_xml(data)
    if _name(root) != "COLLADA":
        raise ShapeError(f"has the root <{_name(root)[:40]}>: expected <COLLADA>; export it again")
    return _Reader(root, companions).read()


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _text(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


class _Reader:
    def __init__(self, root: Element, companions: Companions) -> None:
        self._root = root
        self._companions = companions
        self._by_id = {str(e.get("id")): e for e in root.iter() if e.get("id") is not None}
        self._geometries: dict[str, list[tuple[str, Parsed]]] = {}
        self._instances: dict[Element, list[Parsed]] = {}
        self._materials: dict[str, Material] = {}
        self._sources: dict[Element, NDArray[np.float64]] = {}
        self._places: dict[str, NDArray[np.float64]] = {}
        self._collision: dict[Element, str] = {}
        self._notes: list[str] = []
        # For each visit of a node, counted from 1: the visit of the node above it or 0, the node, and its place.
        self._visits: dict[int, tuple[int, Element, NDArray[np.float64]]] = {}

    def read(self) -> Parsed:
        scene = Scene(self._notes)
        placed = 0
        for instance, transform, visit in self._without_collision(self._place_geometries()):
            skinned = self._skin(str(instance.get("url"))) is not None  # joints place it, not its node
            parts = self._parts(instance)
            placed += len(parts)
            check_parts(placed)
            node = self._enter_node(scene, visit)
            for part in parts:
                scene.add(part, None if skinned else transform, node)
        up = _text(self._root.find("{*}asset/{*}up_axis")) or "Y_UP"
        return scene.join(up=_UP_AXES.get(up, "auto"))

    def _enter_node(self, scene: Scene, visit: int) -> int:
        """Return the number of the node of a visit in the scene, entered with those above it."""
        chain = [visit]
        while (above := self._visits[chain[-1]][0]) and len(chain) < _DEEPEST:
            chain.append(above)
        number = -1
        for each in reversed(chain):
            _, node, transform = self._visits[each]
            number = scene.nodes.enter(each, str(node.get("name") or node.get("id") or ""), number, transform)
        return number

    def _parts(self, instance: Element) -> list[Parsed]:
        """Return the parts of a geometry with the materials that an instance of it binds."""
        if instance not in self._instances:
            symbols = {
                str(binding.get("symbol")): str(binding.get("target"))
                for binding in instance.iterfind("{*}bind_material/{*}technique_common/{*}instance_material")
            }
            self._instances[instance] = [
                self._apply_material(part, symbols.get(symbol, "#" + symbol))
                for symbol, part in self._geometry(str(instance.get("url")))
            ]
        return self._instances[instance]

    def _target(self, url: str) -> Element | None:
        return self._by_id.get(url.removeprefix("#"))

    def _place_geometries(self) -> list[tuple[Element, NDArray[np.float64], int]]:
        """Walk the nodes of the scene; return every instance of a geometry or controller, its place and its visit."""
        url = next((str(e.get("url")) for e in self._root.iterfind("{*}scene/{*}instance_visual_scene")), None)
        top = self._target(url) if url else self._root.find("{*}library_visual_scenes/{*}visual_scene")
        if top is None:
            raise ShapeError("has no visual scene: expected a COLLADA file with one; export it again")
        placed = []
        stack = [(node, np.eye(4), 0) for node in reversed(top.findall("{*}node"))]
        visits = 0
        while stack:
            visits += 1
            if visits > MAX_INSTANCES:
                raise ShapeError(f"has more than {MAX_INSTANCES:,} nodes, or a circle of them; export it again")
            node, above, parent = stack.pop()
            transform = above @ _local_transform(node)
            self._visits[visits] = parent, node, transform
            for key in ("sid", "id", "name"):
                self._places.setdefault(str(node.get(key)), transform)
            below = []
            for child in node:
                name = _name(child)
                if name == "node":
                    below.append((child, transform, visits))
                elif name == "instance_node" and (target := self._target(str(child.get("url")))) is not None:
                    below.append((target, transform, visits))
                elif name in ("instance_geometry", "instance_controller"):
                    placed.append((child, transform, visits))
                    if is_collision(node.get("name")) or is_collision(node.get("id")):
                        self._collision[child] = str(node.get("name") or node.get("id"))
            stack += reversed(below)
        return placed

    def _without_collision(
        self, placed: list[tuple[Element, NDArray[np.float64], int]]
    ) -> list[tuple[Element, NDArray[np.float64], int]]:
        drawn = [place for place in placed if place[0] not in self._collision]
        if not drawn or not self._collision:
            return placed
        self._notes.append(note_collision([self._collision[e] for e, _, _ in placed if e in self._collision]))
        return drawn

    def _skin(self, url: str) -> Element | None:
        target = self._target(url)
        return None if target is None or _name(target) != "controller" else target.find("{*}skin")

    def _source(self, url: str) -> tuple[Element, NDArray[np.float64]] | None:
        element = self._target(url)
        if element is None:
            return None
        return element, self._values(element) if element.find("{*}float_array") is not None else np.zeros((0, 1))

    def _geometry(self, url: str) -> list[tuple[str, Parsed]]:
        """Return the (material symbol, triangles) of a geometry, or of the geometry below a controller."""
        if url in self._geometries:
            return self._geometries[url]
        target = self._target(url)
        for _ in range(10):  # a skin of a morph of a mesh, but no circle
            if target is None or _name(target) != "controller":
                break
            below = next((c for c in target if _name(c) in ("skin", "morph")), None)
            target = None if below is None else self._target(str(below.get("source")))
        mesh = None if target is None else target.find("{*}mesh")
        if mesh is None and (target is None or _name(target) != "geometry"):
            raise ShapeError(f"places the geometry {url[:80]!r}, which is not there: export it again")
        parts = []
        for element in mesh if mesh is not None else ():
            if _name(element) in ("triangles", "polylist", "polygons", "tristrips", "trifans"):
                parts.append((str(element.get("material")), self._primitive(element, self._skin(url))))
        self._geometries[url] = parts
        return parts

    def _primitive(self, element: Element, skin: Element | None) -> Parsed:
        inputs, stride = self._inputs(element)
        if "POSITION" not in inputs:
            raise ShapeError("has triangles without positions: the file is damaged; export it again")
        offset, vertices = inputs["POSITION"]
        corners = _triangles(element, stride, offset, vertices[:, :3])
        if skin is not None:
            vertices, follows = pose(skin, vertices[:, :3], self._places.get, self._source)
            self._notes += [] if follows else ["a skin without joints or weights: read in its bind pose"]
        parsed = Parsed(vertices[:, :3], corners[:, :, offset])
        extras = [name for name in ("TEXCOORD", "COLOR") if name in inputs]
        if extras:
            self._split(parsed, corners, offset, {name: inputs[name] for name in extras})
        else:
            used, parsed.faces = find_used_vertices(corners[:, :, offset], len(vertices))
            parsed.vertices = parsed.vertices[used]
        return parsed

    def _split(
        self,
        parsed: Parsed,
        corners: NDArray[np.int64],
        offset: int,
        extras: dict[str, tuple[int, NDArray[np.float64]]],
    ) -> None:
        """Give a vertex that is used with several texture coordinates or colours one copy for each."""
        columns = [corners[:, :, offset].ravel(), *(corners[:, :, place].ravel() for place, _ in extras.values())]
        tables = [parsed.vertices, *(table for _, table in extras.values())]
        for column, table in zip(columns, tables, strict=True):
            if len(column) and not 0 <= column.min() <= column.max() < len(table):
                raise ShapeError("has triangles that name values which do not exist: the file is damaged")
        distinct, combination = split_corners(*columns)
        parsed.vertices = parsed.vertices[distinct[0]]
        parsed.faces = combination.reshape(-1, 3)
        for name, index in zip(extras, distinct[1:], strict=True):
            values = extras[name][1][index]
            if name == "TEXCOORD":
                parsed.uv = np.column_stack([values, np.zeros(len(values))])[:, :2]
            elif values.shape[1] >= 3:
                parsed.vertex_colors = colors_to_uint8(values)

    def _inputs(self, element: Element) -> tuple[dict[str, tuple[int, NDArray[np.float64]]], int]:
        """Return for each meaning its place among the indices of a corner and its values [N, C], and the places."""
        inputs: dict[str, tuple[int, NDArray[np.float64]]] = {}
        stride = 0
        for entry in element.iterfind("{*}input"):
            offset = int(entry.get("offset", "0"))
            if not 0 <= offset < 64:
                raise ShapeError(f"has an input at offset {offset}: expected 0 to 63; export it again")
            stride = max(stride, offset + 1)
            target = self._target(str(entry.get("source")))
            sources = [(str(entry.get("semantic")), target)]
            if target is not None and _name(target) == "vertices":
                sources = [
                    (str(inner.get("semantic")), self._target(str(inner.get("source"))))
                    for inner in target.iterfind("{*}input")
                ]
            for meaning, source in sources:
                if meaning in ("POSITION", "TEXCOORD", "COLOR") and meaning not in inputs and source is not None:
                    inputs[meaning] = offset, self._values(source)
        return inputs, stride

    def _values(self, source: Element) -> NDArray[np.float64]:
        if source not in self._sources:
            self._sources[source] = _source_values(source)
        return self._sources[source]

    def _apply_material(self, part: Parsed, url: str) -> Parsed:
        """Return a part with the material that its scene binds."""
        if url not in self._materials:
            self._materials[url] = self._material(self._target(url))
        material = self._materials[url]
        if material.texture is not None and part.uv is None:
            material = Material(material.color)
        return Parsed(part.vertices, part.faces, (material,), uv=part.uv, vertex_colors=part.vertex_colors)

    def _material(self, element: Element | None) -> Material:
        """Return a material's diffuse colour or texture; what cannot be followed is left at its default."""
        link = None if element is None else element.find("{*}instance_effect")
        effect = None if link is None else self._target(str(link.get("url")))
        if effect is None:
            return Material()
        for shader in _SHADERS:
            diffuse = effect.find(f"{{*}}profile_COMMON/{{*}}technique/{{*}}{shader}/{{*}}diffuse")
            if diffuse is None:
                continue
            texture = diffuse.find("{*}texture")
            if texture is not None:
                name = self._image_name(effect, str(texture.get("texture")))
                image = self._companions.read_texture(name) if name else None
                return Material() if image is None else Material(WHITE.color, image)
            color = _color(_text(diffuse.find("{*}color")))
            if len(color) >= 3:
                return Material((float(color[0]), float(color[1]), float(color[2]), float([*color, 1.0][3])))
        return Material()

    def _image_name(self, effect: Element, sid: str) -> str:
        """Follow a texture through sampler and surface to the file name of its image."""
        parameters = {str(p.get("sid")): p for p in effect.iterfind(".//{*}newparam")}
        for _ in range(3):
            if sid not in parameters:
                break
            links = (e for e in parameters[sid].iter() if _name(e) in ("source", "init_from", "instance_image"))
            link = next(links, None)
            sid = "" if link is None else (_text(link) or str(link.get("url", "")).removeprefix("#"))
        image = self._by_id.get(sid)
        start = None if image is None else image.find("{*}init_from")
        name = _text(start) or _text(None if start is None else start.find("{*}ref"))
        return name.removeprefix("file://").removeprefix("./")


def _triangles(element: Element, stride: int, offset: int, vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return all indices of all corners [T, 3, stride]; those of ``vertices`` [N, 3] stand at ``offset``."""
    kind = _name(element)
    pieces = [np.zeros((0, 3, stride), dtype=np.int64)]
    for indices in element.iterfind("{*}p"):
        corners = _corner_rows(indices, stride)
        if kind == "triangles":
            positions = np.arange(len(corners) // 3 * 3).reshape(-1, 3)
        elif kind == "tristrips":
            positions = strip_triangles(len(corners))
        elif kind == "trifans":
            positions, _ = fan_triangles(np.array([len(corners)]))
        else:
            sizes = np.array([len(corners)])
            if kind == "polylist":
                sizes = parse_integers(_text(element.find("{*}vcount")))
                if sizes.min(initial=0) < 0 or sizes.max(initial=0) > len(corners) or sizes.sum() > len(corners):
                    raise ShapeError("has polygons with too few corners: the file is damaged; export it again")
            positions, _ = cut_polygons(vertices, corners[:, offset], sizes)
        pieces.append(corners[positions])
    pieces += [_cut_holes(polygon, stride, offset, vertices) for polygon in element.iterfind("{*}ph")]
    return np.concatenate(pieces)


def _cut_holes(polygon: Element, stride: int, offset: int, vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the corners [T, 3, stride] of a polygon with holes."""
    rings = [_corner_rows(ring, stride) for name in ("p", "h") for ring in polygon.iterfind(f"{{*}}{name}")]
    corners = np.concatenate([np.zeros((0, stride), dtype=np.int64), *rings])
    index = corners[:, offset]
    if len(index) and not 0 <= index.min() <= index.max() < len(vertices):
        raise ShapeError("has polygons that name positions which do not exist: the file is damaged; export it again")
    if not rings or len(rings[0]) < 3:
        return corners[:0].reshape(-1, 3, stride)
    ends = np.cumsum([len(ring) for ring in rings])
    return corners[cut_rings(vertices[index], ends)]


def _corner_rows(element: Element, stride: int) -> NDArray[np.int64]:
    flat = parse_integers(element.text or "")
    return flat[: len(flat) // stride * stride].reshape(-1, stride)


def _color(text: str) -> NDArray[np.float64]:
    """Return the numbers of a colour in [0, 1], also with decimal commas; none if they are no numbers."""
    try:
        return np.clip(np.nan_to_num(parse_numbers(text.replace(",", "."))), 0, 1)
    except ShapeError:
        return np.zeros(0)  # looks are not the shape


def _source_values(source: Element) -> NDArray[np.float64]:
    """Return the values [count, stride] of a source."""
    numbers = parse_numbers(_text(source.find("{*}float_array")))
    accessor = source.find("{*}technique_common/{*}accessor")
    stride = 3 if accessor is None else int(accessor.get("stride", "1"))
    start = 0 if accessor is None else int(accessor.get("offset", "0"))
    if not (1 <= stride <= 64 and 0 <= start <= len(numbers)):
        raise ShapeError("has a source that contradicts itself: the file is damaged; export it again")
    numbers = numbers[start:]
    promised = len(numbers) // stride if accessor is None else int(accessor.get("count", "0"))
    if promised * stride > len(numbers):
        raise ShapeError(f"declares {promised:,} values in a source that has fewer: the file is cut off or damaged")
    return numbers[: len(numbers) // stride * stride].reshape(-1, stride)


def _local_transform(node: Element) -> NDArray[np.float64]:
    """Return the [4, 4] matrix of a node: its transforms in their order."""
    transform = np.eye(4)
    for child in node:
        kind = _name(child)
        if kind not in ("matrix", "translate", "rotate", "scale"):
            continue
        numbers = parse_numbers(_text(child))
        wanted = {"matrix": 16, "translate": 3, "rotate": 4, "scale": 3}[kind]
        if len(numbers) != wanted:
            raise ShapeError(f"has <{kind}> with {len(numbers)} numbers: expected {wanted}; export it again")
        step = np.eye(4)
        if kind == "matrix":
            step = numbers.reshape(4, 4)
        elif kind == "translate":
            step[:3, 3] = numbers
        elif kind == "rotate":
            step[:3, :3] = _rotation(numbers[:3], np.deg2rad(numbers[3]))
        else:
            step[:3, :3] = np.diag(numbers)
        transform = transform @ step
    return transform


def _rotation(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Return the [3, 3] rotation about an axis by an angle in radians (Rodrigues' formula)."""
    length = np.linalg.norm(axis)
    if not length:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))
