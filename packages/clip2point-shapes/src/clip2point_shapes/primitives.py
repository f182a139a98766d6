"""Primitives: closed solids with NumPy alone. Each is a skin stretched over a row of rings.

Unless said otherwise a primitive stands on the plane y = 0 and is centred on the y axis. Lengths are metres.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip2point_shapes.curves import Points, circle, round_rectangle, shift, triangulate
from clip2point_shapes.solid import Float64, Int64, Solid, weld

Vector = Sequence[float] | Float64


def loft(rings: Sequence[Float64] | Float64, closed: bool = False) -> Solid:
    """Stretch a skin over rings and close both ends.

    A ring may shrink to a point (a pole) or have coincident corners; what collapses is dropped.

    Args:
        rings: Corners [R, K, 3]; neighbouring rings are joined corner by corner.
        closed: Join the last ring to the first (a torus) instead of closing the ends with flat caps.

    Returns:
        A watertight solid, facing outwards.

    Examples:
        >>> square = np.array([(0, 0, 1), (1, 0, 1), (1, 0, 0), (0, 0, 0)])
        >>> round(loft([square, square + (0, 2, 0)]).volume, 6)
        2.0
    """
    grid = np.asarray(rings, dtype=np.float64)
    R, K, _ = grid.shape
    row, column = np.meshgrid(np.arange(R if closed else R - 1), np.arange(K), indexing="ij")
    a, b = row * K + column, row * K + (column + 1) % K
    c, d = (b + K) % (R * K), (a + K) % (R * K)
    faces = [np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)]
    if not closed:
        faces += [_cap(grid[0])[:, ::-1], _cap(grid[-1]) + (R - 1) * K]
    solid = Solid(*weld(grid.reshape(-1, 3), np.concatenate(faces)))
    return solid if solid.volume >= 0 else Solid(solid.vertices, solid.faces[:, ::-1])


def _cap(ring: Float64) -> Int64:
    """Triangulate a ring [K, 3] that is roughly flat, turning the same way; nothing for one without area."""
    following = np.roll(ring, -1, axis=0)
    corners = np.flatnonzero(np.linalg.norm(following - ring, axis=1) > 1e-7)
    if len(corners) < 3:
        return np.empty((0, 3), dtype=np.int64)
    # Newell's normal tells the plane that shows the most of the ring.
    normal = np.cross(ring, following).sum(axis=0)
    drop = int(np.argmax(np.abs(normal)))
    return corners[triangulate(ring[corners][:, [axis for axis in range(3) if axis != drop]])]


def box(width: float, height: float, depth: float) -> Solid:
    """A box: width along x, height along y, depth along z.

    Examples:
        >>> round(box(1, 2, 3).volume, 6)
        6.0
    """
    x, z = width / 2.0, depth / 2.0
    base = np.array([(x, 0.0, z), (x, 0.0, -z), (-x, 0.0, -z), (-x, 0.0, z)])
    return loft([base, base + np.array([0.0, height, 0.0])])


def round_box(width: float, height: float, depth: float, radius: float, segments: int = 3) -> Solid:
    """A box whose edges and corners are rounded with the given radius (limited to half the smallest side).

    Examples:
        >>> np.ptp(round_box(1, 2, 3, 0.2).vertices, axis=0).round(6).tolist()
        [1.0, 2.0, 3.0]
    """
    radius = min(radius, 0.499 * min(width, height, depth))
    rings = []
    angles = np.linspace(0.0, np.pi / 2.0, segments + 1)
    levels = [(radius * (1 - np.cos(t)), radius * np.sin(t)) for t in angles]
    levels += [(height - y, side) for y, side in reversed(levels)]
    for y, side in levels:
        shrink = 2.0 * (radius - side)
        outline = round_rectangle(width - shrink, depth - shrink, side, segments)
        rings.append(np.stack([outline[:, 0], np.full(len(outline), y), outline[:, 1]], axis=1))
    return loft(rings)


def cylinder(radius: float, height: float, top_radius: float | None = None, segments: int = 24) -> Solid:
    """A cylinder, or a cone (top radius 0) or a frustum.

    Examples:
        >>> round(cylinder(1.0, 2.0, segments=400).volume, 2)  # 2 pi
        6.28
    """
    top = radius if top_radius is None else top_radius
    return lathe([(0.0, 0.0), (radius, 0.0), (top, height), (0.0, height)], segments)


def lathe(profile: Points, segments: int = 28, closed: bool = False) -> Solid:
    """Rotate a profile about the y axis.

    Args:
        profile: Pairs (radius, y) [K, 2], from one end to the other. Ends off the axis are closed flat.
            A vessel goes up outside and down inside.
        segments: Number of corners of the circle.
        closed: Join the last point to the first, for rings that nowhere touch the axis: lamp shades, rims.

    Returns:
        A watertight solid.

    Examples:
        >>> cone = lathe([(0, 0), (1, 0), (0, 3)], segments=200)
        >>> round(cone.volume, 2)  # pi
        3.14
    """
    p = np.asarray(profile, dtype=np.float64)
    unit = circle(1.0, segments)
    rings = np.empty((len(p), segments, 3))
    rings[:, :, 0] = p[:, :1] * unit[:, 0]
    rings[:, :, 1] = p[:, 1:]
    rings[:, :, 2] = p[:, :1] * unit[:, 1]
    return loft(rings, closed)


def ellipsoid(x: float, y: float, z: float, segments: int = 20) -> Solid:
    """An ellipsoid about the origin with half axes x, y and z.

    Examples:
        >>> ellipsoid(1, 2, 3).vertices.max(axis=0).round(6).tolist()
        [1.0, 2.0, 3.0]
    """
    angle = np.linspace(-np.pi / 2.0, np.pi / 2.0, segments // 2 + 1)
    profile = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    profile[[0, -1], 0] = 0.0
    return lathe(profile, segments).scale(x, y, z)


def torus(radius: float, thickness: float, segments: int = 28) -> Solid:
    """A ring about the origin in the plane y = 0: ``radius`` to the middle of a tube of radius ``thickness``.

    Examples:
        >>> torus(1.0, 0.25).vertices[:, 0].max().round(6).tolist()
        1.25
    """
    return lathe(shift(circle(thickness, max(8, segments // 2)), radius), segments, closed=True)


def extrude(outline: Points, depth: float) -> Solid:
    """Cut a plate out of an outline [K, 2] in the x-y plane; it reaches ``depth / 2`` to both sides along z.

    Examples:
        >>> round(extrude([(0, 0), (1, 0), (0, 1)], 0.5).volume, 6)
        0.25
    """
    flat = np.asarray(outline, dtype=np.float64)
    front = np.column_stack([flat, np.full(len(flat), -depth / 2.0)])
    return loft([front, front + np.array([0.0, 0.0, depth])])


def tube(path: Points, radius: float | Sequence[float] | Float64, segments: int = 12) -> Solid:
    """Sweep a circle along a path.

    Args:
        path: Points [K, 3], neighbours distinct.
        radius: Radius in metres, one number or one for each point.
        segments: Number of corners of the circle.

    Returns:
        A watertight solid with flat ends. Sharp bends pinch; use a smooth path.

    Examples:
        >>> path = [(0, 0, 0), (0, 1, 0), (0, 2, 0)]
        >>> tube(path, [0.2, 0.1, 0.1]).vertices[:, 0].max().round(6).tolist()
        0.2
    """
    return sweep(path, circle(1.0, segments), radius)


def sweep(path: Points, outline: Points, size: float | Sequence[float] | Float64 = 1.0) -> Solid:
    """Sweep an outline along a path without twisting it.

    Args:
        path: Points [K, 3], neighbours distinct.
        outline: Outline [S, 2]; its second axis starts out as close to up (or, on a steep path, to -z) as possible.
        size: Factor on the outline, one number or one for each point, or pairs [K, 2] for its two axes.

    Returns:
        A watertight solid with flat ends.

    Examples:
        >>> rail = sweep([(0, 0, 0), (0, 0, 4)], [(-1, -1), (1, -1), (1, 1), (-1, 1)], 0.05)
        >>> round(rail.volume, 6)
        0.04
    """
    p = np.asarray(path, dtype=np.float64)
    flat = np.asarray(outline, dtype=np.float64)
    factor = np.asarray(size, dtype=np.float64)
    factor = np.broadcast_to(factor[:, None] if factor.ndim == 1 else factor, (len(p), 2))
    steps = np.diff(p, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    tangents = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    up = np.array([0.0, 1.0, 0.0]) if abs(tangents[0, 1]) < 0.9 else np.array([0.0, 0.0, -1.0])
    rings = []
    for point, tangent, (wide, high) in zip(p, tangents, factor, strict=True):
        # The next frame is the last one, made square to the new direction: no twist.
        up = up - (up @ tangent) * tangent
        up /= np.linalg.norm(up)
        rings.append(point + wide * flat[:, :1] * np.cross(up, tangent) + high * flat[:, 1:] * up)
    return loft(rings)


def rod(start: Vector, end: Vector, radius: float, end_radius: float | None = None) -> Solid:
    """A round bar from one point to another, tapered if the radii differ.

    Examples:
        >>> rod((0, 0, 0), (0, 2, 0), 0.1, 0.05).vertices[:, 1].max().round(6).tolist()
        2.0
    """
    return tube(np.array([start, end]), [radius, radius if end_radius is None else end_radius])


def beam(start: Vector, end: Vector, width: float, height: float) -> Solid:
    """A bar of rectangular section from one point to another; ``height`` is the side that looks up (see sweep).

    Examples:
        >>> round(beam((0, 0, 0), (0, 0, 2), 0.1, 0.3).volume, 6)
        0.06
    """
    x, y = width / 2.0, height / 2.0
    return sweep(np.array([start, end]), [(x, y), (-x, y), (-x, -y), (x, -y)])


def sheet(grid: Float64, thickness: float) -> Solid:
    """Thicken a curved surface: leaves, curtains, shells.

    Args:
        grid: Points [R, K, 3] of the middle surface.
        thickness: Thickness in metres, half on each side.

    Returns:
        A watertight solid.

    Examples:
        >>> x, z = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 2, 5))
        >>> round(sheet(np.stack([x, np.zeros_like(x), z], axis=-1), 0.01).volume, 6)
        0.02
    """
    grid = np.asarray(grid, dtype=np.float64)
    normal = np.cross(np.gradient(grid, axis=0), np.gradient(grid, axis=1))
    normal *= thickness / 2.0 / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)
    return loft(np.concatenate([grid + normal, (grid - normal)[:, ::-1]], axis=1))
