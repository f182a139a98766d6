"""Cones and glass boxes: things that are hardly more than a body of geometry."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.primitives import beam, box, cylinder, ellipsoid, lathe, loft, round_box
from clip2point_shapes.solid import mirror, mirror_twice, repeat

Rng = np.random.Generator


def _draw_traffic_cone(rng: Rng) -> Assembly:
    """A traffic cone: hollow, on a square foot, with reflecting bands."""
    u = rng.uniform
    height, radius, tip = u(0.45, 0.8), u(0.13, 0.17), u(0.022, 0.035)
    orange = Material(color=(0.93, round(u(0.3, 0.42), 3), 0.1, 1.0))
    side, foot = 2 * radius + u(0.06, 0.12), 0.035
    cone = Assembly().add(orange, round_box(side, foot, side, 0.012))
    outside = np.array([(radius + 0.015, foot - 0.005), (radius, foot + 0.02), (tip, height)])
    cone.add(orange, lathe(np.concatenate([outside, outside[::-1] - (0.008, 0.0)]), 32, closed=True))
    white = paint(rng, "white")
    for low, high in ((0.36, 0.54), (0.68, 0.8))[: int(rng.integers(1, 3))]:
        ends = [(radius + (tip - radius) * t + 0.002, foot + 0.02 + (height - foot - 0.02) * t) for t in (low, high)]
        band = [*ends, (ends[1][0] - 0.005, ends[1][1]), (ends[0][0] - 0.005, ends[0][1])]
        cone.add(white, lathe(band, 32, closed=True))
    return cone


def _draw_plain_cone(rng: Rng) -> Assembly:
    """A plain cone, sharp or cut off just below its tip, on a disc now and then."""
    u = rng.uniform
    height = u(0.3, 0.6)
    radius = height * u(0.22, 0.45)
    stuff = paint(rng, "plastic")
    cone = Assembly()
    foot = 0.0
    if rng.random() < 0.4:
        foot = 0.03
        cone.add(stuff, cylinder(radius * u(1.15, 1.35), foot, segments=48))
    return cone.add(stuff, cylinder(radius, height, radius * u(0.0, 0.08), 48).move(y=foot))


def _draw_ice_cone(rng: Rng) -> Assembly:
    """An ice-cream cone: waffle cone with one to three scoops, in a ring stand."""
    u = rng.uniform
    height, radius = u(0.11, 0.14), u(0.026, 0.032)
    cone = Assembly().add(
        paint(rng, "wood"),
        lathe(
            [
                (0, 0),
                (0.003, 0.0),
                (radius, height),
                (radius + 0.003, height),
                (radius + 0.003, height + 0.012),
                (0, height + 0.01),
            ],
            28,
        ),
    )
    scoops = int(rng.integers(1, 4))
    y = height + radius * 0.6
    for i in range(scoops):
        r = radius * (1.18 - 0.12 * i)
        stuff = paint(rng, "petal")
        cone.add(stuff, ellipsoid(r, r * 0.95, r).move(y=y))
        cone.add(
            stuff,
            lathe([(0, -0.008), (r * 0.98, -0.008), (r * 1.1, -0.002), (r * 0.98, 0.006), (0, 0.006)], 24).move(
                y=y - r * 0.3
            ),
        )
        y += r * 1.3
    return cone


def _panes(width: float, height: float, depth: float, thick: float, lid: bool) -> Assembly:
    """Glass walls of a box, open at the top unless it has a lid."""
    glass = Material(color=(0.75, 0.88, 0.9, 0.35))
    case = Assembly().add(glass, mirror(box(thick, height, depth).move(width / 2 - thick / 2)))
    inner = width - 2 * thick
    case.add(glass, repeat(box(inner, height, thick), (0, 0, -depth / 2 + thick / 2), (0, 0, depth / 2 - thick / 2), 2))
    case.add(glass, box(inner, thick, depth - 2 * thick))
    return case.add(glass, box(width, thick, depth).move(y=height)) if lid else case


def _draw_plain_glass_box(rng: Rng) -> Assembly:
    """A box of five glass panes, open at the top, with a thick rim."""
    u = rng.uniform
    width, depth, height, thick = u(0.2, 0.4), u(0.15, 0.25), u(0.15, 0.35), u(0.006, 0.012)
    return _panes(width, height, depth, thick, lid=False)


def _draw_display_case(rng: Rng) -> Assembly:
    """A show case: glass box framed in metal on a wooden base, with a shelf."""
    u = rng.uniform
    width, depth, height, bar = u(0.5, 0.9), u(0.35, 0.5), u(0.6, 1.2), u(0.018, 0.028)
    wood, metal = paint(rng, "wood"), paint(rng, "black")
    base = u(0.08, 0.3)
    case = Assembly().add(wood, box(width + 0.03, base, depth + 0.03))
    case.include(_panes(width, height, depth, 0.006, lid=True), y=base)
    case.add(metal, mirror_twice(box(bar, height, bar).move(width / 2 - 0.003, base, depth / 2 - 0.003)))
    for y in (base, base + height - bar + 0.006):
        case.add(metal, mirror(box(bar, bar, depth).move(width / 2 - 0.004, y)))
        case.add(metal, repeat(box(width, bar, bar), (0, y, -depth / 2 + 0.004), (0, y, depth / 2 - 0.004), 2))
    return case.add(
        Material(color=(0.75, 0.88, 0.9, 0.35)),
        box(width - 0.02, 0.008, depth - 0.02).move(y=base + height * u(0.4, 0.6)),
    )


def _draw_jewel_box(rng: Rng) -> Assembly:
    """A small glass casket: brass edges, slanting walls, hinged lid ajar."""
    u = rng.uniform
    width, depth, height, flare = u(0.14, 0.22), u(0.1, 0.15), u(0.06, 0.1), u(0.0, 0.02)
    brass, glass = paint(rng, "brass"), Material(color=(0.8, 0.9, 0.9, 0.35))
    thick = 0.004
    levels = [(0.0, 0.0), (flare, height), (flare - thick, height), (-thick, thick)]
    rings = []
    for grow, y in levels:
        x, z = width / 2 + grow, depth / 2 + grow
        rings.append(np.array([(x, y, z), (x, y, -z), (-x, y, -z), (-x, y, z)]))
    casket = Assembly().add(glass, loft(rings))
    x, z = width / 2 + flare, depth / 2 + flare
    edge = 0.006
    casket.add(brass, mirror_twice(beam((width / 2, 0, depth / 2), (x, height, z), edge, edge)))
    for y, wide, deep in ((0.0, width / 2, depth / 2), (height, x, z)):
        casket.add(brass, mirror(beam((wide, y, -deep), (wide, y, deep), edge, edge)))
        casket.add(brass, *(beam((-wide, y, side * deep), (wide, y, side * deep), edge, edge) for side in (-1, 1)))
    lid = Assembly().add(glass, box(2 * x, thick, 2 * z).move(z=-z))
    lid.add(brass, mirror(beam((x, 0.002, 0), (x, 0.002, -2 * z), edge, edge)))
    lid.add(brass, *(beam((-x, 0.002, at), (x, 0.002, at), edge, edge) for at in (0.0, -2 * z)))
    lid.add(brass, ellipsoid(0.008, 0.008, 0.008, 12).move(0, 0.004, -2 * z - 0.006))
    return casket.include(lid.rotate(x=u(15, 75)), 0, height + 0.002, z)


STYLES = {
    "cone": {"traffic": _draw_traffic_cone, "plain": _draw_plain_cone, "ice_cream": _draw_ice_cone},
    "glass_box": {"open": _draw_plain_glass_box, "display": _draw_display_case, "casket": _draw_jewel_box},
}
