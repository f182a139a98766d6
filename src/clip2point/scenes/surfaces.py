"""Surfaces of what stands on a support: normals, patches, and how patches meet, in convex or concave edges."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.neighbours import find_neighbours

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Int32 = NDArray[np.int32]

#: Radius and number of neighbours for normals, in spacings.
_NORMAL_RADIUS, _NORMAL_COUNT = 2.6, 32
#: Radius and number of neighbours of links between points.
_LINK_RADIUS, LINKS = 2.0, 10
#: Edge of the cells that begin patches, in spacings.
_PATCH = 4.5
#: Cost of a turn of the normal by 90 degrees, in patch sizes.
_TURN = 2.0


@dataclass(frozen=True, eq=False)
class Surface:
    """Points with what is around them.

    Attributes:
        points: [N, 3].
        normals: Unit normals towards the camera, [N, 3].
        links: Neighbours at hand, [N, K], -1 for none.
        patches: Number of the patch of each point, [N].
    """

    points: Float
    normals: Float
    links: Int32
    patches: Int


def describe_surface(points: Float, spacing: float, camera: Float) -> Surface:
    """Measure normals and cut a cloud into patches of about one normal each.

    Args:
        points: [N, 3].
        spacing: Distance between neighbouring points.
        camera: Place that the points were seen from, [3].
    """
    around = find_neighbours(points, _NORMAL_RADIUS * spacing, _NORMAL_COUNT)
    normals = measure_normals(points, around)
    normals *= np.where(np.einsum("ij,ij->i", normals, camera - points) < 0, -1.0, 1.0)[:, None]
    links = find_neighbours(points, _LINK_RADIUS * spacing, LINKS)
    size = _PATCH * spacing
    seeds = _choose_seeds(points, size)
    patches = _grow_patches(points, normals, links, seeds, size, _TURN)
    return Surface(points, normals, links, patches)


def measure_normals(points: Float, around: Int32) -> Float:
    """Return unit normals [N, 3] of either sign: directions in which the neighbours of a point spread least.

    Args:
        points: [N, 3].
        around: Neighbours [N, K], -1 for none.
    """
    _, vectors = np.linalg.eigh(_spread(points, around))
    normals: Float = np.ascontiguousarray(vectors[:, :, 0])
    return normals


@numba.njit(cache=True, nogil=True)
def _spread(points: Float, around: Int32) -> Float:
    result = np.zeros((len(points), 3, 3))
    for a in range(len(points)):
        mean = points[a].copy()
        count = 1
        for b in around[a]:
            if b >= 0:
                mean += points[b]
                count += 1
        mean /= count
        for b in around[a]:
            if b >= 0:
                for i in range(3):
                    for j in range(3):
                        result[a, i, j] += (points[b, i] - mean[i]) * (points[b, j] - mean[j])
        for i in range(3):
            for j in range(3):
                result[a, i, j] += (points[a, i] - mean[i]) * (points[a, j] - mean[j])
    return result


def _choose_seeds(points: Float, size: float) -> Int:
    """Return in each cell the point that is nearest to the mean of the cell's points."""
    cells = np.floor((points - points.min(axis=0)) / size).astype(np.int64)
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    counts = np.bincount(inverse)
    means = np.column_stack([np.bincount(inverse, points[:, axis]) / counts for axis in range(3)])
    distance = ((points - means[inverse]) ** 2).sum(axis=1)
    order = np.lexsort((distance, inverse))
    return np.asarray(order[np.cumsum(counts) - counts])


@numba.njit(cache=True, nogil=True)
def _grow_patches(points: Float, normals: Float, links: Int32, seeds: Int, size: float, turn: float) -> Int:
    """Assign each point to the seed that is cheapest to reach, by way and by turns of the normal."""
    count = len(points)
    cost = np.full(count, np.inf)
    patch = np.full(count, -1, dtype=np.int64)
    heap = [(0.0, seeds[number], np.int64(number)) for number in range(len(seeds))]
    heapify(heap)
    while len(heap):
        so_far, a, number = heappop(heap)
        if cost[a] <= so_far:
            continue
        cost[a] = so_far
        patch[a] = number
        seed = seeds[number]
        for b in links[a]:
            if b < 0:
                continue
            way = 0.0
            same = 0.0
            for axis in range(3):
                way += (points[a, axis] - points[b, axis]) ** 2
                same += normals[b, axis] * normals[seed, axis]
            further = so_far + np.sqrt(way) / size + turn * (1.0 - same)
            if further < cost[b]:
                heappush(heap, (further, np.int64(b), number))
    for a in range(count):  # what no seed reaches is a patch of its own
        if patch[a] < 0:
            patch[a] = len(seeds) + a
    return patch
