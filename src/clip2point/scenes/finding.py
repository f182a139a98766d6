"""Parts of a shape: those that its file names, the pieces of its mesh, or the things on a scan."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clip2point.scenes.kinds import group_kinds, measure_shape
from clip2point.scenes.pieces import find_pieces
from clip2point.scenes.planes import Plane
from clip2point.scenes.results import Part, SceneParts, Support
from clip2point.scenes.splitting import Split, split_cloud
from clip2point.shapes import Mesh, Shape
from clip2point.shapes.hierarchy import Hierarchy
from clip2point.shapes.orientation import from_y_up
from clip2point.shapes.triangles import draw_on_surface, triangle_areas

Int = NDArray[np.int64]

#: Pieces of a mesh with a smaller share of its area are crumbs, and pieces beyond this number.
_CRUMB, _MOST_PIECES = 1e-4, 2000
#: Points that are drawn on a mesh to see whether it is a scan, and the share of its largest piece from which it may be.
_DRAWN, _SCAN_SHARE = 60_000, 0.5
#: Share of supports and walls from which a mesh is a scan although nobody can have seen it from one place.
_MOSTLY = 0.5


def find_parts(shape: Shape, *, seed: int = 0) -> SceneParts:
    """Find the parts of a shape.

    A mesh has those that its file names; if these are fewer than two, the pieces that do not touch, and if it is one
    piece that looks like a scan of things on a support, these things. A cloud is a scan.

    Args:
        shape: Shape as ``load_shape`` returns it.
        seed: Seed of the draws.

    Examples:
        >>> corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [6, 0, 0], [5, 1, 0]], np.float32)
        >>> mesh = Mesh.plain(corners, np.array([[0, 1, 2], [3, 4, 5]]))
        >>> found = find_parts(Shape(mesh.vertices, mesh))
        >>> found.split_by, [part.kind for part in found.parts]
        ('pieces', [0, 0])
    """
    if shape.mesh is None:
        return _find_on_scan(shape, seed)
    if shape.hierarchy is not None and len(np.unique(shape.hierarchy.face_nodes)) > 1:
        return _find_nodes(shape, shape.mesh, shape.hierarchy)
    return _find_pieces(shape, shape.mesh, seed)


def _find_nodes(shape: Shape, mesh: Mesh, hierarchy: Hierarchy) -> SceneParts:
    """Return the nodes with faces, in the order of the file."""
    nodes = hierarchy.nodes
    used, instances = np.unique(hierarchy.face_nodes, return_inverse=True)
    paths: list[tuple[str, ...]] = []
    for node in nodes:
        paths.append(() if node.parent < 0 else (*paths[node.parent], nodes[node.parent].name))
    names = [nodes[number].name for number in used]
    empty = len(nodes) - len(set(used.tolist()) | {node.parent for node in nodes})
    notes = (f"{empty:,} nodes without faces: left out",) if empty > 0 else ()
    return _describe_faces(
        shape,
        mesh,
        instances.ravel(),
        "file",
        names,
        [paths[number] for number in used],
        [nodes[number].transform for number in used],
        notes,
    )


def _find_pieces(shape: Shape, mesh: Mesh, seed: int) -> SceneParts:
    """Return the pieces of a mesh, or of a mesh that is a scan, the things on it."""
    pieces = find_pieces(mesh.vertices, mesh.faces)
    areas = triangle_areas(mesh.vertices, mesh.faces)
    shares = np.bincount(pieces, areas) / max(float(areas.sum()), 1e-300)
    if shares.max() > _SCAN_SHARE and (found := _find_on_mesh(shape, mesh, seed)) is not None:
        return found
    kept = shares >= _CRUMB
    kept[_MOST_PIECES:] = False
    crumbs = int(np.count_nonzero(~kept))
    numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    notes = (f"{crumbs:,} tiny pieces, {shares[~kept].sum():.2%} of the area: left out",) if crumbs else ()
    return _describe_faces(shape, mesh, numbers[pieces], "pieces", notes=notes)


def _describe_faces(
    shape: Shape,
    mesh: Mesh,
    instances: Int,
    split_by: str,
    names: list[str] | None = None,
    paths: list[tuple[str, ...]] | None = None,
    transforms: list[NDArray[np.float64]] | None = None,
    notes: tuple[str, ...] = (),
) -> SceneParts:
    """Return the parts of a mesh by the part of each face."""
    count = int(instances.max(initial=-1)) + 1
    groups = _rows_of(instances, count)
    measures = np.array([measure_shape(mesh.vertices, mesh.faces[rows]) for rows in groups]).reshape(count, -1)
    kinds = group_kinds(measures)
    parts = []
    for number, rows in enumerate(groups):
        center, size = _box(mesh.vertices[mesh.faces[rows]].reshape(-1, 3))
        parts.append(
            Part(
                number,
                names[number] if names else "",
                paths[number] if paths else (),
                int(kinds[number]),
                len(rows),
                center,
                size,
                transforms[number] if transforms else None,
            )
        )
    if count == 1:
        notes = (*notes, "the mesh is one piece: one part")
    return SceneParts(shape.source, split_by, tuple(parts), instances.astype(np.int32), notes=(*shape.notes, *notes))


def _find_on_mesh(shape: Shape, mesh: Mesh, seed: int) -> SceneParts | None:
    """Return the things on a mesh that is a scan, by points drawn on it, or None if it is none."""
    points, picked = draw_on_surface(mesh.vertices, mesh.faces, _DRAWN, np.random.default_rng(seed))
    split = split_cloud(points, find_up(shape), seed)
    count = int(split.instances.max(initial=-1)) + 1
    if split.on_support is None or not count:
        return None
    if split.viewpoint is None and np.mean(split.on_support >= 0) < _MOSTLY:
        return None
    votes = np.zeros((len(mesh.faces), count + 1), dtype=np.int32)
    np.add.at(votes, (picked, np.where(split.instances < 0, count, split.instances)), 1)
    instances = np.where(votes.sum(axis=1) > 0, votes.argmax(axis=1), count)
    instances = np.where(instances == count, -1, instances)
    return _describe_split(shape, split, instances, mesh.vertices[mesh.faces].mean(axis=1))


def _find_on_scan(shape: Shape, seed: int) -> SceneParts:
    split = split_cloud(shape.points, find_up(shape), seed)
    return _describe_split(shape, split, split.instances, shape.points)


def _describe_split(shape: Shape, split: Split, instances: Int, points: NDArray[np.float32]) -> SceneParts:
    """Return the things of a split, by the thing of each point or face."""
    supports = (
        ()
        if split.on_support is None
        else tuple(
            Support(
                plane.kind,
                _triple(plane.normal),
                _triple(plane.center),
                int(np.count_nonzero(split.on_support == number)),
                plane.sigma,
            )
            for number, plane in enumerate(split.supports)
        )
    )
    notes = [*shape.notes, *split.notes]
    if supports and shape.up == "auto":
        notes.append("the up-axis is not declared: the largest plane was taken as what things stand on")
    upright = _to_upright(split.supports[0]) if split.supports else None
    viewpoint = None if split.viewpoint is None else _triple(split.viewpoint.position)
    nothing = np.empty(0, dtype=np.int32)
    found = SceneParts(shape.source, "scan", (), nothing, supports, upright, viewpoint, notes=tuple(notes))
    return fill_things(found, instances, points, shape.kept)


def fill_things(
    found: SceneParts, instances: Int, points: NDArray[np.float32], kept: NDArray[np.bool_] | None = None
) -> SceneParts:
    """Return a split with other things.

    Args:
        found: Split whose parts are replaced.
        instances: Number of the thing of each point or face, [N], -1 for none.
        points: Point, or middle of the face, for each of them, [N, 3].
        kept: Mask of these points among those of the file, or None.
    """
    groups = _rows_of(instances, int(instances.max(initial=-1)) + 1)
    parts = tuple(
        Part(number, "", (), number, len(rows), *_box(points[rows])) for number, rows in enumerate(groups) if len(rows)
    )
    if kept is not None:
        every = np.full(len(kept), -1, dtype=np.int64)
        every[kept] = instances
        instances = every
    return replace(found, parts=parts, instances=instances.astype(np.int32))


def find_up(shape: Shape) -> NDArray[np.float64] | None:
    """Return the direction that a shape declares to point up, [3], or None."""
    return None if shape.up == "auto" else from_y_up(np.array([0.0, 1.0, 0.0]), shape.up)


def _to_upright(plane: Plane) -> NDArray[np.float64]:
    """Return the rotation that turns a support's normal to y."""
    along, across, normal = plane.axes
    return np.array([along, normal, -across])


def _rows_of(instances: Int, count: int) -> list[Int]:
    """Return the rows of each part."""
    order = np.argsort(instances, kind="stable")
    bounds = np.searchsorted(instances[order], np.arange(count + 1))
    return [order[start:end] for start, end in pairwise(bounds.tolist())]


def _box(points: NDArray[np.floating]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return middle and edges of the box around points."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    return _triple((low + high) / 2), _triple(high - low)


def _triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
