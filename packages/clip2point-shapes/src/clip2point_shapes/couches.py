"""Sofas, benches and beds."""

from __future__ import annotations

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import smooth
from clip2point_shapes.primitives import (
    beam,
    box,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    rod,
    round_box,
    tube,
)
from clip2point_shapes.solid import mirror, mirror_twice, repeat

Rng = np.random.Generator


def _seats(width: float, count: int, gap: float = 0.008) -> tuple[float, list[float]]:
    """Divide a width into equal cushions: the width of one and the x of each."""
    each = width / count
    return each - gap, [(i + 0.5) * each - width / 2 for i in range(count)]


def _draw_box_sofa(rng: Rng) -> Assembly:
    """A modern sofa: straight arms, two or three seat and back cushions, short feet."""
    u = rng.uniform
    arm, inner, depth = u(0.12, 0.2), u(1.3, 1.9), u(0.85, 0.98)
    width, foot, seat, back = inner + 2 * arm, u(0.06, 0.13), u(0.4, 0.45), u(0.75, 0.86)
    fabric, legs = paint(rng, "fabric"), paint(rng, "wood")
    sofa = Assembly().add(
        legs, mirror_twice(cylinder(0.018, foot, 0.026, 12).move(width / 2 - 0.09, 0, depth / 2 - 0.09))
    )
    sofa.add(fabric, round_box(width - 0.01, seat - 0.15 - foot, depth - 0.01, 0.025).move(y=foot))
    sofa.add(fabric, mirror(round_box(arm, u(0.58, 0.66) - foot, depth, 0.035).move(inner / 2 + arm / 2, foot)))
    sofa.add(fabric, round_box(width - 0.04, back - foot - 0.06, 0.16, 0.04).move(y=foot, z=depth / 2 - 0.08))
    each, places = _seats(inner, 2 if inner < 1.6 else 3)
    lean = u(8, 14)
    for x in places:
        sofa.add(fabric, round_box(each, 0.17, depth - 0.18, 0.045).move(x, seat - 0.15, -0.09))
        cushion = round_box(each, back - seat + 0.04, 0.17, 0.06).rotate(x=lean)
        sofa.add(fabric, cushion.move(x, seat, depth / 2 - 0.27))
    return sofa


def _draw_chesterfield(rng: Rng) -> Assembly:
    """A chesterfield: rolled arms as high as the rolled back, on bun feet."""
    u = rng.uniform
    inner, depth, high = u(1.2, 1.7), u(0.85, 0.95), u(0.68, 0.76)
    roll = u(0.085, 0.11)
    width = inner + 4 * roll
    leather = paint(rng, "leather")
    sofa = Assembly()
    bun = lathe([(0, 0), (0.03, 0), (0.045, 0.03), (0.035, 0.07), (0, 0.07)], 14)
    sofa.add(paint(rng, "wood"), mirror_twice(bun.move(width / 2 - 0.12, 0, depth / 2 - 0.1)))
    sofa.add(leather, round_box(width - 2 * roll, 0.22, depth - 0.04, 0.03).move(y=0.06))
    x, z = inner / 2 + roll, depth / 2 - roll
    sofa.add(
        leather,
        mirror(round_box(1.7 * roll, high - 0.06 - roll, depth - roll - 0.02, 0.03).move(x, 0.06, roll / 2)),
    )
    sofa.add(leather, round_box(inner + 3.4 * roll, high - 0.06 - roll, 1.7 * roll, 0.03).move(0, 0.06, z))
    y = high - roll
    path = [
        (-x - 0.03, y, -depth / 2),
        (-x - 0.03, y, z - 0.16),
        (-x + 0.06, y, z),
        (x - 0.06, y, z),
        (x + 0.03, y, z - 0.16),
        (x + 0.03, y, -depth / 2),
    ]
    sofa.add(leather, tube(smooth(path, 5), roll, 20))
    each, places = _seats(inner, 2 if inner < 1.4 else 3)
    for place in places:
        sofa.add(leather, round_box(each, 0.17, depth - 2 * roll - 0.02, 0.05).move(place, 0.27, -roll))
    return sofa


def _draw_sectional(rng: Rng) -> Assembly:
    """A corner sofa: a long seat with a chaise that comes forward on one side."""
    u = rng.uniform
    width, depth, chaise, seat, back = u(2.2, 2.7), u(0.85, 0.95), u(1.5, 1.75), u(0.4, 0.44), u(0.74, 0.84)
    wing, arm = u(0.75, 0.95), u(0.12, 0.18)
    side = -1.0 if rng.random() < 0.5 else 1.0
    fabric = paint(rng, "fabric")
    sofa = Assembly()
    rear = 0.0
    base = seat - 0.17
    sofa.add(fabric, round_box(width, base - 0.05, depth, 0.03).move(0, 0.05, rear - depth / 2))
    at = side * (width / 2 - wing / 2)
    sofa.add(fabric, round_box(wing, base - 0.05, chaise, 0.03).move(at, 0.05, rear - chaise / 2))
    sofa.add(fabric, round_box(width, back - 0.1, 0.17, 0.05).move(0, 0.05, rear - 0.085))
    other = -side * (width / 2 - arm / 2)
    sofa.add(fabric, round_box(arm, u(0.55, 0.62) - 0.05, depth, 0.04).move(other, 0.05, rear - depth / 2))
    sofa.add(
        fabric, round_box(wing - 0.01, 0.18, chaise - 0.17, 0.05).move(at, base, rear - 0.17 - (chaise - 0.17) / 2)
    )
    rest = width - wing - arm
    middle = -side * (width / 2 - arm - rest / 2)
    each, places = _seats(rest, 2)
    lean = u(8, 14)
    for x in places:
        sofa.add(
            fabric, round_box(each, 0.18, depth - 0.18, 0.05).move(middle + x, base, rear - 0.17 - (depth - 0.18) / 2)
        )
        sofa.add(
            fabric, round_box(each, back - seat + 0.03, 0.17, 0.06).rotate(x=lean).move(middle + x, seat, rear - 0.27)
        )
    sofa.add(fabric, round_box(wing - 0.02, back - seat + 0.03, 0.17, 0.06).rotate(x=lean).move(at, seat, rear - 0.27))
    return sofa


def _draw_park_bench(rng: Rng) -> Assembly:
    """A park bench: slats along seat and back on two cast side frames with arm rests."""
    u = rng.uniform
    width, seat, back, lean = u(1.2, 1.8), u(0.42, 0.46), u(0.38, 0.48), u(0.1, 0.18)
    wood, iron = paint(rng, "wood"), paint(rng, "black")
    bench = Assembly()
    slats = int(rng.integers(4, 6))
    bench.add(wood, repeat(box(width, 0.028, 0.07), (0, seat - 0.028, -0.24), (0, seat - 0.028, 0.15), slats))
    low, high = np.array([0, seat + 0.1, 0.2]), np.array([0, seat + back, 0.2 + lean])
    board = box(width, 0.075, 0.025).rotate(x=np.degrees(np.arctan2(lean, back)))
    bench.add(wood, repeat(board, low, high - (0, 0.07, 0), int(rng.integers(3, 5))))
    x = width / 2 - u(0.06, 0.2)
    t = 0.04
    bench.add(iron, mirror(beam((x, seat - 0.05, -0.27), (x, seat - 0.05, 0.2), t, t)))
    bench.add(iron, mirror(beam((x, 0, -0.27), (x, seat + 0.2, -0.24), t, t)))
    bench.add(iron, mirror(beam((x, 0, 0.3), (x, seat - 0.05, 0.18), t, t)))
    bench.add(iron, mirror(beam((x, seat - 0.05, 0.2), (x, seat + back, 0.225 + lean), t, t)))
    bench.add(iron, mirror(round_box(0.06, 0.03, 0.5, 0.012).move(x, seat + 0.19, -0.01)))
    return bench


def _draw_plank_bench(rng: Rng) -> Assembly:
    """A backless bench: a long plank seat on two panel or splayed legs with a stretcher."""
    u = rng.uniform
    width, depth, height = u(1.1, 1.7), u(0.28, 0.38), u(0.42, 0.47)
    wood = paint(rng, "wood")
    bench = Assembly()
    bench.add(
        wood,
        repeat(
            round_box(width, 0.04, depth / 2 - 0.005, 0.008),
            (0, height - 0.04, -depth / 4),
            (0, height - 0.04, depth / 4),
            2,
        ),
    )
    x = width / 2 - u(0.14, 0.25)
    if rng.random() < 0.5:
        foot = depth / 2 - 0.01
        panel = [
            (-foot, 0),
            (-foot * 0.45, 0),
            (0, 0.1),
            (foot * 0.45, 0),
            (foot, 0),
            (foot * 0.75, height - 0.04),
            (-foot * 0.75, height - 0.04),
        ]
        bench.add(wood, mirror(extrude(panel, 0.035).rotate(y=90).move(x)))
    else:
        bench.add(
            wood,
            mirror_twice(beam((x + 0.07, 0, depth / 2 - 0.02), (x, height - 0.03, depth / 2 - 0.07), 0.04, 0.04)),
        )
        bench.add(wood, mirror(box(0.04, 0.04, depth * 0.75).move(x + 0.015, height - 0.09)))
    bench.add(wood, beam((-x, height * 0.45, 0), (x, height * 0.45, 0), 0.03, 0.07))
    return bench


def _draw_stone_bench(rng: Rng) -> Assembly:
    """A garden bench of stone: a thick slab on two carved feet, sometimes with a solid back."""
    u = rng.uniform
    width, depth, height = u(1.1, 1.5), u(0.38, 0.46), u(0.43, 0.48)
    stone = paint(rng, "stone")
    slab = u(0.07, 0.1)
    bench = Assembly().add(stone, round_box(width, slab, depth, 0.015).move(y=height - slab))
    h, half = height - slab, depth / 2 - 0.04
    outline = smooth([(half, 0), (half, h * 0.2), (half * 0.55, h * 0.45), (half * 0.6, h * 0.75), (half * 0.95, h)], 4)
    block = np.concatenate([outline, outline[::-1] * (-1, 1)])
    bench.add(stone, mirror(extrude(block, u(0.12, 0.18)).rotate(y=90).move(width / 2 - u(0.16, 0.24))))
    if rng.random() < 0.6:
        top = smooth([(width * 0.46, 0.0), (width * 0.47, 0.28), (width * 0.3, 0.34), (0, 0.42)], 5)
        back = np.concatenate([top, top[-2::-1] * (-1, 1)])
        bench.add(stone, extrude(back, 0.07).rotate(x=4).move(0, height - 0.01, depth / 2 - 0.05))
    return bench


def _bedding(rng: Rng, bed: Assembly, width: float, length: float, top: float, pillows: int) -> None:
    """Add mattress, duvet and pillows; the head is at +z and the mattress starts at height ``top``."""
    u = rng.uniform
    thick = u(0.18, 0.26)
    sheet_stuff, cover = paint(rng, "white"), paint(rng, "fabric")
    bed.add(sheet_stuff, round_box(width, thick, length, 0.05).move(y=top))
    y = top + thick
    cover_length = length * u(0.62, 0.72)
    bed.add(
        cover,
        round_box(width + 0.05, 0.12, cover_length, 0.05).move(0, y - 0.08, -(length - cover_length) / 2 - 0.01),
    )
    bed.add(cover, round_box(width + 0.055, 0.05, 0.26, 0.024).move(0, y + 0.025, -length / 2 + cover_length - 0.15))
    each = width / pillows
    for i in range(pillows):
        pillow = ellipsoid(min(each * 0.44, 0.36), 0.1, 0.22).rotate(x=-14)
        bed.add(sheet_stuff, pillow.move((i + 0.5) * each - width / 2, y + 0.08, length / 2 - 0.26))


def _draw_double_bed(rng: Rng) -> Assembly:
    """A double bed: panel headboard, frame, mattress, duvet and two pillows."""
    u = rng.uniform
    width, length, top = u(1.4, 1.8), u(1.95, 2.1), u(0.24, 0.34)
    padded = rng.random() < 0.5
    stuff = paint(rng, "fabric" if padded else "wood")
    bed = Assembly().add(stuff, round_box(width + 0.08, 0.2, length + 0.06, 0.015).move(y=top - 0.16))
    bed.add(paint(rng, "wood"), mirror_twice(box(0.07, top - 0.14, 0.07).move(width / 2 - 0.04, 0, length / 2 - 0.05)))
    head = u(0.9, 1.2)
    if padded:
        each = (width + 0.1) / 4
        bed.add(
            stuff,
            repeat(
                round_box(each - 0.005, head, 0.1, 0.03).move(0, 0, length / 2 + 0.06),
                (-1.5 * each, 0, 0),
                (1.5 * each, 0, 0),
                4,
            ),
        )
    else:
        bed.add(stuff, round_box(width + 0.12, head, 0.06, 0.02).move(0, 0, length / 2 + 0.05))
        bed.add(stuff, round_box(width + 0.18, 0.06, 0.1, 0.02).move(0, head, length / 2 + 0.05))
    if rng.random() < 0.5:
        bed.add(stuff, round_box(width + 0.1, top + u(0.14, 0.25), 0.05, 0.02).move(0, 0, -length / 2 - 0.04))
    _bedding(rng, bed, width, length, top, 2)
    return bed


def _draw_metal_bed(rng: Rng) -> Assembly:
    """A single bed of bent metal tubes: arched head and foot with vertical bars."""
    u = rng.uniform
    width, length, top = u(0.9, 1.4), u(1.95, 2.05), u(0.3, 0.4)
    metal = paint(rng, "metal" if rng.random() < 0.5 else "black")
    x = width / 2 + 0.02
    bed = Assembly()
    arch = u(0.08, 0.2)
    bars = int(rng.integers(5, 9))
    for z, high in ((length / 2 + 0.02, u(0.9, 1.1)), (-length / 2 - 0.02, u(0.6, 0.72))):
        bow = smooth(
            [(x, 0, z), (x, high * 0.6, z), (x * 0.97, high, z), (x * 0.6, high + arch * 0.7, z), (0, high + arch, z)],
            5,
        )
        bed.add(metal, tube(np.concatenate([bow, bow[-2::-1] * (-1, 1, 1)]), 0.02, 10))
        bed.add(metal, rod((-x, top, z), (x, top, z), 0.014))
        for place in np.linspace(-x, x, bars + 2)[1:-1]:
            bed.add(metal, rod((place, top, z), (place, high + arch * (1 - (place / x) ** 2) * 0.95, z), 0.009, 0.009))
    bed.add(metal, mirror(beam((x, top - 0.02, -length / 2), (x, top - 0.02, length / 2), 0.03, 0.05)))
    bed.add(metal, box(width, 0.02, length).move(y=top - 0.02))
    _bedding(rng, bed, width, length, top, 1 if width < 1.2 else 2)
    return bed


def _draw_bunk_bed(rng: Rng) -> Assembly:
    """A bunk bed: two mattresses above each other between posts, guard rails and a ladder."""
    u = rng.uniform
    width, length, high = u(0.85, 1.0), u(1.9, 2.05), u(1.55, 1.75)
    wood, white, cover = paint(rng, "wood"), paint(rng, "white"), paint(rng, "fabric")
    post = u(0.06, 0.08)
    x, z = width / 2 + post / 2, length / 2 + post / 2
    bed = Assembly().add(wood, mirror_twice(box(post, high, post).move(x, 0, z)))
    lower, upper = u(0.28, 0.36), high - u(0.38, 0.45)
    for level in (lower, upper):
        bed.add(wood, mirror(box(0.03, 0.14, length).move(x, level - 0.06)), box(width, 0.02, length).move(y=level))
        bed.add(wood, repeat(box(width, 0.14, 0.03), (0, level - 0.06, -z), (0, level - 0.06, z), 2))
        bed.add(white, round_box(width - 0.02, 0.14, length - 0.02, 0.04).move(y=level + 0.02))
        bed.add(cover, round_box(width, 0.07, length * 0.65, 0.03).move(0, level + 0.12, -length * 0.16))
        bed.add(white, ellipsoid(0.3, 0.08, 0.19).move(0, level + 0.2, length / 2 - 0.25))
    for y in (upper + 0.2, high - 0.09):
        bed.add(
            wood,
            mirror(box(0.025, 0.07, length).move(x, y)),
            repeat(box(width, 0.07, 0.025), (0, y, -z), (0, y, z), 2),
        )
    for y in (lower + 0.18, lower + 0.32):
        bed.add(wood, repeat(box(width, 0.07, 0.025), (0, y, -z), (0, y, z), 2))
    side, near, far = -x - 0.04, -length * 0.12, -length * 0.12 - 0.36
    for place in (near, far):
        bed.add(wood, beam((side, 0, place), (side, high - 0.02, place), 0.05, 0.03))
    rungs = int(rng.integers(4, 6))
    bed.add(wood, repeat(rod((side, 0, near), (side, 0, far), 0.016), (0, 0.25, 0), (0, upper, 0), rungs))
    return bed


STYLES = {
    "sofa": {"box": _draw_box_sofa, "chesterfield": _draw_chesterfield, "sectional": _draw_sectional},
    "bench": {"park": _draw_park_bench, "plank": _draw_plank_bench, "stone": _draw_stone_bench},
    "bed": {"double": _draw_double_bed, "metal": _draw_metal_bed, "bunk": _draw_bunk_bed},
}
