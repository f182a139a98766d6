"""FBX: scenes of meshes with materials and skins in the pose of the file."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.collision import is_collision, note_collision
from clip2point.shapes.formats.fbx_nodes import Node, as_text, read_nodes
from clip2point.shapes.formats.fbx_scene import Float, multiply_up, turn_geometry
from clip2point.shapes.guards import check_parts
from clip2point.shapes.parsed import WHITE, Parsed, Scene, colors_to_uint8
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import split_corners
from clip2point.shapes.units import note_size

_CENTIMETRE = 0.01


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the visible meshes of an FBX file, version 7.0 or later; its up-axis and unit are declared in it."""
    return _Reader(read_nodes(data), companions).read()


class _Reader:
    """Reader of the objects of a file and of what connects them."""

    def __init__(self, root: Node, companions: Companions) -> None:
        objects, connections = root.find("Objects"), root.find("Connections")
        settings = root.find("GlobalSettings")
        self._settings = {} if settings is None else settings.properties()
        self._companions = companions
        self._objects = {node.values[0]: node for node in (objects.children if objects else ()) if node.values}
        self._children: dict[Any, list[tuple[Any, str]]] = defaultdict(list)
        self._parents: dict[Any, list[Any]] = defaultdict(list)
        for link in connections.children if connections else ():
            if len(link.values) >= 3 and as_text(link.values[0]) in ("OO", "OP"):
                name = as_text(link.values[3]) if len(link.values) > 3 else ""
                self._children[link.values[2]].append((link.values[1], name))
                self._parents[link.values[1]].append(link.values[2])
        self._models = {key: node for key, node in self._objects.items() if node.name == "Model"}
        self._above = {key: next((p for p in self._parents[key] if p in self._models), None) for key in self._models}
        self._places: dict[Any, Float] = {}
        self._materials: dict[Any, Material] = {}

    def read(self) -> Parsed:
        drawn, others = self._sort_models()
        scene = Scene()
        if drawn and others:
            scene.notes.append(note_collision([_name(self._models[key]) for key in others]))
        parts = [(key, mesh) for key in drawn or others for mesh in self._list(key, "Geometry")]
        check_parts(len(parts))
        for key, mesh in parts:
            node = self._enter(key, scene)
            for part, place in self._read_mesh(mesh, key):
                scene.add(part, place, node)
        up = "xyz"[int(self._setting("UpAxis", 1)) % 3]
        joined = scene.join(up=("-" if self._setting("UpAxisSign", 1) < 0 else "") + up)
        metres = _CENTIMETRE * float(self._setting("UnitScaleFactor", 1.0))
        return replace(joined, notes=(*joined.notes, note_size(joined.vertices, metres)))

    def _setting(self, name: str, default: float) -> float:
        values = self._settings.get(name)
        return values[0] if values and isinstance(values[0], int | float) else default

    def _list(self, key: Any, kind: str) -> list[Any]:
        """Return the keys of the objects of a kind that are connected to an object."""
        found = [child for child, _ in self._children[key]]
        return [child for child in found if child in self._objects and self._objects[child].name == kind]

    def _sort_models(self) -> tuple[list[Any], list[Any]]:
        """Return the models that are drawn, and those that are bodies for collision; hidden ones are in neither."""
        drawn: list[Any] = []
        others: list[Any] = []
        for key in self._models:
            chain = self._chain(key)
            if any(self._is_hidden(above) for above in chain):
                continue
            collision = any(is_collision(_name(self._models[above])) for above in chain)
            if self._list(key, "Geometry"):
                (others if collision else drawn).append(key)
        return drawn, others

    def _chain(self, key: Any) -> list[Any]:
        """Return a model and those above it."""
        chain = [key]
        while (above := self._above[chain[-1]]) is not None:
            if len(chain) > len(self._models):
                raise ShapeError("has models in a circle: expected a tree; export it again")
            chain.append(above)
        return chain

    def _is_hidden(self, key: Any) -> bool:
        """Return whether a model is invisible, or a coarser one of a group of levels of detail."""
        shown = self._models[key].properties().get("Visibility", [1])
        above = self._above[key]
        if above is not None and as_text((self._models[above].values[2:] or [b""])[0]) == "LodGroup":
            return key != next(child for child, _ in self._children[above] if child in self._models)
        return bool(shown) and shown[0] == 0

    def _enter(self, key: Any, scene: Scene) -> int:
        node = -1
        for each in reversed(self._chain(key)):
            node = scene.nodes.enter(each, _name(self._models[each]), node, self._place(each))
        return node

    def _place(self, key: Any) -> Float:
        """Return the [4, 4] matrix from a model's frame to the scene."""
        if key not in self._places:
            above = self._above[key]
            around = np.eye(4) if above is None else self._place(above)
            self._places[key] = around @ multiply_up(self._models[key].properties())
        return self._places[key]

    def _read_mesh(self, key: Any, model: Any) -> list[tuple[Parsed, Float | None]]:
        """Return a mesh with its place, or None as place if its skin has moved it there."""
        mesh = self._objects[key]
        vertices, index = mesh.array("Vertices"), mesh.array("PolygonVertexIndex")
        if vertices is None or index is None or not len(index):
            return []  # curves, patches, shapes of morphs
        vertices, index = vertices.astype(np.float64).reshape(-1, 3), index.astype(np.int64)
        ends = np.flatnonzero(index < 0)
        if not len(ends):
            return []
        index = np.where(index < 0, ~index, index)[: ends[-1] + 1]
        sizes = np.diff(ends, prepend=-1)
        if len(index) and int(index.max()) >= len(vertices):
            raise ShapeError(
                f"has faces of vertices that do not exist: expected 0 to {len(vertices) - 1}; export it again"
            )
        positions, polygon = cut_polygons(vertices, index, sizes)
        turned = turn_geometry(self._models[model].properties())
        vertices = vertices @ turned[:3, :3].T + turned[:3, 3]
        moved = self._move_by_skin(key, vertices, self._place(model))
        part = self._dress(mesh, model, vertices if moved is None else moved, index, sizes, positions, polygon)
        return [(part, self._place(model) if moved is None else None)]

    def _move_by_skin(self, mesh: Any, vertices: Float, place: Float) -> Float | None:
        """Return vertices in the scene as the bones of a skin hold them, or None if there is no skin."""
        clusters = [
            (self._objects[cluster], bone)
            for skin in self._list(mesh, "Deformer")
            if as_text((self._objects[skin].values[2:] or [b""])[0]) == "Skin"
            for cluster in self._list(skin, "Deformer")
            for bone in self._list(cluster, "Model")[:1]
        ]
        moved, sums = np.zeros_like(vertices), np.zeros(len(vertices))
        for cluster, bone in clusters:
            held, weights, bind = (cluster.array(name) for name in ("Indexes", "Weights", "Transform"))
            if held is None or weights is None or bind is None or bind.size != 16 or len(held) != len(weights):
                continue
            held = held.astype(np.int64)
            if len(held) and not 0 <= int(held.min()) <= int(held.max()) < len(vertices):
                raise ShapeError("has a skin of vertices that do not exist: the file is damaged; export it again")
            matrix = self._place(bone) @ bind.astype(np.float64).reshape(4, 4).T
            np.add.at(moved, held, weights[:, None] * (vertices[held] @ matrix[:3, :3].T + matrix[:3, 3]))
            np.add.at(sums, held, weights)
        if not (sums > 0).any():
            return None
        still = vertices @ place[:3, :3].T + place[:3, 3]
        return np.where(sums[:, None] > 0, moved / np.where(sums > 0, sums, 1)[:, None], still)

    def _dress(
        self,
        mesh: Node,
        model: Any,
        vertices: Float,
        index: NDArray[np.int64],
        sizes: NDArray[np.int64],
        positions: NDArray[np.int64],
        polygon: NDArray[np.int64],
    ) -> Parsed:
        """Return a mesh with its materials, texture coordinates and colours."""
        materials = tuple(self._material(key) for key in self._list(model, "Material")) or (Material(),)
        layer = mesh.find("LayerElementMaterial")
        chosen = None if layer is None else layer.array("Materials")
        face_materials = np.zeros(len(polygon), np.int64)
        if chosen is not None and len(materials) > 1:
            if len(chosen) == len(sizes):
                face_materials = chosen.astype(np.int64)[polygon]
            elif len(chosen) == 1:
                face_materials += int(chosen[0])
        face_materials = np.where((face_materials >= 0) & (face_materials < len(materials)), face_materials, 0)
        colors = _corner_values(mesh.find("LayerElementColor"), "Colors", "ColorIndex", 4, index)
        uv = None
        if any(material.texture is not None for material in materials):
            uv = _corner_values(mesh.find("LayerElementUV"), "UV", "UVIndex", 2, index)
        if uv is None and colors is None:
            return Parsed(vertices, index[positions], materials, face_materials)
        if colors is not None and not self._list(model, "Material"):
            materials = (WHITE,)
        looks = [values[1] for values in (uv, colors) if values is not None]
        split, corner = split_corners(index, *looks)
        return Parsed(
            vertices[split[0]],
            corner[positions],
            materials,
            face_materials,
            uv=None if uv is None else uv[0][split[1]],
            vertex_colors=None if colors is None else colors_to_uint8(colors[0][split[-1]]),
        )

    def _material(self, key: Any) -> Material:
        if key not in self._materials:
            properties = self._objects[key].properties()
            values = properties.get("DiffuseColor") or properties.get("Diffuse") or [0.7, 0.7, 0.7]
            opacity = properties.get("Opacity") or [1.0]
            levels = [min(max(float(level), 0.0), 1.0) for level in (*values[:3], opacity[0])]
            texture = next((child for child, name in self._children[key] if name == "DiffuseColor"), None)
            image = None if texture is None else self._texture(texture)
            red, green, blue, alpha = levels if len(levels) == 4 else (0.7, 0.7, 0.7, 1.0)
            color = (1.0, 1.0, 1.0, alpha) if image is not None else (red, green, blue, alpha)
            self._materials[key] = Material(color, image)
        return self._materials[key]

    def _texture(self, key: Any) -> NDArray[np.uint8] | None:
        """Return the image of a texture: embedded, or beside the file under its name."""
        node = self._objects.get(key)
        if node is None or node.name != "Texture":
            return None
        for video in self._list(key, "Video"):
            content = self._objects[video].find("Content")
            if content is not None and content.values and isinstance(content.values[0], bytes) and content.values[0]:
                return self._companions.decode_texture(f"video {video}", content.values[0])
        for name in (node.text("RelativeFilename"), node.text("FileName")):
            plain = name.replace("\\", "/")
            for candidate in (plain, posixpath.basename(plain), f"textures/{posixpath.basename(plain)}"):
                if candidate and (image := self._companions.read_texture(candidate)) is not None:
                    return image
        return None


def _name(model: Node) -> str:
    return as_text(model.values[1]) if len(model.values) > 1 else ""


def _corner_values(
    layer: Node | None, name: str, index_name: str, width: int, index: NDArray[np.int64]
) -> tuple[Float, NDArray[np.int64]] | None:
    """Return the values of a layer, [U, width], and the one of each corner, [C], or None if they do not fit."""
    values = None if layer is None else layer.array(name)
    if layer is None or values is None or values.size % width:
        return None
    values = values.astype(np.float64).reshape(-1, width)
    mapping = layer.text("MappingInformationType")
    places = np.arange(len(index)) if mapping == "ByPolygonVertex" else index if mapping.startswith("ByVert") else None
    if mapping == "AllSame":
        places = np.zeros(len(index), np.int64)
    chosen = layer.array(index_name)
    if places is not None and chosen is not None and layer.text("ReferenceInformationType") != "Direct":
        if int(places.max(initial=0)) >= len(chosen):
            return None
        places = chosen.astype(np.int64)[places]
    if places is None or not len(places) or not 0 <= int(places.min()) <= int(places.max()) < len(values):
        return None
    return values, places
