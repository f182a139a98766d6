"""3MF: a zip archive of XML models, with instances and base materials."""

from __future__ import annotations

import io
import posixpath
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.collision import is_collision, note_collision
from clip2point.shapes.formats.text import parse_integers, parse_numbers
from clip2point.shapes.guards import (
    MAX_ELEMENTS,
    MAX_INSTANCES,
    check_count,
    expansion_limit,
    parse_xml,
    read_member,
)
from clip2point.shapes.parsed import Parsed, Scene
from clip2point.shapes.shape import Material

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_RELATIONS = "_rels/.rels"
_DEFAULT_MODEL = "3D/3dmodel.model"

#: An object is named by the model file that it is in and its id there.
Key = tuple[str, str]
#: The colours of each group, by its id.
Palettes = dict[str | None, list[str]]


@dataclass
class _Object:
    part: Parsed | None
    children: list[tuple[Key, NDArray[np.float64]]] = field(default_factory=list)
    aside: str = ""  # a note, if the object is no part of the shape
    name: str = ""


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the build items of a 3MF file in their places, with base materials and colour groups. Up is z."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ShapeError(f"is not a whole 3MF (zip) archive ({error}): export or download it again") from None
    return _Reader(archive, expansion_limit(len(data))).read()


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive = archive
        self._members = set(archive.namelist())
        self._bytes_left = limit
        self._models: dict[str, Element] = {}
        self._objects: dict[Key, _Object] = {}
        self._sizes: dict[Key, tuple[int, int]] = {}

    def read(self) -> Parsed:
        path = self._main_model()
        root = self._model(path)
        placed = [
            (self._key(item, path), _transform(item.get("transform"))) for item in root.iterfind("{*}build/{*}item")
        ]
        if not placed:
            raise ShapeError("has no build items: expected a 3MF file with something to print; export it again")
        totals = [self._size(key, ()) for key, _ in placed]
        check_count("faces", sum(faces for faces, _ in totals))
        if sum(parts for _, parts in totals) > MAX_INSTANCES:
            raise ShapeError(f"has more than {MAX_INSTANCES:,} parts: expected fewer; join them first")
        return (self._place(placed, all_of_it=False) or self._place(placed, all_of_it=True) or Scene()).join(up="z")

    def _place(self, placed: list[tuple[Key, NDArray[np.float64]]], all_of_it: bool) -> Scene | None:
        """Return the scene, with what is no part of the shape only if ``all_of_it``; None if nothing is in it."""
        scene = Scene()
        filled = False
        stack: list[tuple[Key, NDArray[np.float64], int, tuple[int, ...]]] = [
            (key, place, -1, (number,)) for number, (key, place) in reversed([*enumerate(placed)])
        ]
        while stack:
            key, place, above, way = stack.pop()
            thing = self._object(key)
            if thing.aside and not all_of_it:
                scene.notes.append(thing.aside)
                continue
            node = scene.nodes.enter(way, thing.name, above, place, "item" if above < 0 else "component")
            if thing.part is not None:
                scene.add(thing.part, place, node)
                filled = True
            stack += [
                (child, place @ local, node, (*way, number))
                for number, (child, local) in reversed([*enumerate(thing.children)])
            ]
        return scene if filled else None

    def _main_model(self) -> str:
        if _RELATIONS in self._members:
            for relation in self._xml(_RELATIONS).iterfind("{*}Relationship"):
                if str(relation.get("Type")).endswith("/3dmodel"):
                    return str(relation.get("Target")).lstrip("/")
        return _DEFAULT_MODEL

    def _xml(self, name: str) -> Element:
        if name not in self._members:
            raise ShapeError(f"has no member {name[:80]!r}: expected a 3MF model; export it again")
        data = read_member(self._archive, name, self._bytes_left)
        self._bytes_left -= len(data)
        return parse_xml(data)

    def _model(self, path: str) -> Element:
        if path not in self._models:
            self._models[path] = self._xml(path)
            palettes = _palettes(self._models[path])
            for element in self._models[path].iterfind("{*}resources/{*}object"):
                self._objects[path, str(element.get("id"))] = self._read_object(element, path, palettes)
        return self._models[path]

    def _key(self, element: Element, path: str) -> Key:
        """Return which object an item or component names; the production extension may point to another file."""
        elsewhere = next((value for name, value in element.items() if name.endswith("}path")), None)
        if elsewhere is not None:
            path = posixpath.normpath(elsewhere).lstrip("/")
        return path, str(element.get("objectid"))

    def _object(self, key: Key) -> _Object:
        self._model(key[0])
        if key not in self._objects:
            raise ShapeError(f"places the object {key[1]!r}, which is not there: the file is damaged; export it again")
        return self._objects[key]

    def _size(self, key: Key, above: tuple[Key, ...]) -> tuple[int, int]:
        """Return faces and parts of an object once its components are unfolded, before any is unfolded."""
        if key in above or len(above) > 100:
            raise ShapeError("has objects that contain themselves: the file is damaged; export it again")
        if key not in self._sizes:
            thing = self._object(key)
            sizes = [self._size(child, (*above, key)) for child, _ in thing.children]
            own = 0 if thing.part is None or thing.part.faces is None else len(thing.part.faces)
            faces, parts = own + sum(s[0] for s in sizes), 1 + sum(s[1] for s in sizes)
            self._sizes[key] = min(faces, 2 * MAX_ELEMENTS), min(parts, 2 * MAX_INSTANCES)
        return self._sizes[key]

    def _read_object(self, element: Element, path: str, palettes: Palettes) -> _Object:
        children = [
            (self._key(child, path), _transform(child.get("transform")))
            for child in element.iterfind("{*}components/{*}component")
        ]
        mesh = element.find("{*}mesh")
        aside = ""
        if element.get("type") in ("support", "solidsupport"):
            aside = "supports of the print: left out"
        elif is_collision(element.get("name")):
            aside = note_collision([str(element.get("name"))])
        part = None if mesh is None else _read_mesh(mesh, element, palettes)
        return _Object(part, children, aside, str(element.get("name") or ""))


def _read_mesh(mesh: Element, element: Element, palettes: Palettes) -> Parsed:
    triangles = mesh.findall("{*}triangles/{*}triangle")
    vertices = parse_numbers(_attributes(mesh.findall("{*}vertices/{*}vertex"), ("x", "y", "z")))
    corners = parse_integers(_attributes(triangles, ("v1", "v2", "v3")))
    if len(vertices) % 3 or len(corners) != 3 * len(triangles):
        raise ShapeError("has vertices or triangles without three numbers: the file is damaged; export it again")
    parsed = Parsed(vertices.reshape(-1, 3), corners.reshape(-1, 3))
    if mesh.find("{*}beamlattice/{*}beams/{*}beam") is not None:
        if not triangles:
            raise ShapeError("has a beam lattice, which is not supported: expected triangles; export it as a mesh")
        parsed.notes = ("a beam lattice: left out",)
    group, index = element.get("pid"), element.get("pindex", "0")
    names = [(t.get("pid", group), t.get("p1", index)) for t in triangles]
    if any(group is not None for group, _ in names):
        distinct = {name: number for number, name in enumerate(dict.fromkeys(names))}
        parsed.materials = tuple(_material(palettes, *name) for name in distinct)
        parsed.face_materials = np.array([distinct[name] for name in names])
    return parsed


def _attributes(elements: list[Element], names: tuple[str, str, str]) -> str:
    """Return the values of three attributes of all elements as one text; parsing it at once is ten times faster."""
    return " ".join([element.get(name, "missing") for element in elements for name in names])


def _palettes(model: Element) -> Palettes:
    """Return the colours, "#RRGGBB" or "#RRGGBBAA", of every group of base materials or colours."""
    palettes: Palettes = {}
    for group in model.iterfind("{*}resources/{*}basematerials"):
        palettes[group.get("id")] = [base.get("displaycolor", "") for base in group]
    for group in model.iterfind("{*}resources/{*}colorgroup"):
        palettes[group.get("id")] = [color.get("color", "") for color in group]
    return palettes


def _material(palettes: Palettes, group: str | None, index: str) -> Material:
    try:
        levels = bytes.fromhex(palettes[group][int(index)].removeprefix("#"))
        red, green, blue, alpha = (level / 255 for level in (*levels, 255)[:4])
    except (KeyError, IndexError, ValueError):
        return Material()  # looks are not the shape
    return Material((red, green, blue, alpha))


def _transform(text: str | None) -> NDArray[np.float64]:
    """Return the [4, 4] matrix on column vectors of a 3MF transform, which is 4 x 3 on row vectors."""
    transform = np.eye(4)
    if text is not None:
        numbers = np.array(text.split(), dtype=np.float64)
        if numbers.shape != (12,):
            raise ShapeError(f"has a transform of {len(numbers)} numbers: expected 12; export it again")
        transform[:3, :] = numbers.reshape(4, 3).T
    return transform
