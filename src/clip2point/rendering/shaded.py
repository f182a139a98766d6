"""Shaded colour images of meshes: the photographic side of image-depth pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip2point.core.errors import OptionError, ShapeError
from clip2point.rendering import triangle_raster as triangles
from clip2point.rendering.threads import share_threads
from clip2point.shapes.shape import Material, Mesh

#: Vertical (and horizontal) field of view in degrees. At distance 2 it just holds the unit sphere.
FIELD_OF_VIEW = 60.0

#: Faces that meet at less than this angle (degrees) look like one smooth surface; other edges stay crisp.
CREASE_ANGLE = 40.0

#: Materials below the first alpha are not drawn; see-through ones are drawn with at least the second, because
#: in a small image glass that is truly clear cannot be recognised.
INVISIBLE_ALPHA, LEAST_ALPHA = 0.05, 0.3

#: Largest number of samples along a side of an image.
MAX_SIDE = 4096


class Views(Protocol):
    """Camera directions: ``rotations`` [V, 3, 3] float32, applied to row vectors (point @ rotation)."""

    @property
    def rotations(self) -> NDArray[np.float32]:
        """Return the rotations."""


@dataclass(frozen=True)
class Light:
    """A directional light and the reflection of surfaces (Phong).

    Attributes:
        direction: Direction of any length from the surface towards the light in the frame of the view (+x left, +y up,
            +z away from the camera). The light moves with the camera, so that no view is taken from the dark side.
        ambient: Brightness of a surface that the light does not reach.
        diffuse: Brightness that the light adds at normal incidence.
        specular: Strength of the white highlight.
        shininess: Exponent of the highlight; a larger one makes it smaller.
    """

    direction: tuple[float, float, float] = (0.4, 0.6, -0.8)
    ambient: float = 0.45
    diffuse: float = 0.45
    specular: float = 0.2
    shininess: float = 32.0

    def __post_init__(self) -> None:
        length = math.hypot(*self.direction) if len(self.direction) == 3 else 0.0
        if not 0 < length < math.inf:
            raise OptionError(f"light direction must be three numbers, not all zero, got {self.direction}")
        for name in ("ambient", "diffuse", "specular", "shininess"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"light {name} must be a number of at least 0, got {getattr(self, name)}")

    def to_array(self) -> NDArray[np.float64]:
        """Return [7]: the unit direction, ambient, diffuse, specular, shininess."""
        direction = np.asarray(self.direction, dtype=np.float64)
        rest = [self.ambient, self.diffuse, self.specular, self.shininess]
        return np.concatenate([direction / np.linalg.norm(direction), rest])


def render_color(
    mesh: Mesh,
    views: Views,
    *,
    image_size: int = 224,
    distance: float = 2.0,
    light: Light | None = None,
    background: float = 1.0,
    samples: int = 2,
    center: ArrayLike | None = None,
    scale: float | None = None,
) -> NDArray[np.uint8]:
    """Draw a mesh from every view with a perspective camera, Phong shading and textures.

    The mesh is moved into the unit sphere, ``(vertices - center) / scale``, and looked at from ``distance`` through
    a field of view of 60 degrees. The views are those of the depth maps: ``p @ rotation`` has +x to the left of
    the image, +y up and +z away from the camera, so the two images of a view line up (up to perspective).

    Both sides of a face are drawn. Edges sharper than 40 degrees stay crisp, gentler bends are shaded smoothly. Of
    see-through surfaces (alpha below 1) only the nearest is blended over what is solid, with an alpha of at least
    0.3; below 0.05 a material is not drawn at all.

    Args:
        mesh: Triangle mesh, y-up, any unit.
        views: Object with ``rotations`` [V, 3, 3].
        image_size: Height and width S of the images in pixels.
        distance: Distance of the camera from the centre of the unit sphere; from 2 on the whole sphere is in the image.
        light: Light source, by default over the camera's left shoulder.
        background: Gray level in [0, 1]; 1 is white.
        samples: Samples per pixel along each axis, 1 to 4; their mean is the pixel.
        center: [3] point that becomes the origin; by default the centre of mass of the surface (not of the vertices, so
            that a finely divided part does not shift the image), as for points sampled from the surface.
        scale: Length that becomes 1; by default the largest distance of the surface from ``center``.

    Returns:
        [V, S, S, 3] uint8 images, red, green, blue.

    Raises:
        ShapeError: The arrays of the mesh do not fit together or hold NaN or infinity.
        OptionError: An option is out of range.
    """
    _check_mesh(mesh)
    rotations = _check_rotations(views)
    _check_options(image_size, distance, background, samples)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    origin, unit = _frame(corners, center, scale)
    with np.errstate(over="ignore"):
        vertices = ((mesh.vertices - origin) / unit).astype(np.float32)
    if not np.isfinite(vertices).all():
        raise OptionError(f"scale {unit:g} is too small for this mesh, or center too far away")
    scene = _scene(mesh, vertices)

    images = np.empty((len(rotations), image_size, image_size, 3), dtype=np.uint8)
    focal = 1.0 / math.tan(math.radians(FIELD_OF_VIEW / 2))
    look = (light or Light()).to_array()
    with share_threads():
        triangles.render_views(scene, rotations, float(distance), focal, look, float(background), samples, images)
    return images


def _scene(mesh: Mesh, vertices: NDArray[np.float32]) -> triangles.MeshScene:
    """Lay the mesh out for the kernels."""
    faces = np.ascontiguousarray(mesh.faces, dtype=np.int32)
    face_materials = np.ascontiguousarray(mesh.face_materials, dtype=np.int32)
    material_colors = np.clip([m.color for m in mesh.materials], 0.0, 1.0).astype(np.float64)
    alpha = material_colors[:, 3]
    layers = np.where(alpha < 1, triangles.SEE_THROUGH, triangles.OPAQUE)
    layers[alpha < INVISIBLE_ALPHA] = triangles.INVISIBLE
    alpha[:] = np.maximum(alpha, LEAST_ALPHA)

    normals = triangles.corner_normals(
        vertices, faces, _position_numbers(vertices), math.cos(math.radians(CREASE_ANGLE))
    )
    mips, texels = _pack_textures(mesh.materials)
    uv = np.zeros((len(vertices), 2)) if mesh.uv is None else mesh.uv
    colors = np.zeros((0, 3)) if mesh.vertex_colors is None else mesh.vertex_colors
    return triangles.MeshScene(
        vertices=vertices,
        faces=faces,
        face_layers=layers.astype(np.uint8)[face_materials],
        normals=normals,
        face_materials=face_materials,
        uv=np.ascontiguousarray(uv, dtype=np.float32),
        vertex_colors=np.ascontiguousarray(colors, dtype=np.uint8),
        material_colors=material_colors,
        mips=mips,
        texels=texels,
    )


def _frame(
    corners: NDArray[np.float64], center: ArrayLike | None, scale: float | None
) -> tuple[NDArray[np.float64], float]:
    """Return the centre and the length unit for triangles [F, 3, 3]; what the caller has given is kept."""
    if center is not None:
        origin = np.asarray(center, dtype=np.float64)
        if origin.shape != (3,) or not np.isfinite(origin).all():
            raise OptionError(f"center must be three finite numbers, got {center!r}")
    elif len(corners) == 0:
        origin = np.zeros(3)
    else:
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        areas = np.linalg.norm(normals, axis=1)
        weights = areas if areas.sum() > 0 else np.ones(len(corners))
        origin = np.average(corners.mean(axis=1), axis=0, weights=weights)
    if scale is None:
        reach = np.linalg.norm(corners - origin, axis=2).max(initial=0.0)
        return origin, float(reach) or 1.0
    if not 0 < scale < math.inf:
        raise OptionError(f"scale must be a number above 0, got {scale}")
    return origin, float(scale)


def _position_numbers(vertices: NDArray[np.float32]) -> NDArray[np.int64]:
    """Number the distinct positions: [M] the same number for vertices at the same place."""
    order = np.lexsort(vertices.T)
    ordered = vertices[order]
    new = np.ones(len(vertices), dtype=np.int64)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(vertices), dtype=np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers


def _pack_textures(materials: Sequence[Material]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Put all textures, each with its halved copies, into one flat array.

    The halved copies (mip levels) keep large textures from flickering in small images.

    Returns:
        [K, L, 3] offset, height and width of each level of each material's texture (height 0: none), and the texels.
    """
    from PIL import Image

    table = np.zeros((len(materials), 16, 3), dtype=np.int64)
    chunks: list[NDArray[np.uint8]] = []
    offset = 0
    known: dict[int, int] = {}
    for row, material in enumerate(materials):
        texture = material.texture
        if texture is None:
            continue
        if id(texture) in known:
            table[row] = table[known[id(texture)]]
            continue
        known[id(texture)] = row
        image = Image.fromarray(np.ascontiguousarray(texture))
        for level in range(table.shape[1]):
            table[row, level] = offset, image.height, image.width
            chunks.append(np.asarray(image).ravel())
            offset += 3 * image.height * image.width
            if image.height == image.width == 1:
                break
            image = image.resize((max(image.width // 2, 1), max(image.height // 2, 1)), Image.Resampling.BOX)
    return table, np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)


def _check_options(image_size: int, distance: float, background: float, samples: int) -> None:
    if not 1 <= samples <= 4:
        raise OptionError(f"samples must be 1 to 4, got {samples}")
    if not 1 <= image_size * samples <= MAX_SIDE:
        raise OptionError(f"image_size must be 1 to {MAX_SIDE // samples} pixels, got {image_size}")
    if not 0 < distance < math.inf:
        raise OptionError(f"distance must be a number above 0, got {distance}")
    if not 0 <= background <= 1:
        raise OptionError(f"background must be a gray level from 0 to 1, got {background}")


def _check_rotations(views: Views) -> NDArray[np.float32]:
    rotations = np.ascontiguousarray(views.rotations, dtype=np.float32)
    if rotations.ndim != 3 or rotations.shape[1:] != (3, 3) or not np.isfinite(rotations).all():
        raise OptionError(f"views must have finite rotations [V, 3, 3], got {list(rotations.shape)}")
    return rotations


def _check_mesh(mesh: Mesh) -> None:
    count = len(mesh.vertices)
    _check_array("vertices", mesh.vertices, (count, 3))
    _check_indices("faces", mesh.faces, (len(mesh.faces), 3), count)
    _check_indices("face_materials", mesh.face_materials, (len(mesh.faces),), len(mesh.materials))
    if mesh.vertex_colors is not None:
        _check_array("vertex_colors", mesh.vertex_colors, (count, 3))
    if mesh.uv is not None:
        _check_array("uv", mesh.uv, (count, 2))
    if not mesh.materials:
        raise ShapeError("a mesh must have at least one material")
    for material in mesh.materials:
        _check_material(material)
        if material.texture is not None and mesh.uv is None:
            raise ShapeError("a material of the mesh has a texture, but the mesh has no uv")


def _check_material(material: Material) -> None:
    _check_array("material color", np.asarray(material.color), (4,))
    texture = material.texture
    if texture is None:
        return
    if texture.ndim != 3 or texture.shape[2] != 3 or texture.dtype != np.uint8 or texture.size == 0:
        raise ShapeError(f"a texture must be [H, W, 3] uint8, got {list(texture.shape)} {texture.dtype}")


def _check_array(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ShapeError(f"mesh {name} must be {list(shape)}, got {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ShapeError(f"mesh {name} must be finite numbers, but NaN or infinity is among them")


def _check_indices(name: str, array: NDArray[np.integer], shape: tuple[int, ...], count: int) -> None:
    _check_array(name, array, shape)
    if not np.issubdtype(array.dtype, np.integer):
        raise ShapeError(f"mesh {name} must be integers, got {array.dtype}")
    if array.size and (array.min() < 0 or array.max() >= count):
        raise ShapeError(f"mesh {name} must be from 0 to {count - 1}, got {array.min()} to {array.max()}")
