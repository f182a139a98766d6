"""Polygons into triangles: fans where those cover a polygon, ear clipping where they would not, and for holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.triangles import Int, cross_edges, fan_triangles

#: Most corners of a polygon that is cut by ear clipping, whose time may grow with the square of them.
MAX_CORNERS = 20_000
#: Part of its polygon's area by which a triangle of a fan may turn the wrong way: rounding, and bent polygons.
_SLACK = 1e-6


def cut_polygons(
    vertices: NDArray[np.floating], corners: NDArray[np.integer], sizes: NDArray[np.integer]
) -> tuple[Int, Int]:
    """Cut polygons, whose corners lie one after the other in a flat list, into triangles.

    A polygon becomes the fan from its first corner (``fan_triangles``) wherever all triangles of that fan turn the same
    way. A concave one, of which that fan would cover what lies outside, is cut by its other diagonal if it has four
    corners, or else by ear clipping in the plane of its area vector (mapbox/earcut).

    Args:
        vertices: Positions, [M, 3].
        corners: Vertex of each corner, [C].
        sizes: Number of corners of each polygon, [P]; those with fewer than 3 vanish.

    Returns:
        Positions of the corners in the flat list, [T, 3], and the polygon of each triangle, [T], in order.

    Raises:
        ShapeError: If a concave polygon has more than ``MAX_CORNERS`` corners.

    Examples:
        >>> arrow = np.array([[0, 0, 0], [4, -4, 0], [0, 4, 0], [-4, -4, 0.0]])
        >>> positions, _ = cut_polygons(arrow, np.array([1, 2, 3, 0]), np.array([4]))  # the first corner sees not all
        >>> positions.tolist()
        [[1, 2, 3], [3, 0, 1]]
    """
    positions, polygon = fan_triangles(sizes)
    if len(sizes) == 0 or int(sizes.max()) < 4:
        return positions, polygon
    concave = _find_concave(vertices, corners, positions, polygon, len(sizes))
    if not len(concave):
        return positions, polygon
    starts = np.cumsum(sizes) - sizes
    quads = starts[concave[sizes[concave] == 4]]
    if len(quads):  # their other diagonal lies inside
        first = np.searchsorted(polygon, concave[sizes[concave] == 4])
        positions[first] = quads[:, None] + [1, 2, 3]
        positions[first + 1] = quads[:, None] + [3, 0, 1]
        concave = concave[sizes[concave] != 4]
    if not len(concave):
        return positions, polygon
    pieces = [positions[~np.isin(polygon, concave)]]
    owners = [polygon[~np.isin(polygon, concave)]]
    for index in concave.tolist():
        start, size = int(starts[index]), int(sizes[index])
        triangles = cut_rings(vertices[corners[start : start + size]], np.array([size]))
        pieces.append(triangles + start)
        owners.append(np.full(len(triangles), index))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(pieces)[order], owner[order]


def _find_concave(
    vertices: NDArray[np.floating], corners: NDArray[np.integer], positions: Int, polygon: Int, polygons: int
) -> Int:
    """Return the polygons whose fan has triangles that turn against the whole, in ascending order."""
    # Triangles are always right, and most meshes consist of few other polygons.
    inside = np.flatnonzero(np.bincount(polygon, minlength=polygons)[polygon] > 1)
    faces = corners[positions[inside]]
    if not len(faces) or not 0 <= int(faces.min()) <= int(faces.max()) < len(vertices):
        return np.zeros(0, np.int64)  # faces of vertices that do not exist are refused later, with a clear message
    owner = polygon[inside]
    with np.errstate(invalid="ignore", over="ignore"):  # vertices that are not finite are refused later
        normal = cross_edges(vertices, faces)
        total = np.stack([np.bincount(owner, axis, polygons) for axis in normal])
        along = (normal * total[:, owner]).sum(axis=0)
        return np.unique(owner[along < -_SLACK * (total * total).sum(axis=0)[owner]])


def cut_rings(points: NDArray[np.floating], ends: NDArray[np.integer]) -> Int:
    """Cut a polygon with holes into triangles by ear clipping.

    Args:
        points: Corners of the outline and then of each hole, [N, 3].
        ends: Ends of the rings among the points, [R]; ``ends[0]`` is the size of the outline.

    Returns:
        Positions of corners, [T, 3], turning as the outline does.

    Raises:
        ShapeError: If there are more than ``MAX_CORNERS`` points.

    Examples:
        >>> square = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0.0]])
        >>> len(cut_rings(np.vstack([square, square / 2 + [1, 1, 0]]), np.array([4, 8])))
        8
    """
    if len(points) > MAX_CORNERS:
        raise ShapeError(
            f"has a concave polygon of {len(points):,} corners: expected at most {MAX_CORNERS:,}; triangulate the mesh "
            "and export it again"
        )
    from mapbox_earcut import triangulate_float64

    points = np.asarray(points, np.float64)
    outline = points[: int(ends[0])] - points[0]
    normal = np.cross(outline, np.roll(outline, -1, axis=0)).sum(axis=0)  # Newell: twice the area vector
    away = int(np.abs(normal).argmax())
    flat = np.ascontiguousarray(np.delete(points, away, axis=1))
    if not np.isfinite(flat).all():
        return np.zeros((0, 3), np.int64)
    triangles = triangulate_float64(flat, np.asarray(ends, np.uint32)).reshape(-1, 3).astype(np.int64)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    against = np.cross(b - a, c - a)[:, away] * normal[away] < 0
    triangles[against] = triangles[against][:, ::-1]
    return triangles
