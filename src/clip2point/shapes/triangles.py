"""Geometry of index arrays: polygons and strips into triangles, areas, corners with several indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError

Int = NDArray[np.int64]


def fan_triangles(sizes: NDArray[np.integer]) -> tuple[Int, Int]:
    """Cut polygons, whose corners lie one after the other in a flat list, into fans of triangles.

    Args:
        sizes: Number of corners of each polygon, [P]; those with fewer than 3 vanish. Fans are exact for convex
            polygons.

    Returns:
        Positions of the corners in the flat list, [T, 3], and the polygon of each triangle, [T].

    Examples:
        >>> positions, polygon = fan_triangles(np.array([4, 3]))
        >>> positions.tolist(), polygon.tolist()
        ([[0, 1, 2], [0, 2, 3], [4, 5, 6]], [0, 0, 1])
    """
    sizes = sizes.astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    whole = np.flatnonzero(sizes > 2)
    triangles = sizes[whole] - 2
    polygon = np.repeat(whole, triangles)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    first = starts[polygon]
    return np.stack([first, first + step + 1, first + step + 2], axis=1), polygon


def strip_triangles(corners: int) -> Int:
    """Return the [corners - 2, 3] positions of the triangles of one strip, all with the same turning sense."""
    first = np.arange(max(corners - 2, 0))
    odd = first % 2
    return np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)


def split_corners(*indices: NDArray[np.integer]) -> tuple[tuple[Int, ...], Int]:
    """Find the distinct combinations of several indices per corner (say position and texture coordinate).

    Args:
        indices: Arrays of one length, [C], with values >= 0.

    Returns:
        Distinct combinations as arrays [U], one for each argument, and the combination of every corner, [C].
    """
    key = indices[0].astype(np.int64)
    for index in indices[1:]:
        _, key = np.unique(key, return_inverse=True)
        key = key * (int(index.max(initial=0)) + 1) + index
    _, first, combination = np.unique(key, return_index=True, return_inverse=True)
    return tuple(index[first].astype(np.int64) for index in indices), combination.astype(np.int64)


def find_used_vertices(faces: NDArray[np.integer], vertices: int) -> tuple[slice | Int, NDArray[np.integer]]:
    """Find the vertices that faces [F, 3] name, where those are far fewer than there are.

    Several parts of a scene may share one long list of vertices; a copy of it in each part would multiply it.

    Returns:
        Selection from arrays over the vertices (everything, unless there are more vertices than corners), and the
        faces that fit it. Faces that name vertices outside come back as they are, to be refused later.
    """
    if vertices <= faces.size or (faces.size and not 0 <= int(faces.min()) <= int(faces.max()) < vertices):
        return slice(None), faces
    used, places = np.unique(faces, return_inverse=True)
    return used.astype(np.int64), places.reshape(-1, 3)


def triangle_areas(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the areas of faces [F, 3] over vertices [M, 3], as [F] float64."""
    x, y, z = cross_edges(vertices, faces)
    areas: NDArray[np.float64] = 0.5 * np.sqrt(x * x + y * y + z * z)
    return areas


def cross_edges(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the cross products [3, F] of the first and the last edge of faces: normals as long as twice the area."""
    corners = np.ascontiguousarray(faces.T)  # np.take and plain products: five times as fast as indexing and np.cross
    x, y, z = (axis.take(corners) for axis in np.ascontiguousarray(vertices.T, np.float64))
    bx, by, bz, cx, cy, cz = x[1] - x[0], y[1] - y[0], z[1] - z[0], x[2] - x[0], y[2] - y[0], z[2] - z[0]
    return np.stack([by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx])


def draw_on_surface(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw points uniformly by area from faces [F, 3] over vertices [M, 3].

    Returns:
        Points [count, 3] in float64, and the face [count] on which each lies, never one without area.

    Raises:
        ShapeError: If no face has any area.
    """
    cumulative = np.cumsum(triangle_areas(vertices, faces))
    if not len(cumulative) or not cumulative[-1] > 0:
        raise ShapeError("all faces have zero area: expected at least one triangle with three distinct corners")
    # A face is hit when the draw falls below its cumulative area but not below the one before: never if its own is 0.
    face = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
    a, b, c = (vertices[faces[face, corner]].astype(np.float64) for corner in range(3))
    # The square root turns two uniform numbers into uniform barycentric coordinates.
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - u) * a + u * (1 - v) * b + u * v * c, face
