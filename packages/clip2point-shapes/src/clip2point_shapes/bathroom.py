"""Toilets, bathtubs and sinks."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import ellipse, round_rectangle, shift, smooth
from clip2point_shapes.primitives import beam, box, cylinder, ellipsoid, lathe, loft, rod, round_box, tube
from clip2point_shapes.solid import Float64, Solid, join, mirror, mirror_twice

Rng = np.random.Generator


def _level(outline: Float64, y: float, z: float = 0.0) -> Float64:
    """Lay an outline [K, 2] flat at height y, its second axis pointing to the front (-z)."""
    return np.column_stack([outline[:, 0], np.full(len(outline), y), z - outline[:, 1]])


def _egg(width: float, length: float, count: int = 32) -> Float64:
    """Return the outline of a toilet seat: round at the front (second axis positive), flatter at the back."""
    outline = ellipse(width / 2, length / 2, count)
    back = outline[:, 1] < 0
    outline[back] = ellipse(width / 2, length / 2, count, 3.2)[back]
    return outline


def _seat(white: Material, toilet: Assembly, width: float, length: float, y: float, lid_open: bool) -> None:
    """Add seat ring and lid on top of a bowl whose rim lies at height y, centred on the origin."""
    ring = []
    for share, rise in ((1.02, 0.0), (1.02, 0.014), (0.95, 0.022), (0.66, 0.02), (0.62, 0.0)):
        ring.append(_level(_egg(width, length) * share, y + rise))
    toilet.add(white, loft(ring, closed=True))
    lid = [
        _level(_egg(width, length) * share, rise)
        for share, rise in ((1.0, 0.0), (1.02, 0.006), (1.0, 0.016), (0.9, 0.022))
    ]
    solid = loft(lid)
    hinge = length / 2 * 0.95
    angle = 97.0 if lid_open else 0.0
    toilet.add(white, solid.move(z=-hinge).rotate(x=angle).move(y=y + 0.024, z=hinge))


def _bowl(width: float, length: float, height: float, foot: list[tuple[float, float, float, float]]) -> Solid:
    """A toilet bowl: up from the foot (width fraction, length fraction, shift back, height fraction), down inside."""
    rings = [_level(_egg(width * a, length * b), height * h, back * length) for a, b, back, h in smooth(foot, 4)]
    rings += [_level(_egg(width, length), height), _level(_egg(width, length) * 0.72, height)]
    rings += [
        _level(_egg(width, length) * share, height - deep) for share, deep in ((0.66, 0.05), (0.45, 0.14), (0.2, 0.2))
    ]
    return loft(rings)


def _draw_two_piece_toilet(rng: Rng) -> Assembly:
    """A floor-standing toilet: waisted pedestal, oval seat, cistern with lever behind it."""
    u = rng.uniform
    width, length, height = u(0.35, 0.38), u(0.44, 0.5), u(0.38, 0.42)
    white = paint(rng, "white")
    foot = [
        (0.62, 0.62, 0.14, 0.0),
        (0.56, 0.56, 0.14, 0.2),
        (0.6, 0.6, 0.12, 0.45),
        (0.85, 0.85, 0.05, 0.72),
        (0.98, 0.99, 0.0, 0.9),
        (1.0, 1.0, 0.0, 0.99),
    ]
    toilet = Assembly().add(white, _bowl(width, length, height, foot))
    back = length / 2
    toilet.add(white, round_box(width * 0.75, height * 0.45, 0.28, 0.04).move(0, height * 0.54, back + 0.06))
    _seat(white, toilet, width, length, height, rng.random() < 0.5)
    tank, wide, deep = u(0.34, 0.4), u(0.38, 0.46), u(0.17, 0.2)
    z = back + 0.2 - deep / 2 + 0.03
    toilet.add(white, round_box(wide, tank, deep, 0.03).move(0, height - 0.02, z))
    toilet.add(white, round_box(wide + 0.025, 0.035, deep + 0.025, 0.014).move(0, height + tank - 0.02, z))
    chrome = paint(rng, "metal")
    if rng.random() < 0.5:
        toilet.add(chrome, cylinder(0.022, 0.012).move(0, height + tank + 0.012, z))
    else:
        y, front = height + tank * 0.82, z - deep / 2
        toilet.add(chrome, rod((-wide * 0.36, y, front + 0.01), (-wide * 0.36, y, front - 0.02), 0.009))
        toilet.add(chrome, rod((-wide * 0.38, y, front - 0.02), (-wide * 0.18, y - 0.008, front - 0.02), 0.008))
    return toilet


def _draw_skirted_toilet(rng: Rng) -> Assembly:
    """A one-piece toilet: bowl and low cistern flow into each other, closed sides."""
    u = rng.uniform
    width, length, height = u(0.36, 0.39), u(0.46, 0.52), u(0.38, 0.42)
    white = paint(rng, "white")
    foot = [(0.72, 0.8, 0.1, 0.0), (0.76, 0.84, 0.08, 0.4), (0.92, 0.94, 0.03, 0.8), (1.0, 1.0, 0.0, 0.98)]
    toilet = Assembly().add(white, _bowl(width, length, height, foot))
    back = length / 2
    tank = u(0.2, 0.3)
    levels = [
        (0.74, 0.34, 0.0),
        (0.8, 0.34, height * 0.75),
        (0.98, 0.26, height * 0.98),
        (1.0, 0.2, height + tank * 0.5),
        (1.02, 0.19, height + tank),
    ]
    rings = []
    for share, deep, y in smooth(levels, 4):
        rings.append(_level(round_rectangle(width * share, deep, 0.07), y, back + 0.16 - deep / 2 + 0.02))
    toilet.add(white, loft(rings))
    toilet.add(white, round_box(width * 1.05, 0.03, 0.215, 0.014).move(0, height + tank, back + 0.085))
    toilet.add(paint(rng, "metal"), cylinder(0.024, 0.01).move(0, height + tank + 0.028, back + 0.085))
    _seat(white, toilet, width, length, height, rng.random() < 0.4)
    return toilet


def _draw_wall_hung_toilet(rng: Rng) -> Assembly:
    """A wall-hung toilet on its boxed-in wall with a flush plate."""
    u = rng.uniform
    width, length, height = u(0.35, 0.38), u(0.44, 0.5), u(0.4, 0.44)
    white = paint(rng, "white")
    foot = [(0.45, 0.5, 0.24, 0.3), (0.62, 0.7, 0.14, 0.36), (0.9, 0.92, 0.04, 0.7), (1.0, 1.0, 0.0, 0.98)]
    toilet = Assembly().add(white, _bowl(width, length, height, foot))
    back = length / 2
    toilet.add(white, round_box(width * 0.9, height * 0.6, 0.14, 0.03).move(0, height * 0.38, back))
    _seat(white, toilet, width, length, height, rng.random() < 0.6)
    wall, deep = u(1.0, 1.2), u(0.12, 0.18)
    toilet.add(paint(rng, "stone"), box(u(0.7, 0.95), wall, deep).move(0, 0, back + 0.06 + deep / 2))
    toilet.add(paint(rng, "metal"), round_box(0.24, 0.16, 0.015, 0.006).move(0, wall - 0.22, back + 0.055))
    return toilet


def _tub(outlines: list[tuple[Float64, float]], inside: list[tuple[Float64, float]]) -> Solid:
    """A tub from outer outlines (from the foot up to the rim) and inner ones (from the rim down)."""
    return loft([_level(outline, y) for outline, y in (*outlines, *inside)])


def _tap(metal: Material, height: float, reach: float) -> list[tuple[Material, Solid]]:
    """A tap at the origin: a bent spout towards -z between two cross handles."""
    spout = smooth(
        [
            (0, 0, 0),
            (0, height * 0.75, 0),
            (0, height, -reach * 0.4),
            (0, height * 0.9, -reach * 0.85),
            (0, height * 0.7, -reach),
        ],
        4,
    )
    parts = [tube(spout, 0.012), cylinder(0.02, 0.02)]
    for x in (-0.09, 0.09):
        parts += [
            cylinder(0.016, 0.05).move(x),
            rod((x - 0.028, 0.055, 0), (x + 0.028, 0.055, 0), 0.007),
            rod((x, 0.055, -0.028), (x, 0.055, 0.028), 0.007),
        ]
    return [(metal, join(parts))]


def _draw_clawfoot(rng: Rng) -> Assembly:
    """A free-standing cast tub on four claw feet, rolled rim, the head end often raised."""
    u = rng.uniform
    length, width, height, foot = u(1.5, 1.8), u(0.7, 0.8), u(0.56, 0.64), u(0.12, 0.16)
    raise_head = u(0.0, 0.16)
    white, brass = paint(rng, "white"), paint(rng, "brass")

    def ring(share: float, y: float) -> Float64:
        outline = ellipse(length / 2 * share, width / 2 * share**1.4, 44, 2.5)
        level = _level(outline, y)
        lift = np.clip(level[:, 0] / (length / 2), 0, 1) ** 2 * raise_head
        level[:, 1] += lift * (y - foot) / (height - foot)
        return level

    outer = smooth([(0.55, foot), (0.74, foot + 0.06), (0.88, foot + 0.22), (0.95, height - 0.03)], 4)
    rim = [(1.0, height - 0.02), (1.03, height), (1.0, height + 0.018), (0.95, height + 0.008)]
    inner = smooth([(0.91, height - 0.05), (0.83, foot + 0.24), (0.7, foot + 0.1), (0.5, foot + 0.05)], 4)
    tub = Assembly().add(white, loft([ring(*pair_) for pair_ in (*outer, *rim, *inner)]))
    claw = tube(
        smooth(
            [
                (length * 0.3, foot + 0.12, width * 0.27),
                (length * 0.34, foot * 0.8, width * 0.33),
                (length * 0.33, 0.05, width * 0.34),
                (length * 0.345, 0.025, width * 0.37),
            ],
            4,
        ),
        0.024,
    )
    tub.add(
        brass,
        mirror_twice(claw),
        mirror_twice(ellipsoid(0.045, 0.028, 0.045, 12).move(length * 0.345, 0.028, width * 0.37)),
    )
    if rng.random() < 0.6:
        for stuff, solid in _tap(brass, 0.22, 0.18):
            tub.add(stuff, solid.rotate(y=-90).move(-length / 2 - 0.02, height - 0.02))
            tub.add(stuff, mirror(rod((0.09, 0, 0), (0.09, height, 0), 0.012)).rotate(y=90).move(-length / 2 - 0.02))
    return tub


def _draw_built_in_tub(rng: Rng) -> Assembly:
    """A rectangular built-in bathtub: straight apron, broad rim, rounded trough, tap at one end."""
    u = rng.uniform
    length, width, height = u(1.5, 1.8), u(0.7, 0.85), u(0.48, 0.58)
    white, chrome = paint(rng, "white"), paint(rng, "metal")
    rim = u(0.06, 0.1)
    outer = [(round_rectangle(length, width, 0.03, 8), y) for y in (0.0, height)]
    inside = []
    for shrink, y, radius in (
        (rim, height, 0.16),
        (rim + 0.01, height - 0.02, 0.16),
        (rim + 0.06, 0.2, 0.15),
        (rim + 0.1, 0.13, 0.12),
        (rim + 0.16, 0.1, 0.07),
    ):
        inside.append((round_rectangle(length - 2 * shrink - 0.08, width - 2 * shrink, radius, 8), y))
    tub = Assembly().add(white, _tub(outer, inside))
    tub.add(white, round_box(length * 0.8, height * 0.6, 0.02, 0.008).move(0, height * 0.18, -width / 2))
    for stuff, solid in _tap(chrome, 0.16, 0.18):
        tub.add(stuff, solid.rotate(y=-90).move(-length / 2 + 0.06, height))
    if rng.random() < 0.35:
        pole = smooth(
            [
                (-length / 2 + 0.03, height, 0),
                (-length / 2 + 0.03, height + 1.0, 0),
                (-length / 2 + 0.1, height + 1.2, 0),
                (-length / 2 + 0.3, height + 1.18, 0),
            ],
            4,
        )
        tub.add(
            chrome, tube(pole, 0.011), cylinder(0.02, 0.03, 0.09).rotate(z=180).move(-length / 2 + 0.3, height + 1.18)
        )
    return tub


def _draw_modern_tub(rng: Rng) -> Assembly:
    """A free-standing oval tub: one smooth egg shell, higher at the ends."""
    u = rng.uniform
    length, width, height, sag = u(1.55, 1.8), u(0.75, 0.85), u(0.56, 0.62), u(0.0, 0.1)
    foot = u(0.55, 0.8)

    def ring(share: float, y: float) -> Float64:
        level = _level(ellipse(length / 2 * share, width / 2 * share, 44, 2.2), y)
        level[:, 1] += sag * (level[:, 0] / (length / 2)) ** 2 * (y / height) ** 3
        return level

    outer = smooth([(foot, 0.0), (foot + (1 - foot) * 0.45, height * 0.35), (0.97, height * 0.8), (1.0, height)], 5)
    inner = smooth(
        [
            (0.95, height),
            (0.9, height * 0.75),
            (foot + (0.9 - foot) * 0.55, height * 0.35),
            (foot * 0.7, height * 0.18),
        ],
        5,
    )
    tub = Assembly().add(paint(rng, "white"), loft([ring(*pair_) for pair_ in (*outer, *inner)]))
    if rng.random() < 0.6:
        spout = smooth(
            [
                (0, 0, width / 2 + 0.1),
                (0, height + 0.2, width / 2 + 0.1),
                (0, height + 0.28, width / 2 + 0.02),
                (0, height + 0.2, width / 2 - 0.12),
            ],
            5,
        )
        tub.add(paint(rng, "metal"), tube(spout, 0.018), cylinder(0.05, 0.015).move(z=width / 2 + 0.1))
    return tub


def _draw_pedestal_sink(rng: Rng) -> Assembly:
    """A wash basin on a pedestal with a tap."""
    u = rng.uniform
    width, depth, height = u(0.52, 0.64), u(0.42, 0.5), u(0.82, 0.88)
    white, chrome = paint(rng, "white"), paint(rng, "metal")
    power = u(2.2, 3.5)

    def ring(share: float, y: float, shift: float = 0.0) -> Float64:
        return _level(ellipse(width / 2 * share, depth / 2 * share, 36, power), y, shift)

    outer = smooth([(0.35, height - 0.2), (0.72, height - 0.14), (0.95, height - 0.05), (1.0, height)], 4)
    inner = smooth([(0.78, height), (0.7, height - 0.06), (0.5, height - 0.12), (0.2, height - 0.14)], 4)
    rings = [ring(s, y) for s, y in outer] + [ring(s, y, -0.035) for s, y in inner]
    sink = Assembly().add(white, loft(rings))
    column = smooth([(0.14, 0.0), (0.13, 0.04), (0.085, 0.2), (0.075, 0.45), (0.1, height - 0.17)], 4)
    sink.add(white, lathe([(0, 0), *column, (0, height - 0.17)]).scale(z=0.85).move(z=0.03))
    for stuff, solid in _tap(chrome, 0.13, 0.13):
        sink.add(stuff, solid.move(0, height - 0.002, depth / 2 - 0.045))
    return sink


def _draw_vanity(rng: Rng) -> Assembly:
    """A washstand: cupboard with two doors, a slab and a basin bowl on or in it."""
    u = rng.uniform
    width, depth, height = u(0.7, 1.0), u(0.45, 0.52), u(0.76, 0.84)
    wood, white, chrome = paint(rng, "wood"), paint(rng, "white"), paint(rng, "metal")
    sink = Assembly().add(wood, box(width - 0.02, height - 0.15, depth - 0.02).move(y=0.12))
    sink.add(wood, mirror_twice(box(0.045, 0.13, 0.045).move(width / 2 - 0.04, 0, depth / 2 - 0.04)))
    for side in (-1, 1):
        sink.add(
            wood,
            round_box(width / 2 - 0.025, height - 0.2, 0.022, 0.005).move(
                side * (width / 4 - 0.005), 0.145, -depth / 2 + 0.004
            ),
        )
        sink.add(
            chrome,
            beam(
                (side * 0.04, height * 0.5, -depth / 2 - 0.025),
                (side * 0.04, height * 0.5 + 0.14, -depth / 2 - 0.025),
                0.012,
                0.012,
            ),
        )
    sink.add(white, round_box(width, 0.035, depth, 0.008).move(y=height - 0.035))
    basin, deep = u(0.36, 0.44), u(0.11, 0.15)
    power = u(2.0, 4.0)
    outer = smooth([(0.55, 0), (0.85, deep * 0.4), (1.0, deep)], 4)
    inner = smooth([(0.95, deep), (0.8, deep * 0.45), (0.45, 0.018)], 4)
    rings = [_level(ellipse(basin / 2 * s, basin / 2.4 * s, 36, power), y) for s, y in (*outer, *inner)]
    sink.add(white, loft(rings).move(0, height, -0.03))
    for stuff, solid in _tap(chrome, deep + 0.12, 0.16):
        sink.add(stuff, solid.move(0, height, depth / 2 - 0.05))
    return sink


def _draw_kitchen_sink(rng: Rng) -> Assembly:
    """A kitchen sink: steel top with one or two rectangular bowls and a high swan-neck tap."""
    u = rng.uniform
    bowls = int(rng.integers(1, 3))
    each, depth, deep, rim = u(0.36, 0.44), u(0.46, 0.54), u(0.16, 0.22), 0.035
    steel = paint(rng, "metal")
    wide = each + 2 * rim
    sink = Assembly()
    for i in range(bowls):
        x = (i - (bowls - 1) / 2) * (wide - rim)
        rings = [
            (each * 0.96, depth - 0.17, 0.05, 0.0),
            (each + 0.006, depth - 0.126, 0.05, deep - 0.012),
            (each + 0.006, depth - 0.126, 0.05, deep - 0.011),
        ]
        rings += [
            (wide, depth, 0.02, deep - 0.01),
            (wide, depth, 0.02, deep),
            (each, depth - 0.13, 0.05, deep),
            (each * 0.95, depth - 0.18, 0.05, 0.012),
        ]
        levels = [_level(shift(round_rectangle(w, d, r, 5), 0, 0.02 if w < wide else 0), y) for w, d, r, y in rings]
        sink.add(steel, loft(levels).move(x))
        sink.add(paint(rng, "black"), cylinder(0.035, 0.006).move(x, 0.011, -0.02))
    if rng.random() < 0.6:
        x = (bowls * (wide - rim) + 0.3) / 2 + rim / 2 - 0.02
        sink.add(
            steel,
            box(0.32, 0.012, depth).move(x, deep - 0.01),
            *(box(0.26, 0.008, 0.012).move(x + 0.01, deep, z) for z in np.linspace(-depth * 0.35, depth * 0.35, 8)),
        )
    back, reach, high = depth / 2 - 0.04, u(0.16, 0.22), u(0.26, 0.36)
    neck = smooth(
        [
            (0, deep, back),
            (0, deep + high * 0.7, back),
            (0, deep + high, back - reach * 0.5),
            (0, deep + high * 0.8, back - reach),
            (0, deep + high * 0.62, back - reach),
        ],
        5,
    )
    sink.add(steel, tube(neck, 0.013), cylinder(0.026, 0.06).move(0, deep, back))
    return sink.add(steel, rod((0.02, deep + 0.045, back), (0.09, deep + 0.08, back), 0.007))


STYLES = {
    "toilet": {
        "two_piece": _draw_two_piece_toilet,
        "skirted": _draw_skirted_toilet,
        "wall_hung": _draw_wall_hung_toilet,
    },
    "bathtub": {"clawfoot": _draw_clawfoot, "built_in": _draw_built_in_tub, "modern": _draw_modern_tub},
    "sink": {"pedestal": _draw_pedestal_sink, "vanity": _draw_vanity, "kitchen": _draw_kitchen_sink},
}
