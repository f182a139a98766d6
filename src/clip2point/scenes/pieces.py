"""Pieces of a mesh: sets of faces that touch one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.groups import join_corners, sort_by_size

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
    roots = join_corners(welded[faces].astype(np.int64), int(welded.max()) + 1)
    return sort_by_size(roots[welded[faces[:, 0]]])
