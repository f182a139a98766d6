"""Plants and flower pots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import circle, round_rectangle, smooth
from clip2point_shapes.primitives import box, cylinder, ellipsoid, lathe, loft, rod, sheet, sweep, torus, tube
from clip2point_shapes.solid import Solid, repeat_around
from clip2point_shapes.vessels import hollow

Rng = np.random.Generator


def _leaf(length: float, width: float, droop: float, fold: float = 0.15) -> Solid:
    """A leaf that starts at the origin towards -z, rising by its own rotation and drooping at the tip.

    Args:
        length: Length from stalk to tip, metres.
        width: Width at the broadest place, metres.
        droop: Drop of the tip below the line of the stalk, as a fraction of the length.
        fold: Slope of both halves, up from the middle rib.
    """
    t = np.linspace(0.0, 1.0, 9)[:, None]
    s = np.linspace(-1.0, 1.0, 5)[None, :]
    half = width / 2 * (np.sin(np.pi * np.clip(t, 0.03, 0.99) ** 0.8)) * s
    y = -droop * length * t**2 + fold * np.abs(half)
    return sheet(np.stack([half, y, -length * t + 0 * s], axis=-1), max(0.002, width * 0.03))


def _pot(rng: Rng, plant: Assembly, radius: float, height: float) -> None:
    """Add a tapered pot with a rim and soil up to nearly its top."""
    foot = radius * rng.uniform(0.62, 0.8)
    wall = 0.08 * radius
    rim = height * 0.2
    profile = np.array([(foot, 0), (radius * 0.93, height - rim), (radius, height - rim), (radius * 1.02, height)])
    stuff = paint(rng, "terracotta" if rng.random() < 0.6 else "ceramic")
    plant.add(stuff, hollow(profile, wall, height * 0.06))
    plant.add(paint(rng, "soil"), cylinder(radius * 0.9, 0.01).move(y=height * 0.86))


def _draw_bushy_plant(rng: Rng) -> Assembly:
    """A house plant of many broad leaves on arching stalks, in a pot."""
    u = rng.uniform
    radius, height = u(0.1, 0.15), u(0.17, 0.24)
    plant = Assembly()
    _pot(rng, plant, radius, height)
    green = paint(rng, "leaf")
    width = u(0.09, 0.14)
    for i in range(int(rng.integers(14, 22))):
        rotation, reach, rise = i * 137.5, u(0.08, 0.22), u(0.12, 0.42)
        base = height * 0.85
        stalk = smooth([(0, base, -0.01), (0, base + rise * 0.7, -reach * 0.35), (0, base + rise, -reach)], 4)
        plant.add(green, tube(stalk, 0.004, 6).rotate(y=rotation))
        blade = _leaf(u(0.15, 0.22), width, u(0.25, 0.6)).rotate(x=u(-5, 30))
        plant.add(green, blade.move(0, base + rise, -reach).rotate(y=rotation))
    return plant


def _draw_palm(rng: Rng) -> Assembly:
    """A potted palm: one or more bare stems and a crown of feathered fronds."""
    u = rng.uniform
    radius, height, trunk = u(0.14, 0.19), u(0.22, 0.3), u(0.5, 0.9)
    plant = Assembly()
    _pot(rng, plant, radius, height)
    green, bark = paint(rng, "leaf"), paint(rng, "wood")
    lean = u(-0.08, 0.08)
    stem = smooth([(0, height * 0.8, 0), (lean * 0.3, height + trunk * 0.5, 0.02), (lean, height + trunk, 0)], 5)
    plant.add(bark, tube(stem, np.linspace(0.03, 0.02, len(stem)) * (1 + 0.12 * (np.arange(len(stem)) % 2))))
    top = stem[-1]
    frond_length = u(0.45, 0.65)
    pinna = _leaf(0.17, 0.03, 0.3)
    for i in range(int(rng.integers(9, 13))):
        rotation, rise = i * 137.5, u(0.15, 0.65)
        t = np.linspace(0, 1, 9)
        curve = np.column_stack([0 * t, frond_length * (rise * t * 1.4 - 0.75 * t**2), -frond_length * t])
        plant.add(green, tube(curve, np.linspace(0.007, 0.003, 9), 6).rotate(y=rotation).move(*top))
        for k in range(2, 9):
            for side in (-1, 1):
                part = pinna.scale(z=1.15 - 0.08 * k).rotate(x=-8, y=side * (68 - 4 * k)).move(*curve[k])
                plant.add(green, part.rotate(y=rotation).move(*top))
    return plant


def _column(path: Sequence[Sequence[float]], thick: float, ribs: int) -> Solid:
    """A ribbed column with a rounded top along a path in the x-y plane."""
    curve = smooth(path, 6)
    end = np.clip((1 - np.linspace(0, 1, len(curve))) * len(curve) / 5, 0, 1)
    size = thick * np.sqrt(1 - (1 - end) ** 2) + 1e-4
    star = circle(1.0, ribs * 4)
    star = star * (1 + 0.1 * np.cos(ribs * np.arctan2(star[:, 1], star[:, 0])))[:, None]
    return sweep(curve, star, size)


def _draw_cactus(rng: Rng) -> Assembly:
    """A ribbed column cactus with arms, in a pot."""
    u = rng.uniform
    pot, pot_height, height, radius = u(0.1, 0.14), u(0.13, 0.18), u(0.4, 0.65), u(0.05, 0.07)
    plant = Assembly()
    _pot(rng, plant, pot, pot_height)
    green = paint(rng, "leaf")
    ribs = int(rng.integers(8, 12))

    low = pot_height * 0.8
    plant.add(green, _column([(0, low, 0), (0, low + height * 0.5, 0), (0, low + height, 0)], radius, ribs))
    for i in range(int(rng.integers(2, 4))):
        side, start, out, up = (1, -1, 1)[i], height * u(0.3, 0.6), radius * u(2.3, 2.8), height * u(0.2, 0.38)
        y = low + start
        path = [(0, y, 0), (side * out * 0.7, y + 0.005, 0), (side * out, y + 0.04, 0), (side * out, y + 0.04 + up, 0)]
        plant.add(green, _column(path, radius * 0.6, ribs).rotate(y=(0, 15, 95)[i] + u(-20, 20)))
    if rng.random() < 0.5:
        petal = _leaf(0.05, 0.025, -0.5)
        plant.add(paint(rng, "petal"), repeat_around(petal, 7).move(y=low + height - 0.005))
    return plant


def _draw_sword(rng: Rng) -> Assembly:
    """A snake plant: stiff upright sword leaves in a pot."""
    u = rng.uniform
    radius, height = u(0.1, 0.14), u(0.16, 0.22)
    plant = Assembly()
    _pot(rng, plant, radius, height)
    green = paint(rng, "leaf")
    for i in range(int(rng.integers(9, 15))):
        blade = _leaf(u(0.35, 0.7), u(0.05, 0.075), u(-0.05, 0.1), 0.3)
        plant.add(green, blade.rotate(x=u(72, 88)).move(0, height * 0.85, -radius * u(0.05, 0.55)).rotate(y=i * 137.5))
    return plant


def _flower(
    rng: Rng, bed: Assembly, foot: tuple[float, float, float], size: float, stem: float, rotation: float, lean: float
) -> None:
    """Add one flower with two leaves, its stem leaning away by ``lean`` metres in the direction of ``rotation``."""
    green, petal, heart = paint(rng, "leaf"), paint(rng, "petal"), paint(rng, "petal")
    curve = smooth([(0, 0, 0), (0, stem * 0.6, -lean * 0.3), (0, stem, -lean)], 4)
    flower = Assembly().add(green, tube(curve, 0.004, 6))
    for side in (0, 160):
        flower.add(
            green, _leaf(stem * 0.55, size * 0.5, 0.4).rotate(x=40).rotate(y=side).move(0, stem * 0.15, -lean * 0.05)
        )
    tilt = np.degrees(np.arctan2(lean, stem)) + 12
    blossom = repeat_around(_leaf(size, size * 0.62, -0.25).move(z=-size * 0.12), 6)
    flower.add(petal, blossom.rotate(x=-tilt).move(*curve[-1]))
    flower.add(heart, ellipsoid(size * 0.28, size * 0.16, size * 0.28, 12).rotate(x=-tilt).move(*curve[-1]))
    bed.include(flower.rotate(y=rotation), *foot)


def _draw_flowering_pot(rng: Rng) -> Assembly:
    """A flower pot with a bunch of flowers in bloom."""
    u = rng.uniform
    radius, height = u(0.11, 0.15), u(0.18, 0.24)
    pot = Assembly()
    _pot(rng, pot, radius, height)
    for i in range(int(rng.integers(6, 10))):
        at, rotation = radius * 0.55 * np.sqrt(i / 9), i * 137.5
        foot = (-at * np.sin(np.radians(rotation)), height * 0.85, -at * np.cos(np.radians(rotation)))
        _flower(rng, pot, foot, u(0.04, 0.06), u(0.16, 0.3), rotation, u(0.02, 0.1))
    return pot


def _draw_empty_pot(rng: Rng) -> Assembly:
    """An empty flower pot with a broad rim, on its saucer."""
    u = rng.uniform
    radius, height, rim = u(0.1, 0.16), u(0.18, 0.26), u(0.04, 0.06)
    stuff = paint(rng, "terracotta")
    foot = radius * u(0.6, 0.72)
    neck = foot + (radius * 0.9 - foot) * (1 - rim / height)
    profile = np.array([(foot, 0), (neck, height - rim), (radius, height - rim), (radius * 1.03, height)])
    pot = Assembly().add(stuff, hollow(profile, radius * 0.08, height * 0.06, 36).move(y=0.012))
    saucer = [(0, 0), (foot * 1.25, 0), (foot * 1.5, 0.032), (foot * 1.42, 0.032), (foot * 1.2, 0.012), (0, 0.012)]
    pot.add(stuff, lathe(saucer, 36))
    return pot.add(stuff, torus(radius * 1.0, 0.006, 36).move(y=height + 0.01))


def _draw_planter(rng: Rng) -> Assembly:
    """A window box with a row of flowers."""
    u = rng.uniform
    width, depth, height, wall = u(0.55, 0.8), u(0.18, 0.22), u(0.16, 0.2), 0.012
    stuff = paint(rng, "terracotta" if rng.random() < 0.5 else "wood")
    rings = []
    for shrink, y in (
        (0.03, 0.0),
        (0.0, height * 0.86),
        (-0.015, height * 0.86),
        (-0.015, height),
        (wall, height),
        (wall + 0.02, height * 0.2),
    ):
        outline = round_rectangle(width - 2 * shrink, depth - 2 * shrink, 0.012, 2)
        rings.append(np.column_stack([outline[:, 0], np.full(len(outline), y), outline[:, 1]]))
    planter = (
        Assembly()
        .add(stuff, loft(rings))
        .add(paint(rng, "soil"), box(width - 0.03, 0.01, depth - 0.03).move(y=height * 0.84))
    )
    count = int(rng.integers(6, 9))
    for i, x in enumerate(np.linspace(-width / 2 + 0.06, width / 2 - 0.06, count)):
        _flower(
            rng, planter, (x, height * 0.84, u(-0.04, 0.04)), u(0.04, 0.055), u(0.14, 0.24), i * 137.5, u(0.0, 0.06)
        )
    return planter


def _draw_hanging_pot(rng: Rng) -> Assembly:
    """A hanging bowl with trailing vines, on three cords."""
    u = rng.uniform
    radius, height, cord = u(0.13, 0.17), u(0.12, 0.16), u(0.4, 0.55)
    profile = smooth([(radius * 0.45, 0), (radius * 0.85, height * 0.35), (radius, height)], 5)
    pot = Assembly().add(paint(rng, "ceramic"), hollow(profile, 0.008, 0.012))
    pot.add(paint(rng, "soil"), cylinder(radius * 0.93, 0.01).move(y=height * 0.85))
    rope = paint(rng, "brass")
    pot.add(
        rope,
        repeat_around(rod((0, height * 0.95, radius), (0, height + cord, 0.004), 0.004), 3),
        torus(0.025, 0.005, 16).rotate(x=90).move(y=height + cord + 0.02),
    )
    green = paint(rng, "leaf")
    small = _leaf(0.065, 0.045, 0.3)
    for i in range(int(rng.integers(11, 15))):
        drop = u(0.08, 0.4)
        out = radius + 0.03
        vine = smooth(
            [
                (0, height * 0.85, -radius * 0.3),
                (0, height + u(0.03, 0.08), -radius * 0.8),
                (0, height * 0.8, -out),
                (0, height - drop, -out - u(-0.01, 0.03)),
            ],
            5,
        )
        pot.add(green, tube(vine, 0.003, 6).rotate(y=i * 137.5))
        for k in range(3, len(vine), 2):
            pot.add(green, small.rotate(y=(-1) ** k * 50).rotate(x=-20).move(*vine[k]).rotate(y=i * 137.5))
    return pot


STYLES = {
    "plant": {"bushy": _draw_bushy_plant, "palm": _draw_palm, "cactus": _draw_cactus, "sword": _draw_sword},
    "flower_pot": {
        "flowers": _draw_flowering_pot,
        "empty": _draw_empty_pot,
        "planter": _draw_planter,
        "hanging": _draw_hanging_pot,
    },
}
