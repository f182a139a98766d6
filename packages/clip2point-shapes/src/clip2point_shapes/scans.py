"""Points on a mesh where a depth camera would see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.shapes.shape import Mesh
from clip2point.shapes.triangles import draw_on_surface

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: The camera stands this many bounding-sphere radii away from the middle of the shape.
_DISTANCE = 3.0
#: Surface samples per pixel of the camera's image; enough that a visible pixel is hardly ever missed.
_SAMPLES_PER_PIXEL = 12
_MAX_RESOLUTION = 400


def scan_one_side(
    mesh: Mesh, *, azimuth: float, elevation: float = 20.0, count: int = 2048, noise: float = 0.005, seed: int = 0
) -> Float32:
    """Scan a mesh as a depth camera would from one side: visible surface only, noise along the rays, drop-outs.

    Args:
        mesh: A y-up mesh with area.
        azimuth: Degrees about the y axis; 0 looks from +z, 90 from +x. Generated shapes show their front at 180.
        elevation: Degrees above the horizon, in [-90, 90].
        count: Number of points, at least 1.
        noise: Standard deviation of the depth error, as a fraction of the radius of the shape's bounding sphere.
        seed: Seed of the points and their noise, 0 or more.

    Returns:
        Points [count, 3] float32 in the mesh's own frame and unit.

    Raises:
        ShapeError: The mesh has no area.
        OptionError: A number is out of range.

    Examples:
        >>> from clip2point_shapes import generate
        >>> scan_one_side(generate("cup"), azimuth=150, count=100).shape
        (100, 3)
    """
    if not (count >= 1 and noise >= 0 and -90 <= elevation <= 90 and np.isfinite(azimuth) and seed >= 0):
        raise OptionError(
            f"count {count}, noise {noise}, azimuth {azimuth}, elevation {elevation}, seed {seed}: "
            "expected count >= 1, noise >= 0, a finite azimuth, an elevation of -90 to 90 degrees and seed >= 0"
        )
    rng = np.random.default_rng(seed)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle = (low + high) / 2.0
    radius = float(np.linalg.norm(high - low)) / 2.0
    camera = middle + _DISTANCE * radius * camera_direction(azimuth, elevation)
    for resolution in (128, 220, _MAX_RESOLUTION):
        points, normals = _scatter(mesh, _SAMPLES_PER_PIXEL * resolution**2, rng)
        seen = find_visible(points, camera, middle, radius, resolution)
        rays = points[seen] - camera
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        # Grazing surfaces send little light back: they drop out first.
        facing = np.abs(np.einsum("ij,ij->i", rays, normals[seen]))
        kept = rng.random(len(seen)) < 0.97 * np.clip(facing / 0.25, 0.1, 1.0)
        if kept.sum() >= count:
            break
    hits, rays = points[seen][kept], rays[kept]
    # A shape too thin to fill the finest image repeats pixels; the noise still differs.
    chosen = rng.choice(len(hits), count, replace=len(hits) < count)
    scan = hits[chosen] + rng.normal(0.0, noise * radius, (count, 1)) * rays[chosen]
    return np.asarray(scan, dtype=np.float32)


def camera_direction(azimuth: float, elevation: float) -> Float64:
    """Return the unit vector towards a camera, from degrees about y (0 is +z, 90 is +x) and above the horizon."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


def _scatter(mesh: Mesh, count: int, rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Draw area-weighted points [count, 3] and the unit normals of their triangles."""
    points, picked = draw_on_surface(mesh.vertices, mesh.faces, count, rng)
    a, b, c = (mesh.vertices[mesh.faces[picked, corner]].astype(np.float64) for corner in range(3))
    normals = np.cross(b - a, c - a)
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def find_visible(points: Float64, camera: Float64, middle: Float64, radius: float, resolution: int) -> NDArray[np.intp]:
    """Return the indices of the nearest point in each pixel of a pinhole camera, without the see-through ones."""
    forward = (middle - camera) / np.linalg.norm(middle - camera)
    aside = np.cross(forward, (0.0, 1.0, 0.0) if abs(forward[1]) < 0.99 else (0.0, 0.0, 1.0))
    aside /= np.linalg.norm(aside)
    local = points - camera
    depth = local @ forward
    # The bounding sphere fills the image exactly.
    focal = np.sqrt(_DISTANCE**2 - 1.0)
    column, row = (
        (local @ axis / depth * focal + 1.0) * 0.5 * resolution for axis in (aside, np.cross(aside, forward))
    )
    pixel = row.astype(np.intp).clip(0, resolution - 1) * resolution + column.astype(np.intp).clip(0, resolution - 1)
    order = np.argsort(depth, kind="stable")
    pixels, first = np.unique(pixel[order], return_index=True)
    nearest = order[first]
    # A pixel that no near sample happened to hit shows what lies behind. It gives itself away by lying far
    # behind most of its neighbours; so does a rim seen past an edge, which real cameras lose as well.
    image = np.full((resolution + 2, resolution + 2), np.inf)
    image[1:-1, 1:-1].flat[pixels] = depth[nearest]
    around = [image[1 + i : resolution + 1 + i, 1 + j : resolution + 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    neighbours = np.sort(np.stack(around), axis=0)[3].ravel()[pixels]
    tolerance = 6.0 * 2.0 * radius / resolution
    return np.asarray(nearest[depth[nearest] <= neighbours + tolerance], dtype=np.intp)
