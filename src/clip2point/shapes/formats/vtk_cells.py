"""Cells of VTK's data sets: polygons as they are, of solid cells the faces that only one of them has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.parsed import Parsed
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.triangles import strip_triangles

Int = NDArray[np.int64]

_STRIP, _PIXEL, _VOXEL = 6, 8, 11
#: Cells that are no surface: vertices and lines.
_POINTS, _LINES = (0, 1, 2), (3, 4, 21, 35)
#: Flat cells, and how many of their points are corners (all of a polygon); the others lie on edges.
_FLAT = {5: 3, 7: 0, 8: 4, 9: 4, 22: 3, 23: 4, 28: 4, 34: 3}
_TETRAHEDRON = ((0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3))
_HEXAHEDRON = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
_WEDGE = ((0, 1, 2), (3, 5, 4), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0))
_PYRAMID = ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4))
#: Faces of solid cells by their corners.
_SOLID = {
    **dict.fromkeys((10, 24), _TETRAHEDRON),
    **dict.fromkeys((12, 25, 29), _HEXAHEDRON),
    11: tuple(tuple((0, 1, 3, 2, 4, 5, 7, 6)[corner] for corner in face) for face in _HEXAHEDRON),
    **dict.fromkeys((13, 26), _WEDGE),
    **dict.fromkeys((14, 27), _PYRAMID),
}


def make_surface(
    points: NDArray[Any], corners: Int, sizes: Int, kinds: Int, colors: NDArray[Any] | None = None
) -> Parsed:
    """Make the surface of cells.

    Args:
        points: Positions, [N, 3].
        corners: Points of all cells, one after the other, [C].
        sizes: Number of points of each cell, [M].
        kinds: VTK's number for the kind of each cell, [M].
        colors: Colours of the points, [N, 3] uint8, or None.

    Raises:
        ShapeError: The cells do not fit, or some are of a kind that is not supported.
    """
    if int(sizes.sum()) != len(corners) or len(sizes) != len(kinds) or sizes.min(initial=0) < 0:
        raise ShapeError("has cells whose sizes do not fit their points: the file is damaged; export it again")
    if len(corners) and not 0 <= int(corners.min()) <= int(corners.max()) < len(points):
        raise ShapeError(f"has cells of points that do not exist: expected 0 to {len(points) - 1}; export it again")
    unknown = set(np.unique(kinds).tolist()) - {*_POINTS, *_LINES, _STRIP, *_FLAT, *_SOLID}
    if unknown:
        raise ShapeError(
            f"has cells of VTK's kind {min(unknown)}, which is not supported: expected polygons, or linear or "
            "quadratic solids; extract the surface in ParaView and save it as PLY"
        )
    starts = np.cumsum(sizes) - sizes
    flat_corners, flat_sizes = _flat_cells(corners, sizes, starts, kinds)
    solid_corners, solid_sizes = _outer_faces(corners, sizes, starts, kinds)
    strips = [corners[starts[i] + strip_triangles(int(sizes[i]))] for i in np.flatnonzero(kinds == _STRIP)]
    flat = np.concatenate([flat_corners, solid_corners])
    positions, _ = cut_polygons(points, flat, np.concatenate([flat_sizes, solid_sizes]))
    faces = np.concatenate([flat[positions], *strips])
    if len(faces):
        return Parsed(points, faces, vertex_colors=colors)
    lines = np.isin(kinds, _LINES).any()
    return Parsed(points, notes=("has lines and no polygons: read as the cloud of its points",) if lines else ())


def _flat_cells(corners: Int, sizes: Int, starts: Int, kinds: Int) -> tuple[Int, Int]:
    """Return corners and sizes of the polygons."""
    counts = np.zeros(len(kinds), np.int64)
    for kind, own in _FLAT.items():
        chosen = kinds == kind
        if own and chosen.any() and sizes[chosen].min() < own:
            _refuse_size(kind)
        counts[chosen] = own or sizes[chosen]
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    if (kinds == _PIXEL).any():  # the corners of a pixel go row by row
        pixel = np.repeat(kinds, counts) == _PIXEL
        offsets[pixel] = np.array([0, 1, 3, 2])[offsets[pixel]]
    return corners[np.repeat(starts, counts) + offsets], counts[counts > 0]


def _outer_faces(corners: Int, sizes: Int, starts: Int, kinds: Int) -> tuple[Int, Int]:
    """Return corners and sizes of the faces of solid cells that no other cell shares."""
    found = [np.zeros((0, 4), np.int64)]
    for kind, table in _SOLID.items():
        first = starts[kinds == kind]
        if not len(first):
            continue
        if sizes[kinds == kind].min() <= max(max(face) for face in table):
            _refuse_size(kind)
        for face in table:
            face_corners = corners[first[:, None] + np.array(face)]
            found.append(np.pad(face_corners, ((0, 0), (0, 4 - len(face))), constant_values=-1))
    faces = np.concatenate(found)
    _, places, counts = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
    outer = faces[np.sort(places[counts == 1])]
    return outer[outer >= 0], (outer >= 0).sum(axis=1)


def _refuse_size(kind: int) -> None:
    raise ShapeError(f"has a cell of VTK's kind {kind} with too few points: the file is damaged; export it again")
