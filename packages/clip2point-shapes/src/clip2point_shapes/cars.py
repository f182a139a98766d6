"""Cars, the front towards -z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import arc, shift
from clip2point_shapes.primitives import box, ellipsoid, lathe, loft, rod, round_box
from clip2point_shapes.solid import Float64, Solid, mirror

Rng = np.random.Generator


def wheel(radius: float, width: float) -> tuple[Solid, Solid]:
    """Make a wheel about the origin whose axle lies along x.

    Args:
        radius: Radius of the tyre, metres.
        width: Width of the tyre, metres.

    Returns:
        Tyre and rim, to be painted apart.

    Examples:
        >>> tyre, rim = wheel(0.3, 0.2)
        >>> (tyre.vertices.max(axis=0) - tyre.vertices.min(axis=0)).round(2).tolist()
        [0.2, 0.6, 0.6]
    """
    half, shoulder = width / 2, radius * 0.93
    inner = radius * 0.66
    tyre = [
        (inner, -half),
        (shoulder, -half),
        (radius, -half * 0.6),
        (radius, half * 0.6),
        (shoulder, half),
        (inner, half),
    ]
    dish = [
        (0, -half * 0.7),
        (inner, -half * 0.7),
        (inner, half * 0.75),
        (inner * 0.9, half * 0.75),
        (inner * 0.85, half * 0.4),
        (0, half * 0.6),
    ]
    return lathe(tyre, 26, closed=True).rotate(z=-90), lathe(dish, 20).rotate(z=-90)


@dataclass(frozen=True)
class _CarPlan:
    """Side view of a car, in metres; z runs from the front bumper (0) to the rear one (length).

    Attributes:
        length: Overall length, metres.
        width: Overall width, metres.
        deck: Corners (z, y) of the body's upper edge, bonnet to boot, without the bumpers.
        cabin: Corners (z, y) of the cabin's side view, counted from the foot of the windscreen backwards.
        wheel: Radius of a wheel, metres.
        axles: Positions of both axles along z.
        clearance: Height of the floor over the ground.
    """

    length: float
    width: float
    deck: list[tuple[float, float]]
    cabin: list[tuple[float, float]]
    wheel: float
    axles: tuple[float, float]
    clearance: float


def _side_view(plan: _CarPlan) -> Float64:
    """Return the outline [K, 2] of the body seen from the side as (z, y), with the wheel arches cut out."""
    low, bumper = plan.clearance, plan.clearance + 0.12
    outline: list[tuple[float, float]] = [(0.08, low)]
    for axle in plan.axles:
        arch = shift(arc(plan.wheel * 1.16, 180, 0, 11), axle, plan.wheel)
        outline += [(float(z), max(float(y), low)) for z, y in arch if y > low + 0.01]
    top = [(float(z), float(y)) for z, y in plan.deck]
    outline += [(plan.length - 0.06, low), (plan.length, bumper), *reversed(top), (0.0, bumper)]
    return np.array(outline)


def _car(rng: Rng, plan: _CarPlan) -> Assembly:
    """Build a car from its plan: body, cabin with windows, wheels, lamps, bumpers."""
    colour, dark, chrome = paint(rng, "paint"), paint(rng, "rubber"), paint(rng, "metal")
    car = Assembly()
    side = _side_view(plan)
    middle = side.mean(axis=0)
    half = plan.width / 2
    rings = []
    for x, share in (
        (-half, 0.965),
        (-half + 0.03, 0.985),
        (-half + 0.1, 1.0),
        (half - 0.1, 1.0),
        (half - 0.03, 0.985),
        (half, 0.965),
    ):
        outline = middle + (side - middle) * (share, 1 - (1 - share) * 1.5)
        rings.append(np.column_stack([np.full(len(outline), x), outline[:, 1], outline[:, 0]]))
    car.add(colour, loft(rings))
    cabin = np.array(plan.cabin)
    roof, belt = cabin[:, 1].max(), cabin[:, 1].min()
    glass = paint(rng, "screen")

    def inset(y: float) -> float:
        """Return half the width of the cabin, which narrows from the belt line up to the roof."""
        return float(half * (0.95 - 0.17 * (y - belt) / (roof - belt)))

    rings = [
        np.column_stack([s * np.array([inset(y) for y in cabin[:, 1]]), cabin[:, 1], cabin[:, 0]]) for s in (-1, 1)
    ]
    car.add(glass, loft(rings))
    top = cabin[cabin[:, 1] > roof - 0.1]
    upper = np.concatenate([shift(top, 0, 0.012), shift(top[::-1], 0, -0.04)])
    rings = [
        np.column_stack([np.full(len(upper), s * (inset(roof) + 0.012)), upper[:, 1], upper[:, 0]]) for s in (-1, 1)
    ]
    car.add(colour, loft(rings))
    for (z0, y0), (z1, y1) in zip(cabin, np.roll(cabin, -1, axis=0), strict=True):
        if abs(y1 - y0) > 0.2:
            car.add(colour, mirror(rod((inset(y0) - 0.01, y0, z0), (inset(y1) - 0.01, y1, z1), 0.035)))
    centre = cabin[:, 0].min() * 0.45 + cabin[:, 0].max() * 0.55
    car.add(colour, mirror(rod((inset(belt), belt, centre), (inset(roof), roof, centre), 0.03)))
    tyre, rim = wheel(plan.wheel, 0.22)
    for z in plan.axles:
        car.add(dark, mirror(tyre.move(half - 0.12, plan.wheel, z))).add(
            chrome, mirror(rim.move(half - 0.12, plan.wheel, z))
        )
    nose, tail = plan.deck[0][1], plan.deck[-1][1]
    lamp = ellipsoid(0.13, 0.07, 0.06, 12)
    car.add(paint(rng, "white"), mirror(lamp.move(half * 0.72, nose - 0.1, 0.05)))
    car.add(
        paint(rng, "petal"),
        mirror(round_box(0.2, 0.12, 0.06, 0.02).move(half * 0.76, tail - 0.2, plan.length - 0.02)),
    )
    car.add(dark, round_box(plan.width * 0.5, 0.12, 0.05, 0.02).move(0, nose - 0.28, 0.015))
    wing_mirror = round_box(0.16, 0.11, 0.09, 0.03).move(half + 0.05, belt + 0.03, cabin[:, 0].min() + 0.45)
    return car.add(colour, mirror(wing_mirror))


def _draw_sedan(rng: Rng) -> Assembly:
    """A saloon car: bonnet, cabin and boot in three steps."""
    u = rng.uniform
    length, belt, roof = u(4.3, 4.9), u(0.86, 0.95), u(1.38, 1.48)
    deck = [
        (0.0, belt - 0.22),
        (0.15, belt - 0.16),
        (length * 0.28, belt - 0.02),
        (length * 0.8, belt + 0.02),
        (length - 0.08, belt),
        (length, belt - 0.08),
    ]
    foot, rear = length * u(0.26, 0.29), length * u(0.82, 0.87)
    cabin = [
        (foot, belt - 0.04),
        (foot + 0.72, roof - 0.03),
        (foot + 1.1, roof),
        (rear - 1.0, roof - 0.02),
        (rear - 0.75, roof - 0.06),
        (rear, belt - 0.04),
    ]
    return _car(rng, _CarPlan(length, u(1.75, 1.85), deck, cabin, 0.32, (length * 0.185, length * 0.79), 0.19))


def _draw_hatchback(rng: Rng) -> Assembly:
    """A small or sport-utility car: short bonnet, the cabin ends in a steep tailgate."""
    u = rng.uniform
    tall = rng.random() < 0.5
    length, belt, roof = (
        (u(4.3, 4.7), u(1.02, 1.1), u(1.66, 1.78)) if tall else (u(3.6, 4.1), u(0.88, 0.95), u(1.44, 1.53))
    )
    deck = [
        (0.0, belt - 0.22),
        (0.12, belt - 0.14),
        (length * 0.26, belt),
        (length - 0.1, belt + 0.03),
        (length, belt - 0.06),
    ]
    foot = length * u(0.2, 0.24)
    cabin = [
        (foot, belt - 0.04),
        (foot + 0.68, roof - 0.03),
        (foot + 1.05, roof),
        (length - 0.5, roof - 0.03),
        (length - 0.32, roof - 0.08),
        (length - 0.06, belt - 0.04),
    ]
    wheel = 0.37 if tall else 0.3
    return _car(
        rng, _CarPlan(length, u(1.7, 1.9), deck, cabin, wheel, (length * 0.18, length * 0.81), 0.24 if tall else 0.17)
    )


def _draw_sports_car(rng: Rng) -> Assembly:
    """A low sports coupé: long bonnet, sloping back, spoiler."""
    u = rng.uniform
    length, belt, roof = u(4.2, 4.6), u(0.78, 0.84), u(1.18, 1.26)
    deck = [
        (0.0, 0.5),
        (0.2, 0.66),
        (length * 0.2, 0.765),
        (length * 0.36, belt + 0.02),
        (length * 0.8, belt + 0.06),
        (length - 0.08, belt + 0.02),
        (length, belt - 0.1),
    ]
    foot = length * u(0.3, 0.36)
    cabin = [
        (foot, belt - 0.05),
        (foot + 0.72, roof - 0.02),
        (foot + 1.05, roof),
        (foot + 1.45, roof - 0.04),
        (length * 0.86, belt),
    ]
    car = _car(rng, _CarPlan(length, u(1.82, 1.95), deck, cabin, 0.33, (length * 0.2, length * 0.8), 0.12))
    if rng.random() < 0.6:
        paint_dark = paint(rng, "black")
        car.add(paint_dark, round_box(1.55, 0.03, 0.26, 0.012).rotate(x=-6).move(0, belt + 0.24, length - 0.18))
        car.add(paint_dark, mirror(box(0.03, 0.25, 0.16).move(0.55, belt, length - 0.2)))
    return car


def _draw_pickup(rng: Rng) -> Assembly:
    """A pickup truck: high bonnet, cab in the middle, open load bed behind it."""
    u = rng.uniform
    length, belt, roof = u(5.0, 5.6), u(1.08, 1.16), u(1.74, 1.86)
    double = rng.random() < 0.5
    cab = length * (0.66 if double else 0.54)
    # The load bed lies above the rear wheel arches.
    floor = 0.9
    deck = [
        (0.0, belt - 0.14),
        (0.12, belt - 0.06),
        (length * 0.25, belt),
        (cab + 0.02, belt),
        (cab + 0.04, floor),
        (length, floor),
    ]
    foot = length * 0.24
    cabin = [
        (foot, belt - 0.04),
        (foot + 0.55, roof - 0.03),
        (foot + 0.85, roof),
        (cab - 0.15, roof),
        (cab - 0.06, roof - 0.05),
        (cab, belt - 0.04),
    ]
    width = u(1.85, 2.0)
    car = _car(rng, _CarPlan(length, width, deck, cabin, 0.4, (length * 0.18, length * 0.78), 0.32))
    colour, side = car.parts[0][1], belt + 0.06 - floor
    bed = length - cab - 0.06
    panel = round_box(0.07, side, bed, 0.02).move(width / 2 - 0.06, floor - 0.04, cab + 0.05 + bed / 2)
    tailgate = round_box(width - 0.08, side, 0.06, 0.02).move(0, floor - 0.04, length - 0.03)
    return car.add(colour, mirror(panel), tailgate)


def _draw_van(rng: Rng) -> Assembly:
    """A van: a short sloped nose before one tall long box."""
    u = rng.uniform
    length, belt, roof = u(4.7, 5.6), u(1.08, 1.15), u(1.9, 2.3)
    deck = [(0.0, belt - 0.26), (0.1, belt - 0.14), (length * 0.15, belt), (length - 0.04, belt), (length, belt - 0.05)]
    foot = length * u(0.1, 0.13)
    cabin = [
        (foot, belt - 0.04),
        (foot + 0.65, roof - 0.12),
        (foot + 0.95, roof),
        (length - 0.12, roof),
        (length - 0.05, roof - 0.08),
        (length - 0.03, belt - 0.04),
    ]
    return _car(rng, _CarPlan(length, u(1.85, 2.0), deck, cabin, 0.34, (length * 0.16, length * 0.8), 0.22))


STYLES = {
    "car": {
        "sedan": _draw_sedan,
        "hatchback": _draw_hatchback,
        "sports": _draw_sports_car,
        "pickup": _draw_pickup,
        "van": _draw_van,
    },
}
