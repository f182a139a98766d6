"""Chairs and stools."""

from __future__ import annotations

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import round_rectangle, smooth
from clip2point_shapes.primitives import (
    beam,
    box,
    cylinder,
    lathe,
    loft,
    rod,
    round_box,
    sheet,
    sweep,
    torus,
    tube,
)
from clip2point_shapes.solid import Float64, mirror, mirror_twice, repeat, repeat_around

Rng = np.random.Generator


def _draw_slatted_chair(rng: Rng) -> Assembly:
    """A dining chair: four legs, the back ones rising into posts with slats between them."""
    u = rng.uniform
    width, depth, seat, back = u(0.4, 0.48), u(0.38, 0.46), u(0.43, 0.48), u(0.4, 0.58)
    leg, lean = u(0.03, 0.042), u(0.03, 0.1)
    x, z = width / 2 - leg / 2, depth / 2 - leg / 2
    top = (x, seat + back, z + lean)
    wood = paint(rng, "wood")
    chair = Assembly()
    chair.add(wood, mirror(beam((x, 0, -z), (x, seat, -z), leg, leg)))
    chair.add(wood, mirror(beam((x, 0, z), (x, seat, z), leg, leg)), mirror(beam((x, seat, z), top, leg, leg)))
    chair.add(wood, repeat(box(width - leg, 0.05, 0.02), (0, seat - 0.07, -z), (0, seat - 0.07, z), 2))
    chair.add(wood, mirror(box(0.02, 0.05, depth - leg).move(x, seat - 0.07)))
    if rng.random() < 0.5:
        chair.add(wood, mirror(rod((x, 0.16, -z), (x, 0.16, z), 0.01)), rod((-x, 0.16, 0), (x, 0.16, 0), 0.01))
    cushioned = rng.random() < 0.4
    seat_stuff = paint(rng, "fabric") if cushioned else wood
    chair.add(seat_stuff, round_box(width, 0.045, depth, 0.015).move(y=seat - 0.015))
    rise = np.array([0.0, back, lean])
    foot = np.array([0.0, seat, z])
    tilt = -np.degrees(np.arctan2(lean, back))
    slat = round_box(2 * x, u(0.06, 0.09), 0.022, 0.008)
    chair.add(wood, slat.rotate(x=-tilt).move(*(foot + 0.86 * rise)))
    if rng.random() < 0.5:
        rung = box(2 * x, u(0.035, 0.06), 0.016).rotate(x=-tilt)
        chair.add(wood, repeat(rung, foot + 0.25 * rise, foot + 0.68 * rise, int(rng.integers(2, 4))))
    else:
        low, high = foot + 0.12 * rise, foot + 0.9 * rise
        chair.add(wood, box(2 * x, 0.035, 0.018).rotate(x=-tilt).move(*low))
        inner = x - leg
        bar = beam(low, high, u(0.016, 0.03), 0.012)
        chair.add(wood, repeat(bar, (-inner, 0, 0), (inner, 0, 0), int(rng.integers(4, 8))))
    return chair


def _star_base(rng: Rng, chair: Assembly, height: float, radius: float) -> None:
    """Add a swivel base: five spokes on castors and a gas spring up to ``height``."""
    metal, black = paint(rng, "metal"), paint(rng, "black")
    hub = 0.1
    spoke = beam((0, hub, -0.02), (0, 0.065, -radius), 0.045, 0.03)
    chair.add(metal, repeat_around(spoke, 5, 36), cylinder(0.045, 0.06).move(y=hub - 0.03))
    wheel = cylinder(0.028, 0.05, segments=14).rotate(z=90).move(0.025, 0.028, -radius)
    chair.add(black, repeat_around(wheel, 5, 36))
    chair.add(metal, cylinder(0.025, height - hub).move(y=hub))
    chair.add(black, cylinder(0.035, (height - hub) * 0.5).move(y=hub))


def _draw_office_chair(rng: Rng) -> Assembly:
    """A swivel chair: star base with castors, gas spring, padded seat and back, often arm rests."""
    u = rng.uniform
    width, depth, seat = u(0.46, 0.52), u(0.44, 0.5), u(0.42, 0.52)
    back, gap = u(0.45, 0.72), u(0.04, 0.12)
    chair = Assembly()
    _star_base(rng, chair, seat, u(0.28, 0.34))
    fabric, black = paint(rng, "fabric"), paint(rng, "black")
    chair.add(black, box(0.2, 0.03, 0.26).move(y=seat - 0.025))
    chair.add(fabric, round_box(width, u(0.07, 0.1), depth, 0.035).move(y=seat))
    y = seat + gap
    outline = smooth([(0, y), (0.19, y + 0.03), (0.23, y + back * 0.4), (0.2, y + back * 0.9), (0, y + back)])
    xy = np.concatenate([outline, outline[-2:0:-1] * (-1, 1)])
    panel = [
        np.column_stack([xy[:, 0] * s, y + (xy[:, 1] - y) * t, np.full(len(xy), depth_at)])
        for s, t, depth_at in ((0.9, 0.97, -0.035), (1.0, 1.0, -0.02), (1.0, 1.0, 0.015), (0.93, 0.98, 0.03))
    ]
    recline = u(4, 12)
    hinge = depth / 2 - 0.02
    chair.add(fabric, loft(panel).move(y=-y).rotate(x=recline).move(y=y, z=hinge))
    bracket = [(0, seat - 0.01, 0.1), (0, seat - 0.01, hinge + 0.03), (0, y, hinge + 0.05), (0, y + 0.2, hinge + 0.07)]
    chair.add(black, sweep(smooth(bracket), round_rectangle(0.07, 0.018, 0.006)))
    if rng.random() < 0.75:
        x, arm = width / 2 + 0.03, seat + u(0.2, 0.25)
        chair.add(black, mirror(tube(smooth([(0.15, seat, 0), (x, seat + 0.02, 0), (x, arm, 0.02)]), 0.016)))
        chair.add(black, mirror(round_box(0.07, 0.03, u(0.2, 0.28), 0.014).move(x, arm, -0.01)))
    return chair


def _draw_armchair(rng: Rng) -> Assembly:
    """An upholstered armchair: thick arms and back around a seat cushion, on short feet."""
    u = rng.uniform
    arm, inner, depth = u(0.13, 0.2), u(0.5, 0.6), u(0.76, 0.9)
    width, foot, seat = inner + 2 * arm, u(0.06, 0.14), u(0.4, 0.45)
    fabric = paint(rng, "leather" if rng.random() < 0.4 else "fabric")
    chair = Assembly()
    chair.add(
        paint(rng, "wood"),
        mirror_twice(cylinder(0.02, foot, 0.028, 12).move(width / 2 - 0.08, 0, depth / 2 - 0.08)),
    )
    chair.add(fabric, round_box(width - 0.02, seat - 0.12 - foot, depth - 0.02, 0.03).move(y=foot))
    arm_top = seat + u(0.15, 0.22)
    if rng.random() < 0.5:
        chair.add(fabric, mirror(round_box(arm, arm_top - foot, depth, 0.05).move(inner / 2 + arm / 2, foot)))
    else:  # rolled arms
        panel = round_box(arm * 0.75, arm_top - foot - 0.05, depth - 0.04, 0.03)
        roll = cylinder(arm * 0.55, depth - 0.02).rotate(x=90).move(y=arm_top - foot - 0.06, z=-depth / 2 + 0.01)
        chair.add(
            fabric,
            mirror(panel.move(inner / 2 + arm / 2, foot)),
            mirror(roll.move(inner / 2 + arm / 2, foot)),
        )
    back, thick = u(0.82, 1.0), u(0.16, 0.22)
    rest = round_box(inner + 0.04, back - seat + 0.12, thick, 0.06)
    chair.add(fabric, rest.rotate(x=u(6, 14)).move(y=seat - 0.12, z=depth / 2 - thick / 2 - 0.05))
    cushion = round_box(inner - 0.01, 0.16, depth - thick - 0.02, 0.05)
    chair.add(fabric, cushion.move(y=seat - 0.13, z=-thick / 2 - 0.01))
    return chair


def _shell_grid(width: float, depth: float, back: float, wrap: float) -> Float64:
    """The middle surface of a moulded seat: from the front lip over the seat up to the top of the back."""
    lip = [(-depth / 2 - 0.02, -0.03), (-depth / 2 + 0.06, 0.005), (0.0, -0.02)]
    profile = smooth([*lip, (depth * 0.36, 0.0), (depth * 0.5, 0.1), (depth * 0.6, back * 0.6), (depth * 0.72, back)])
    t = np.linspace(0, 1, len(profile))
    side = np.linspace(-1, 1, 15)
    half = (
        width
        / 2
        * (0.9 + 0.25 * np.sin(np.pi * np.clip(t * 1.1, 0, 1)))
        * np.sqrt(1 - 0.55 * np.clip(t - 0.8, 0, 1) * 5 * 0.9)
    )
    x = half[:, None] * side
    # The rim curls up beside the sitter and forwards around the back.
    curl = wrap * np.abs(side) ** 2.5
    seat_like = np.clip(1.25 - 1.6 * t, 0, 1)[:, None]
    y = profile[:, 1:] + curl * seat_like * np.clip(t * 3, 0.15, 1)[:, None]
    z = profile[:, :1] - curl * (1 - seat_like) * 1.1
    return np.stack([x, y, z], axis=-1)


def _draw_shell_chair(rng: Rng) -> Assembly:
    """A moulded shell chair on splayed wooden or wire legs."""
    u = rng.uniform
    width, depth, seat = u(0.42, 0.48), u(0.4, 0.44), u(0.42, 0.46)
    chair = Assembly()
    grid = _shell_grid(width, depth, u(0.36, 0.44), u(0.06, 0.13))
    chair.add(paint(rng, "plastic"), sheet(grid, 0.012).move(y=seat))
    legs = paint(rng, "wood" if rng.random() < 0.6 else "metal")
    radius = u(0.009, 0.017)
    chair.add(legs, mirror_twice(rod((0.23, 0, 0.21), (0.11, seat - 0.03, 0.1), radius * 0.7, radius)))
    cross = 0.45
    knee = (0.23 - 0.12 * cross, (seat - 0.03) * cross, 0.21 - 0.11 * cross)
    if rng.random() < 0.6:
        chair.add(paint(rng, "metal"), mirror(rod(knee, (-knee[0], seat - 0.05, knee[2] * 0.6), 0.004)))
        chair.add(paint(rng, "metal"), mirror(rod((knee[0], knee[1], -knee[2]), (-knee[0], seat - 0.05, -0.1), 0.004)))
    chair.add(legs, box(0.26, 0.02, 0.24).move(y=seat - 0.045))
    return chair


def _draw_cantilever_chair(rng: Rng) -> Assembly:
    """A cantilever chair: one bent steel tube, no back legs, seat and back hung between its sides."""
    u = rng.uniform
    width, depth, seat, back = u(0.44, 0.5), u(0.44, 0.52), u(0.43, 0.47), u(0.34, 0.44)
    x, front, rear = width / 2, -depth / 2, depth / 2
    lean = u(0.06, 0.12)
    bend = 0.05

    def corner(a: float, b: float, c: float) -> list[tuple[float, float, float]]:
        return [(x, a, b), (x, a, c)]

    side = [(x, 0.012, rear), *corner(0.012, 0.0, front + bend), (x, bend, front), (x, seat - bend, front)]
    side += [(x, seat, front + bend), (x, seat, rear - bend), (x, seat + bend, rear), (x, seat + back, rear + lean)]
    steel = paint(rng, "metal")
    chair = Assembly()
    chair.add(steel, mirror(tube(smooth(side, 4), 0.0125)))
    chair.add(steel, rod((-x, 0.012, rear), (x, 0.012, rear), 0.0125))
    stuff = paint(rng, "leather" if rng.random() < 0.5 else "wood")
    chair.add(stuff, round_box(width, 0.03, depth - 0.02, 0.012).move(y=seat + 0.005, z=-0.01))
    rest = round_box(width, back * u(0.5, 0.75), 0.025, 0.01).rotate(x=np.degrees(np.arctan2(lean, back)))
    chair.add(stuff, rest.move(y=seat + back * 0.3, z=rear + lean * 0.3 - 0.01))
    if rng.random() < 0.4:
        arm = [
            (x, seat + 0.2, rear + 0.05),
            (x, seat + 0.2, 0.0),
            (x, seat + 0.19, front + 0.1),
            (x, seat, front + 0.06),
        ]
        chair.add(steel, mirror(tube(smooth(arm, 4), 0.011)))
    return chair


def _draw_round_stool(rng: Rng) -> Assembly:
    """A wooden stool: round seat, three or four splayed legs, rungs."""
    u = rng.uniform
    seat, radius, splay = u(0.42, 0.72), u(0.15, 0.19), u(0.03, 0.07)
    count = int(rng.integers(3, 5))
    wood = paint(rng, "wood")
    stool = Assembly()
    rim = [(0, 0), (radius - 0.015, 0), (radius, 0.012), (radius, 0.026), (radius - 0.012, 0.036), (0, 0.032)]
    stool.add(wood, lathe(rim).move(y=seat - 0.036))
    inner, outer = radius * 0.72, radius * 0.8 + splay
    stool.add(wood, repeat_around(rod((0, 0, outer), (0, seat - 0.02, inner), 0.013, 0.019), count))
    low = u(0.25, 0.45)
    reach = outer + (inner - outer) * low
    ends = [(reach * np.sin(t), low * seat, reach * np.cos(t)) for t in (0, 2 * np.pi / count)]
    stool.add(wood, repeat_around(rod(ends[0], ends[1], 0.009), count))
    return stool


def _draw_bar_stool(rng: Rng) -> Assembly:
    """A bar stool: padded round seat on a column with a foot ring and a round base plate."""
    u = rng.uniform
    seat, radius, plate = u(0.65, 0.82), u(0.17, 0.2), u(0.19, 0.23)
    metal, pad = paint(rng, "metal"), paint(rng, "leather")
    stool = Assembly()
    stool.add(metal, lathe([(0, 0), (plate, 0), (plate, 0.01), (0.06, 0.03), (0.03, 0.06), (0, 0.06)]))
    stool.add(metal, cylinder(0.026, seat - 0.05).move(y=0.03))
    ring = u(0.24, 0.34)
    stool.add(metal, torus(0.14, 0.01).move(y=ring, z=-0.06), mirror(rod((0.0, ring, 0), (0.13, ring, -0.02), 0.008)))
    cushion = smooth([(0, 0), (radius * 0.9, 0.005), (radius, 0.035), (radius * 0.9, 0.07), (0, 0.075)], 4)
    cushion[[0, -1], 0] = 0
    stool.add(pad, lathe(np.maximum(cushion, 0)).move(y=seat - 0.035))
    return stool


def _draw_square_stool(rng: Rng) -> Assembly:
    """A square bar stool: four straight legs with rungs at two heights under a flat seat."""
    u = rng.uniform
    seat, top, foot, leg = u(0.5, 0.75), u(0.3, 0.34), u(0.34, 0.42), u(0.026, 0.034)
    wood = paint(rng, "wood")
    a, b = foot / 2 - leg / 2, top / 2 - leg / 2 - 0.01
    stool = Assembly().add(wood, mirror_twice(beam((a, 0, a), (b, seat - 0.02, b), leg, leg)))
    seat_stuff = paint(rng, "leather") if rng.random() < 0.4 else wood
    stool.add(seat_stuff, round_box(top, u(0.03, 0.06), top, 0.012).move(y=seat - 0.025))
    for low, rotation in ((u(0.2, 0.3), 0.0), (u(0.35, 0.5), 90.0), (0.88, 0.0), (0.88, 90.0)):
        reach = a + (b - a) * low
        bar = beam((-reach, low * seat, reach), (reach, low * seat, reach), 0.018, 0.026)
        stool.add(wood, bar.rotate(y=rotation), bar.rotate(y=rotation + 180))
    return stool


STYLES = {
    "chair": {
        "slatted": _draw_slatted_chair,
        "office": _draw_office_chair,
        "armchair": _draw_armchair,
        "shell": _draw_shell_chair,
        "cantilever": _draw_cantilever_chair,
    },
    "stool": {"round": _draw_round_stool, "bar": _draw_bar_stool, "square": _draw_square_stool},
}
