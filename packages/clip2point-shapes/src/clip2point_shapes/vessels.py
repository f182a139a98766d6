"""Vessels: bottle, cup, vase and bowl. Each is a profile turned on the lathe, up outside and down inside."""

from __future__ import annotations

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import round_rectangle, smooth
from clip2point_shapes.primitives import cylinder, lathe, loft, round_box, sheet, sweep, torus, tube
from clip2point_shapes.solid import Float64, Solid, repeat_around

Rng = np.random.Generator


def hollow(outside: Float64, wall: float, floor: float, segments: int = 32) -> Solid:
    """Make an outer profile into a vessel with a wall, open at the top.

    Args:
        outside: Pairs (radius, y) [K, 2] from the foot to the rim, without the centre of the foot.
        wall: Thickness of the side, metres.
        floor: Thickness of the bottom, metres.
        segments: Number of corners of the circle.

    Returns:
        A watertight solid.

    Examples:
        >>> glass = hollow(np.array([(0.03, 0.0), (0.04, 0.12)]), 0.002, 0.003)
        >>> round(1e6 * glass.volume)  # cubic centimetres of glass, not of water
        58
    """
    low = outside[0, 1] + floor
    start = (np.interp(low, outside[:, 1], outside[:, 0]), low)
    inside = np.concatenate([[start], outside[outside[:, 1] > low]]) - (wall, 0.0)
    inside[:, 0] = np.maximum(inside[:, 0], wall / 4)
    return lathe(np.concatenate([[(0.0, outside[0, 1])], outside, inside[::-1], [(0.0, low)]]), segments)


def _draw_wine_bottle(rng: Rng) -> Assembly:
    """A wine bottle: straight body, shoulders, long neck with a collar, cork and label."""
    u = rng.uniform
    radius, height = u(0.036, 0.041), u(0.28, 0.33)
    shoulder, neck = height * u(0.56, 0.66), u(0.0135, 0.016)
    slope = u(0.03, 0.09)
    body = smooth(
        [
            (radius, shoulder),
            (radius * 0.93, shoulder + slope * 0.35),
            (neck * 1.25, shoulder + slope),
            (neck, shoulder + slope * 1.35),
        ],
        4,
    )
    lip = [
        (neck, height - 0.016),
        (neck + 0.003, height - 0.015),
        (neck + 0.003, height - 0.004),
        (neck + 0.001, height),
    ]
    bottle = Assembly().add(
        paint(rng, "glass"), hollow(np.array([(radius - 0.004, 0), (radius, 0.005), *body, *lip]), 0.003, 0.008)
    )
    if rng.random() < 0.5:
        bottle.add(paint(rng, "wood"), cylinder(neck - 0.002, 0.025).move(y=height - 0.017))
    low = shoulder * 0.2
    label = radius + 0.0006
    bottle.add(
        paint(rng, "white"),
        lathe(
            [(radius - 0.001, low), (label, low), (label, shoulder * 0.75), (radius - 0.001, shoulder * 0.75)],
            closed=True,
        ),
    )
    return bottle


def _draw_water_bottle(rng: Rng) -> Assembly:
    """A plastic water bottle: ribs, a waist, a dome and a screw cap."""
    u = rng.uniform
    radius, height = u(0.03, 0.042), u(0.2, 0.3)
    body, neck = height * u(0.68, 0.75), 0.0125
    rib = u(0.001, 0.0022)
    y = np.linspace(0.012, body, 60)
    waist = 1 - u(0.04, 0.13) * np.exp(-(((y - body * 0.5) / (body * 0.16)) ** 2))
    wall = np.column_stack([radius * waist - rib * (1 + np.cos(y / body * 2 * np.pi * rng.integers(6, 11))) / 2, y])
    top = smooth(
        [
            (wall[-1, 0], body),
            (radius * 0.85, body + (height - body) * 0.35),
            (neck * 1.15, height - 0.03),
            (neck, height - 0.022),
        ],
        4,
    )
    bottle = Assembly().add(
        paint(rng, "glass"),
        hollow(
            np.array([(radius * 0.75, 0), (radius * 0.95, 0.004), *wall, *top[1:], (neck, height - 0.004)]),
            0.0015,
            0.005,
        ),
    )
    bottle.add(
        paint(rng, "plastic"),
        cylinder(neck + 0.0035, 0.018).move(y=height - 0.018),
        cylinder(neck + 0.005, 0.004).move(y=height - 0.025),
    )
    return bottle


def _draw_flask(rng: Rng) -> Assembly:
    """A sports flask or thermos: steel body, stepped shoulder, big lid with a carrying loop."""
    u = rng.uniform
    radius, height = u(0.034, 0.042), u(0.2, 0.28)
    body = height * u(0.7, 0.78)
    neck = radius * u(0.62, 0.75)
    steel, lid = paint(rng, "plastic"), paint(rng, "black")
    side = smooth([(radius, body * 0.95), (radius * 0.97, body), (neck * 1.08, body + 0.02), (neck, body + 0.027)], 4)
    bottle = Assembly().add(steel, hollow(np.array([(radius - 0.003, 0), (radius, 0.004), *side]), 0.004, 0.01))
    y = body + 0.02
    cap = height - y
    bottle.add(lid, lathe([(0, y), (neck * 1.15, y), (neck * 1.15, y + cap * 0.75), (neck, y + cap), (0, y + cap)]))
    if rng.random() < 0.7:
        loop = smooth(
            [
                (neck, height - 0.008, 0),
                (neck * 0.85, height + 0.022, 0),
                (0, height + 0.032, 0),
                (-neck * 0.85, height + 0.022, 0),
                (-neck, height - 0.008, 0),
            ],
            4,
        )
        bottle.add(lid, sweep(loop, round_rectangle(0.014, 0.006, 0.002, 2)))
    return bottle


def _draw_spray_bottle(rng: Rng) -> Assembly:
    """A detergent bottle: oval body and a trigger spray head."""
    u = rng.uniform
    width, depth, body, height = u(0.09, 0.11), u(0.055, 0.07), u(0.16, 0.2), u(0.26, 0.29)
    stuff, head = paint(rng, "plastic"), paint(rng, "white")
    levels = smooth(
        [(0.9, 0), (1.0, 0.02), (0.98, body * 0.5), (0.8, body * 0.78), (0.4, body * 0.97), (0.3, body + 0.012)], 4
    )
    rings = []
    for share, y in levels:
        round_share = min(1.0, share + 0.12)
        outline = round_rectangle(
            width * share,
            max(depth * round_share, 0.026) if share < 0.99 else depth,
            0.0129 if share < 0.32 else min(width * share, depth * round_share) * 0.4,
            5,
        )
        rings.append(np.column_stack([outline[:, 1], np.full(len(outline), y), outline[:, 0]]))
    bottle = Assembly().add(stuff, loft(rings))
    bottle.add(head, cylinder(0.018, 0.022).move(y=body + 0.008))
    neck = body + 0.03
    bottle.add(head, round_box(0.024, height - neck, 0.026, 0.006).move(y=neck))
    bottle.add(head, round_box(0.026, 0.028, 0.1, 0.008).move(0, height - 0.028, -0.02))
    bottle.add(stuff, cylinder(0.008, 0.014, 0.009, 12).rotate(x=-90).move(0, height - 0.013, -0.068))
    trigger = smooth(
        [(0, height - 0.03, -0.045), (0, height - 0.05, -0.05), (0, neck + 0.0, -0.04), (0, neck - 0.012, -0.05)], 4
    )
    bottle.add(stuff, sweep(trigger, round_rectangle(0.014, 0.006, 0.002, 2)))
    return bottle


def _ear(wall: Float64, low: float, high: float, reach: float, thick: float) -> Solid:
    """A handle between two heights of an outer profile [K, 2], reaching out along x."""
    lower, upper = np.interp([low, high], wall[:, 1], wall[:, 0]) - 0.001
    out = max(lower, upper) + reach
    knots = [
        (lower, low, 0),
        (out - reach * 0.2, low, 0),
        (out, (low + high) / 2, 0),
        (out - reach * 0.2, high, 0),
        (upper, high, 0),
    ]
    return sweep(smooth(knots, 5), round_rectangle(thick * 1.5, thick, thick * 0.45, 3))


def _draw_mug(rng: Rng) -> Assembly:
    """A straight or slightly bulged mug with one handle."""
    u = rng.uniform
    radius, height = u(0.038, 0.046), u(0.085, 0.11)
    bulge = u(-0.004, 0.006)
    t = np.linspace(0, 1, 9)
    wall = np.column_stack([radius + bulge * np.sin(np.pi * t) * 1.0, 0.004 + t * (height - 0.006)])
    outside = np.array([(radius - 0.005, 0), *wall, (radius - 0.001, height)])
    cup = Assembly()
    stuff = paint(rng, "ceramic")
    cup.add(stuff, hollow(outside, 0.004, 0.006))
    cup.add(stuff, _ear(outside, height * u(0.16, 0.26), height * u(0.78, 0.86), u(0.024, 0.034), u(0.007, 0.01)))
    return cup


def _draw_tea_cup(rng: Rng) -> Assembly:
    """A tea cup: flared bowl on a foot ring with a small handle, on a saucer."""
    u = rng.uniform
    radius, height = u(0.044, 0.052), u(0.055, 0.068)
    stuff = paint(rng, "ceramic")
    foot = radius * 0.5
    bowl = smooth([(foot, 0.006), (radius * 0.78, height * 0.32), (radius * 0.93, height * 0.65), (radius, height)], 4)
    y = 0.009
    cup = Assembly().add(stuff, hollow(np.array([(foot * 0.95, 0), *bowl]), 0.0025, 0.007).move(y=y))
    cup.add(stuff, _ear(bowl, height * 0.3, height * 0.82, u(0.018, 0.026), 0.005).move(y=y))
    plate = radius * u(1.6, 1.85)
    top = [(plate, 0.022), (plate * 0.62, 0.01), (0, 0.009)]
    cup.add(stuff, lathe([(0, 0), (plate * 0.5, 0), (plate * 0.63, 0.006), (plate, 0.0185), *top], 36))
    return cup


def _draw_paper_cup(rng: Rng) -> Assembly:
    """A take-away cup: a tall cone that opens upwards, rolled rim, lid and sleeve."""
    u = rng.uniform
    foot, rim, height = u(0.026, 0.03), u(0.039, 0.045), u(0.1, 0.15)
    cup = Assembly().add(paint(rng, "white"), hollow(np.array([(foot, 0), (rim, height)]), 0.0015, 0.006))
    cup.add(paint(rng, "white"), torus(rim, 0.0022).move(y=height))
    low, high = 0.3, 0.68
    radius = [foot + (rim - foot) * t for t in (low, high)]
    sleeve = [
        (radius[0] - 0.001, low * height),
        (radius[0] + 0.002, low * height),
        (radius[1] + 0.002, high * height),
        (radius[1] - 0.001, high * height),
    ]
    cup.add(paint(rng, "wood"), lathe(sleeve, closed=True))
    if rng.random() < 0.6:
        lid = [
            (0, height - 0.004),
            (rim + 0.003, height - 0.004),
            (rim + 0.003, height + 0.003),
            (rim - 0.003, height + 0.013),
            (rim - 0.007, height + 0.013),
            (rim - 0.01, height + 0.006),
            (0, height + 0.006),
        ]
        cup.add(paint(rng, "black"), lathe(lid))
    return cup


def _draw_classic_vase(rng: Rng) -> Assembly:
    """An amphora-like vase: foot, belly, narrow neck and flared rim, sometimes with two handles."""
    u = rng.uniform
    height, belly, foot, neck = u(0.28, 0.45), u(0.08, 0.125), u(0.04, 0.055), u(0.028, 0.042)
    widest, narrow = height * u(0.38, 0.55), height * u(0.78, 0.85)
    stuff = paint(rng, "ceramic")
    rim = neck * u(1.4, 1.9)
    profile = smooth(
        [
            (foot, 0.012),
            (belly * 0.8, widest * 0.5),
            (belly, widest),
            (belly * 0.72, (widest + narrow) / 2 + 0.01),
            (neck, narrow),
            (rim, height),
        ],
        6,
    )
    vase = Assembly().add(stuff, hollow(np.array([(foot * 1.15, 0), (foot * 1.15, 0.008), *profile]), 0.005, 0.012))
    if rng.random() < 0.45:
        ear = smooth(
            [
                (neck * 0.95, narrow + height * 0.03, 0),
                (belly * 0.9, narrow + height * 0.02, 0),
                (belly * 1.15, narrow - height * 0.1, 0),
                (belly * 0.9, widest + height * 0.1, 0),
            ],
            5,
        )
        vase.add(stuff, repeat_around(tube(ear, 0.007), 2))
    return vase


def _draw_flower_vase(rng: Rng) -> Assembly:
    """A slim vase with a bunch of flowers."""
    u = rng.uniform
    height, foot, rim = u(0.2, 0.28), u(0.035, 0.05), u(0.04, 0.065)
    waist = u(0.025, 0.04)
    profile = smooth([(foot, 0), (foot * 1.1, height * 0.25), (waist, height * 0.7), (rim, height)], 6)
    vase = Assembly().add(paint(rng, "glass" if rng.random() < 0.4 else "ceramic"), hollow(profile, 0.004, 0.01))
    leaf, petal, heart = paint(rng, "leaf"), paint(rng, "petal"), paint(rng, "petal")
    for i in range(int(rng.integers(4, 8))):
        angle, spread, top = i * 2.4, u(0.04, 0.14), height * u(1.5, 2.1)
        x, z = spread * np.cos(angle), spread * np.sin(angle)
        stem = smooth([(0.1 * x, 0.02, 0.1 * z), (0.25 * x, height, 0.25 * z), (x, top, z)], 4)
        vase.add(leaf, tube(stem, 0.0025, 6))
        size = u(0.026, 0.04)
        side = np.linspace(-1, 1, 5)
        length = np.linspace(0.15, 1, 5)
        outline = np.sin(np.pi * length**0.8) * 0.42 + 0.05
        grid = np.stack(
            [np.outer(outline, side), np.tile(0.35 * length[:, None] ** 2, (1, 5)), np.tile(length[:, None], (1, 5))],
            axis=-1,
        )
        blossom = repeat_around(sheet(grid * size, 0.002), 6)
        tilt = {"x": np.degrees(z / top) * 2, "z": -np.degrees(x / top) * 2}
        vase.add(petal, blossom.rotate(**tilt).move(x, top, z))
        vase.add(
            heart,
            lathe([(0, 0), (size * 0.3, 0), (size * 0.2, size * 0.3), (0, size * 0.35)], 10)
            .rotate(**tilt)
            .move(x, top, z),
        )
    return vase


def _draw_bottle_vase(rng: Rng) -> Assembly:
    """A modern vase: a round belly that draws in to a long thin neck, fluted now and then."""
    u = rng.uniform
    height, belly, neck = u(0.26, 0.38), u(0.07, 0.1), u(0.014, 0.02)
    middle = belly * u(0.85, 1.1)
    profile = smooth(
        [
            (belly * 0.5, 0),
            (belly, middle),
            (belly * 0.55, middle * 2),
            (neck, middle * 2.5),
            (neck * 0.95, height * 0.92),
            (neck * 1.5, height),
        ],
        6,
    )
    solid = hollow(profile, 0.004, 0.01, 48)
    if rng.random() < 0.5:
        vertices = solid.vertices.copy()
        angle = np.arctan2(vertices[:, 2], vertices[:, 0])
        vertices[:, [0, 2]] *= 1 + 0.035 * np.cos(12 * angle)[:, None]
        solid = solid.place(vertices)
    return Assembly().add(paint(rng, "ceramic"), solid)


def _draw_round_bowl(rng: Rng) -> Assembly:
    """A hemispherical bowl on a foot ring."""
    u = rng.uniform
    radius, height = u(0.08, 0.13), u(0.06, 0.09)
    foot = radius * u(0.35, 0.45)
    profile = smooth([(foot, 0.01), (radius * 0.68, height * 0.3), (radius * 0.92, height * 0.65), (radius, height)], 6)
    stuff = paint(rng, "ceramic" if rng.random() < 0.7 else "wood")
    return Assembly().add(stuff, hollow(np.array([(foot * 0.97, 0), *profile]), u(0.004, 0.007), 0.014, 40))


def _draw_fruit_bowl(rng: Rng) -> Assembly:
    """A wide shallow bowl heaped with fruit."""
    u = rng.uniform
    radius, height = u(0.14, 0.18), u(0.07, 0.09)
    profile = smooth([(radius * 0.4, 0), (radius * 0.72, height * 0.35), (radius, height)], 6)
    bowl = Assembly().add(paint(rng, "wood"), hollow(profile, 0.007, 0.01, 40))
    apple = lathe(
        np.maximum(
            smooth([(0, 0.006), (0.018, 0), (0.036, 0.026), (0.033, 0.052), (0.014, 0.064), (0, 0.055)], 3), 0.0
        ),
        16,
    )
    stem = tube([(0, 0.055, 0), (0.003, 0.078, 0)], 0.0016, 6)
    count = int(rng.integers(5, 7))
    for i in range(count + 2):
        ring = i < count
        angle = 2 * np.pi * i / (count if ring else 2) + 0.4
        at = radius * (0.5 if ring else 0.2)
        place = (at * np.cos(angle), height * (0.6 if ring else 1.15), at * np.sin(angle))
        tilt = u(-25, 25, 2)
        fruit, wood = paint(rng, "petal"), paint(rng, "wood")
        bowl.add(fruit, apple.rotate(tilt[0], 0, tilt[1]).move(*place)).add(
            wood, stem.rotate(tilt[0], 0, tilt[1]).move(*place)
        )
    return bowl


def _draw_mixing_bowl(rng: Rng) -> Assembly:
    """A deep steel mixing bowl: flat bottom, curved wall, wide rolled rim."""
    u = rng.uniform
    radius, height = u(0.11, 0.15), u(0.09, 0.13)
    profile = smooth(
        [(radius * 0.5, 0), (radius * 0.8, height * 0.25), (radius * 0.95, height * 0.65), (radius, height * 0.97)], 6
    )
    rim = radius + u(0.008, 0.016)
    stuff = paint(rng, "metal")
    bowl = Assembly().add(stuff, hollow(profile, 0.002, 0.003, 40))
    return bowl.add(
        stuff,
        lathe(
            [(radius - 0.002, height * 0.97 - 0.002), (rim, height * 0.96), (rim, height), (radius - 0.002, height)],
            40,
            closed=True,
        ),
    )


STYLES = {
    "bottle": {
        "wine": _draw_wine_bottle,
        "water": _draw_water_bottle,
        "flask": _draw_flask,
        "spray": _draw_spray_bottle,
    },
    "cup": {"mug": _draw_mug, "tea": _draw_tea_cup, "paper": _draw_paper_cup},
    "vase": {"classic": _draw_classic_vase, "flowers": _draw_flower_vase, "bottle": _draw_bottle_vase},
    "bowl": {"round": _draw_round_bowl, "fruit": _draw_fruit_bowl, "mixing": _draw_mixing_bowl},
}
