"""Mantels and range hoods."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import arc, shift, smooth
from clip2point_shapes.primitives import (
    box,
    cylinder,
    extrude,
    lathe,
    loft,
    round_box,
    sheet,
)
from clip2point_shapes.solid import Solid, mirror, repeat

Rng = np.random.Generator


def _surround(
    rng: Rng, stuff: Material, width: float, height: float, depth: float, leg: float, header: float
) -> Assembly:
    """The two legs and the header of a fireplace surround."""
    mantel = Assembly().add(stuff, mirror(box(leg, height - header, depth).move(width / 2 - leg / 2)))
    mantel.add(stuff, box(width, header, depth).move(y=height - header))
    return mantel.add(stuff, mirror(box(leg + 0.04, 0.14, depth + 0.04).move(width / 2 - leg / 2)))


def _draw_classic_mantel(rng: Rng) -> Assembly:
    """A fireplace mantel: pilasters or columns, frieze, stepped shelf, dark hearth with logs."""
    u = rng.uniform
    width, height, depth, leg, header = u(1.4, 1.8), u(1.1, 1.3), u(0.2, 0.28), u(0.2, 0.26), u(0.24, 0.32)
    stuff = paint(rng, "white" if rng.random() < 0.6 else "wood")
    mantel = _surround(rng, stuff, width, height, depth, leg, header)
    front = -depth / 2
    if rng.random() < 0.5:
        column = lathe(
            [
                (0, 0.14),
                (leg * 0.36, 0.14),
                (leg * 0.36, 0.18),
                (leg * 0.27, 0.22),
                (leg * 0.23, height - header - 0.08),
                (leg * 0.36, height - header - 0.03),
                (leg * 0.36, height - header),
                (0, height - header),
            ],
            20,
        )
        mantel.add(
            stuff,
            mirror(column.move(width / 2 - leg / 2, 0, front - leg * 0.2)),
            mirror(box(leg, 0.14, leg * 0.8).move(width / 2 - leg / 2, 0, front - leg * 0.2)),
        )
        mantel.add(
            stuff,
            mirror(box(leg, header, leg * 0.8).move(width / 2 - leg / 2, height - header, front - leg * 0.2)),
        )
    else:
        flute = box(0.022, height - header - 0.24, 0.02)
        mantel.add(
            stuff,
            mirror(repeat(flute.move(width / 2 - leg / 2, 0.18, front), (-leg * 0.28, 0, 0), (leg * 0.28, 0, 0), 4)),
        )
    mantel.add(stuff, round_box(width * 0.46, header * 0.55, 0.03, 0.01).move(0, height - header * 0.8, front))
    for step, (grow, y, thick) in enumerate(((0.06, 0.0, 0.03), (0.14, 0.03, 0.025), (0.24, 0.055, 0.045))):
        mantel.add(stuff, box(width + grow, thick, depth + grow + 0.02 * step).move(0, height + y, -grow * 0.4))
    opening = width - 2 * leg
    dark = paint(rng, "black")
    mantel.add(
        dark,
        box(opening, height - header, 0.03).move(z=depth / 2 + 0.15),
        mirror(box(0.02, height - header, 0.3).move(opening / 2, 0, depth / 2)),
    )
    mantel.add(paint(rng, "stone"), box(width + 0.1, 0.05, depth + 0.45).move(0, -0.05, -0.2))
    log = cylinder(0.05, opening * 0.55, segments=12).rotate(z=90)
    mantel.add(
        paint(rng, "wood"),
        *(
            log.rotate(y=rotation).move(opening * 0.27, y, z + 0.12)
            for rotation, y, z in ((4, 0.06, 0.0), (-6, 0.06, 0.1), (10, 0.15, 0.07))
        ),
    )
    return mantel


def _draw_arched_mantel(rng: Rng) -> Assembly:
    """A stone mantel with a round-arched opening under a plain shelf."""
    u = rng.uniform
    width, height, depth = u(1.3, 1.6), u(1.05, 1.2), u(0.22, 0.3)
    stone = paint(rng, "stone")
    r = width * u(0.28, 0.32)
    spring = height - r - u(0.14, 0.22)
    bow = shift(arc(r, 180, 0, 21), 0, spring)
    outline = np.concatenate(
        [[(-width / 2, 0), (-r, 0)], bow, [(r, 0), (width / 2, 0), (width / 2, height), (-width / 2, height)]]
    )
    mantel = Assembly().add(stone, extrude(outline, depth))
    trim = shift(np.concatenate([arc(r + 0.07, 180, 0, 21), arc(r, 0, 180, 21)]), 0, spring)
    mantel.add(
        stone,
        extrude(trim, 0.06).move(z=-depth / 2),
        mirror(box(0.07, spring, 0.06).move(r + 0.035, 0, -depth / 2)),
    )
    mantel.add(
        stone,
        extrude([(-0.06, 0), (0.06, 0), (0.085, 0.17), (-0.085, 0.17)], 0.1).move(0, spring + r - 0.04, -depth / 2),
    )
    mantel.add(
        stone,
        round_box(width + 0.2, 0.07, depth + 0.14, 0.02).move(0, height, -0.05),
        box(width + 0.2, 0.06, depth + 0.4).move(0, -0.06, -0.16),
    )
    mantel.add(paint(rng, "black"), box(2 * r + 0.1, height - 0.1, 0.03).move(z=depth / 2 + 0.1))
    return mantel


def _draw_beam_mantel(rng: Rng) -> Assembly:
    """A rustic fireplace: rough brick piers, a heavy beam for a shelf and a chimney breast above."""
    u = rng.uniform
    width, height, pier, depth = u(1.4, 1.7), u(0.95, 1.1), u(0.26, 0.32), u(0.34, 0.42)
    brick, wood = paint(rng, "terracotta"), paint(rng, "wood")
    mantel = Assembly()
    courses = 11
    course = height / courses
    for i in range(courses):
        shift = 0.012 * (-1) ** i
        mantel.add(
            brick,
            mirror(
                round_box(pier + shift, course - 0.012, depth + shift, 0.008, 1).move(width / 2 - pier / 2, i * course)
            ),
        )
    mantel.add(brick, mirror(box(pier - 0.03, height, depth - 0.03).move(width / 2 - pier / 2)))
    mantel.add(wood, round_box(width + 0.24, 0.16, depth + 0.1, 0.02).move(0, height, -0.04))
    mantel.add(brick, box(width * 0.9, u(0.4, 0.8), depth * 0.7).move(0, height + 0.16, depth * 0.12))
    mantel.add(paint(rng, "black"), box(width - 2 * pier, height, 0.03).move(z=depth / 2 - 0.02))
    return mantel.add(paint(rng, "stone"), box(width + 0.2, 0.07, depth + 0.4).move(0, -0.07, -0.15))


def _canopy(bottom: tuple[float, float], top: tuple[float, float], low: float, high: float, shift: float) -> Solid:
    """A pyramid stump between two rectangles (width, depth); the upper one is moved back by ``shift``."""
    rings = []
    for (wide, deep), y, z in ((bottom, low, 0.0), (top, high, shift)):
        x = wide / 2
        rings.append(
            np.array([(x, y, z + deep / 2), (x, y, z - deep / 2), (-x, y, z - deep / 2), (-x, y, z + deep / 2)])
        )
    return loft(rings)


def _draw_chimney_hood(rng: Rng) -> Assembly:
    """A wall-mounted range hood: flat rim, pyramid canopy, square chimney."""
    u = rng.uniform
    width, depth, rim, cone, chimney = u(0.6, 1.0), u(0.46, 0.52), u(0.05, 0.08), u(0.16, 0.28), u(0.4, 0.7)
    steel, dark = paint(rng, "metal"), paint(rng, "black")
    shaft = (u(0.24, 0.32), u(0.22, 0.28))
    shift = (depth - shaft[1]) / 2
    hood = Assembly().add(
        steel, box(width, rim, depth), _canopy((width, depth), (shaft[0] + 0.02, shaft[1]), rim, rim + cone, shift)
    )
    hood.add(
        steel,
        box(shaft[0], chimney, shaft[1]).move(0, rim + cone, shift),
        box(shaft[0] - 0.02, chimney * 0.4, shaft[1] - 0.02).move(0, rim + cone + chimney, shift),
    )
    hood.add(
        dark,
        repeat(
            cylinder(0.012, 0.01, segments=14).rotate(x=-90),
            (-0.08, rim / 2, -depth / 2),
            (0.08, rim / 2, -depth / 2),
            4,
        ),
    )
    return hood.add(dark, mirror(box(width * 0.4, 0.012, depth * 0.7).move(width * 0.22, -0.008)))


def _draw_glass_hood(rng: Rng) -> Assembly:
    """A range hood with a curved glass visor around a slim chimney."""
    u = rng.uniform
    width, depth, rise, chimney = u(0.75, 0.95), u(0.46, 0.52), u(0.08, 0.14), u(0.6, 0.85)
    steel = paint(rng, "metal")
    s = np.linspace(-1, 1, 25)[None, :]
    t = np.linspace(0, 1, 7)[:, None]
    grid = np.stack(
        [
            width / 2 * s + 0 * t,
            0.06 + rise * (1 - s**2) + 0 * t,
            depth / 2 - depth * t * (0.72 + 0.28 * np.sqrt(1 - 0.99 * s**2)),
        ],
        axis=-1,
    )
    hood = Assembly().add(paint(rng, "glass"), sheet(grid, 0.01))
    body = u(0.46, 0.58)
    hood.add(steel, round_box(body, 0.1, depth * 0.78, 0.02).move(0, 0.02, depth * 0.11))
    hood.add(steel, box(0.28, chimney, 0.25).move(0, 0.06, depth / 2 - 0.125))
    hood.add(steel, _canopy((body * 0.8, depth * 0.6), (0.28, 0.25), 0.11, 0.12 + rise, depth / 2 - 0.125).move(z=0.0))
    return hood.add(paint(rng, "black"), box(0.2, 0.03, 0.01).move(0, 0.05, depth * 0.11 - depth * 0.39))


def _draw_cabinet_hood(rng: Rng) -> Assembly:
    """A wooden or plaster hood: curved bell canopy on a moulded rim."""
    u = rng.uniform
    width, depth, rim, tall = u(0.8, 1.1), u(0.5, 0.58), u(0.1, 0.14), u(0.7, 0.95)
    stuff = paint(rng, "white" if rng.random() < 0.5 else "wood")
    top = u(0.36, 0.46)
    levels = smooth([(1.0, 0.0), (0.8, 0.12), (0.6, 0.35), (top + 0.02, 0.75), (top, 1.0)], 5)
    rings = []
    for share, y in levels:
        x, deep = width / 2 * share * 0.97, depth * (0.35 + 0.65 * share) * 0.97
        z = depth / 2
        rings.append(
            np.array(
                [
                    (x, rim + y * tall, z),
                    (x, rim + y * tall, z - deep),
                    (-x, rim + y * tall, z - deep),
                    (-x, rim + y * tall, z),
                ]
            )
        )
    hood = Assembly().add(stuff, loft(rings), box(width, rim, depth))
    hood.add(
        stuff,
        box(width + 0.04, 0.03, depth + 0.02).move(0, rim - 0.015, -0.01),
        box(width + 0.03, 0.025, depth + 0.02).move(z=-0.01),
    )
    hood.add(stuff, box(width * top + 0.06, 0.04, depth * 0.65 + 0.04).move(0, rim + tall, depth / 2 - depth * 0.31))
    bracket = [(0, 0), (0, -0.24), (-0.04, -0.24), (-0.14, -0.08), (-0.3, -0.06), (-0.3, 0)]
    return hood.add(
        stuff,
        mirror(extrude([(-x, y) for x, y in bracket], 0.06).rotate(y=90).move(width / 2 - 0.04, 0, depth / 2)),
    )


STYLES = {
    "mantel": {"classic": _draw_classic_mantel, "arched": _draw_arched_mantel, "rustic": _draw_beam_mantel},
    "range_hood": {"chimney": _draw_chimney_hood, "glass": _draw_glass_hood, "bell": _draw_cabinet_hood},
}
