"""Files of parts: GLB of meshes with a node for each part, PLY of clouds, colours with a legend."""

from __future__ import annotations

import colorsys
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.core.files import replacing
from clip2point.core.record_files import format_csv
from clip2point.scenes.naming import cut_part
from clip2point.scenes.results import Part, SceneParts
from clip2point.shapes import Material, Mesh, Shape, to_y_up
from clip2point.shapes.glb import FLOAT, INTEGER, pack_container

Colors = NDArray[np.uint8]

#: Colour of what belongs to no part.
NO_PART = (190, 190, 190)
#: Turn of the hue from one part to the next: neighbours in the list look different.
_TURN = 0.618034
#: Longest name of a file of a part, in letters.
_LONGEST = 60
_ARRAY, _ELEMENTS = 34962, 34963


def part_colors(count: int) -> Colors:
    """Return a colour for each part, [count, 3], always the same for the same number.

    Examples:
        >>> part_colors(2).tolist()
        [[230, 46, 46], [39, 84, 194]]
    """
    colors = [colorsys.hsv_to_rgb(number * _TURN % 1.0, 0.8, (0.9, 0.76, 0.62)[number % 3]) for number in range(count)]
    return np.rint(np.array(colors).reshape(count, 3) * 255).astype(np.uint8)


def write_colored(path: Path, shape: Shape, found: SceneParts) -> Path:
    """Write the whole file with a colour for each part, and a legend beside it.

    Args:
        path: File to write: .ply, or for a mesh also .glb, which has a named node for each part.
        shape: Shape that was split.
        found: Parts of it.

    Returns:
        Path of the legend, a table with the columns number, color, name, label and confidence.

    Raises:
        OptionError: If the ending is another.
    """
    ending = path.suffix.lower()
    if ending not in ((".ply",) if shape.mesh is None else (".ply", ".glb")):
        raise OptionError(f"{path}: expected a name that ends with .ply{'' if shape.mesh is None else ' or .glb'}")
    colors = part_colors(_count(found))
    table = np.vstack([colors, [NO_PART]]).astype(np.uint8)
    if shape.mesh is None:
        own = found.instances if shape.kept is None else found.instances[shape.kept]
        content = pack_ply(shape.points, table[own])
    elif ending == ".ply":
        content = pack_ply(*_paint_faces(shape.mesh, table[found.instances]))
    else:
        content = pack_nodes(_paint_parts(shape, found, table))
    legend = path.with_name(path.stem + ".legend.csv")
    rows = ["number,color,name,label,confidence"]
    for part in found.parts:
        color = "#{:02x}{:02x}{:02x}".format(*colors[part.number])
        confidence = "" if part.answer is None else round(part.answer.confidence, 4)
        rows.append(format_csv([part.number, color, part.name, part.label, confidence]).rstrip("\n"))
    for target, data in ((path, content), (legend, ("\n".join(rows) + "\n").encode())):
        with replacing(target) as temporary:
            temporary.write_bytes(data)
    return legend


def write_parts(folder: Path, shape: Shape, found: SceneParts) -> list[Path]:
    """Write each part as a file of its own, with its name: GLB of a mesh, PLY of a cloud, in the file's frame.

    A GLB has y up by its own rules: a shape with another declared up-axis is turned.

    Args:
        folder: Folder, which must not hold anything yet.
        shape: Shape that was split.
        found: Parts of it.

    Raises:
        OptionError: If something is in the folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder}: is not empty: expected a new folder for the parts; give another")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for part in found.parts:
        own = cut_part(shape, found, part)
        name = file_name(part)
        if own.mesh is None:
            path = folder / f"{name}.ply"
            path.write_bytes(pack_ply(own.points))
        else:
            path = folder / f"{name}.glb"
            path.write_bytes(pack_nodes([(_title(part), _upright(own))]))
        written.append(path)
    return written


def file_name(part: Part) -> str:
    """Return a name for the file of a part, without its ending: its number, and its name or its label.

    Examples:
        >>> file_name(Part(3, "M8 bolt/left", (), 0, 1, (0, 0, 0), (1, 1, 1)))
        '0003_M8_bolt_left'
    """
    words = re.sub(r"[^\w.-]+", "_", _title(part)).strip("_.")[:_LONGEST]
    return f"{part.number:04d}_{words}" if words else f"{part.number:04d}"


def _title(part: Part) -> str:
    return part.name or part.label or f"part {part.number}"


def _count(found: SceneParts) -> int:
    return 1 + max((part.number for part in found.parts), default=-1)


def _upright(shape: Shape) -> Mesh:
    assert shape.mesh is not None
    if shape.up in ("y", "auto"):
        return shape.mesh
    upright = shape.upright().mesh
    assert upright is not None
    return upright


def _paint_parts(shape: Shape, found: SceneParts, table: Colors) -> list[tuple[str, Mesh]]:
    """Return each part as a mesh of its colour, and what belongs to none."""
    assert shape.mesh is not None
    painted = []
    numbers = [part.number for part in found.parts]
    titles = [f"{part.number} {part.label or part.name}".strip() for part in found.parts]
    if (found.instances < 0).any():
        numbers, titles = [*numbers, -1], [*titles, "none"]
    for number, title in zip(numbers, titles, strict=True):
        used, corners = np.unique(shape.mesh.faces[found.instances == number], return_inverse=True)
        red, green, blue = (table[number] / 255).tolist()
        vertices = to_y_up(shape.mesh.vertices[used], "y" if shape.up == "auto" else shape.up)
        mesh = Mesh.plain(vertices, corners.reshape(-1, 3))
        painted.append(
            (title, Mesh(mesh.vertices, mesh.faces, (Material((red, green, blue, 1.0)),), mesh.face_materials))
        )
    return painted


def _paint_faces(mesh: Mesh, colors: Colors) -> tuple[NDArray[np.float32], Colors, NDArray[np.int32]]:
    """Return vertices, their colours and faces of a mesh whose faces have colours; shared vertices are doubled."""
    packed = colors.astype(np.int64) @ np.array([65536, 256, 1])
    keys: NDArray[np.int64] = mesh.faces.astype(np.int64) * (1 << 24) + packed[:, None]
    distinct, corners = np.unique(keys, return_inverse=True)
    color = distinct % (1 << 24)
    levels = np.stack([color >> 16, color >> 8 & 255, color & 255], axis=1).astype(np.uint8)
    return mesh.vertices[distinct >> 24], levels, corners.reshape(-1, 3).astype(np.int32)


def pack_ply(
    points: NDArray[np.float32], colors: Colors | None = None, faces: NDArray[np.int32] | None = None
) -> bytes:
    """Return the content of a binary PLY file.

    Args:
        points: Points or vertices, [N, 3].
        colors: [N, 3], or None.
        faces: Corners of each triangle, [F, 3], or None for a cloud.
    """
    fields = [("xyz", "<f4", 3), *([] if colors is None else [("rgb", "u1", 3)])]
    rows = np.empty(len(points), dtype=fields)
    rows["xyz"] = points
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    if colors is not None:
        rows["rgb"] = colors
        head += [f"property uchar {name}" for name in ("red", "green", "blue")]
    tail = b""
    if faces is not None:
        head += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        lists = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
        lists["count"], lists["corners"] = 3, faces
        tail = lists.tobytes()
    return "\n".join([*head, "end_header\n"]).encode() + rows.tobytes() + tail


def pack_nodes(parts: Sequence[tuple[str, Mesh]]) -> bytes:
    """Return the content of a GLB file with a named node for each mesh, materials and textures included.

    Args:
        parts: Name and mesh of each node.
    """
    return _GLB(parts).pack()


class _GLB:
    def __init__(self, parts: Sequence[tuple[str, Mesh]]) -> None:
        self._chunks: list[bytes] = []
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._materials: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._known: dict[tuple[int, bool], int] = {}
        self._pictures: dict[int, int] = {}
        self._length = 0
        self._names = [name for name, _ in parts]
        self._meshes = [{"name": name, "primitives": self._primitives(mesh)} for name, mesh in parts]

    def pack(self) -> bytes:
        count = len(self._meshes)
        tree: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "clip2point"},
            "scene": 0,
            "scenes": [{"nodes": list(range(count))}],
            "nodes": [{"name": name, "mesh": number} for number, name in enumerate(self._names)],
            "meshes": self._meshes,
            "materials": self._materials,
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": self._length}],
        }
        if self._images:
            tree["images"] = self._images
            tree["textures"] = [{"source": number} for number in range(len(self._images))]
        return pack_container(tree, self._chunks)

    def _primitives(self, mesh: Mesh) -> list[dict[str, Any]]:
        """Return a primitive for each material of a mesh."""
        primitives = []
        for number in np.unique(mesh.face_materials):
            used, corners = np.unique(mesh.faces[mesh.face_materials == number], return_inverse=True)
            vertices = np.ascontiguousarray(mesh.vertices[used], "<f4")
            material = mesh.materials[number]
            textured = material.texture is not None and mesh.uv is not None
            attributes = {"POSITION": self._numbers(vertices, "VEC3", FLOAT, bounds=True)}
            if textured and mesh.uv is not None:
                uv = np.ascontiguousarray(mesh.uv[used] * (1, -1) + (0, 1), "<f4")  # glTF counts v downwards
                attributes["TEXCOORD_0"] = self._numbers(uv, "VEC2", FLOAT)
            if mesh.vertex_colors is not None:
                levels = np.ascontiguousarray(mesh.vertex_colors[used] / 255, "<f4")
                attributes["COLOR_0"] = self._numbers(levels, "VEC3", FLOAT)
            indices = self._numbers(np.ascontiguousarray(corners.ravel(), "<u4"), "SCALAR", INTEGER)
            primitives.append(
                {"attributes": attributes, "indices": indices, "material": self._material(material, textured)}
            )
        return primitives

    def _numbers(self, values: NDArray[Any], kind: str, component: int, bounds: bool = False) -> int:
        view = self._chunk(values.tobytes(), _ELEMENTS if kind == "SCALAR" else _ARRAY)
        entry: dict[str, Any] = {"bufferView": view, "componentType": component, "count": len(values), "type": kind}
        if bounds:
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self._accessors.append(entry)
        return len(self._accessors) - 1

    def _chunk(self, data: bytes, target: int | None) -> int:
        padded = data + b"\0" * (-len(data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        self._views.append(view if target is None else {**view, "target": target})
        self._chunks.append(padded)
        self._length += len(padded)
        return len(self._views) - 1

    def _material(self, material: Material, textured: bool) -> int:
        key = (id(material), textured)
        if key not in self._known:
            look: dict[str, Any] = {"baseColorFactor": list(material.color), "metallicFactor": 0, "roughnessFactor": 1}
            if textured and material.texture is not None:
                look["baseColorTexture"] = {"index": self._image(material.texture)}
            entry: dict[str, Any] = {"pbrMetallicRoughness": look, "doubleSided": True}
            if material.color[3] < 1:
                entry["alphaMode"] = "BLEND"
            self._known[key] = len(self._materials)
            self._materials.append(entry)
        return self._known[key]

    def _image(self, texture: NDArray[np.uint8]) -> int:
        if id(texture) not in self._pictures:
            from PIL import Image

            stream = io.BytesIO()
            Image.fromarray(texture).save(stream, "PNG")
            view = self._chunk(stream.getvalue(), None)
            self._pictures[id(texture)] = len(self._images)
            self._images.append({"bufferView": view, "mimeType": "image/png"})
        return self._pictures[id(texture)]
