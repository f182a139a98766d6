"""Guitars and pianos."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import circle, shift, smooth
from clip2point_shapes.primitives import beam, box, cylinder, ellipsoid, extrude, lathe, loft, rod, round_box, torus
from clip2point_shapes.solid import Float64, Solid, mirror, mirror_twice, repeat

Rng = np.random.Generator


def _body(outline: Float64, depth: float, edge: float) -> Solid:
    """A guitar body from its front view [K, 2], with softened edges; it reaches depth / 2 to both sides of z = 0."""
    middle = outline.mean(axis=0)
    rings = []
    for z, share in ((-0.5, 1 - edge), (-0.42, 1.0), (0.42, 1.0), (0.5, 1 - edge)):
        flat = middle + (outline - middle) * share
        rings.append(np.column_stack([flat, np.full(len(flat), z * depth)]))
    return loft(rings)


def _neck(rng: Rng, guitar: Assembly, start: float, length: float, z: float, one_sided: bool) -> None:
    """Add fingerboard, frets, headstock, tuners and strings; ``z`` is the front of the body."""
    wood, dark, metal = paint(rng, "wood"), paint(rng, "black"), paint(rng, "metal")
    top = start + length
    guitar.add(wood, beam((0, start - 0.06, z + 0.012), (0, top, z + 0.012), 0.052, 0.03))
    board = np.array([(-0.028, start - 0.1), (0.028, start - 0.1), (0.022, top), (-0.022, top)])
    guitar.add(dark, extrude(board, 0.008).move(z=z - 0.006))
    frets = int(rng.integers(14, 20))
    for fret in range(1, frets):
        y = top - (length + 0.1) * (1 - 2 ** (-fret / 12)) * 1.45
        if y > start - 0.095:
            guitar.add(metal, box(0.05, 0.002, 0.003).move(0, y, z - 0.011))
    head = 0.17
    if one_sided:
        shape = smooth(
            [
                (-0.022, top),
                (-0.04, top + 0.03),
                (-0.05, top + head * 0.9),
                (-0.02, top + head + 0.02),
                (0.02, top + head * 0.75),
                (0.03, top + 0.04),
                (0.022, top),
            ],
            3,
        )
        pegs = [(-1, top + 0.045 + 0.022 * i) for i in range(6)]
    else:
        shape = np.array(
            [
                (-0.022, top),
                (-0.036, top + 0.03),
                (-0.038, top + head),
                (-0.012, top + head + 0.012),
                (0.012, top + head + 0.012),
                (0.038, top + head),
                (0.036, top + 0.03),
                (0.022, top),
            ]
        )
        pegs = [(side, top + 0.05 + 0.042 * i) for side in (-1, 1) for i in range(3)]
    guitar.add(wood, extrude(shape, 0.016).move(y=-top).rotate(x=8).move(y=top, z=z + 0.012))
    for side, y in pegs:
        lean = z + 0.012 + (y - top) * 0.14
        guitar.add(
            metal,
            rod((side * 0.03, y, lean), (side * 0.058, y, lean), 0.0035),
            ellipsoid(0.008, 0.012, 0.006, 10).move(side * 0.064, y, lean),
        )
        guitar.add(metal, cylinder(0.005, 0.022, segments=10).rotate(x=-90).move(side * 0.018, y, lean))


def _strings(metal: Material, guitar: Assembly, low: float, high: float, z: float) -> None:
    for x in np.linspace(-1, 1, 6):
        guitar.add(metal, rod((x * 0.028, low, z), (x * 0.019, high, z + 0.003), 0.0012))


def _draw_acoustic_guitar(rng: Rng) -> Assembly:
    """An acoustic guitar: waisted hollow body, round sound hole, bridge; now and then with a cutaway."""
    u = rng.uniform
    length, lower, depth = u(0.46, 0.52), u(0.185, 0.205), u(0.09, 0.12)
    waist, upper = lower * u(0.6, 0.7), lower * u(0.72, 0.8)
    half = [
        (0, 0),
        (lower * 0.6, 0.018),
        (lower, length * 0.27),
        (waist, length * 0.6),
        (upper, length * 0.82),
        (upper * 0.55, length * 0.985),
        (0, length),
    ]
    right = smooth(half, 6)
    left = right[-2:0:-1] * (-1, 1)
    if rng.random() < 0.35:
        bite = np.exp(-(((right[:, 1] - length) / (length * 0.13)) ** 2)) * (right[:, 0] > 0.03)
        right = right - bite[:, None] * (0.02, 0.07)
    guitar = Assembly()
    wood = paint(rng, "wood")
    guitar.add(wood, _body(np.concatenate([right, left]), depth, 0.02))
    z, hole = -depth / 2, length * 0.66
    dark, metal = paint(rng, "black"), paint(rng, "metal")
    guitar.add(dark, extrude(shift(circle(0.048, 28), 0, hole), 0.004).move(z=z - 0.001))
    guitar.add(paint(rng, "wood"), torus(0.051, 0.004).rotate(x=90).move(0, hole, z))
    guitar.add(dark, round_box(0.16, 0.028, 0.014, 0.005).move(0, length * 0.27, z - 0.004))
    start = length - 0.02
    neck = u(0.36, 0.42)
    _neck(rng, guitar, start, neck, z, one_sided=False)
    _strings(metal, guitar, length * 0.29, start + neck + 0.04, z - 0.013)
    return guitar


def _draw_solid_body(rng: Rng) -> Assembly:
    """An electric guitar with two horns, pickups, knobs and a one-sided headstock."""
    u = rng.uniform
    s = u(0.95, 1.08)
    knots = [
        (0, 0),
        (0.12, 0.0),
        (0.165, 0.09),
        (0.125, 0.2),
        (0.14, 0.29),
        (0.15, 0.345),
        (0.115, 0.345),
        (0.075, 0.29),
        (0.03, 0.285),
    ]
    knots += [
        (-0.03, 0.3),
        (-0.085, 0.33),
        (-0.125, 0.4),
        (-0.16, 0.395),
        (-0.15, 0.3),
        (-0.12, 0.21),
        (-0.16, 0.1),
        (-0.12, 0.005),
    ]
    outline = smooth(np.array(knots) * s * (1, u(0.95, 1.08)), 4, closed=True)
    depth = u(0.04, 0.05)
    guitar = Assembly().add(paint(rng, "paint"), _body(outline, depth, 0.03))
    z = -depth / 2
    white, dark, metal = paint(rng, "white"), paint(rng, "black"), paint(rng, "metal")
    guard = smooth(
        np.array(
            [
                (0.04, 0.27),
                (0.12, 0.31),
                (0.1, 0.2),
                (0.12, 0.1),
                (0.09, 0.07),
                (0.02, 0.13),
                (-0.05, 0.14),
                (-0.06, 0.27),
            ]
        )
        * s,
        4,
        closed=True,
    )
    guitar.add(white, extrude(guard, 0.005).move(z=z - 0.001))
    for y in np.linspace(0.13, 0.24, int(rng.integers(2, 4))) * s:
        guitar.add(dark, round_box(0.076, 0.02, 0.014, 0.005).move(0, y, z - 0.004))
    guitar.add(metal, box(0.08, 0.028, 0.016).move(0, 0.075 * s, z - 0.004))
    for i in range(3):
        guitar.add(
            dark,
            cylinder(0.011, 0.016, segments=16).rotate(x=-90).move((0.085 + 0.018 * i) * s, (0.13 - 0.035 * i) * s, z),
        )
    start = 0.29 * s
    neck = u(0.38, 0.44)
    _neck(rng, guitar, start, neck, z, one_sided=True)
    _strings(metal, guitar, 0.085 * s, start + neck + 0.05, z - 0.014)
    return guitar


def _draw_flying_v(rng: Rng) -> Assembly:
    """An electric guitar whose body is an arrow of two wings."""
    u = rng.uniform
    spread, drop, depth = u(0.17, 0.22), u(0.2, 0.26), u(0.038, 0.046)
    right = [
        (0.045, 0.3),
        (spread - 0.01, 0.02 - drop * 0.2),
        (spread, -drop * 0.28),
        (spread - 0.035, -drop * 0.38),
        (0.03, 0.07),
    ]
    outline = np.array([*right, *[(-x, y) for x, y in reversed(right)]])
    guitar = Assembly().add(paint(rng, "paint"), _body(outline, depth, 0.03))
    z = -depth / 2
    dark, metal = paint(rng, "black"), paint(rng, "metal")
    for y in (0.15, 0.23):
        guitar.add(dark, round_box(0.076, 0.032, 0.014, 0.005).move(0, y, z - 0.004))
    guitar.add(metal, box(0.085, 0.02, 0.018).move(0, 0.105, z - 0.005))
    guitar.add(
        dark,
        *(
            cylinder(0.011, 0.015, segments=16).rotate(x=-90).move(0.07 + 0.02 * i, 0.1 - 0.045 * i, z)
            for i in range(3)
        ),
    )
    neck = u(0.38, 0.44)
    _neck(rng, guitar, 0.29, neck, z, one_sided=False)
    _strings(metal, guitar, 0.115, 0.29 + neck + 0.05, z - 0.014)
    return guitar


def _octaves(rng: Rng, piano: Assembly, width: float, depth: float, x: float, y: float, z: float) -> None:
    """Add a keyboard of white and black keys centred on (x, z), its top at height y."""
    white, black = paint(rng, "white"), paint(rng, "black")
    count = 35
    each = width / count
    key = round_box(each * 0.93, 0.02, depth, 0.002, 1)
    piano.add(
        white,
        repeat(key, (x - width / 2 + each / 2, y - 0.02, z), (x + width / 2 - each / 2, y - 0.02, z), count),
    )
    for i in range(count - 1):
        if i % 7 not in (2, 6):
            piano.add(
                black, box(each * 0.55, 0.012, depth * 0.62).move(x - width / 2 + (i + 1) * each, y, z + depth * 0.19)
            )


def _draw_grand_piano(rng: Rng) -> Assembly:
    """A grand piano: curved case on three legs, raised lid on its prop, keys, pedals, music stand."""
    u = rng.uniform
    width, length, high, case = u(1.4, 1.5), u(1.5, 2.2), u(0.62, 0.66), u(0.28, 0.32)
    stuff = paint(rng, "black" if rng.random() < 0.7 else "wood")
    metal = paint(rng, "brass")
    w = width / 2
    # The player sits at -z: the long straight bass side is on their left, at +x, the bent side at -x.
    bend = smooth(
        [
            (-w, 0.0),
            (-w, length * 0.42),
            (-w * 0.55, length * 0.66),
            (-w * 0.2, length * 0.84),
            (w * 0.35, length * 0.985),
            (w * 0.8, length * 0.96),
            (w, length * 0.8),
        ],
        5,
    )
    outline = np.concatenate([bend, [(w, 0.0)]])
    case_part = outline.copy()
    case_part[[0, -1], 1] = 0.28

    piano = Assembly()
    inner = (case_part - case_part.mean(axis=0)) * 0.95 + case_part.mean(axis=0)
    rings = [
        np.column_stack([p[:, 0], np.full(len(p), y), p[:, 1]])
        for p, y in ((case_part, high), (case_part, high + case), (inner, high + case), (inner, high + case - 0.08))
    ]
    piano.add(stuff, loft(rings))
    plate = inner * (0.98, 1.0)
    piano.add(
        metal,
        loft(
            [
                np.column_stack([plate[:, 0], np.full(len(plate), y), plate[:, 1]])
                for y in (high + case - 0.09, high + case - 0.07)
            ]
        ),
    )
    piano.add(
        stuff,
        mirror(round_box(0.09, case * 0.75, 0.3, 0.02).move(w - 0.045, high, 0.14)),
        box(width, 0.09, 0.3).move(0, high, 0.14),
    )
    _octaves(rng, piano, width - 0.2, 0.15, 0.0, high + 0.115, 0.08)
    piano.add(
        stuff,
        box(width - 0.18, case * 0.72, 0.02).move(0, high, 0.18),
        box(width - 0.18, 0.03, 0.12).move(0, high + case * 0.7, 0.23),
    )
    lid = outline.copy()
    lid[[0, -1], 1] = 0.3
    angle = u(28, 38)
    rings = [np.column_stack([lid[:, 0] - w, np.full(len(lid), y), lid[:, 1]]) for y in (0.0, 0.02)]
    piano.add(stuff, loft(rings).rotate(z=-angle).move(w, high + case + 0.005))
    prop = np.array([-w * 0.78, high + case - 0.05, length * 0.32])
    reach = 1.55 * w
    tip = np.array(
        [w - reach * np.cos(np.radians(angle)), high + case + reach * np.sin(np.radians(angle)), length * 0.32]
    )
    piano.add(stuff, rod(prop, tip, 0.014))
    piano.add(
        stuff,
        extrude(np.array([(-0.33, 0), (0.33, 0), (0.28, 0.2), (-0.28, 0.2)]), 0.015)
        .rotate(x=18)
        .move(0, high + case, 0.3),
    )
    leg = lathe([(0, 0), (0.03, 0), (0.035, 0.03), (0.03, 0.08), (0.06, high * 0.8), (0.075, high), (0, high)], 16)
    for x, z in ((w - 0.12, 0.2), (-w + 0.12, 0.2), (w * 0.45, length * 0.82)):
        piano.add(stuff, leg.move(x, 0, z))
    piano.add(
        stuff,
        mirror(beam((0.1, 0.1, 0.32), (0.14, high, 0.32), 0.03, 0.03)),
        box(0.3, 0.08, 0.08).move(0, 0.06, 0.32),
    )
    piano.add(metal, repeat(round_box(0.025, 0.012, 0.13, 0.005), (-0.08, 0.07, 0.24), (0.08, 0.07, 0.24), 3))
    if rng.random() < 0.5:
        seat = Assembly().add(paint(rng, "leather"), round_box(0.6, 0.08, 0.34, 0.03).move(y=0.42))
        seat.add(stuff, mirror_twice(box(0.045, 0.43, 0.045).move(0.25, 0, 0.13)))
        piano.include(seat, z=-0.4)
    return piano


def _draw_upright_piano(rng: Rng) -> Assembly:
    """An upright piano: tall case, keyboard shelf on brackets, panels, pedals, often a stool."""
    u = rng.uniform
    width, height, deep, keys = u(1.4, 1.52), u(1.08, 1.3), u(0.32, 0.38), u(0.66, 0.71)
    stuff = paint(rng, "black" if rng.random() < 0.5 else "wood")
    metal = paint(rng, "brass")
    front = -deep / 2
    piano = Assembly().add(
        stuff,
        box(width - 0.06, height - 0.1, deep - 0.04).move(y=0.08),
        mirror(box(0.04, height - 0.03, deep).move(width / 2 - 0.02)),
    )
    piano.add(
        stuff, round_box(width + 0.03, 0.03, deep + 0.03, 0.008).move(y=height - 0.03), box(width, 0.1, deep * 0.9)
    )
    shelf = u(0.25, 0.29)
    piano.add(stuff, box(width, 0.07, shelf).move(0, keys - 0.09, front - shelf / 2 + 0.02))
    piano.add(
        stuff,
        mirror(round_box(0.07, 0.15, shelf, 0.02).move(width / 2 - 0.035, keys - 0.09, front - shelf / 2 + 0.02)),
    )
    _octaves(rng, piano, width - 0.18, 0.15, 0.0, keys + 0.005, front - shelf / 2)
    piano.add(stuff, box(width - 0.14, 0.06, 0.03).move(0, keys - 0.03, front - 0.02))
    post = lathe(
        [
            (0, 0),
            (0.035, 0),
            (0.025, 0.06),
            (0.04, keys * 0.55),
            (0.025, keys * 0.75),
            (0.04, keys - 0.09),
            (0, keys - 0.09),
        ],
        16,
    )
    piano.add(
        stuff,
        mirror(post.move(width / 2 - 0.05, 0, front - shelf + 0.07)),
        mirror(box(0.06, 0.08, shelf).move(width / 2 - 0.05, 0, front - shelf / 2 + 0.02)),
    )
    for x in (-width / 4 + 0.01, width / 4 - 0.01):
        piano.add(
            stuff, round_box(width / 2 - 0.14, height - keys - 0.28, 0.02, 0.006).move(x, keys + 0.16, front + 0.012)
        )
        piano.add(stuff, round_box(width / 2 - 0.14, keys - 0.35, 0.02, 0.006).move(x, 0.18, front + 0.012))
    piano.add(
        stuff,
        box(0.7, 0.012, 0.06).move(0, keys + 0.13, front - 0.015),
        extrude(np.array([(-0.35, 0), (0.35, 0), (0.3, 0.2), (-0.3, 0.2)]), 0.012)
        .rotate(x=12)
        .move(0, keys + 0.14, front - 0.03),
    )
    piano.add(
        metal,
        repeat(round_box(0.03, 0.012, 0.12, 0.005), (-0.09, 0.05, front - 0.05), (0.09, 0.05, front - 0.05), 3),
    )
    if rng.random() < 0.5:
        stool = Assembly().add(paint(rng, "leather"), cylinder(0.17, 0.06).move(y=0.46))
        stool.add(stuff, cylinder(0.03, 0.4).move(y=0.08), mirror_twice(rod((0.16, 0, 0.16), (0.01, 0.2, 0.01), 0.02)))
        piano.include(stool, z=front - shelf - 0.35)
    return piano


STYLES = {
    "guitar": {"acoustic": _draw_acoustic_guitar, "electric": _draw_solid_body, "flying_v": _draw_flying_v},
    "piano": {"grand": _draw_grand_piano, "upright": _draw_upright_piano},
}
