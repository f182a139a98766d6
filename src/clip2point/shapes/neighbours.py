"""Neighbours of points, and what hangs together, compiled: exact, by a sweep along the longest axis."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int = NDArray[np.int64]

#: Neighbour whose distance is the spacing of points.
_RANK = 4


def measure_spacing(points: Float64) -> Float64:
    """Return the distance [N] of each point [N, 3] to its fourth neighbour (or last, where there are fewer).

    Examples:
        >>> measure_spacing(np.arange(15.0).reshape(5, 3) * [1, 0, 0]).tolist()
        [12.0, 9.0, 6.0, 9.0, 12.0]
    """
    order, swept = _sweep(points)
    found = np.empty(len(points))
    found[order] = _spacing(swept, min(_RANK, len(points) - 1))
    return found


def link_points(points: Float64, radius: float) -> Int:
    """Return the group [N] of each point: points nearer than a radius are in one, as are their neighbours.

    Examples:
        >>> link_points(np.array([[0, 0, 0], [5, 0, 0], [1, 0, 0.0]]), 1.5).tolist()
        [0, 1, 0]
    """
    order, swept = _sweep(points)
    roots = np.empty(len(points), np.int64)
    roots[order] = order[_link(swept, radius * radius)]
    return _number(roots)


def link_faces(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Int:
    """Return the part [F] of each face: faces that share a place of a vertex are in one.

    Examples:
        >>> vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0]], np.float32)
        >>> link_faces(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32)).tolist()
        [0, 1]
    """
    _, places = np.unique(np.ascontiguousarray(vertices + 0.0).view("V12").ravel(), return_inverse=True)
    return _number(_link_corners(places.astype(np.int64)[faces], len(vertices)))


def find_nearest(points: Float64, others: Float64) -> tuple[Int, Float64]:
    """Return the nearest of others [M, 3] for each point [N, 3]: index and distance, [N] each."""
    order, swept = _sweep(others)
    axis = _longest(others)
    turned = np.ascontiguousarray(np.roll(points, -axis, axis=1))
    nearest, distance = _nearest(turned, swept)
    return order[nearest], np.sqrt(distance)


def _longest(points: Float64) -> int:
    return int(np.ptp(points, axis=0).argmax())


def _sweep(points: Float64) -> tuple[Int, Float64]:
    """Return the order along the longest axis, and points in that order with this axis first."""
    turned = np.roll(points, -_longest(points), axis=1)
    order = np.argsort(turned[:, 0], kind="stable")
    return order, np.ascontiguousarray(turned[order])


def _number(roots: Int) -> Int:
    """Number groups from 0 in the order of their first members."""
    _, first, numbers = np.unique(roots, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[numbers.ravel()]


@numba.njit(cache=True, nogil=True)
def _spacing(points: Float64, rank: int) -> Float64:
    count = len(points)
    found = np.empty(count)
    best = np.empty(rank)
    for i in range(count):
        best[:] = np.inf
        left, right = i - 1, i + 1
        while left >= 0 or right < count:
            for side in range(2):
                j = left if side == 0 else right
                if j < 0 or j >= count:
                    continue
                along = points[j, 0] - points[i, 0]
                if along * along >= best[rank - 1]:
                    if side == 0:
                        left = -1
                    else:
                        right = count
                    continue
                d1, d2 = points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
                square = along * along + d1 * d1 + d2 * d2
                k = rank - 1
                if square < best[k]:
                    while k > 0 and best[k - 1] > square:
                        best[k] = best[k - 1]
                        k -= 1
                    best[k] = square
                if side == 0:
                    left -= 1
                else:
                    right += 1
        found[i] = np.sqrt(best[rank - 1])
    return found


@numba.njit(cache=True, nogil=True)
def _root(parents: Int, place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


@numba.njit(cache=True, nogil=True)
def _link(points: Float64, square: float) -> Int:
    parents = np.arange(len(points))
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            along = points[j, 0] - points[i, 0]
            if along * along > square:
                break
            d1, d2 = points[j, 1] - points[i, 1], points[j, 2] - points[i, 2]
            if along * along + d1 * d1 + d2 * d2 <= square:
                a, b = _root(parents, i), _root(parents, j)
                parents[max(a, b)] = min(a, b)
    for i in range(len(points)):
        parents[i] = _root(parents, i)
    return parents


@numba.njit(cache=True, nogil=True)
def _link_corners(faces: Int, vertices: int) -> Int:
    parents = np.arange(vertices)
    for i in range(len(faces)):
        for corner in range(1, 3):
            a, b = _root(parents, faces[i, 0]), _root(parents, faces[i, corner])
            parents[max(a, b)] = min(a, b)
    found = np.empty(len(faces), np.int64)
    for i in range(len(faces)):
        found[i] = _root(parents, faces[i, 0])
    return found


@numba.njit(cache=True, nogil=True)
def _nearest(points: Float64, others: Float64) -> tuple[Int, Float64]:
    nearest, distance = np.empty(len(points), np.int64), np.empty(len(points))
    count = len(others)
    for i in range(len(points)):
        right = np.searchsorted(others[:, 0], points[i, 0])
        left = right - 1
        best, place = np.inf, 0
        while left >= 0 or right < count:
            for side in range(2):
                j = left if side == 0 else right
                if j < 0 or j >= count:
                    continue
                along = others[j, 0] - points[i, 0]
                if along * along >= best:
                    if side == 0:
                        left = -1
                    else:
                        right = count
                    continue
                d1, d2 = others[j, 1] - points[i, 1], others[j, 2] - points[i, 2]
                square = along * along + d1 * d1 + d2 * d2
                if square < best:
                    best, place = square, j
                if side == 0:
                    left -= 1
                else:
                    right += 1
        nearest[i], distance[i] = place, best
    return nearest, distance
