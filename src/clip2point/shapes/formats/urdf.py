"""URDF: robots and articulated objects, whose links hold meshes of other formats, boxes, cylinders and spheres."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.format_registry import find_format
from clip2point.shapes.guards import check_parts, parse_xml
from clip2point.shapes.parsed import Parsed, Scene
from clip2point.shapes.shape import Material
from clip2point.shapes.solids import make_box, make_capsule, make_cylinder
from clip2point.shapes.units import note_size

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Float = NDArray[np.float64]

_MESHES = (".stl", ".dae", ".obj", ".ply", ".off", ".glb", ".gltf")
_PACKAGE = re.compile(r"(?:package|model)://([^/]+)/(.*)", re.DOTALL)
_UNIT = re.compile(rb"<unit\b[^>]*\bmeter\s*=\s*[\"']([^\"']+)")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the visual parts of all links, with all joints at zero. Up is z, the unit is the metre."""
    root = parse_xml(data)
    if b"<xacro:" in data:
        raise ShapeError("is a template for xacro: run 'xacro FILE > robot.urdf' and give that")
    if root.tag != "robot":
        raise ShapeError(f"holds <{root.tag[:40]}>: expected a <robot> of URDF; export it again")
    return _Reader(root, companions).read()


def list_names(uri: str) -> list[str]:
    """Return the names, relative to a URDF file, by which a mesh that it names may be found.

    Packages are looked for around the file: it usually lies in a folder of the package, beside that of the meshes.

    Examples:
        >>> list_names("package://arm/meshes/base.stl")
        ['meshes/base.stl', '../meshes/base.stl', 'arm/meshes/base.stl', '../arm/meshes/base.stl']
    """
    package = _PACKAGE.match(uri)
    if package is None:
        return [uri]
    return [before + package[2] for before in ("", "../", f"{package[1]}/", f"../{package[1]}/")]


@dataclass(frozen=True)
class _Joint:
    parent: str
    place: Float


class _Reader:
    def __init__(self, root: Element, companions: Companions) -> None:
        self._root = root
        self._companions = companions
        self._meshes: dict[str, Parsed | None] = {}
        self._missing: list[str] = []
        self._colors = {m.get("name"): _color(m) for m in root.iterfind("material")}

    def read(self) -> Parsed:
        links = {str(link.get("name")): link for link in self._root.iterfind("link")}
        joints = {}
        for joint in self._root.iterfind("joint"):
            parent, child = joint.find("parent"), joint.find("child")
            if parent is not None and child is not None:
                joints[str(child.get("link"))] = _Joint(str(parent.get("link")), _origin(joint))
        scene = self._collect(links, joints, "visual")
        if scene is None and not self._missing:
            scene = self._collect(links, joints, "collision")
            if scene is not None:
                scene.notes.append("no visual parts: read the parts for collision")
        if scene is None:
            if self._missing:
                raise ShapeError(
                    f"names {len(self._missing):,} meshes, none of which is there ({self._missing[0][:120]!r}): keep "
                    "them beside it, in the folders of its package"
                )
            raise ShapeError("has no link with a mesh, box, cylinder or sphere: expected a robot with visual parts")
        if self._missing:
            shown = ", ".join(repr(name[:60]) for name in self._missing[:3])
            scene.notes.append(f"{len(self._missing):,} meshes could not be read ({shown}): left out")
        joined = scene.join(up="z")
        return replace(joined, notes=(*joined.notes, note_size(joined.vertices, 1.0)))

    def _collect(self, links: dict[str, Element], joints: dict[str, _Joint], kind: str) -> Scene | None:
        """Return the scene of all parts of a kind, or None if there is none of it."""
        scene, parts, drawn = Scene(), 0, 0
        for name, link in links.items():
            node, place = _enter(name, joints, scene)
            for item in link.iterfind(kind):
                parts += 1
                check_parts(parts)
                found = self._geometry(item)
                if found is not None:
                    drawn += 1
                    scene.add(found[0], place @ _origin(item) @ found[1], node)
        return scene if drawn else None

    def _geometry(self, item: Element) -> tuple[Parsed, Float] | None:
        """Return a part in its own frame and the scale of it, or None if there is nothing to show."""
        scale = np.eye(4)
        part: Parsed | None = None
        for shape in item.iterfind("geometry/*"):
            if shape.tag == "mesh":
                scale[:3, :3] = np.diag(_numbers(shape.get("scale"), (1.0, 1.0, 1.0)))
                part = self._mesh(str(shape.get("filename")))
            elif shape.tag in ("box", "cylinder", "sphere", "capsule"):
                part = _make_solid(shape)
        if part is None:
            return None
        color = self._own_color(item)
        if color is not None and all(material.texture is None for material in part.materials):
            part = replace(part, materials=(Material(color),), face_materials=None, vertex_colors=None)
        return part, scale

    def _own_color(self, item: Element) -> tuple[float, float, float, float] | None:
        material = item.find("material")
        return None if material is None else _color(material) or self._colors.get(material.get("name"))

    def _mesh(self, uri: str) -> Parsed | None:
        if uri not in self._meshes:
            self._meshes[uri] = self._load(uri)
            if self._meshes[uri] is None:
                self._missing.append(uri)
        return self._meshes[uri]

    def _load(self, uri: str) -> Parsed | None:
        extension = posixpath.splitext(uri)[1].lower()
        if extension not in _MESHES:
            return None
        for name in list_names(uri):
            if (data := self._companions.read(name)) is not None:
                parsed = find_format(extension).read(data, self._companions.beside(name))
                if extension == ".dae" and (unit := _UNIT.search(data[:65_536])) is not None:
                    parsed = replace(parsed, vertices=parsed.vertices * float(unit[1]))
                return parsed
        return None


def _enter(name: str, joints: dict[str, _Joint], scene: Scene) -> tuple[int, Float]:
    """Enter a link, and all links above it, as nodes; return its number and its place."""
    chain = [name]
    while chain[-1] in joints:
        chain.append(joints[chain[-1]].parent)
        if len(chain) > len(joints) + 1:
            raise ShapeError(f"has the link {name[:80]!r} in a circle of joints: expected a tree; export it again")
    node, place = -1, np.eye(4)
    for link in reversed(chain):
        place = place @ joints[link].place if link in joints else place
        node = scene.nodes.enter(link, link, node, place)
    return node, place


def _numbers(text: str | None, default: tuple[float, ...]) -> tuple[float, ...]:
    if text is None:
        return default
    values = tuple(float(word) for word in text.split())
    if len(values) != len(default) or not np.isfinite(values).all():
        raise ShapeError(f"has {text[:40]!r} where {len(default)} numbers are expected: export it again")
    return values


def _origin(element: Element) -> Float:
    """Return the [4, 4] matrix of an element's <origin>: roll, pitch and yaw about fixed axes, then a shift."""
    origin = element.find("origin")
    place = np.eye(4)
    if origin is None:
        return place
    roll, pitch, yaw = _numbers(origin.get("rpy"), (0.0, 0.0, 0.0))
    for axis, angle in ((0, roll), (1, pitch), (2, yaw)):
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[b, a], turn[a, b] = np.sin(angle), -np.sin(angle)
        place[:3, :3] = turn @ place[:3, :3]
    place[:3, 3] = _numbers(origin.get("xyz"), (0.0, 0.0, 0.0))
    return place


def _color(material: Element) -> tuple[float, float, float, float] | None:
    element = material.find("color")
    try:
        red, green, blue, alpha = (
            min(max(float(word), 0.0), 1.0) for word in ("" if element is None else str(element.get("rgba"))).split()
        )
    except ValueError:
        return None  # looks are not the shape
    return red, green, blue, alpha


def _make_solid(shape: Element) -> Parsed:
    """Return a box, a cylinder along z, a capsule or a sphere, around the origin."""
    if shape.tag == "box":
        return make_box(_numbers(shape.get("size"), (1.0, 1.0, 1.0)))
    (radius,) = _numbers(shape.get("radius"), (1.0,))
    if shape.tag == "sphere":
        return make_capsule(radius)
    (length,) = _numbers(shape.get("length"), (1.0,))
    return make_cylinder(radius, length) if shape.tag == "cylinder" else make_capsule(radius, length)
