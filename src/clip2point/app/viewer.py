"""Shapes for the 3D view of a browser: upright, of one size, simplified, as GLB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes import Shape
from clip2point.shapes.glb import BYTE, FLOAT, INTEGER, pack_glb
from clip2point.shapes.shape import Mesh

Float32 = NDArray[np.float32]
Colors = NDArray[np.uint8]

#: Most triangles, or points of a cloud, that a browser gets.
MAX_ELEMENTS = 200_000
#: Cells along the longest side of the first grid in which a larger mesh is simplified.
_FINEST_GRID = 512
#: Blue-gray of shapes without a colour of their own.
_PLAIN = (150, 170, 195)
_POINTS, _TRIANGLES = 0, 4  # glTF's modes


def to_glb(shape: Shape, max_elements: int = MAX_ELEMENTS) -> bytes:
    """Convert a shape to a GLB file for viewing.

    Args:
        shape: Mesh or cloud in its own unit; an undeclared up-axis counts as y.
        max_elements: Largest number of triangles or points. Vertices of larger meshes are merged on a grid that gets
            coarser until it suffices; larger clouds are subsampled with a fixed seed.

    Returns:
        File of one mesh with one primitive, triangles or points: y up, bounding box centred at the origin with longest
        side 2, and a colour per vertex (of textures, the colour at the vertex).
    """
    upright = (shape.with_up("y") if shape.up == "auto" else shape).upright()
    if upright.mesh is None or not len(upright.mesh.faces):
        points = upright.points
        if len(points) > max_elements:
            points = points[np.random.default_rng(0).choice(len(points), max_elements, replace=False)]
        return _glb(_fit_box(points), np.full((len(points), 4), (*_PLAIN, 255), np.uint8), None)
    vertices, colors, faces = _split_by_colour(upright.mesh)
    vertices, colors, faces = _simplify(_fit_box(vertices), colors, faces, max_elements)
    return _glb(vertices, colors, faces)


def _fit_box(points: Float32) -> Float32:
    """Return points [N, 3] with their bounding box centred at the origin and of longest side 2."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    size = float((high - low).max()) or 1.0
    fitted: Float32 = ((points - (low + high) / 2) * (2 / size)).astype(np.float32)
    return fitted


def _split_by_colour(mesh: Mesh) -> tuple[Float32, Colors, NDArray[np.int64]]:
    """Return vertices, their colours [N, 4] and faces; a vertex that several materials share becomes several."""
    count = len(mesh.vertices)
    pairs, corners = np.unique(
        mesh.face_materials.astype(np.int64)[:, None] * count + mesh.faces, return_inverse=True
    )  # every (material, vertex) that occurs
    material, vertex = pairs // count, pairs % count
    colors = np.ones((len(pairs), 3))
    for index in np.unique(material):
        chosen = material == index
        red, green, blue, alpha = mesh.materials[index].color
        texture = mesh.materials[index].texture
        if texture is not None and mesh.uv is not None:
            colors[chosen] = _texels(texture, mesh.uv[vertex[chosen]])
        elif mesh.materials[index].color[:3] == (0.7, 0.7, 0.7) and mesh.vertex_colors is None:
            red, green, blue = (value / 255 for value in _PLAIN)
        # The view has no see-through surfaces; glass becomes pale.
        colors[chosen] = alpha * colors[chosen] * (red, green, blue) + (1 - alpha)
    if mesh.vertex_colors is not None:
        colors *= mesh.vertex_colors[vertex] / 255
    rgba = np.full((len(pairs), 4), 255, np.uint8)
    rgba[:, :3] = np.round(255 * np.clip(colors, 0, 1))
    return mesh.vertices[vertex], rgba, corners.reshape(-1, 3)


def _texels(texture: NDArray[np.uint8], uv: Float32) -> NDArray[np.float64]:
    """Return the colours [N, 3] in [0, 1] of a repeating texture at coordinates [N, 2]."""
    height, width = texture.shape[:2]
    u, v = np.nan_to_num(uv.astype(np.float64)).T % 1.0
    columns = np.minimum((u * width).astype(np.int64), width - 1)
    rows = np.minimum(((1 - v) * height).astype(np.int64), height - 1)
    return texture[rows, columns] / 255


def _simplify(
    vertices: Float32, colors: Colors, faces: NDArray[np.int64], most: int
) -> tuple[Float32, Colors, NDArray[np.int64]]:
    """Merge the vertices of each cell of ever coarser grids until at most ``most`` triangles have an area."""
    cells = _FINEST_GRID
    while len(faces) > most:
        keys = np.floor((vertices.astype(np.float64) + 1) * (cells / 2)).astype(np.int64) @ (1, 1 << 20, 1 << 40)
        _, first, cell = np.unique(keys, return_index=True, return_inverse=True)
        vertices, colors, faces = vertices[first], colors[first], cell.reshape(-1)[faces]
        faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
        _, kept = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
        faces = faces[np.sort(kept)]
        cells = cells * 3 // 4
    return vertices, colors, faces


def _glb(vertices: Float32, colors: Colors, faces: NDArray[np.int64] | None) -> bytes:
    """Return a GLB file of one primitive: triangles, or points if there are no faces."""
    chunks = [vertices.astype("<f4").tobytes(), colors.tobytes()]
    low, high = vertices.min(axis=0).tolist(), vertices.max(axis=0).tolist()
    accessors: list[dict[str, object]] = [
        {"bufferView": 0, "componentType": FLOAT, "count": len(vertices), "type": "VEC3", "min": low, "max": high},
        {"bufferView": 1, "componentType": BYTE, "count": len(colors), "type": "VEC4", "normalized": True},
    ]
    primitive: dict[str, object] = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": _POINTS}
    if faces is not None:
        chunks.append(faces.astype("<u4").tobytes())
        accessors.append({"bufferView": 2, "componentType": INTEGER, "count": faces.size, "type": "SCALAR"})
        primitive |= {"indices": 2, "mode": _TRIANGLES}
    return pack_glb([primitive], accessors, chunks)
