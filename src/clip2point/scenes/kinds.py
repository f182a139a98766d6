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
        [K] lengths: root of the area, spreads along the main axes, farthest and mean distances of corners from the
        middle, and distances from it within which shares of the area lie.
    """
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1) / 2
    total = float(areas.sum())
    if total <= 0:
        local = corners.reshape(-1, 3) - corners.reshape(-1, 3).mean(axis=0)
        spreads = np.sqrt(np.linalg.eigvalsh(local.T @ local / len(local)).clip(0))
        return np.concatenate([[0.0], spreads, np.zeros(6 + len(_SHARES))])
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
    corner_distances = np.sort(np.linalg.norm(local, axis=2), axis=1)
    farthest = corner_distances.max(axis=0)
    mean = (corner_distances * areas[:, None]).sum(axis=0) / total
    return np.concatenate([[np.sqrt(total)], spreads, farthest, mean, distances[order[places]]])


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
    # Only shapes of about the same size are compared: files may have a hundred thousand parts.
    scale = measures.max(axis=1)
    sizes = np.stack([np.log(np.maximum(scale, 1e-300)), measures.sum(axis=1) / np.maximum(scale, 1e-300)], axis=1)
    cells = np.floor(sizes / np.array([2 * _SAME, 2 * _SAME * measures.shape[1]])).astype(np.int64)
    known: dict[tuple[int, int], list[tuple[int, Float]]] = {}
    kinds = np.empty(len(measures), dtype=np.int64)
    count = 0
    for row, ((x, y), measure) in enumerate(zip(cells.tolist(), measures, strict=True)):
        around = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        near = [entry for cell in around for entry in known.get(cell, ())]
        same = [kind for kind, other in near if np.abs(other - measure).max() <= _SAME * scale[row]]
        kinds[row] = min(same, default=count)
        if not same:
            known.setdefault((x, y), []).append((count, measure))
            count += 1
    return kinds
