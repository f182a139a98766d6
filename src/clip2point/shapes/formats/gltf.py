"""GLB and glTF 2.0: scenes with materials, in one file or with buffers and images beside it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.draco import Decoded, decode
from clip2point.shapes.formats.gltf_scene import INSTANCING, Placement, apply_skin, place_meshes
from clip2point.shapes.guards import MAX_ELEMENTS, check_nodes, check_parts, check_promise, expansion_limit
from clip2point.shapes.parsed import WHITE, Parsed, Scene, colors_to_uint8
from clip2point.shapes.shape import Material
from clip2point.shapes.triangles import find_used_vertices, strip_triangles

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
#: Most numbers in all accessors that are read; accessors may overlap, so the file's size does not bound them.
_MAX_VALUES = 8 * MAX_ELEMENTS
_DRACO = "KHR_draco_mesh_compression"
_MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
#: Extensions that are understood, or that change nothing in the shape: CESIUM_RTC moves it as a whole.
_KNOWN = (
    *(_DRACO, *_MESHOPT, INSTANCING, "KHR_mesh_quantization"),
    *("KHR_techniques_webgl", "CESIUM_RTC", "KHR_animation_pointer"),
)
#: Names of extensions that are about looks, light or descriptions, not about the shape.
_LOOKS = re.compile(r"[A-Z0-9]+_(?:materials?|textures?|lights?|xmp)(?:_|$)")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a glTF scene: triangles and points of its default scene in their places. Up is y.

    Skins and morph targets are read in the pose of the file; lines, and bodies for collision, are passed over.
    """
    chunk = None
    if data.startswith(b"glTF"):
        data, chunk = _unpack_glb(data)
    check_nodes(sum(data.count(sign) for sign in (b",", b"[", b"{")))
    try:
        tree = json.loads(data)
    except ValueError:
        raise ShapeError("is neither GLB nor glTF (JSON text): the file is cut off or of another format") from None
    if not isinstance(tree, dict) or not str(tree.get("asset", {}).get("version", "")).startswith("2"):
        raise ShapeError("is not of glTF version 2: expected an 'asset' with that version; export it again")
    _check_extensions(tree.get("extensionsRequired", ()))
    return _Reader(tree, chunk, companions).read()


def _check_extensions(required: Iterable[Any]) -> None:
    """Refuse extensions without which the file cannot be understood and which this reader does not know."""
    for name in map(str, required):
        if name not in _KNOWN and not _LOOKS.match(name):
            raise ShapeError(
                f"requires the extension {name[:80]!r}, which is not supported: expected plain meshes or points; "
                "export it without"
            )


def _unpack_glb(data: bytes) -> tuple[bytes, bytes | None]:
    """Return the JSON and the binary chunk of a GLB container."""
    if len(data) < 20:
        raise ShapeError(f"has {len(data)} bytes, too few for a GLB file: the file is cut off")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ShapeError(f"is of GLB version {version}: expected 2; export it again")
    check_promise("bytes", length, 1, len(data))
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, place)
        check_promise("bytes of a chunk", size, 1, length - place - 8)
        chunks.setdefault(kind, data[place + 8 : place + 8 + size])
        place += 8 + size
    if b"JSON" not in chunks:
        raise ShapeError("has no JSON chunk: the GLB file is damaged; export it again")
    return chunks[b"JSON"], chunks.get(b"BIN\0")


class _Reader:
    """Reader of one parsed glTF tree; buffers and accessors are read once, when they are needed."""

    def __init__(self, tree: dict[str, Any], chunk: bytes | None, companions: Companions) -> None:
        self._tree = tree
        self._chunk = chunk
        self._companions = companions
        self._buffers: dict[int, bytes] = {}
        self._accessors: dict[int, NDArray[Any]] = {}
        self._values_left = _MAX_VALUES
        self._unfolded: dict[int, bytes] = {}
        self._draco: dict[int, Decoded] | None = None
        self._materials: dict[int, Material] = {}
        self._meshes: dict[tuple[int, tuple[float, ...]], list[tuple[Parsed, bool]]] = {}

    def read(self) -> Parsed:
        placements, notes = place_meshes(self._tree, self._accessor)
        meshes = self._tree["meshes"] if placements else []
        check_parts(sum(len(meshes[p.mesh]["primitives"]) * len(p.transforms) for p in placements))
        scene = Scene(notes)
        for placement in placements:
            numbers = self._enter_nodes(scene, placement)
            for part, skinned in self._parts(placement):
                for transform, node in (
                    ((None, numbers[0]),) if skinned else zip(placement.transforms, numbers, strict=True)
                ):
                    scene.add(part, transform, node)
        return scene.join(up="y")

    def _enter_nodes(self, scene: Scene, placement: Placement) -> list[int]:
        """Return the number of the node of each instance of a mesh."""
        above, nodes = -1, self._tree.get("nodes", [])
        mesh = self._tree["meshes"][placement.mesh]
        for place, (index, transform) in enumerate(placement.chain, start=1):
            name = nodes[index].get("name") or (mesh.get("name") if place == len(placement.chain) else "") or ""
            above = scene.nodes.enter(index, str(name), above, transform)
        if not placement.chain:
            return [scene.nodes.enter(("mesh", placement.mesh), str(mesh.get("name") or ""), -1, np.eye(4))]
        if len(placement.transforms) == 1:
            return [above]
        name = scene.nodes.entered[above].name
        return [
            scene.nodes.enter((placement.chain[-1][0], copy), name, above, transform, "instance")
            for copy, transform in enumerate(placement.transforms)
        ]

    def _parts(self, placement: Placement) -> list[tuple[Parsed, bool]]:
        """Return the primitives of a mesh in their pose, and whether a skin has put them in their place."""
        key = (placement.mesh, placement.weights) if placement.joints is None else None
        if key is not None and key in self._meshes:
            return self._meshes[key]
        parts = []
        for primitive in self._tree["meshes"][placement.mesh]["primitives"]:
            part = self._primitive(primitive, placement)
            if part is not None:
                parts.append((part, placement.joints is not None and "JOINTS_0" in primitive["attributes"]))
        if key is not None:
            self._meshes[key] = parts
        return parts

    def _primitive(self, primitive: dict[str, Any], placement: Placement) -> Parsed | None:
        """Return one primitive in its pose, as triangles or points; None for lines."""
        if _DRACO in primitive.get("extensions", {}) and "bufferView" not in self._accessor_of(primitive):
            primitive = self._unfold(primitive)
        attributes, mode = primitive["attributes"], primitive.get("mode", _TRIANGLES)
        if mode not in (_POINTS, _TRIANGLES, _STRIP, _FAN) or "POSITION" not in attributes:
            return None
        vertices = self._vertices(primitive, placement)
        faces: NDArray[Any] | None = None
        used: slice | NDArray[np.int64] = slice(None)
        if mode != _POINTS:
            used, faces = find_used_vertices(self._faces(primitive, mode, len(vertices)), len(vertices))
        colors = self._attribute(attributes, "COLOR_0", len(vertices))
        material = self._material(primitive["material"]) if "material" in primitive else None
        uv = self._texture_coordinates(primitive, len(vertices))
        if uv is None and material is not None and material.texture is not None:
            material = Material(material.color)
        return Parsed(
            vertices[used],
            faces,
            materials=(material or (Material() if colors is None else WHITE),),
            uv=None if uv is None else uv[used, :2] * (1, -1) + (0, 1),  # glTF counts v downwards
            vertex_colors=None if colors is None else colors_to_uint8(colors[used]),
        )

    def _unfold(self, primitive: dict[str, Any]) -> dict[str, Any]:
        """Put the arrays of a primitive that Draco compressed in the places of its accessors."""
        if self._draco is None:
            self._draco = self._decode_all()
        extension = primitive["extensions"][_DRACO]
        decoded = self._draco[extension["bufferView"]]
        accessors = self._tree["accessors"]
        for name, key in extension["attributes"].items():
            if key not in decoded.attributes:
                raise ShapeError(f"has Draco data without {str(name)[:40]}: the file is damaged; export it again")
            number = primitive["attributes"][name]
            accessors[number]["count"] = len(decoded.attributes[key])
            self._accessors[number] = _as_fractions(decoded.attributes[key], accessors[number])
        if decoded.faces is None:
            return primitive | {"mode": _POINTS}
        corners = len(accessors) + extension["bufferView"]  # beyond the file's own
        self._accessors[corners] = decoded.faces.reshape(-1, 1)
        return primitive | {"indices": corners, "mode": _TRIANGLES}

    def _decode_all(self) -> dict[int, Decoded]:
        """Decode what Draco compressed, all at once: a child process takes longer to start than to decode."""
        extensions = [
            primitive["extensions"][_DRACO]
            for mesh in self._tree["meshes"]
            for primitive in mesh["primitives"]
            if _DRACO in primitive.get("extensions", {})
        ]
        views = sorted({extension["bufferView"] for extension in extensions})
        return dict(zip(views, decode([self._view(view) for view in views]), strict=True))

    def _vertices(self, primitive: dict[str, Any], placement: Placement) -> NDArray[Any]:
        """Return the positions [N, 3] with morph targets and skin in the pose of the file."""
        attributes = primitive["attributes"]
        vertices = self._accessor(attributes["POSITION"])
        if vertices.shape[1] != 3:
            raise ShapeError(f"has positions {list(vertices.shape)}: expected [N, 3]; export it again")
        for weight, target in zip(placement.weights, primitive.get("targets", ()), strict=False):
            if weight and "POSITION" in target:
                vertices = vertices + weight * self._accessor(target["POSITION"]).astype(np.float64)
        if placement.joints is None or "JOINTS_0" not in attributes:
            return vertices
        sets = [i for i in range(8) if f"JOINTS_{i}" in attributes and f"WEIGHTS_{i}" in attributes]
        if not sets:
            raise ShapeError("has a skin without weights: expected JOINTS_0 and WEIGHTS_0; export it again")
        joints, weights = (
            np.hstack([self._accessor(attributes[f"{name}_{i}"]) for i in sets]) for name in ("JOINTS", "WEIGHTS")
        )
        return apply_skin(vertices, joints, weights, placement.joints)

    def _faces(self, primitive: dict[str, Any], mode: int, vertices: int) -> NDArray[np.int64]:
        corners = np.arange(vertices)
        if "indices" in primitive:
            corners = self._accessor(primitive["indices"]).ravel().astype(np.int64)
        if mode == _TRIANGLES:
            if len(corners) % 3:
                raise ShapeError(f"has triangles with {len(corners):,} corners in all: expected a multiple of 3")
            return corners.reshape(-1, 3)
        if mode == _STRIP:
            return corners[strip_triangles(len(corners))]
        fan = np.arange(1, max(len(corners) - 1, 1))
        return corners[np.stack([np.zeros_like(fan), fan, fan + 1], axis=1)]

    def _attribute(self, attributes: dict[str, int], name: str, vertices: int) -> NDArray[Any] | None:
        if name not in attributes or int(self._tree["accessors"][attributes[name]]["count"]) != vertices:
            return None
        values = self._accessor(attributes[name])
        return values if values.shape[1] >= 2 else None

    def _accessor_of(self, primitive: dict[str, Any]) -> dict[str, Any]:
        accessor: dict[str, Any] = self._tree["accessors"][primitive["attributes"]["POSITION"]]
        return accessor

    def _accessor(self, index: int) -> NDArray[Any]:
        """Return the values [count, width] of an accessor; normalised integers as fractions."""
        if index not in self._accessors:
            self._accessors[index] = self._read_accessor(index)
        return self._accessors[index]

    def _read_accessor(self, index: int) -> NDArray[Any]:
        accessor = self._tree["accessors"][index]
        dtype = np.dtype(_COMPONENTS[accessor["componentType"]])
        count, width = int(accessor["count"]), _WIDTHS[accessor["type"]]
        if "bufferView" in accessor:
            values = self._elements(accessor["bufferView"], accessor.get("byteOffset", 0), dtype, count, width)
        else:  # all zero, but for the sparse values; the promise is held against all the data there is
            there = sum(
                len(self._buffer(i)) for i, buffer in enumerate(self._tree.get("buffers", [])) if self._has(i, buffer)
            )
            check_promise("accessor values", count, width, there)
            values = np.zeros((count, width), dtype)
        self._values_left -= values.size
        if self._values_left < 0:
            raise ShapeError(f"has accessors of more than {_MAX_VALUES:,} values: thin the shape out first")
        if "sparse" in accessor:
            values = self._with_sparse(values, accessor["sparse"])
        return _as_fractions(values, accessor)

    def _with_sparse(self, values: NDArray[Any], sparse: dict[str, Any]) -> NDArray[Any]:
        count = int(sparse["count"])
        where, what = sparse["indices"], sparse["values"]
        kind = np.dtype(_COMPONENTS[where["componentType"]])
        places = self._elements(where["bufferView"], where.get("byteOffset", 0), kind, count, 1).ravel()
        changed = self._elements(what["bufferView"], what.get("byteOffset", 0), values.dtype, count, values.shape[1])
        values = values.copy()
        values[places.astype(np.int64)] = changed
        return values

    def _elements(self, view_index: int, offset: int, dtype: np.dtype[Any], count: int, width: int) -> NDArray[Any]:
        view = self._tree["bufferViews"][view_index]
        data = self._view(view_index)
        row = dtype.itemsize * width
        stride = view.get("byteStride", row)
        if not (0 <= offset <= len(data) and row <= stride <= 252 + row):
            raise ShapeError("has an accessor outside its buffer view: the file is damaged; export it again")
        check_promise("accessor values", count, row, len(data) - offset)
        check_promise("accessor values", count, stride, len(data) - offset + stride - row)
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize)).copy()

    def _view(self, index: int) -> bytes:
        view = self._tree["bufferViews"][index]
        packed = next((view["extensions"][name] for name in _MESHOPT if name in view.get("extensions", {})), None)
        if packed is None:
            return self._bytes(view)
        if index not in self._unfolded:
            size = int(packed["count"]) * int(packed["byteStride"])
            unfolded = size + sum(map(len, self._unfolded.values()))
            if not 0 <= size <= unfolded <= expansion_limit(len(self._buffer(packed["buffer"]))):
                raise ShapeError(f"unfolds to {unfolded:,} bytes: expected a shape, this is a decompression bomb")
            from clip2point.shapes.formats.meshopt import decode_view

            self._unfolded[index] = decode_view(self._bytes(packed), packed)
        return self._unfolded[index]

    def _bytes(self, view: dict[str, Any]) -> bytes:
        buffer = self._buffer(view["buffer"])
        start, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        if not 0 <= start <= len(buffer):
            raise ShapeError("has a buffer view outside its buffer: the file is damaged; export it again")
        check_promise("bytes of a buffer view", length, 1, len(buffer) - start)
        return buffer[start : start + length]

    def _has(self, index: int, buffer: dict[str, Any]) -> bool:
        """Return whether there are bytes for a buffer; meshopt has others, as room to unfold to."""
        return "uri" in buffer or (index == 0 and self._chunk is not None)

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self._tree["buffers"][index].get("uri")
            data = self._chunk if uri is None and index == 0 else self._fetch(uri or "")
            if data is None:
                raise ShapeError(
                    f"needs the buffer {str(uri)[:80]!r}, which is not beside it: put it into the same folder"
                )
            self._buffers[index] = data
        return self._buffers[index]

    def _fetch(self, uri: str) -> bytes | None:
        if not uri.startswith("data:"):
            return self._companions.read(uri)
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except binascii.Error:
            raise ShapeError("has an embedded buffer that is not base64: the file is damaged") from None

    def _material(self, index: int) -> Material:
        if index not in self._materials:
            material = self._tree["materials"][index]
            color, reference = _base_color(material)
            texture = None if reference is None else self._texture(reference)
            self._materials[index] = Material(color, texture)
        return self._materials[index]

    def _texture_coordinates(self, primitive: dict[str, Any], vertices: int) -> NDArray[Any] | None:
        """Return the coordinates [N, 2 or more] on the texture of a primitive's material, with v down."""
        reference = None
        if "material" in primitive:
            _, reference = _base_color(self._tree["materials"][primitive["material"]])
        reference = reference or {}
        change = reference.get("extensions", {}).get("KHR_texture_transform", {})
        number = int(change.get("texCoord", reference.get("texCoord", 0)))
        uv = self._attribute(primitive["attributes"], f"TEXCOORD_{number}", vertices)
        return uv if uv is None or not change else _transform_texture(uv, change)

    def _texture(self, reference: dict[str, Any]) -> NDArray[np.uint8] | None:
        """Return the image of a texture; a missing or unknown one is None, because the geometry is there."""
        try:
            texture = self._tree["textures"][reference["index"]]
            webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
            index = texture.get("source", webp.get("source"))
            image = self._tree["images"][index]
            uri = image.get("uri")
            if uri is not None and not uri.startswith("data:"):
                return self._companions.read_texture(uri)
            data = self._view(image["bufferView"]) if uri is None else self._fetch(uri)
        except (KeyError, IndexError, TypeError, AttributeError, ShapeError):
            return None
        return self._companions.decode_texture(index, data or b"")


def _as_fractions(values: NDArray[Any], accessor: dict[str, Any]) -> NDArray[Any]:
    """Return integers that an accessor calls normalised as fractions, other values as they are."""
    if accessor.get("normalized") and values.dtype.kind in "iu":
        return np.maximum(values / np.iinfo(values.dtype).max, -1.0)
    return values


def _base_color(material: dict[str, Any]) -> tuple[tuple[float, float, float, float], dict[str, Any] | None]:
    """Return the base colour and the reference to its texture."""
    metallic = material.get("pbrMetallicRoughness", {})
    glossy = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
    color = metallic.get("baseColorFactor", glossy.get("diffuseFactor", (1, 1, 1, 1)))
    red, green, blue, alpha = (min(max(float(value), 0.0), 1.0) for value in color)
    if material.get("alphaMode", "OPAQUE") == "OPAQUE":
        alpha = 1.0  # whatever the colour says
    return (red, green, blue, alpha), metallic.get("baseColorTexture", glossy.get("diffuseTexture"))


def _transform_texture(uv: NDArray[Any], change: dict[str, Any]) -> NDArray[np.float64]:
    """Return texture coordinates [N, 2], v down, that are scaled, turned counter-clockwise and moved, in this order."""
    angle = float(change.get("rotation", 0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    scaled = uv[:, :2] * np.array(change.get("scale", (1, 1)), dtype=np.float64).reshape(2)
    return np.asarray(scaled @ turn.T + np.array(change.get("offset", (0, 0)), dtype=np.float64).reshape(2))
