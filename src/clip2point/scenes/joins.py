"""Regions that are one thing although they do not touch: seen on both sides of a nearer thing, or round and hollow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.planes import Plane
from clip2point.scenes.surfaces import Surface
from clip2point.scenes.viewpoint import DepthImage

Float = NDArray[np.float64]
Int = NDArray[np.int64]

#: Faces of a region: most of them, least share of the region's points, points that are drawn, candidates.
_FACES, _FACE_SHARE, _FACE_SAMPLE, _FACE_TRIES = 3, 0.12, 400, 60
#: Cosine between normals of faces that are one, and how far points of one may lie off the other, in deviations.
_SAME_NORMAL, _SAME_OFFSET = 0.96, 3.0
_SAME_SPREAD = 2.0
#: Share of the way between two faces that must be hidden, and that may be seen to be empty.
_HIDDEN, _EMPTY = 0.4, 0.1
#: Round things: least spread of their upright normals, largest residual and largest distance of axes in radii.
_SPREAD, _ROUND, _SAME_AXIS = 0.12, 0.2, 0.35
#: Distance of the axes of round things that touch and are one, as body and neck of a bottle, in radii of the smaller.
_STACKED_AXIS = 0.3
#: What floats: least height of its lowest points in spacings, height of its contact with what holds it, in its own
#: height, above which it does not stand on that, and its largest size compared with that.
_FLOATING, _HELD, _ATTACHED = 3.0, 0.4, 0.35
#: Share of the columns of a thing that another must have to be one with it.
_ABOVE = 0.6
#: Share of a region's points that may stick out of the round wall that it lies in.
_OUTSIDE = 0.1


@dataclass(frozen=True, eq=False)
class _Face:
    normal: Float
    offset: float
    points: Float


@dataclass(frozen=True, eq=False)
class _Round:
    """A round thing with an upright axis.

    Attributes:
        axis: Place of the axis on the support, [2].
        radius: Largest usual distance from it.
        top: Height.
    """

    axis: Float
    radius: float
    top: float


def join_regions(surface: Surface, regions: Int, plane: Plane, image: DepthImage, spacing: float, least: int) -> Int:
    """Join regions that are one thing.

    Args:
        surface: Points of all regions.
        regions: Number of the region of each point, [N], -1 for none.
        plane: Support.
        image: Image that the camera saw, the support included.
        spacing: Distance between neighbouring points.
        least: Number of points of the smallest region that is looked at.

    Returns:
        [N] numbers of the regions, those that were joined by the lowest of theirs.
    """
    sizes = np.bincount(regions[regions >= 0])
    large = np.flatnonzero(sizes >= least)
    members = {int(k): np.flatnonzero(regions == k) for k in large}
    tolerance = _SAME_OFFSET * max(plane.sigma, 0.1 * spacing)
    faces = {k: find_faces(surface, rows, tolerance) for k, rows in members.items()}
    rounds = {k: fit_round(surface, rows, plane) for k, rows in members.items()}
    parent = {k: k for k in members}

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    numbers = sorted(members)
    for place, a in enumerate(numbers):
        for b in numbers[place + 1 :]:
            if root(a) == root(b):
                continue
            if _go_on(faces[a], faces[b], image, tolerance) or _share_axis(
                rounds[a], rounds[b], surface, members[a], members[b], plane
            ):
                one, other = sorted((root(a), root(b)))
                parent[other] = one
    joined = regions.copy()
    for k, rows in members.items():
        joined[rows] = root(k)
    return joined


def join_floating(surface: Surface, found: Int, plane: Plane, image: DepthImage, spacing: float) -> Int:
    """Join what floats to what it is attached to: handles, knobs and necks, which nothing holds from below.

    Args:
        surface: Points of all things.
        found: Number of the thing of each point, [N], -1 for none.
        plane: Support.
        image: Image that the camera saw: what is hidden below a thing may hold it.
        spacing: Distance between neighbouring points.

    Returns:
        [N] numbers, those that were joined by that of what holds them.
    """
    heights = plane.heights(surface.points)
    joined = found.copy()
    sizes = np.bincount(found[found >= 0], minlength=1)
    for number in np.argsort(sizes, kind="stable"):
        rows = np.flatnonzero(joined == number)
        if not len(rows):
            continue
        low, high = np.percentile(heights[rows], (2, 98))
        if low < _FLOATING * spacing:
            continue
        links = surface.links[rows]
        others = np.where(links >= 0, joined[links], -1)
        touching = (others >= 0) & (others != number)
        if not touching.any():
            continue
        holder = int(np.argmax(np.bincount(others[touching])))
        contact = rows[(others == holder).any(axis=1)]
        below = surface.points[rows[heights[rows] < low + 2 * spacing]] - 3 * spacing * plane.normal
        hidden, _ = image.compare(below)
        held = np.percentile(heights[contact], 75) < low + _HELD * (high - low)
        if sizes[number] < _ATTACHED * sizes[holder] and not held and hidden.mean() < 0.5:
            joined[rows] = holder
            sizes[holder] += len(rows)
    return joined


def join_columns(found: Int, flat: Float, size: float) -> Int:
    """Join what stands above one another: leaves above their pot, the back of a chair above its legs.

    Args:
        found: Number of the thing of each point, [N], the largest first, -1 for none.
        flat: Places of the points on the support, [N, 2].
        size: Edge of a column of points.

    Returns:
        [N] numbers, those that were joined by the lowest of theirs.
    """
    columns = np.floor((flat - flat.min(axis=0)) / size).astype(np.int64) + 1
    height = int(columns[:, 1].max()) + 2
    keys = columns[:, 0] * height + columns[:, 1]
    around = np.array([dx * height + dy for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    footprints: list[tuple[int, set[int]]] = []
    joined = found.copy()
    for number in range(int(found.max(initial=-1)) + 1):
        own = np.unique(keys[found == number])
        best, share = number, _ABOVE
        for other, wide in footprints:
            covered = sum(key in wide for key in own.tolist()) / max(len(own), 1)
            if covered > share:
                best, share = other, covered
        wide = set((own[:, None] + around).ravel().tolist())
        if best == number:
            footprints.append((number, wide))
        else:
            joined[found == number] = best
            next(cells for other, cells in footprints if other == best).update(wide)
    return joined


def find_faces(surface: Surface, rows: Int, tolerance: float) -> list[_Face]:
    """Find the flat faces of a region, the largest first."""
    generator = np.random.default_rng(0)
    faces: list[_Face] = []
    left = rows
    while len(faces) < _FACES and len(left) >= max(_FACE_SHARE * len(rows), 12):
        drawn = left if len(left) <= _FACE_SAMPLE else generator.choice(left, _FACE_SAMPLE, replace=False)
        points, normals = surface.points[drawn], surface.normals[drawn]
        tried = generator.integers(len(drawn), size=_FACE_TRIES)
        offsets = np.einsum("ij,ij->i", points[tried], normals[tried])
        on = np.abs(points @ normals[tried].T - offsets) < tolerance
        on &= normals @ normals[tried].T > 0.9
        best = int(np.argmax(on.sum(axis=0)))
        normal, offset = normals[tried[best]], float(offsets[best])
        for _ in range(2):
            near = np.abs(surface.points[left] @ normal - offset) < tolerance
            near &= surface.normals[left] @ normal > 0.9
            if near.sum() < 12:
                break
            chosen = surface.points[left[near]]
            center = chosen.mean(axis=0)
            _, _, axes = np.linalg.svd(np.cov((chosen - center).T), hermitian=True)
            normal = axes[2] * np.sign(axes[2] @ normal or 1.0)
            offset = float(center @ normal)
        if near.sum() < max(_FACE_SHARE * len(rows), 12):
            break
        faces.append(_Face(normal, offset, surface.points[left[near]]))
        left = left[~near]
    return faces


def _go_on(one: list[_Face], other: list[_Face], image: DepthImage, tolerance: float) -> bool:
    """Tell whether a face of one region goes on in the other, behind something nearer."""
    for a in one:
        for b in other:
            if a.normal @ b.normal < _SAME_NORMAL:
                continue
            if _share_plane(a.points, b.points) < tolerance / _SAME_OFFSET * _SAME_SPREAD and _is_hidden_between(
                a, b, image
            ):
                return True
    return False


def _share_plane(one: Float, other: Float) -> float:
    """Return the larger deviation of two sets of points from the plane that fits both, each set with equal weight."""
    centers = one.mean(axis=0), other.mean(axis=0)
    middle = (centers[0] + centers[1]) / 2
    spread = np.zeros((3, 3))
    for points in (one, other):
        local = points - middle
        spread += local.T @ local / len(points)
    normal = np.linalg.eigh(spread)[1][:, 0]
    return max(float(np.sqrt(np.mean(((points - middle) @ normal) ** 2))) for points in (one, other))


def _is_hidden_between(a: _Face, b: _Face, image: DepthImage) -> bool:
    """Tell whether the way between the nearest points of two faces is hidden behind something nearer."""
    some_a, some_b = a.points[:: max(len(a.points) // 200, 1)], b.points[:: max(len(b.points) // 200, 1)]
    distances = ((some_a[:, None] - some_b[None]) ** 2).sum(axis=2)
    start, end = np.unravel_index(int(np.argmin(distances)), distances.shape)
    steps = np.linspace(0.2, 0.8, 17)[:, None]
    hidden, empty = image.compare(some_a[start] + steps * (some_b[end] - some_a[start]))
    return bool(hidden.mean() >= _HIDDEN and empty.mean() <= _EMPTY)


def fit_round(surface: Surface, rows: Int, plane: Plane) -> _Round | None:
    """Fit an upright axis that the normals of a region point to, or from; None if it is not round."""
    normals = surface.normals[rows] @ plane.axes.T
    local = (surface.points[rows] - plane.center) @ plane.axes.T
    length = np.linalg.norm(normals[:, :2], axis=1)
    upright = length > 0.4
    if upright.sum() < max(20, 0.3 * len(rows)):
        return None
    flat, place = normals[upright, :2] / length[upright, None], local[upright, :2]
    across = np.column_stack([-flat[:, 1], flat[:, 0]])
    matrix = across.T @ across / len(across)
    if np.linalg.eigvalsh(matrix)[0] < _SPREAD:
        return None
    axis = np.linalg.solve(matrix, (across * np.einsum("ij,ij->i", across, place)[:, None]).mean(axis=0))
    distance = np.linalg.norm(place - axis, axis=1)
    missed = np.sqrt(np.mean(np.einsum("ij,ij->i", across, place - axis) ** 2))
    radius = float(np.percentile(np.linalg.norm(local[:, :2] - axis, axis=1), 90))
    if missed > _ROUND * radius or distance.std() > 0.35 * distance.mean():
        return None
    return _Round(axis, radius, float(np.percentile(local[:, 2], 98)))


def _share_axis(
    one: _Round | None, other: _Round | None, surface: Surface, rows: Int, others: Int, plane: Plane
) -> bool:
    """Tell whether two regions are walls of one round thing, or one lies within the other's wall."""
    if one is not None and other is not None:
        smaller, larger = sorted((one.radius, other.radius))
        apart = float(np.linalg.norm(one.axis - other.axis))
        if apart < _SAME_AXIS * smaller and smaller > 0.6 * larger and abs(one.top - other.top) < 0.3 * larger:
            return True
        if apart < _STACKED_AXIS * smaller and _touch(surface, rows, others):
            return True
    return (one is not None and _lies_in(one, surface.points[others], plane)) or (
        other is not None and _lies_in(other, surface.points[rows], plane)
    )


def _touch(surface: Surface, rows: Int, others: Int) -> bool:
    """Tell whether points of two regions are linked."""
    links = surface.links[rows]
    return bool(np.isin(links[links >= 0], others).any())


def _lies_in(wall: _Round, points: Float, plane: Plane) -> bool:
    local = (points - plane.center) @ plane.axes.T
    outside = (np.linalg.norm(local[:, :2] - wall.axis, axis=1) > 1.1 * wall.radius) | (
        local[:, 2] > wall.top + 0.1 * wall.radius
    )
    return bool(outside.mean() < _OUTSIDE)
