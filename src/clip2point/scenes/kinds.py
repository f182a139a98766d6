"""Kinds: parts that are the same shape, whatever their pose and name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Largest relative difference of two measures of the same shape: files round coordinates to a few digits.
_SAME = 2e-3
#: Shares of the area at which distances from the middle are measured.
_SHARES = np.linspace(0.05, 0.95, 10)


def measure_shape(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Float:
    """Measure what no rotation, translation or mirroring of a mesh changes.

    Args:
        vertices: Positions, [M, 3].
        faces: Corners of each triangle, [F, 3].

    Returns:
        [K] lengths: root of the area, spreads along the main axes, and distances from the middle within which shares
        of the area lie.
    """
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1) / 2
    total = float(areas.sum())
    if total <= 0:
        local = corners.reshape(-1, 3) - corners.reshape(-1, 3).mean(axis=0)
        return np.concatenate([[0.0], np.sqrt(np.linalg.eigvalsh(local.T @ local / len(local)).clip(0)), 0 * _SHARES])
    middles = corners.mean(axis=1)
    center = (middles * areas[:, None]).sum(axis=0) / total
    # Exact moments of triangles, so that another way to cut the same faces gives the same numbers.
    local = corners - center
    sums = local.sum(axis=1)
    outer = np.einsum("fci,fcj,f->ij", local, local, areas) + np.einsum("fi,fj,f->ij", sums, sums, areas)
    spreads = np.sqrt(np.linalg.eigvalsh(outer / 12 / total).clip(0))
    distances = np.linalg.norm(middles - center, axis=1)
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(areas[order]) / total
    # Looked up a little beyond each share: rounding must not move a whole face across it.
    places = np.searchsorted(reached, _SHARES + 1e-6).clip(max=len(order) - 1)
    return np.concatenate([[np.sqrt(total)], spreads, distances[order[places]]])


def group_kinds(measures: Float) -> NDArray[np.int64]:
    """Number the kinds of parts, each in the order of its first part.

    Args:
        measures: [N, K] as of ``measure_shape``.

    Returns:
        [N] numbers from 0.

    Examples:
        >>> group_kinds(np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 2.001]])).tolist()
        [0, 1, 0]
    """
    first: list[int] = []
    known = np.empty_like(measures)
    kinds = np.empty(len(measures), dtype=np.int64)
    for row, measure in enumerate(measures):
        away = np.abs(known[: len(first)] - measure).max(axis=1)
        same = np.flatnonzero(away <= _SAME * measure.max())
        if len(same):
            kinds[row] = same[0]
        else:
            known[len(first)] = measure
            kinds[row] = len(first)
            first.append(row)
    return kinds
