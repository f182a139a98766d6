"""Pieces of a mesh: sets of faces that touch one another."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.neighbours import sort_by_size

Int = NDArray[np.int64]

#: Vertices closer than this share of the extent are one: exporters repeat them along seams.
_WELD = 1e-6


def find_pieces(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Int:
    """Number the pieces of a mesh, those with the most faces first.

    Args:
        vertices: Positions, [M, 3].
        faces: Corners of each triangle, [F, 3].

    Returns:
        [F] numbers of pieces.

    Examples:
        >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0], [1, 1, 0]])
        >>> find_pieces(corners, np.array([[3, 4, 5], [0, 1, 2], [1, 6, 2]])).tolist()
        [1, 0, 0]
    """
    extent = float(np.ptp(vertices, axis=0).max())
    cells = np.round((vertices - vertices.min(axis=0)).astype(np.float64) / (_WELD * max(extent, 1e-300)))
    _, welded = np.unique(cells.astype(np.int64), axis=0, return_inverse=True)
    welded = welded.ravel()
    roots = _join_corners(welded[faces].astype(np.int64), int(welded.max()) + 1)
    return sort_by_size(roots[welded[faces[:, 0]]])


@numba.njit(cache=True, nogil=True)
def _join_corners(faces: Int, count: int) -> Int:
    parent = np.arange(count)
    for face in faces:
        first = face[0]
        while parent[first] != first:
            parent[first] = parent[parent[first]]
            first = parent[first]
        for corner in face[1:]:
            other = corner
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other != first:
                low, high = min(first, other), max(first, other)
                parent[high] = low
                first = low
    for vertex in range(count):
        root = vertex
        while parent[root] != root:
            root = parent[root]
        parent[vertex] = root
    return parent
