"""People: a jointed figure with a handful of poses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import ellipse, smooth
from clip2point_shapes.primitives import box, cylinder, ellipsoid, loft, round_box, tube
from clip2point_shapes.solid import Float64, Solid, join, mirror_twice

Rng = np.random.Generator


def _ball(at: Float64, radius: float) -> Solid:
    return ellipsoid(radius, radius, radius, 14).move(*at)


def _limb(points: list[Float64], radii: list[float]) -> Solid:
    """Limb segments with rounded joints: between two points the radius swells a little, as muscles do."""
    parts = [_ball(point, radius * 0.99) for point, radius in zip(points, radii, strict=True)]
    for (a, b), (r, s) in zip(pairwise(points), pairwise(radii), strict=True):
        t = np.linspace(0, 1, 7)
        size = r + (s - r) * t + 0.13 * r * np.sin(np.pi * t**0.8)
        parts.append(tube(a + t[:, None] * (b - a), size, 14))
    return join(parts)


def _bone(start: Float64, length: float, forward: float, outward: float) -> Float64:
    """The end of a bone that hangs down from ``start``, swung forward (-z) and outward (+x) by degrees."""
    f, o = np.radians(forward), np.radians(outward)
    return start + length * np.array([np.sin(o) * np.cos(f), -np.cos(f) * np.cos(o), -np.sin(f)])


class _Figure:
    """A person of a given height, built from the hips outwards; left and right are given as side = +1 and -1."""

    def __init__(self, rng: Rng, height: float, bend: float = 0.0) -> None:
        self.rng, self.h = rng, height
        self.skin = paint(rng, "skin")
        self.shirt, self.trousers = paint(rng, "fabric"), paint(rng, "paint" if rng.random() < 0.5 else "fabric")
        self.shoes, self.hair = paint(rng, "black"), paint(rng, "wood")
        self.heavy = float(rng.uniform(0.9, 1.2))
        self.bend = bend
        self.body = Assembly()
        self._torso()
        self._head()

    def _lean(self, solid: Solid) -> Solid:
        return solid.rotate(x=-self.bend)

    def _torso(self) -> None:
        h, w = self.h, self.heavy
        stations = smooth(
            [
                (-0.06, 0.05, 0.05),
                (-0.03, 0.082, 0.062),
                (0.03, 0.09, 0.066),
                (0.11, 0.078, 0.058),
                (0.2, 0.098, 0.066),
                (0.27, 0.105, 0.062),
                (0.305, 0.07, 0.045),
                (0.325, 0.03, 0.03),
            ],
            4,
        )
        rings = []
        for y, x, z in stations:
            outline = ellipse(x * h * w, z * h * w, 24, 2.5)
            rings.append(np.column_stack([outline[:, 0], np.full(24, y * h), outline[:, 1]]))
        split = int(len(rings) * 0.36)
        self.body.add(self.trousers, self._lean(loft(rings[: split + 1])))
        self.body.add(self.shirt, self._lean(loft(rings[split:])))

    def _head(self) -> None:
        h = self.h
        centre = 0.435 * h
        self.body.add(self.skin, self._lean(cylinder(0.031 * h, 0.075 * h, 0.028 * h, 16).move(y=0.31 * h)))
        self.body.add(self.skin, self._lean(ellipsoid(0.044 * h, 0.064 * h, 0.054 * h).move(y=centre)))
        self.body.add(
            self.skin,
            self._lean(ellipsoid(0.008 * h, 0.014 * h, 0.014 * h, 10).move(0, centre - 0.006 * h, -0.054 * h)),
        )
        cap = ellipsoid(0.049 * h, 0.052 * h, 0.056 * h).move(0, centre + 0.021 * h, 0.009 * h)
        self.body.add(self.hair, self._lean(cap))
        if self.rng.random() < 0.4:
            self.body.add(
                self.hair, self._lean(ellipsoid(0.046 * h, 0.085 * h, 0.03 * h).move(0, centre - 0.03 * h, 0.036 * h))
            )

    def arm(self, side: int, upper: tuple[float, float], lower: tuple[float, float]) -> None:
        """Add an arm: (forward, outward) degrees of the upper and the lower arm."""
        h = self.h
        shoulder = self._lean(
            Solid(np.array([[0.112 * h * self.heavy, 0.275 * h, 0.0]]), np.empty((0, 3), np.int64))
        ).vertices[0]
        elbow = _bone(shoulder, 0.175 * h, *upper)
        wrist = _bone(elbow, 0.15 * h, *lower)
        hand = _bone(wrist, 0.045 * h, *lower)
        self._add_limb(side, self.shirt, [shoulder, elbow], [0.032 * h, 0.024 * h])
        self._add_limb(side, self.skin, [elbow, wrist], [0.023 * h, 0.0155 * h])
        self._add_limb(side, self.skin, [wrist, hand, _bone(hand, 0.03 * h, *lower)], [0.016 * h, 0.021 * h, 0.012 * h])

    def leg(self, side: int, upper: tuple[float, float], lower: tuple[float, float], toe: float = 0.0) -> None:
        """Add a leg: (forward, outward) degrees of thigh and shin, and how far the toe points down."""
        h = self.h
        hip = np.array([0.048 * h, -0.01 * h, 0.0])
        knee = _bone(hip, 0.245 * h, *upper)
        ankle = _bone(knee, 0.235 * h, *lower)
        self._add_limb(side, self.trousers, [hip, knee, ankle], [0.05 * h * self.heavy, 0.036 * h, 0.025 * h])
        shoe = round_box(0.055 * h, 0.042 * h, 0.145 * h, 0.02 * h).move(0, -0.035 * h, -0.04 * h).rotate(x=toe)
        shoe = shoe.rotate(y=-8).move(*ankle)
        self.body.add(self.shoes, shoe if side > 0 else shoe.scale(x=-1))

    def _add_limb(self, side: int, stuff: Material, points: list[Float64], radii: list[float]) -> None:
        limb = _limb(points, radii)
        self.body.add(stuff, limb if side > 0 else limb.scale(x=-1))


def _draw_standing_person(rng: Rng) -> Assembly:
    """A person standing, the arms hanging, on the hips or raised in greeting."""
    u = rng.uniform
    figure = _Figure(rng, u(1.5, 1.9))
    spread = u(2, 8)
    pose = int(rng.integers(0, 3))
    for side in (-1, 1):
        figure.leg(side, (u(-2, 4), spread), (u(-4, 0), spread * 0.5))
        if pose == 1:
            figure.arm(side, (-12, 42), (20, -48))
        elif pose == 2 and side == 1:
            figure.arm(side, (10, 110), (10, 165))
        else:
            figure.arm(side, (u(-4, 6), u(7, 14)), (u(8, 20), u(2, 7)))
    return figure.body


def _draw_walking_person(rng: Rng) -> Assembly:
    """A person in stride: one leg forward, the opposite arm swinging with it."""
    u = rng.uniform
    stride, swing = u(18, 32), u(18, 38)
    figure = _Figure(rng, u(1.5, 1.9), bend=u(0, 8))
    lead = 1 if rng.random() < 0.5 else -1
    figure.leg(lead, (stride, 2), (stride * 0.5, 1), toe=8)
    figure.leg(-lead, (-stride * 0.75, 2), (-stride * 1.55, 1), toe=-stride * 1.1)
    figure.arm(lead, (-swing, 8), (-swing * 0.3, 5))
    figure.arm(-lead, (swing, 8), (swing + 28, 0))
    return figure.body


def _draw_sitting_person(rng: Rng) -> Assembly:
    """A person sitting upright on a plain block, the hands on the knees."""
    u = rng.uniform
    height = u(1.5, 1.9)
    figure = _Figure(rng, height)
    spread = u(4, 12)
    for side in (-1, 1):
        figure.leg(side, (88, spread), (u(-8, 6), 1))
        figure.arm(side, (u(12, 24), 8), (u(52, 64), -6))
    seat = 0.22 * height
    block = paint(rng, "wood")
    if rng.random() < 0.5:
        return figure.body.add(block, round_box(0.42, seat, 0.36, 0.015).move(0, -0.055 * height - seat, 0.06))
    figure.body.add(block, round_box(0.42, 0.04, 0.38, 0.012).move(0, -0.055 * height - 0.04, 0.04))
    return figure.body.add(
        block,
        mirror_twice(box(0.035, seat, 0.035).move(0.18, 0, 0.15)).move(0, -0.055 * height - seat - 0.02, 0.04),
    )


STYLES = {
    "person": {"standing": _draw_standing_person, "walking": _draw_walking_person, "sitting": _draw_sitting_person}
}
