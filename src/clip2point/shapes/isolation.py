"""What of a scan is the object: strays, small things far away and the floor are set apart, and it is said.

Nothing is cut where that is not clear: a part of the object that is lost costs more than a stray that stays. Bounds
were chosen on ModelNet10's train split, clean and corrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.shapes.orientation import to_y_up
from clip2point.shapes.sampling import sample_points
from clip2point.shapes.shape import Float32, Mesh, Shape

#: What is done: nothing; what is clear; what is likely in a scan as well.
MODES = ("none", "auto", "scan")

#: Points of a cloud that are looked at, and fewest of which anything can be said.
_MOST, _FEWEST = 4096, 32
#: Points are linked up to this many times the distance to the fourth neighbour that most points keep below.
_LINK, _MOST_POINTS = 2.5, 90
#: Part of lone points from which they are no accident, and how near points are linked then.
_NOISY, _CLOSE, _MOST_CLOSE = 0.004, 2.0, 60
#: Points of the largest group that is a stray, unless it continues a line; larger ones are parts of the object or, at
#: this part of its size away, small things.
_FEW, _AWAY = 3, 0.25
#: Cosine from which neighbours lie on a line.
_STRAIGHT = 0.993
#: Part of all points up to which a group is no thing of its own.
_STRAY = 0.02
#: Things farther from the rest than its size are set apart up to this part of the rest; larger ones are told.
_SMALL = 0.5
#: Part of the height that the floor lies in, and least part of the points that it has.
_SLAB, _FLOOR = 0.03, 0.05
#: Largest part of the points that a floor has where the up-axis is a guess.
_MOST_FLOOR = 0.5
#: Size of the floor over that of what stands on it, in both directions: at least.
_BEYOND = 1.08
#: Size of what touches the floor over that of the floor: less is the foot of a lamp or a stand on its base.
_FOOT = 0.2

_LIKE_SIZE = "two things of like size far from each other: taken as one; split the file"


@dataclass(frozen=True)
class Isolated:
    """The object among points or faces.

    Attributes:
        mask: True for what belongs to the object, [N].
        notes: Remarks, each one line.
    """

    mask: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def isolate_object(shape: Shape, mode: str = "auto") -> Shape:
    """Return a shape without strays, small things far away and floor, and say so in its notes.

    Args:
        shape: Mesh or cloud.
        mode: One of ``MODES``.

    Raises:
        OptionError: If there is no such mode.

    Examples:
        >>> box = np.random.default_rng(0).random((500, 3))
        >>> shape = isolate_object(Shape(np.vstack([box, [[9, 9, 9]]]).astype(np.float32), up="y"))
        >>> shape.points.shape, shape.notes
        ((500, 3), ('1 of 501 points is a stray far from the rest: set apart',))
    """
    if mode not in MODES:
        raise OptionError(f"prepare {mode!r}: expected one of {', '.join(MODES)}")
    if mode == "none":
        return shape
    ups = ("y", "z") if shape.up == "auto" else (shape.up,)
    if shape.mesh is not None:
        return _isolate_mesh(shape, shape.mesh, ups)
    found = isolate_points(shape.points, ups, scan=mode == "scan")
    if found.mask.all():
        return shape if not found.notes else replace(shape, notes=(*shape.notes, *found.notes))
    kept = found.mask
    if shape.kept is not None:
        kept = shape.kept.copy()
        kept[shape.kept] = found.mask
    return replace(shape, points=shape.points[found.mask], kept=kept, notes=(*shape.notes, *found.notes))


def isolate_points(points: Float32, ups: tuple[str, ...] = ("y", "z"), *, scan: bool = False) -> Isolated:
    """Find the object among points [N, 3].

    Args:
        points: Cloud.
        ups: Axes of which one points up.
        scan: Take planes below things for floors where that is less clear.
    """
    count = len(points)
    everything = np.ones(count, dtype=bool)
    if count < _FEWEST:
        return Isolated(everything)
    rows = np.arange(count)
    if count > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(count, _MOST, replace=False))
    chosen = points[rows].astype(np.float64)
    kept, strays, notes = _drop_strays(chosen)
    floor = _find_floor(chosen[kept], ups, scan)
    if floor is not None:
        kept[np.flatnonzero(kept)[floor]] = False
    if kept.all() and not strays:
        return Isolated(everything, tuple(notes))
    mask = kept if count <= _MOST else _extend(points, chosen, kept)
    if floor is not None:
        off = count - int(mask.sum()) if not strays else round(floor.mean() * count)
        notes.append(f"a floor of about {off:,} of {count:,} points below the object: set apart")
    if strays:
        off = count - int(mask.sum()) if floor is None else round(strays / len(rows) * count)
        one = "points is a stray" if off == 1 else "points are strays"
        notes.insert(0, f"{off:,} of {count:,} {one} far from the rest: set apart")
    return Isolated(mask, tuple(notes))


def _drop_strays(points: NDArray[np.float64]) -> tuple[NDArray[np.bool_], int, list[str]]:
    """Return what remains [N], the number of strays, and notes on what is far away but stays."""
    from clip2point.shapes.neighbours import link_points, measure_distances

    kept = np.ones(len(points), dtype=bool)
    spacings = measure_distances(points)
    spacing = float(np.percentile(spacings, _MOST_POINTS))
    if not spacing > 0:
        return kept, 0, []
    groups = link_points(points, _LINK * spacing)
    if (np.bincount(groups)[groups] == 1).mean() > _NOISY:  # where some are strays, others near the object are likely
        spacing = float(np.percentile(spacings, _MOST_CLOSE)) * _CLOSE / _LINK
        groups = link_points(points, _LINK * spacing)
    sizes = np.bincount(groups)
    if len(sizes) == 1:
        return kept, 0, []
    main = int(sizes.argmax())
    strays = (sizes <= _FEW)[groups]
    strays = np.isin(groups, np.setdiff1d(groups[strays], groups[_continue_lines(points, strays, spacing)]))
    body = points[groups == main]
    for group in np.flatnonzero((sizes > _FEW) & (sizes <= _STRAY * len(points))):
        if _box_gap(points[groups == group], body) > _AWAY * np.linalg.norm(np.ptp(body, axis=0)):
            strays |= groups == group
    if strays.sum() > 0.5 * len(points):
        return kept, 0, []
    notes = _drop_far_things(points, groups, strays, main)
    return ~strays, int(strays.sum()), notes


def _drop_far_things(
    points: NDArray[np.float64], groups: NDArray[np.int64], strays: NDArray[np.bool_], main: int
) -> list[str]:
    """Mark small things that are farther from the rest than it is large as strays; return a note on large ones."""
    sizes = np.bincount(groups)
    notes = []
    for group in np.flatnonzero(sizes > _STRAY * len(points)):
        own = groups == group
        rest = points[~own & ~strays]
        if group == main or _box_gap(points[own], rest) <= np.linalg.norm(np.ptp(rest, axis=0)):
            continue
        if sizes[group] <= _SMALL * (len(points) - sizes[group]):
            strays |= own
        else:
            notes.append(_LIKE_SIZE)
    return list(dict.fromkeys(notes))


def _continue_lines(points: NDArray[np.float64], strays: NDArray[np.bool_], spacing: float) -> NDArray[np.bool_]:
    """Tell which strays lie on a line with their nearest neighbours: wires and rods, thinly sampled."""
    found = np.zeros(len(points), dtype=bool)
    for row in np.flatnonzero(strays)[:512]:
        away = points - points[row]
        distance = np.sqrt((away * away).sum(axis=1))
        near = np.argsort(distance)[1:4]
        if distance[near[1]] > 2 * _LINK * spacing or not distance[near[0]] > 0:
            continue
        directions = away[near] / np.maximum(distance[near], 1e-300)[:, None]
        cosines = np.abs(directions @ directions.T)[np.triu_indices(3, 1)]
        found[row] = cosines.max() > _STRAIGHT
    return found


def _box_gap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the distance between the boxes of two sets of points."""
    apart = np.maximum(first.min(axis=0) - second.max(axis=0), second.min(axis=0) - first.max(axis=0))
    return float(np.linalg.norm(np.maximum(apart, 0)))


def _find_floor(points: NDArray[np.float64], ups: tuple[str, ...], scan: bool) -> NDArray[np.bool_] | None:
    """Return the points [N] of a floor that reaches beyond what stands on it, or None."""
    for up in ups:
        upright = to_y_up(points, up)
        height = upright[:, 1]
        low, top = np.percentile(height, 0.5), height.max()
        if not top > low:
            continue
        floor = height < low + _SLAB * (top - low)
        part = floor.mean()
        rest = upright[~floor]
        if not _FLOOR <= part <= (0.95 if len(ups) == 1 or scan else _MOST_FLOOR) or len(rest) < _FEWEST:
            continue
        ground = np.ptp(upright[floor][:, [0, 2]], axis=0)
        above = np.ptp(rest[:, [0, 2]], axis=0)
        foot = rest[rest[:, 1] < low + 4 * _SLAB * (top - low)][:, [0, 2]]
        touching = np.ptp(foot, axis=0) if len(foot) > 1 else np.zeros(2)
        # A lamp or a stand on its base touches it in a small place; a floor may be very large instead.
        stands = (touching > _FOOT * ground).all()
        wide = (touching > 0.5 * above).all() and (ground > 3 * above).all() and (ground > 1.5 * (top - low)).all()
        if (ground > _BEYOND * above).all() and (scan or stands or wide):
            return np.asarray(floor)
    return None


def _extend(points: Float32, chosen: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of all points [N] belong to the object, by the nearest of the chosen ones."""
    from clip2point.shapes.neighbours import find_nearest, measure_distances

    nearest, distance = find_nearest(points.astype(np.float64), chosen)
    limit = 4 * _LINK * float(np.percentile(measure_distances(chosen), _MOST_POINTS))
    return np.asarray(kept[nearest] & (distance <= limit))


def _isolate_mesh(shape: Shape, mesh: Mesh, ups: tuple[str, ...]) -> Shape:
    """Set faces apart that are no part of the object, where samples of the surface say that there may be some."""
    if not _is_suspicious(sample_points(shape, 1024, 0).astype(np.float64), ups):
        return shape
    found = isolate_faces(mesh, ups)
    notes = (*shape.notes, *found.notes)
    if found.mask.all():
        return shape if not found.notes else replace(shape, notes=notes)
    mesh = _take_faces(mesh, found.mask)
    return replace(shape, mesh=mesh, points=mesh.vertices, hierarchy=None, notes=notes)


def _is_suspicious(points: NDArray[np.float64], ups: tuple[str, ...]) -> bool:
    """Tell whether a third of some axis is empty, or a flat slab below reaches beyond what is above it."""
    for axis in points.T:
        ordered = np.sort(axis)
        if np.diff(ordered).max() > 0.3 * (ordered[-1] - ordered[0]):
            return True
    for up in ups:
        upright = to_y_up(points, up)
        height = upright[:, 1]
        floor = height < height.min() + _SLAB * np.ptp(height)
        if floor.mean() < _FLOOR:
            continue
        above = np.ptp(upright[~floor][:, [0, 2]], axis=0) if (~floor).sum() > 1 else np.zeros(2)
        if (np.ptp(upright[floor][:, [0, 2]], axis=0) > _BEYOND * above).all():
            return True
    return False


def isolate_faces(mesh: Mesh, ups: tuple[str, ...] = ("y", "z")) -> Isolated:
    """Find the object among the faces of a mesh, by the parts that hang together.

    Args:
        mesh: Mesh of F faces; vertices in one place count as one.
        ups: Axes of which one points up.
    """
    from clip2point.shapes.neighbours import link_faces

    parts = link_faces(mesh.vertices, mesh.faces)
    count = int(parts.max()) + 1
    mask = np.ones(len(mesh.faces), dtype=bool)
    notes: list[str] = []
    if count == 1:
        return Isolated(mask)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, parts, corners.min(axis=1))
    np.maximum.at(high, parts, corners.max(axis=1))
    kept = np.ones(count, dtype=bool)
    for up in ups:
        floors = _find_flat_parts(low, high, up)
        if floors is not None and not floors.all():
            kept &= ~floors
            notes.append("a floor below the object, larger than it: set apart")
            break
    far, note = _find_far_parts(low, high, kept, np.bincount(parts, minlength=count))
    kept &= ~far
    notes += note
    return Isolated(kept[parts], tuple(notes))


def _find_flat_parts(low: NDArray[np.float64], high: NDArray[np.float64], up: str) -> NDArray[np.bool_] | None:
    """Return the parts [P] that are a floor: flat, at the bottom, and reaching beyond all others."""
    corners = to_y_up(np.stack([low, high], axis=1).reshape(-1, 3), up).reshape(-1, 2, 3)
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = high - low
    floors = size[:, 1] <= _SLAB * np.maximum(size[:, 0], size[:, 2])
    floors &= low[:, 1] <= low[:, 1].min() + _SLAB * max(float(high[:, 1].max() - low[:, 1].min()), 1e-300)
    rest = ~floors
    if not floors.any() or not rest.any():
        return None
    ground = high[floors].max(axis=0) - low[floors].min(axis=0)
    above = high[rest].max(axis=0) - low[rest].min(axis=0)
    foot = rest & (low[:, 1] <= low[floors, 1].min() + 4 * _SLAB * above[1])
    touching = high[foot].max(axis=0) - low[foot].min(axis=0) if foot.any() else np.zeros(3)
    beyond = (ground[[0, 2]] > _BEYOND * above[[0, 2]]).all() and (touching[[0, 2]] > 0.02 * ground[[0, 2]]).all()
    # A table upside down, or a lamp on its base, is lower than a floor is wide only in small.
    stands = above[1] > 0.02 * ground[[0, 2]].max() and foot.any()
    wide = (ground[[0, 2]] > 2 * above[[0, 2]]).all() or (touching[[0, 2]] > 0.4 * ground[[0, 2]]).all()
    return floors if beyond and stands and wide else None


def _find_far_parts(
    low: NDArray[np.float64], high: NDArray[np.float64], kept: NDArray[np.bool_], faces: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return the parts [P] that are small and farther from the others than these are large."""
    far = np.zeros(len(low), dtype=bool)
    if kept.sum() < 2 or kept.sum() > 2_000:
        return far, []
    rows = np.flatnonzero(kept)
    gaps = np.maximum(low[rows][:, None] - high[rows][None], low[rows][None] - high[rows][:, None])
    distance = np.linalg.norm(np.maximum(gaps, 0), axis=2)
    whole = float(np.linalg.norm(high[rows].max(axis=0) - low[rows].min(axis=0)))
    groups = np.arange(len(rows))
    near = distance < 0.2 * whole
    while (grown := np.where(near, groups[None], len(rows)).min(axis=1)).tolist() != groups.tolist():
        groups = grown
    names = np.unique(groups)
    if len(names) == 1:
        return far, []
    extents = np.array(
        [np.linalg.norm(high[rows[groups == g]].max(axis=0) - low[rows[groups == g]].min(axis=0)) for g in names]
    )
    main = int(extents.argmax())
    notes = []
    for place, group in enumerate(names):
        if place == main:
            continue
        gap = distance[np.ix_(groups == group, groups == names[main])].min()
        if gap > extents[main] and extents[place] <= _SMALL * extents[main]:
            far[rows[groups == group]] = True
        elif gap > extents[main]:
            notes.append(_LIKE_SIZE)
    if far.any():
        notes.insert(0, f"{int(faces[far].sum()):,} of {int(faces.sum()):,} faces are far from the rest: set apart")
    return far, list(dict.fromkeys(notes))


def _take_faces(mesh: Mesh, mask: NDArray[np.bool_]) -> Mesh:
    """Return a mesh of some faces, without the vertices that no other face uses."""
    faces = mesh.faces[mask]
    used, places = np.unique(faces, return_inverse=True)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=places.reshape(-1, 3).astype(np.int32),
        face_materials=mesh.face_materials[mask],
        uv=None if mesh.uv is None else mesh.uv[used],
        vertex_colors=None if mesh.vertex_colors is None else mesh.vertex_colors[used],
    )
