"""Doors and stairs."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import arc, shift
from clip2point_shapes.primitives import (
    box,
    cylinder,
    ellipsoid,
    extrude,
    rod,
    round_box,
    tube,
)
from clip2point_shapes.solid import Solid, join, mirror, repeat

Rng = np.random.Generator


def _frame(width: float, height: float, jamb: float, depth: float) -> Solid:
    """A door frame around an opening of the given size."""
    return join(
        [mirror(box(jamb, height + jamb, depth).move((width + jamb) / 2)), box(width, jamb, depth).move(y=height)]
    )


def _lever(side: float) -> Solid:
    """A door handle at the origin on both faces, pointing towards ``side`` (-1 or 1)."""
    parts = [
        round_box(0.04, 0.2, 0.06, 0.008).move(y=-0.1),
        cylinder(0.01, 0.14, segments=12).rotate(x=90).move(z=-0.07),
    ]
    parts += [rod((0, 0, z), (side * 0.12, 0, z), 0.01) for z in (-0.07, 0.07)]
    return join(parts)


def _leaf(door: Assembly, wood: Material, size: tuple[float, float], panels: tuple[int, int], x: float = 0.0) -> None:
    """Add a door leaf with columns x rows of raised panels in it."""
    width, height = size
    columns, rows = panels
    rail = 0.11
    door.add(wood, box(width, height, 0.028).move(x, 0.005))
    cell_w = (width - rail * (columns + 1)) / columns
    cell_h = (height - rail * (rows + 1)) / rows
    for i in range(columns + 1):
        left = -width / 2 + i * (cell_w + rail) + rail / 2
        door.add(wood, box(rail, height, 0.044).move(x + left, 0.005))
    for j in range(rows + 1):
        door.add(wood, box(width, rail, 0.0435).move(x, 0.005 + j * (cell_h + rail)))
    for i in range(columns):
        for j in range(rows):
            at = -width / 2 + rail + cell_w / 2 + i * (cell_w + rail)
            panel = round_box(cell_w - 0.05, cell_h - 0.05, 0.042, 0.012, 2)
            door.add(wood, panel.move(x + at, 0.03 + rail + j * (cell_h + rail)))


def _draw_panel_door(rng: Rng) -> Assembly:
    """A panelled door in its frame, shut or ajar."""
    u = rng.uniform
    width, height, jamb = u(0.78, 0.95), u(1.98, 2.15), u(0.07, 0.11)
    wood, metal = paint(rng, "wood" if rng.random() < 0.6 else "white"), paint(rng, "brass")
    leaf = Assembly()
    _leaf(leaf, wood, (width - 0.008, height - 0.01), (int(rng.integers(1, 3)), int(rng.integers(2, 5))))
    if rng.random() < 0.5:
        leaf.add(metal, _lever(-1.0).move(width / 2 - 0.07, 1.02))
    else:
        knob = join(
            [
                rod((0, 0, -0.06), (0, 0, 0.06), 0.012),
                *(ellipsoid(0.032, 0.032, 0.022, 14).move(z=z) for z in (-0.07, 0.07)),
            ]
        )
        leaf.add(metal, knob.move(width / 2 - 0.07, 1.0))
    ajar = u(15, 65) if rng.random() < 0.35 else 0.0
    hinged = Assembly().include(leaf, x=width / 2).rotate(y=ajar)
    return Assembly().add(wood, _frame(width, height, jamb, 0.12)).include(hinged, x=-width / 2)


def _draw_double_door(rng: Rng) -> Assembly:
    """A two-leaved front door, round-headed or with a cornice."""
    u = rng.uniform
    width, height, jamb = u(1.4, 1.7), u(2.1, 2.3), u(0.09, 0.13)
    wood, metal = paint(rng, "wood"), paint(rng, "brass")
    door = Assembly().add(wood, _frame(width, height, jamb, 0.16))
    rows = int(rng.integers(2, 5))
    for side in (-1, 1):
        _leaf(door, wood, (width / 2 - 0.008, height - 0.01), (1, rows), side * width / 4)
        door.add(
            metal,
            mirror(rod((0.06, 0.9, -0.07), (0.06, 1.3, -0.07), 0.012)),
            *(mirror(rod((0.06, y, -0.07), (0.06, y, 0), 0.008)) for y in (0.93, 1.27)),
        )
    w = width / 2 + jamb
    if rng.random() < 0.5:
        fan = shift(np.concatenate([arc(w, 0, 180, 21), arc(w - jamb, 180, 0, 21)]), 0, height + jamb)
        door.add(wood, extrude(fan, 0.16), extrude(shift(arc(w - 0.02, 0, 180, 21), 0, height + jamb), 0.02))
        spoke = rod((0, height + jamb, 0), (0, height + jamb + w - 0.04, 0), 0.018)
        door.add(wood, *(spoke.move(y=-height - jamb).rotate(z=t).move(y=height + jamb) for t in (-60, -30, 0, 30, 60)))
    else:
        door.add(
            wood,
            box(2 * w + 0.1, 0.08, 0.2).move(y=height + jamb),
            box(2 * w + 0.18, 0.05, 0.26).move(y=height + jamb + 0.08),
        )
    return door


def _draw_glazed_door(rng: Rng) -> Assembly:
    """A garden door: glass panes between bars, a solid foot panel."""
    u = rng.uniform
    width, height, jamb = u(0.8, 0.95), u(2.0, 2.15), u(0.06, 0.09)
    wood, glass = paint(rng, "white"), paint(rng, "glass")
    door = Assembly().add(wood, _frame(width, height, jamb, 0.12))
    stile, foot = 0.12, u(0.25, 0.6)
    door.add(
        wood,
        mirror(box(stile, height, 0.045).move(width / 2 - stile / 2)),
        box(width, stile, 0.045).move(y=height - stile),
        box(width, foot, 0.042),
    )
    door.add(wood, round_box(width - 2 * stile - 0.06, foot - 0.16, 0.056, 0.01).move(y=0.09))
    inner, tall = width - 2 * stile, height - stile - foot
    door.add(glass, box(inner, tall, 0.008).move(y=foot))
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(3, 6))
    for i in range(1, columns):
        door.add(wood, box(0.025, tall, 0.035).move(-inner / 2 + i * inner / columns, foot))
    for j in range(1, rows):
        door.add(wood, box(inner, 0.025, 0.034).move(0, foot + j * tall / rows))
    return door.add(paint(rng, "metal"), _lever(-1.0).move(width / 2 - 0.06, 1.02))


def _draw_straight_stairs(rng: Rng) -> Assembly:
    """A straight flight: treads and risers on a solid base or between strings, with a railing."""
    u = rng.uniform
    count, width, rise, run = int(rng.integers(7, 13)), u(0.9, 1.3), u(0.165, 0.185), u(0.25, 0.3)
    wood, body = paint(rng, "wood"), paint(rng, "stone")
    stairs = Assembly()
    solid = rng.random() < 0.5
    if solid:
        stairs.add(body, *(box(width, (i + 1) * rise, run).move(z=(i + 0.5) * run) for i in range(count)))
    else:
        # The side view is drawn in x-y; a quarter turn lets the flight climb towards +z.
        string = [(0.0, 0.0), (0.25, 0.0), (count * run, count * rise - 0.25), (count * run, count * rise), (0.0, 0.12)]
        stairs.add(wood, mirror(extrude(string, 0.05).rotate(y=-90).move(width / 2 - 0.025)))
    tread = box(width if solid else width - 0.05, 0.035, run + 0.03)
    stairs.add(
        wood,
        repeat(tread, (0, rise - 0.03, run / 2 - 0.015), (0, count * rise - 0.03, (count - 0.5) * run - 0.015), count),
    )
    if rng.random() < 0.75:
        x, high = width / 2 - 0.04, 0.88
        start, end = (x, rise + high, run / 2), (x, count * rise + high, (count - 0.5) * run)
        rail = join(
            [
                rod(start, end, 0.028),
                repeat(
                    rod((x, rise, run / 2), (x, rise + high, run / 2), 0.014),
                    (0, 0, 0),
                    (0, (count - 1) * rise, (count - 1) * run),
                    count,
                ),
            ]
        )
        rail = join([rail, box(0.08, high + rise + 0.08, 0.08).move(x, 0, run / 2 - 0.06)])
        stairs.add(paint(rng, "metal" if rng.random() < 0.4 else "wood"), mirror(rail) if rng.random() < 0.5 else rail)
    return stairs


def _draw_spiral_stairs(rng: Rng) -> Assembly:
    """A spiral staircase: wedge treads around a post, balusters and a helical hand rail."""
    u = rng.uniform
    count, radius, rise, rotation = int(rng.integers(11, 15)), u(0.75, 0.95), u(0.19, 0.22), u(24, 30)
    metal, wood = paint(rng, "black"), paint(rng, "wood")
    stairs = Assembly().add(metal, cylinder(0.06, count * rise + 0.95))
    half = np.radians(rotation / 2 + 2)
    wedge = [(0.05, -0.04), (radius, -radius * np.tan(half)), (radius, radius * np.tan(half)), (0.05, 0.04)]
    tread = extrude(wedge, 0.04).rotate(x=-90)
    for i in range(count):
        angle = i * rotation
        y = (i + 1) * rise
        stairs.add(wood, tread.rotate(y=angle).move(y=y))
        stairs.add(metal, rod((radius - 0.04, y, 0), (radius - 0.04, y + 0.9, 0), 0.011).rotate(y=angle))
    t = np.linspace(0, count - 1, 6 * count)
    theta = np.radians(t * rotation)
    rail = np.column_stack([(radius - 0.04) * np.cos(theta), (t + 1) * rise + 0.9, -(radius - 0.04) * np.sin(theta)])
    return stairs.add(metal, tube(rail, 0.022))


def _draw_winding_stairs(rng: Rng) -> Assembly:
    """Two flights at a right angle with a landing at the corner, solid, with railings."""
    u = rng.uniform
    first, second = int(rng.integers(4, 6)), int(rng.integers(4, 7))
    width, rise, run = u(0.9, 1.1), u(0.17, 0.185), u(0.26, 0.29)
    stone, wood, metal = paint(rng, "stone"), paint(rng, "wood"), paint(rng, "metal")
    stairs = Assembly()
    top = (first + 1) * rise
    for i in range(first):
        stairs.add(stone, box(width, (i + 1) * rise, run).move(0, 0, (i + 0.5) * run))
        stairs.add(wood, box(width + 0.02, 0.03, run + 0.03).move(0, (i + 1) * rise - 0.01, (i + 0.5) * run - 0.015))
    corner = first * run + width / 2
    stairs.add(stone, box(width, top, width).move(z=corner)).add(
        wood, box(width + 0.02, 0.03, width).move(0, top - 0.01, corner)
    )
    for i in range(second):
        x, y = width / 2 + (i + 0.5) * run, top + (i + 1) * rise
        stairs.add(stone, box(run, y, width).move(x, 0, corner)).add(
            wood, box(run + 0.03, 0.03, width + 0.02).move(x - 0.015, y - 0.01, corner)
        )
    high = 0.88
    near, inner = width / 2 - 0.04, corner - width / 2 + 0.04
    path = [
        (near, rise + high, run / 2),
        (near, top + high, inner),
        (width / 2 + (second - 0.5) * run, top + second * rise + high, inner),
    ]
    stairs.add(metal, rod(path[0], path[1], 0.025), rod(path[1], path[2], 0.025))
    for i in range(first):
        stairs.add(
            metal, rod((near, (i + 1) * rise, (i + 0.5) * run), (near, (i + 1) * rise + high, (i + 0.5) * run), 0.012)
        )
    for i in range(-1, second):
        x, y = max(near, width / 2 + (i + 0.5) * run), top + (i + 1) * rise
        stairs.add(metal, rod((x, y, inner), (x, y + high, inner), 0.012))
    return stairs


STYLES = {
    "door": {"panel": _draw_panel_door, "double": _draw_double_door, "glazed": _draw_glazed_door},
    "stairs": {"straight": _draw_straight_stairs, "spiral": _draw_spiral_stairs, "winding": _draw_winding_stairs},
}
