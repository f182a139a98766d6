"""Tables and desks."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import smooth
from clip2point_shapes.primitives import beam, box, cylinder, ellipsoid, extrude, lathe, rod, round_box, tube
from clip2point_shapes.solid import mirror, mirror_twice, repeat, repeat_around

Rng = np.random.Generator


def _draw_dining(rng: Rng) -> Assembly:
    """A rectangular table on four legs with an apron under the top."""
    u = rng.uniform
    width, depth, height = u(1.2, 2.0), u(0.75, 0.95), u(0.72, 0.77)
    leg, top = u(0.05, 0.085), u(0.025, 0.045)
    wood = paint(rng, "wood")
    inset = leg / 2 + u(0.01, 0.06)
    x, z = width / 2 - inset, depth / 2 - inset
    table = Assembly().add(wood, round_box(width, top, depth, 0.01).move(y=height - top))
    if rng.random() < 0.5:
        table.add(wood, mirror_twice(box(leg, height - top, leg).move(x, 0, z)))
    else:
        table.add(wood, mirror_twice(cylinder(leg * 0.3, height - top, leg * 0.62, 14).move(x, 0, z)))
    apron = u(0.07, 0.11)
    table.add(wood, mirror(box(0.022, apron, 2 * z).move(x, height - top - apron)))
    table.add(wood, repeat(box(2 * x, apron, 0.022), (0, height - top - apron, -z), (0, height - top - apron, z), 2))
    return table


def _draw_pedestal(rng: Rng) -> Assembly:
    """A round table on one turned column with three or four curved feet or a tulip foot."""
    u = rng.uniform
    radius, height, top = u(0.4, 0.65), u(0.7, 0.77), u(0.02, 0.04)
    tulip = rng.random() < 0.5
    stuff = paint(rng, "white" if tulip else "wood")
    table = Assembly()
    edge = top * 0.35
    rim = [(0, 0), (radius - edge, 0), (radius, edge), (radius, top - edge), (radius - edge, top), (0, top)]
    table.add(stuff, lathe(rim, 40).move(y=height - top))
    h = height - top
    if tulip:
        foot = radius * u(0.5, 0.6)
        column = smooth(
            [(foot, 0.012), (foot * 0.5, 0.05), (0.06, 0.16), (0.036, h * 0.5), (0.05, h * 0.85), (0.14, h)]
        )
        table.add(stuff, lathe([(0, 0), (foot, 0), *column, (0, h)]))
        return table
    column = smooth([(0.05, 0.1), (0.065, 0.2), (0.04, 0.32), (0.055, 0.45), (0.04, 0.58), (0.07, h)])
    table.add(stuff, lathe([(0, 0.1), *column, (0, h)]))
    table.add(stuff, cylinder(radius * 0.45, 0.02).move(y=h - 0.02))
    reach = radius * u(0.65, 0.85)
    path = smooth([(0, 0.2, 0.02), (0, 0.19, reach * 0.35), (0, 0.08, reach * 0.75), (0, 0.022, reach)])
    table.add(stuff, repeat_around(tube(path, np.linspace(0.034, 0.02, len(path))), int(rng.integers(3, 5)), 45))
    return table


def _draw_coffee(rng: Rng) -> Assembly:
    """A low coffee table: slab top, shelf below, tapered or hairpin legs."""
    u = rng.uniform
    width, depth, height, top = u(0.9, 1.3), u(0.5, 0.68), u(0.36, 0.46), u(0.025, 0.05)
    wood, metal = paint(rng, "wood"), paint(rng, "metal")
    x, z = width / 2 - 0.09, depth / 2 - 0.08
    h = height - top
    table = Assembly().add(wood, round_box(width, top, depth, 0.015).move(y=h))
    if rng.random() < 0.4:
        for side in (-0.035, 0.035):
            table.add(metal, mirror_twice(rod((x + 0.03, 0, z + 0.03), (x + side, h, z - side), 0.006)))
        return table
    leg = u(0.02, 0.028)
    table.add(wood, mirror_twice(rod((x + 0.04, 0, z + 0.03), (x, h, z), leg * 0.6, leg)))
    if rng.random() < 0.7:
        shelf = h * u(0.3, 0.42)
        table.add(wood, box(2 * x + 0.03, 0.018, 2 * z + 0.02).move(y=shelf))
    return table


def _draw_trestle(rng: Rng) -> Assembly:
    """A picnic-like trestle table: plank top on two X or A frames tied by a long beam."""
    u = rng.uniform
    width, depth, height = u(1.4, 2.0), u(0.7, 0.9), u(0.72, 0.77)
    wood = paint(rng, "wood")
    planks = int(rng.integers(4, 7))
    gap = 0.008
    plank = (depth + gap) / planks - gap
    first = -depth / 2 + plank / 2
    table = Assembly()
    table.add(wood, repeat(box(width, 0.035, plank), (0, height - 0.035, first), (0, height - 0.035, -first), planks))
    x, h, spread = width / 2 - u(0.2, 0.35), height - 0.035, depth / 2 - 0.05
    crossed = rng.random() < 0.5
    upper = -spread * 0.85 if crossed else spread * 0.45
    leg = beam((x, 0, spread), (x, h, upper), 0.04, 0.075)
    table.add(wood, mirror(leg), mirror(leg.scale(z=-1)))
    table.add(wood, mirror(box(0.05, 0.07, depth * 0.86).move(x, h - 0.07)))
    table.add(wood, beam((-x, h * 0.46, 0), (x, h * 0.46, 0), 0.035, 0.09))
    if not crossed:
        table.add(wood, mirror(box(0.035, 0.07, spread * 1.45).move(x, h * 0.42)))
    return table


def _drawers(wood: Material, metal: Material, size: tuple[float, float, float], count: int) -> Assembly:
    """A block of drawers (width, height, depth), its fronts towards -z."""
    width, height, depth = size
    block = Assembly().add(wood, box(width, height, depth))
    each = height / count
    front = round_box(width - 0.03, each - 0.025, 0.022, 0.004).move(y=0.012, z=-depth / 2 - 0.006)
    pull = beam((-width * 0.16, each / 2, -depth / 2 - 0.04), (width * 0.16, each / 2, -depth / 2 - 0.04), 0.014, 0.014)
    block.add(wood, repeat(front, (0, 0, 0), (0, height - each, 0), count))
    block.add(metal, repeat(pull, (0, 0, 0), (0, height - each, 0), count))
    return block


def _draw_office_desk(rng: Rng) -> Assembly:
    """An office desk: top, drawers on one or both sides, modesty panel at the back."""
    u = rng.uniform
    width, depth, height, side = u(1.3, 1.7), u(0.65, 0.8), u(0.72, 0.76), u(0.36, 0.44)
    wood, metal = paint(rng, "wood"), paint(rng, "metal")
    desk = Assembly().add(wood, round_box(width, 0.035, depth, 0.008).move(y=height - 0.035))
    h = height - 0.035
    x = width / 2 - side / 2 - 0.02
    desk.include(_drawers(wood, metal, (side, h - 0.04, depth - 0.08), int(rng.integers(3, 5))), x, 0.04)
    desk.add(wood, box(side - 0.04, 0.04, depth - 0.14).move(x))
    if rng.random() < 0.5:
        desk.include(_drawers(wood, metal, (side, h - 0.04, depth - 0.08), int(rng.integers(2, 4))), -x, 0.04)
        desk.add(wood, box(side - 0.04, 0.04, depth - 0.14).move(-x))
    else:
        desk.add(wood, box(0.035, h, depth - 0.06).move(-width / 2 + 0.04))
    desk.add(wood, box(width - 0.1, h * 0.6, 0.018).move(0, h * 0.4, depth / 2 - 0.08))
    return desk


def _draw_secretary(rng: Rng) -> Assembly:
    """A writing desk: slim legs, a shallow drawer row and a hutch of pigeonholes at the back."""
    u = rng.uniform
    width, depth, height = u(0.95, 1.25), u(0.5, 0.6), u(0.73, 0.77)
    wood, brass = paint(rng, "wood"), paint(rng, "brass")
    x, z = width / 2 - 0.035, depth / 2 - 0.035
    frame = u(0.1, 0.13)
    desk = Assembly().add(wood, mirror_twice(rod((x, 0, z), (x, height - frame, z), 0.014, 0.025)))
    desk.add(wood, box(width - 0.02, frame, depth - 0.02).move(y=height - frame - 0.02))
    desk.add(wood, round_box(width, 0.02, depth, 0.006).move(y=height - 0.02))
    count = int(rng.integers(2, 4))
    each = (width - 0.06) / count
    first = -(width - 0.06) / 2 + each / 2
    y = height - frame - 0.01
    desk.add(
        wood,
        repeat(box(each - 0.02, frame - 0.025, 0.02).move(0, y, -depth / 2), (first, 0, 0), (-first, 0, 0), count),
    )
    knob = ellipsoid(0.012, 0.012, 0.012, 10).move(0, y + frame * 0.4, -depth / 2 - 0.022)
    desk.add(brass, repeat(knob, (first, 0, 0), (-first, 0, 0), count))
    rise, deep = u(0.26, 0.4), u(0.2, 0.26)
    back = depth / 2 - deep / 2
    desk.add(wood, mirror(box(0.018, rise, deep).move(width / 2 - 0.012, height, back)))
    desk.add(
        wood,
        box(width, 0.02, deep).move(0, height + rise, back),
        box(width, rise, 0.012).move(0, height, depth / 2 - 0.006),
    )
    desk.add(wood, box(width, 0.014, deep).move(0, height + rise * 0.5, back))
    cells = int(rng.integers(3, 6))
    inner = width / 2 - width / cells
    desk.add(wood, repeat(box(0.014, rise, deep).move(0, height, back), (-inner, 0, 0), (inner, 0, 0), cells - 1))
    return desk


def _draw_corner_desk(rng: Rng) -> Assembly:
    """An L-shaped computer desk: a top around the corner on metal frames, with a monitor shelf."""
    u = rng.uniform
    width, wing, depth, height = u(1.4, 1.7), u(1.1, 1.4), u(0.55, 0.65), u(0.72, 0.76)
    wood, metal = paint(rng, "wood"), paint(rng, "metal")
    top = 0.028
    left, right, back = -width / 2, width / 2, 0.0
    outline = [
        (left, back),
        (right, back),
        (right, -depth),
        (left + depth, -depth),
        (left + depth, -wing),
        (left, -wing),
    ]
    desk = Assembly()
    # Drawn in x-y and laid flat: y of the outline becomes z.
    desk.add(wood, extrude([(x, -z) for x, z in outline], top).rotate(x=-90).move(y=height - top / 2))
    t = 0.035
    for x, z in ((right - 0.04, -0.04), (right - 0.04, -depth + 0.04), (left + 0.04, -0.04)):
        desk.add(metal, beam((x, 0, z), (x, height - top, z), t, t))
    for x in (left + 0.04, left + depth - 0.04):
        desk.add(metal, beam((x, 0, -wing + 0.04), (x, height - top, -wing + 0.04), t, t))
    desk.add(metal, beam((right - 0.04, 0.1, -0.04), (right - 0.04, 0.1, -depth + 0.04), t, t))
    desk.add(metal, beam((left + 0.04, 0.1, -wing + 0.04), (left + depth - 0.04, 0.1, -wing + 0.04), t, t))
    shelf = u(0.12, 0.2)
    desk.add(wood, box(width * 0.7, 0.02, 0.22).move(0.1, height + shelf, -0.12))
    desk.add(
        wood,
        repeat(box(0.02, shelf, 0.2), (0.1 - width * 0.34, height, -0.12), (0.1 + width * 0.34, height, -0.12), 3),
    )
    if rng.random() < 0.6:
        desk.include(_drawers(wood, metal, (0.38, height - 0.14, depth - 0.1), 3), right - 0.3, 0.1, -depth / 2)
    return desk


STYLES = {
    "table": {"dining": _draw_dining, "pedestal": _draw_pedestal, "coffee": _draw_coffee, "trestle": _draw_trestle},
    "desk": {"office": _draw_office_desk, "secretary": _draw_secretary, "corner": _draw_corner_desk},
}
