"""Curves and outlines: what solids are swept along, lathed from and cut out of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip2point_shapes.solid import Float64, Int64

Points = Sequence[Sequence[float]] | Float64


def circle(radius: float, count: int = 24) -> Float64:
    """Return a counter-clockwise circle [count, 2] about the origin.

    Examples:
        >>> circle(2.0, 100).shape
        (100, 2)
    """
    return ellipse(radius, radius, count)


def ellipse(x: float, y: float, count: int = 24, power: float = 2.0) -> Float64:
    """Return a counter-clockwise ellipse [count, 2] with half axes x and y.

    Args:
        x: Half width.
        y: Half height.
        count: Number of points.
        power: Exponent; 2 is an ellipse, larger values approach a rectangle (superellipse).

    Examples:
        >>> np.abs(ellipse(2.0, 1.0)).max(axis=0).tolist()
        [2.0, 1.0]
    """
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    wave = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(np.sign(wave) * np.abs(wave) ** (2.0 / power) * np.array([x, y]))


def round_rectangle(width: float, height: float, radius: float, segments: int = 4) -> Float64:
    """Return a counter-clockwise rectangle [4 * (segments + 1), 2] about the origin with rounded corners.

    Examples:
        >>> outline = round_rectangle(2.0, 1.0, 0.2)
        >>> outline.shape, np.ptp(outline, axis=0).round(6).tolist()
        ((20, 2), [2.0, 1.0])
    """
    angle = np.linspace(0.0, np.pi / 2.0, segments + 1)
    quarter = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x, y = width / 2.0 - radius, height / 2.0 - radius
    turned = [quarter]
    for _ in range(3):
        turned.append(turned[-1] @ np.array([[0.0, 1.0], [-1.0, 0.0]]))
    return np.concatenate([q + corner for q, corner in zip(turned, [(x, y), (-x, y), (-x, -y), (x, -y)], strict=True)])


def smooth(points: Points, steps: int = 6, closed: bool = False) -> Float64:
    """Return a Catmull-Rom curve through the points.

    Args:
        points: Points [K, D] that the curve passes through, K >= 2.
        steps: Number of pieces between two of them.
        closed: Join the last point to the first; the first is not repeated in the result.

    Returns:
        Points [(K - 1) * steps + 1, D], or [K * steps, D] if closed.

    Examples:
        >>> smooth([(0, 0), (1, 1), (2, 0)], steps=4).shape
        (9, 2)
    """
    p = np.asarray(points, dtype=np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    cubic = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    curve: Float64 = (cubic / 2.0).reshape(-1, p.shape[1])
    return curve if closed else np.concatenate([curve, p[-2:-1]])


def shift(outline: Points, x: float = 0.0, y: float = 0.0) -> Float64:
    """Return an outline [K, 2] moved by (x, y).

    Examples:
        >>> shift([(0, 0), (1, 2)], x=0.5).tolist()
        [[0.5, 0.0], [1.5, 2.0]]
    """
    moved: Float64 = np.asarray(outline, dtype=np.float64) + np.array([x, y])
    return moved


def arc(radius: float, start: float, end: float, count: int = 12) -> Float64:
    """Return points [count, 2] on a circle about the origin from one angle to another (degrees).

    Examples:
        >>> arc(1.0, 0, 90, 3).round(3).tolist()
        [[1.0, 0.0], [0.707, 0.707], [0.0, 1.0]]
    """
    angle = np.radians(np.linspace(start, end, count))
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def aerofoil(chord: float, thickness: float, count: int = 9) -> Float64:
    """Return a symmetric wing section [2 * count - 2, 2]: nose at (0, 0), tail at (chord, 0).

    Args:
        chord: Length from nose to tail.
        thickness: Greatest thickness as a fraction of the chord.
        count: Number of points on each of the two sides, nose and tail included.

    Examples:
        >>> section = aerofoil(2.0, 0.12)
        >>> section.shape, round(float(np.ptp(section[:, 1])), 2)
        ((16, 2), 0.24)
    """
    x = (1.0 - np.cos(np.linspace(0.0, np.pi, count))) / 2.0
    # The four-digit NACA thickness law with the last factor that closes the tail.
    half = 5.0 * thickness * (0.2969 * np.sqrt(x) - 0.126 * x - 0.3516 * x**2 + 0.2843 * x**3 - 0.1036 * x**4)
    lower, upper = np.stack([x, -half], axis=1), np.stack([x, half], axis=1)
    return chord * np.concatenate([lower, upper[-2:0:-1]])


def triangulate(outline: Float64) -> Int64:
    """Cut a simple polygon into triangles, without new vertices.

    Args:
        outline: Corners [K, 2], counter-clockwise or clockwise, K >= 3.

    Returns:
        Indices [K - 2, 3], oriented as the outline.

    Examples:
        >>> triangulate(np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])).tolist()
        [[0, 1, 2], [0, 2, 3]]
    """
    before, after = np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0)
    sign = 1.0 if _cross(outline, after).sum() > 0 else -1.0
    if (sign * _cross(outline - before, after - outline) > 0).all():
        middle = np.arange(1, len(outline) - 1)
        return np.stack([np.zeros_like(middle), middle, middle + 1], axis=1)
    return _clip_ears(outline, sign)


def _cross(a: Float64, b: Float64) -> Float64:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _clip_ears(outline: Float64, sign: float) -> Int64:
    """Triangulate a polygon by cutting off, again and again, the corner whose triangle is the fattest."""
    left = list(range(len(outline)))
    triangles = []
    while len(left) > 3:
        ring = outline[left]
        a, c = np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0)
        area = sign * _cross(ring - a, c - ring)
        longest = np.max([((p - q) ** 2).sum(1) for p, q in ((a, ring), (ring, c), (c, a))], axis=0)
        for ear in np.argsort(-area / longest, kind="stable"):
            corners = np.stack([a[ear], ring[ear], c[ear]])
            inside = np.ones(len(ring), dtype=bool)
            for i in range(3):
                inside &= sign * _cross(corners[(i + 1) % 3] - corners[i], ring - corners[i]) >= 0
            inside[[ear - 1, ear, (ear + 1) % len(ring)]] = False
            if not inside.any():
                break
        triangles.append((left[ear - 1], left[ear], left[(ear + 1) % len(left)]))
        del left[ear]
    return np.array([*triangles, tuple(left)], dtype=np.int64)
