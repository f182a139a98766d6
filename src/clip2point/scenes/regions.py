"""Patches into things: patches that meet in convex edges belong together, those in concave edges do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.surfaces import Surface
from clip2point.shapes.groups import sort_by_size

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Angle of a concave edge, in degrees, from which two patches rather belong to two things.
_CONCAVE = 26.0
#: Angle over which evidence goes from none to full.
_SOFT = 22.0
#: Evidence of a convex edge compared with that of a concave one.
_CONVEX_WEIGHT = 0.7


@dataclass(frozen=True, eq=False)
class Meetings:
    """Pairs of patches that touch.

    Attributes:
        pairs: [P, 2] patches, the lower number first.
        weights: [P] evidence: positive for one thing, negative for two.
    """

    pairs: Int
    weights: Float


def weigh_meetings(surface: Surface) -> Meetings:
    """Weigh where patches meet: by the links between them, and the angle of the edge."""
    patches = surface.patches
    a, b = _crossing_links(surface)
    low, high = np.minimum(patches[a], patches[b]), np.maximum(patches[a], patches[b])
    count = int(patches.max()) + 1
    keys, links = np.unique(low * count + high, return_counts=True)
    pairs = np.stack([keys // count, keys % count], axis=1)
    centers, normals = _means(surface.points, patches, count), _means(surface.normals, patches, count)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    one, other = pairs[:, 0], pairs[:, 1]
    way = centers[one] - centers[other]
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
    angle = np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", normals[one], normals[other]), -1, 1)))
    convex = np.einsum("ij,ij->i", normals[one] - normals[other], way) >= 0
    signed = np.where(convex, angle, -angle)
    evidence = np.clip((signed + _CONCAVE) / _SOFT, -1.0, _CONVEX_WEIGHT)
    return Meetings(pairs, evidence * links)


def _crossing_links(surface: Surface) -> tuple[Int, Int]:
    a = np.repeat(np.arange(len(surface.points)), surface.links.shape[1])
    b = surface.links.ravel().astype(np.int64)
    a, b = a[b >= 0], b[b >= 0]
    crossing = surface.patches[a] != surface.patches[b]
    return a[crossing], b[crossing]


def _means(values: Float, groups: Int, count: int) -> Float:
    sizes = np.maximum(np.bincount(groups, minlength=count), 1)
    return np.column_stack([np.bincount(groups, values[:, axis], minlength=count) / sizes for axis in range(3)])


def join_patches(meetings: Meetings, count: int) -> Int:
    """Join patches while any evidence for it is left: always the pair with the most.

    Args:
        meetings: Pairs with their evidence, which adds up as groups grow.
        count: Number of patches.

    Returns:
        [count] numbers of groups.
    """
    import heapq

    group = list(range(count))
    around: list[dict[int, float]] = [{} for _ in range(count)]
    for (one, other), weight in zip(meetings.pairs.tolist(), meetings.weights.tolist(), strict=True):
        around[one][other] = around[other][one] = weight
    heap = [(-w, a, b) for (a, b), w in zip(meetings.pairs.tolist(), meetings.weights.tolist(), strict=True) if w > 0]
    heapq.heapify(heap)
    while heap:
        weight, a, b = heapq.heappop(heap)
        if around[a].get(b) != -weight:
            continue  # one of them has grown since
        if len(around[a]) < len(around[b]):
            a, b = b, a
        group[b] = a
        del around[a][b]
        for other, more in around[b].items():
            if other == a:
                continue
            del around[other][b]
            total = around[a].get(other, 0.0) + more
            around[a][other] = around[other][a] = total
            if total > 0:
                heapq.heappush(heap, (-total, min(a, other), max(a, other)))
        around[b] = {}
    roots = np.arange(count)
    for index in range(count):
        root = index
        while group[root] != root:
            root = group[root]
        roots[index] = root
    return roots


def find_regions(surface: Surface) -> Int:
    """Return the number of the region of each point [N], the largest first."""
    count = int(surface.patches.max()) + 1
    groups = join_patches(weigh_meetings(surface), count)
    return sort_by_size(groups[surface.patches])
