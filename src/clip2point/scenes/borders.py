"""Borders between things: points there go to the thing whose surface they lie on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.neighbours import find_neighbours

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Width of a border, and of the surface that is looked at beside it, in spacings; largest number of points of it.
_BORDER, _AROUND, _MOST = 2.2, 4.5, 72
#: Points that a surface needs.
_LEAST = 6


def refine_borders(points: Float, regions: Int, spacing: float) -> Int:
    """Give each point near a border to the region whose surface goes through it.

    Args:
        points: Points of all regions, [N, 3].
        regions: Number of the region of each point, [N], -1 for none.
        spacing: Distance between neighbouring points.

    Returns:
        [N] numbers of regions.
    """
    near = find_neighbours(points, _BORDER * spacing, 24)
    other = (near >= 0) & (regions[near] != regions[:, None]) & (regions[near] >= 0)
    border = (regions >= 0) & other.any(axis=1)
    rows = np.flatnonzero(border)
    if not len(rows):
        return regions
    # Only what is no border itself tells where a surface runs.
    inner = np.flatnonzero((regions >= 0) & ~border)
    joined = np.concatenate([rows, inner])
    around = find_neighbours(points[joined], _AROUND * spacing, _MOST)[: len(rows)]
    result = regions.copy()
    for row, found in zip(rows, around, strict=True):
        chosen = joined[found[found >= len(rows)]]
        result[row] = _choose(points, regions, int(row), chosen)
    return result


def _choose(points: Float, regions: Int, row: int, around: Int) -> int:
    """Return the region among those around whose surface is nearest; the present one if nothing tells."""
    point = points[row]
    best, nearest = int(regions[row]), np.inf
    for region in np.unique(regions[around]):
        beside = points[around[regions[around] == region]]
        if len(beside) < _LEAST:
            continue
        center = beside.mean(axis=0)
        local = beside - center
        normal = np.linalg.eigh(local.T @ local)[1][:, 0]
        off = abs(float((point - center) @ normal))
        # Surfaces far away along themselves say less than near ones.
        off += 0.15 * float(np.sqrt(((beside - point) ** 2).sum(axis=1).min()))
        if off < nearest:
            best, nearest = int(region), off
    return best
