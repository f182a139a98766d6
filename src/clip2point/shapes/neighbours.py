"""Neighbours of points, compiled and exact, and what follows from them: spacing, groups, thinning.

Within a radius they are found on a grid, without one by a sweep along the longest axis. Ties go to the earlier point.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.groups import join, join_corners, list_roots, sort_by_first, sort_by_size

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Points whose nearest neighbours tell the spacing of a cloud.
_PROBES = 400
#: Points that are looked at for the nearest neighbours of a probe.
_LOOKED_AT = 400_000
#: Neighbour of a point that tells its spacing: the sixth is the ring around it on a surface.
_RING = 6
#: Neighbour whose distance tells how close the points around one are.
_RANK = 4


def measure_spacing(points: Float) -> float:
    """Measure the distance of a surface's points to the ring of six around them, as the median over the cloud.

    Args:
        points: [N, 3].

    Returns:
        Distance in the unit of the points; 0 for fewer than two points.

    Examples:
        >>> line = np.column_stack([np.arange(100.0), np.zeros((100, 2))])
        >>> measure_spacing(line)
        3.0
    """
    if len(points) < 2:
        return 0.0
    probes = points[np.linspace(0, len(points) - 1, min(_PROBES, len(points))).astype(np.int64)]
    step = -(-len(points) // _LOOKED_AT)
    distances = _ring_distances(probes, np.ascontiguousarray(points[::step]), min(_RING, len(points[::step]) - 1))
    return float(np.median(distances)) / float(np.sqrt(step))


def measure_distances(points: Float) -> Float:
    """Return the distance [N] of each point [N, 3] to its fourth neighbour (or last, where there are fewer).

    Examples:
        >>> measure_distances(np.arange(15.0).reshape(5, 3) * [1, 0, 0]).tolist()
        [12.0, 9.0, 6.0, 9.0, 12.0]
    """
    order, swept = _sweep(points)
    found = np.empty(len(points))
    found[order] = _sweep_distances(swept, min(_RANK, len(points) - 1))
    return found


def find_neighbours(points: Float, radius: float, most: int) -> NDArray[np.int32]:
    """Find the nearest neighbours of each point.

    Args:
        points: [N, 3], finite.
        radius: Largest distance of a neighbour, above 0.
        most: Largest number of neighbours.

    Returns:
        [N, most] indices, nearest first, without the point itself; -1 fills rows with fewer neighbours.

    Examples:
        >>> find_neighbours(np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]), 1.5, 2).tolist()
        [[1, -1], [0, -1], [-1, -1]]
    """
    cells, order, starts, keys = _sort_into_cells(points, radius)
    return _search_cells(np.ascontiguousarray(points[order]), cells[order], order, keys, starts, radius, most)


def find_nearest(points: Float, others: Float) -> tuple[Int, Float]:
    """Return the nearest of others [M, 3] for each point [N, 3]: index and distance, [N] each."""
    order, swept = _sweep(others)
    axis = _longest(others)
    turned = np.ascontiguousarray(np.roll(points, -axis, axis=1))
    nearest, squares = _sweep_nearest(turned, swept)
    return order[nearest], np.sqrt(squares)


def connect(neighbours: NDArray[np.int32], linked: NDArray[np.bool_] | None = None) -> Int:
    """Number the connected components of a graph, the largest first, equal ones by their first point.

    Args:
        neighbours: [N, K] indices, -1 for none.
        linked: [N, K], False where a link does not count.

    Returns:
        [N] numbers from 0.

    Examples:
        >>> connect(np.array([[-1], [2], [1]], np.int32)).tolist()
        [1, 0, 0]
    """
    mask = np.ones(neighbours.shape, np.bool_) if linked is None else linked
    return sort_by_size(_link_neighbours(neighbours, mask))


def link_points(points: Float, radius: float) -> Int:
    """Return the group [N] of each point: points nearer than a radius are in one, as are their neighbours.

    Examples:
        >>> link_points(np.array([[0, 0, 0], [5, 0, 0], [1, 0, 0.0]]), 1.5).tolist()
        [0, 1, 0]
    """
    order, swept = _sweep(points)
    roots = np.empty(len(points), np.int64)
    roots[order] = order[_link(swept, radius * radius)]
    return sort_by_first(roots)


def link_faces(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Int:
    """Return the part [F] of each face: faces that share a place of a vertex are in one.

    Examples:
        >>> vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0]], np.float32)
        >>> link_faces(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32)).tolist()
        [0, 1]
    """
    _, places = np.unique(np.ascontiguousarray(vertices + 0.0).view("V12").ravel(), return_inverse=True)
    corners = places.astype(np.int64)[faces]
    return sort_by_first(join_corners(corners, len(vertices))[corners[:, 0]])


def thin_out(points: Float, size: float) -> tuple[Int, Int]:
    """Keep one point of each cell of a grid: the first.

    Args:
        points: [N, 3].
        size: Length of a cell's edge, above 0.

    Returns:
        Kept points [M], ascending, and for each point [N] the number of the kept one of its cell.
    """
    cells = np.floor((points - points.min(axis=0)) / size).astype(np.int64)
    _, first, inverse = np.unique(_cell_keys(cells), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return first[order], rank[inverse.ravel()]


def _longest(points: Float) -> int:
    return int(np.ptp(points, axis=0).argmax())


def _sweep(points: Float) -> tuple[Int, Float]:
    """Return the order along the longest axis, and points in that order with this axis first."""
    turned = np.roll(points, -_longest(points), axis=1)
    order = np.argsort(turned[:, 0], kind="stable")
    return order, np.ascontiguousarray(turned[order])


def _cell_keys(cells: Int) -> Int:
    """Return one number for each cell; 21 bits an axis, which ``floor`` of a bounded cloud never exceeds."""
    return (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]


def _sort_into_cells(points: Float, radius: float) -> tuple[Int, Int, Int, Int]:
    """Return the cell of each point, the order of points by cell, and starts and keys of the cells in that order."""
    low = points.min(axis=0)
    # Far outliers must not overflow the keys: beyond a million cells an axis, cells are larger than the radius.
    size = max(radius, float((points.max(axis=0) - low).max()) / 1_000_000)
    cells = np.floor((points - low) / size).astype(np.int64) + 1
    keys = _cell_keys(cells)
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    return cells, order, np.append(starts, len(points)).astype(np.int64), found


@numba.njit(cache=True, nogil=True)
def _ring_distances(probes: Float, points: Float, ring: int) -> Float:
    result = np.empty(len(probes))
    for a in range(len(probes)):
        nearest = np.full(ring + 1, np.inf)
        for b in range(len(points)):
            square = 0.0
            for axis in range(3):
                square += (probes[a, axis] - points[b, axis]) ** 2
            if square < nearest[ring]:
                place = ring
                while place > 0 and nearest[place - 1] > square:
                    nearest[place] = nearest[place - 1]
                    place -= 1
                nearest[place] = square
        result[a] = np.sqrt(nearest[ring])
    return result


@numba.njit(cache=True, nogil=True)
def _take_nearer(
    points: Float, a: int, start: int, end: int, limit: float, nearest: Float, found: Int, count: int
) -> int:
    """Sort the points of one cell into the nearest of a point that were found so far; return their number."""
    most = len(nearest)
    for b in range(start, end):
        square = 0.0
        for axis in range(3):
            square += (points[a, axis] - points[b, axis]) ** 2
        if b == a or square > limit or (count == most and square >= nearest[most - 1]):
            continue
        place = count if count < most else most - 1
        while place > 0 and nearest[place - 1] > square:
            nearest[place] = nearest[place - 1]
            found[place] = found[place - 1]
            place -= 1
        nearest[place] = square
        found[place] = b
        count = min(count + 1, most)
    return count


@numba.njit(cache=True, nogil=True)
def _search_cells(
    points: Float, cells: Int, order: Int, keys: Int, starts: Int, radius: float, most: int
) -> NDArray[np.int32]:
    result = np.full((len(points), most), -1, dtype=np.int32)
    limit = radius * radius
    nearest = np.empty(most)
    found = np.empty(most, dtype=np.int64)
    for a in range(len(points)):
        count = 0
        for dx in range(-1, 2):
            for dy in range(-1, 2):
                # The three cells of a row along z are neighbours in the order of keys, too.
                key = ((cells[a, 0] + dx) << 42) | ((cells[a, 1] + dy) << 21) | cells[a, 2]
                cell = np.searchsorted(keys, key - 1)
                while cell < len(keys) and keys[cell] <= key + 1:
                    count = _take_nearer(points, a, starts[cell], starts[cell + 1], limit, nearest, found, count)
                    cell += 1
        for place in range(count):
            result[order[a], place] = order[found[place]]
    return result


@numba.njit(cache=True, nogil=True)
def _link_neighbours(neighbours: NDArray[np.int32], linked: NDArray[np.bool_]) -> Int:
    parents = np.arange(len(neighbours))
    for a in range(neighbours.shape[0]):
        for place in range(neighbours.shape[1]):
            b = neighbours[a, place]
            if b >= 0 and linked[a, place]:
                join(parents, a, b)
    return list_roots(parents)


@numba.njit(cache=True, nogil=True)
def _sweep_from(point: Float, others: Float, left: int, right: int, nearest: Float, found: Int) -> None:
    """Fill in the squares of the distances, ascending, to the nearest of others, and which these are.

    Others are in the order of the first axis; those up to ``left`` and from ``right`` on are looked at.
    """
    last = len(nearest) - 1
    nearest[:] = np.inf
    while left >= 0 or right < len(others):
        for side in range(2):
            b = left if side == 0 else right
            if b < 0 or b >= len(others):
                continue
            along = others[b, 0] - point[0]
            if along * along >= nearest[last]:
                if side == 0:
                    left = -1
                else:
                    right = len(others)
                continue
            d1, d2 = others[b, 1] - point[1], others[b, 2] - point[2]
            square = along * along + d1 * d1 + d2 * d2
            if square < nearest[last]:
                place = last
                while place > 0 and nearest[place - 1] > square:
                    nearest[place], found[place] = nearest[place - 1], found[place - 1]
                    place -= 1
                nearest[place], found[place] = square, b
            if side == 0:
                left -= 1
            else:
                right += 1


@numba.njit(cache=True, nogil=True)
def _sweep_distances(points: Float, rank: int) -> Float:
    result = np.empty(len(points))
    nearest, found = np.empty(rank), np.empty(rank, np.int64)
    for a in range(len(points)):
        _sweep_from(points[a], points, a - 1, a + 1, nearest, found)
        result[a] = np.sqrt(nearest[rank - 1])
    return result


@numba.njit(cache=True, nogil=True)
def _sweep_nearest(points: Float, others: Float) -> tuple[Int, Float]:
    places, squares = np.empty(len(points), np.int64), np.empty(len(points))
    nearest, found = np.empty(1), np.zeros(1, np.int64)
    for a in range(len(points)):
        right = np.searchsorted(others[:, 0], points[a, 0])
        _sweep_from(points[a], others, right - 1, right, nearest, found)
        places[a], squares[a] = found[0], nearest[0]
    return places, squares


@numba.njit(cache=True, nogil=True)
def _link(points: Float, square: float) -> Int:
    parents = np.arange(len(points))
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            along = points[b, 0] - points[a, 0]
            if along * along > square:
                break
            d1, d2 = points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
            if along * along + d1 * d1 + d2 * d2 <= square:
                join(parents, a, b)
    return list_roots(parents)
