"""Groups of things that are joined pair by pair, compiled, and their numbers."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def find_root(parents: Int, place: int) -> int:
    """Return the first member of a group, and shorten the way to it."""
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


@numba.njit(cache=True, nogil=True)
def join(parents: Int, one: int, other: int) -> None:
    """Make one group of those of two members; ``parents`` [N] begins as 0 to N - 1."""
    first, second = find_root(parents, one), find_root(parents, other)
    parents[max(first, second)] = min(first, second)


@numba.njit(cache=True, nogil=True)
def list_roots(parents: Int) -> Int:
    """Return the first member of the group of each, [N]."""
    for place in range(len(parents)):
        parents[place] = find_root(parents, place)
    return parents


@numba.njit(cache=True, nogil=True)
def join_corners(faces: Int, vertices: int) -> Int:
    """Return for each vertex the first of those that faces [F, 3] join with it."""
    parents = np.arange(vertices)
    for face in faces:
        for corner in face[1:]:
            join(parents, face[0], corner)
    return list_roots(parents)


def sort_by_size(labels: Int) -> Int:
    """Number groups anew from 0, the largest first, equal ones by their first member; negative labels become -1.

    Examples:
        >>> sort_by_size(np.array([7, 3, 3, -1])).tolist()
        [1, 0, 0, -1]
    """
    result = np.full(len(labels), -1, dtype=np.int64)
    inside = labels >= 0
    _, first, inverse, counts = np.unique(labels[inside], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts))
    result[inside] = rank[inverse.ravel()]
    return result


def sort_by_first(labels: Int) -> Int:
    """Number groups anew from 0, in the order of their first members.

    Examples:
        >>> sort_by_first(np.array([7, 3, 7])).tolist()
        [0, 1, 0]
    """
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.ravel()]
