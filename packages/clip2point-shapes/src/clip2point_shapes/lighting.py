"""Lamps."""

from __future__ import annotations

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import smooth
from clip2point_shapes.primitives import cylinder, ellipsoid, lathe, rod, tube
from clip2point_shapes.solid import Solid, repeat_around, rotation

Rng = np.random.Generator


def _shade(top: float, bottom: float, height: float, bulge: float = 0.0) -> Solid:
    """A lamp shade open at both ends, its lower rim on y = 0."""
    t = np.linspace(0, 1, 7)
    radius = bottom + (top - bottom) * t + bulge * np.sin(np.pi * t)
    outside = np.column_stack([radius, t * height])
    return lathe(np.concatenate([outside, outside[::-1] - (0.004, 0)]), 36, closed=True)


def _bulb(radius: float) -> Solid:
    """A light bulb that stands on its socket at y = 0."""
    profile = [
        (0, 0),
        (radius * 0.45, 0),
        (radius * 0.5, radius * 0.7),
        (radius, radius * 1.7),
        (radius * 0.7, radius * 2.4),
        (0, radius * 2.65),
    ]
    return lathe(profile, 16)


def _draw_table_lamp(rng: Rng) -> Assembly:
    """A table lamp: turned or round ceramic body and a fabric shade."""
    u = rng.uniform
    body, foot = u(0.22, 0.34), u(0.06, 0.085)
    belly = u(0.06, 0.11)
    knots = [
        (foot, 0.014),
        (foot * 0.5, 0.035),
        (belly, body * u(0.35, 0.5)),
        (belly * 0.45, body * 0.75),
        (0.016, body),
    ]
    if rng.random() < 0.35:
        knots = [
            (foot, 0.014),
            (0.03, 0.03),
            (0.02, body * 0.3),
            (0.035, body * 0.5),
            (0.018, body * 0.7),
            (0.014, body),
        ]
    lamp = Assembly()
    lamp.add(paint(rng, "ceramic"), lathe([(0, 0), (foot, 0), *smooth(knots, 5), (0, body)]))
    bottom, height = u(0.14, 0.2), u(0.17, 0.25)
    top = bottom * u(0.5, 0.95)
    lift = body + 0.04
    brass = paint(rng, "brass")
    lamp.add(brass, cylinder(0.006, height * 0.6 + 0.04).move(y=body), cylinder(0.016, 0.05).move(y=body))
    lamp.add(paint(rng, "white"), _bulb(0.028).move(y=body + 0.045))
    lamp.add(
        brass,
        *(
            rod((0, lift + height * 0.6, 0), (r[0], lift + height - 0.01, r[1]), 0.003)
            for r in ((top - 0.003, 0), (0.003 - top, 0))
        ),
    )
    return lamp.add(paint(rng, "shade"), _shade(top, bottom, height).move(y=lift))


def _draw_floor_lamp(rng: Rng) -> Assembly:
    """A standard lamp: heavy foot or tripod, tall pole, drum or cone shade."""
    u = rng.uniform
    height, bottom, tall = u(1.25, 1.5), u(0.19, 0.25), u(0.22, 0.32)
    top = bottom * u(0.6, 0.98)
    metal = paint(rng, "metal" if rng.random() < 0.5 else "brass")
    lamp = Assembly()
    if rng.random() < 0.5:
        foot = u(0.13, 0.17)
        lamp.add(metal, lathe([(0, 0), (foot, 0), (foot, 0.018), (0.03, 0.035), (0.012, 0.07), (0, 0.07)], 32))
        lamp.add(metal, cylinder(0.012, height).move(y=0.02))
    else:
        wood, hub = paint(rng, "wood"), height - 0.12
        lamp.add(wood, repeat_around(rod((0, 0, u(0.26, 0.34)), (0, hub, 0.02), 0.014, 0.017), 3))
        lamp.add(metal, cylinder(0.035, 0.05).move(y=hub - 0.03), cylinder(0.01, 0.2).move(y=hub))
    lamp.add(paint(rng, "white"), _bulb(0.034).move(y=height))
    lamp.add(
        metal,
        *(
            rod((0, height + 0.02, 0), (side * (top + bottom) / 2.02, height + tall * 0.42, 0), 0.004)
            for side in (-1, 1)
        ),
    )
    return lamp.add(paint(rng, "shade"), _shade(top, bottom, tall).move(y=height - tall * 0.1))


def _draw_desk_lamp(rng: Rng) -> Assembly:
    """A jointed desk lamp: round foot, two spring arms, a reflector that points down."""
    u = rng.uniform
    lower, upper = u(0.3, 0.38), u(0.28, 0.36)
    first, second = np.radians(u(15, 35)), np.radians(u(35, 60))
    stuff, metal = paint(rng, "plastic" if rng.random() < 0.5 else "black"), paint(rng, "metal")
    lamp = Assembly()
    radius = u(0.08, 0.1)
    lamp.add(
        stuff,
        lathe(
            [(0, 0), (radius, 0), (radius, 0.012), (radius * 0.8, 0.026), (0.02, 0.034), (0.014, 0.07), (0, 0.07)], 32
        ),
    )
    base = np.array([0, 0.07, 0])
    elbow = base + lower * np.array([0, np.cos(first), np.sin(first)])
    wrist = elbow + upper * np.array([0, np.cos(second), -np.sin(second)])
    for start, end in ((base, elbow), (elbow, wrist)):
        for x in (-0.014, 0.014):
            lamp.add(metal, rod(start, end, 0.005).move(x))
        spring = start + 0.12 * (end - start), start + 0.42 * (end - start)
        lamp.add(metal, rod(*spring, 0.009))
    for joint in (base, elbow, wrist):
        lamp.add(stuff, cylinder(0.02, 0.046, segments=16).rotate(z=90).move(0.023).move(*joint))
    nod = u(25, 50)
    r = u(0.065, 0.085)
    outside = smooth([(0.02, 0.0), (0.03, -0.05), (r * 0.75, -0.085), (r, -0.15)], 4)
    head = lathe(np.concatenate([[(0, 0)], outside, (outside - (0.003, 0.0))[:0:-1], [(0, -0.012)]]), 28)
    drop = rotation(x=nod)
    lamp.add(stuff, head.rotate(x=nod).move(*(wrist + drop @ (0, 0.02, -0.01))))
    return lamp.add(paint(rng, "white"), ellipsoid(0.025, 0.03, 0.025, 14).move(0, -0.1).rotate(x=nod).move(*wrist))


def _draw_pendant(rng: Rng) -> Assembly:
    """A hanging lamp: ceiling rose, cord, dome or bell shade with its bulb."""
    u = rng.uniform
    cord, r, tall = u(0.35, 0.6), u(0.16, 0.24), u(0.15, 0.26)
    stuff, black = paint(rng, "metal" if rng.random() < 0.5 else "plastic"), paint(rng, "black")
    lamp = Assembly()
    outside = smooth([(0.025, tall), (r * u(0.35, 0.6), tall * 0.82), (r * 0.88, tall * 0.35), (r, 0)], 6)
    lamp.add(
        stuff, lathe(np.concatenate([[(0, tall)], outside, (outside - (0.004, 0.004))[::-1], [(0, tall - 0.01)]]), 40)
    )
    lamp.add(black, cylinder(0.022, 0.07).move(y=tall - 0.01), cylinder(0.004, cord, segments=8).move(y=tall))
    lamp.add(black, lathe([(0, 0), (0.015, 0), (0.05, 0.022), (0.05, 0.03), (0, 0.03)]).move(y=tall + cord))
    return lamp.add(paint(rng, "white"), _bulb(0.035).rotate(x=180).move(y=tall - 0.02))


def _draw_arc_lamp(rng: Rng) -> Assembly:
    """An arc lamp: marble block, a long bow of steel and a dome over the sofa."""
    u = rng.uniform
    height, reach, r = u(1.75, 2.05), u(1.0, 1.4), u(0.15, 0.2)
    metal = paint(rng, "metal")
    lamp = Assembly().add(paint(rng, "stone"), cylinder(u(0.15, 0.19), 0.06))
    end = (0, height * u(0.76, 0.84), -reach)
    bow = smooth(
        [
            (0, 0.05, 0),
            (0, height * 0.5, 0.03),
            (0, height * 0.86, -reach * 0.16),
            (0, height, -reach * 0.5),
            (0, height * 0.97, -reach * 0.8),
            end,
        ],
        7,
    )
    lamp.add(metal, tube(bow, 0.013))
    t = np.linspace(8, 90, 9)
    dome = r * np.column_stack([np.sin(np.radians(t)), np.cos(np.radians(t))])
    shell = lathe(np.concatenate([[(0, r)], dome, (dome * 0.97)[::-1], [(0, r * 0.97)]]), 36)
    lamp.add(
        metal,
        shell.rotate(x=8).move(end[0], end[1] - r, end[2]),
        cylinder(0.02, 0.04).move(end[0], end[1] - 0.02, end[2]),
    )
    return lamp.add(paint(rng, "white"), ellipsoid(0.04, 0.05, 0.04, 14).move(end[0], end[1] - r * 0.75, end[2]))


STYLES = {
    "lamp": {
        "table": _draw_table_lamp,
        "floor": _draw_floor_lamp,
        "desk": _draw_desk_lamp,
        "pendant": _draw_pendant,
        "arc": _draw_arc_lamp,
    }
}
