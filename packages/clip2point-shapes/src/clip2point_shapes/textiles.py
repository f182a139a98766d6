"""Curtains and tents."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import arc, round_rectangle, smooth
from clip2point_shapes.primitives import (
    box,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    loft,
    rod,
    sheet,
    torus,
    tube,
)
from clip2point_shapes.solid import Solid, mirror, mirror_twice, repeat, repeat_around

Rng = np.random.Generator


def _cloth(rng: Rng, width: float, height: float, folds: int, gather: float) -> Solid:
    """A hanging cloth centred on x = 0, its top at y = height; ``gather`` pulls a waist together at one third."""
    t = np.linspace(0, 1, 25)[:, None]
    s = np.linspace(-1, 1, folds * 10 + 1)[None, :]
    waist = 1 - gather * np.exp(-(((t - 0.62) / 0.16) ** 2)) - gather * 0.45 * np.clip((t - 0.62) / 0.38, 0, 1)
    x = width / 2 * s * waist
    depth = (0.035 + 0.03 * t) * (1.0 - 0.3 * (1 - waist)) * np.sin(folds * np.pi * s + rng.uniform(0, 6))
    wander = 0.012 * np.sin(3 * t + 7 * s + rng.uniform(0, 6))
    return sheet(np.stack([x, height * (1 - t) + 0 * s, depth + wander * t], axis=-1), 0.006)


def _curtain_rod(metal: Material, curtain: Assembly, width: float, y: float, cloth: list[tuple[float, float]]) -> None:
    """Add a rod with finials and rings above the cloths given as (x, width)."""
    curtain.add(
        metal,
        rod((-width / 2, y, 0), (width / 2, y, 0), 0.015),
        mirror(ellipsoid(0.035, 0.03, 0.03, 14).move(width / 2 + 0.02, y)),
    )
    for x, wide in cloth:
        curtain.add(
            metal,
            repeat(
                torus(0.025, 0.005, 14).rotate(z=90).move(y=y - 0.006),
                (x - wide * 0.46, 0, 0),
                (x + wide * 0.46, 0, 0),
                8,
            ),
        )


def _draw_drapes(rng: Rng) -> Assembly:
    """A pair of drapes on a rod, falling straight or tied back."""
    u = rng.uniform
    width, height, each = u(1.7, 2.4), u(2.0, 2.5), u(0.5, 0.8)
    fabric, metal = paint(rng, "fabric"), paint(rng, "brass")
    curtain = Assembly()
    tied = rng.random() < 0.5
    gather = u(0.5, 0.65) if tied else 0.0
    x = width / 2 - each / 2 - 0.05
    folds = int(rng.integers(5, 8))
    cloth = _cloth(rng, each, height, folds, gather)
    curtain.add(fabric, mirror(cloth.move(x)))
    if tied:
        tie = torus(1.0, 0.1, 24).scale(each * (1 - gather) / 2 + 0.02, 0.3, 0.085)
        curtain.add(metal, mirror(tie.move(x, height * 0.38)))
    _curtain_rod(metal, curtain, width, height + 0.03, [(-x, each), (x, each)])
    return curtain


def _draw_full_curtain(rng: Rng) -> Assembly:
    """One wide gathered curtain on a rod, as before a shower or a stage."""
    u = rng.uniform
    width, height = u(1.3, 2.0), u(1.8, 2.3)
    curtain = Assembly().add(paint(rng, "fabric"), _cloth(rng, width, height, int(rng.integers(8, 13)), 0.0))
    _curtain_rod(paint(rng, "metal"), curtain, width + 0.16, height + 0.03, [(0.0, width)])
    return curtain


def _draw_valance(rng: Rng) -> Assembly:
    """Window drapes tied to both sides under a scalloped valance."""
    u = rng.uniform
    width, height = u(1.4, 2.0), u(1.6, 2.3)
    fabric, trim = paint(rng, "fabric"), paint(rng, "brass")
    each, gather = width * 0.5, u(0.5, 0.65)
    cloth = _cloth(rng, each, height, 6, gather)
    # The waist moves outwards with the tie.
    t = 1 - cloth.vertices[:, 1] / height
    drift = 0.22 * each * np.exp(-(((t - 0.62) / 0.3) ** 2))
    cloth = cloth.place(cloth.vertices + np.column_stack([drift, np.zeros_like(t), np.zeros_like(t)]))
    curtain = Assembly().add(fabric, mirror(cloth.move(width / 4)))
    s = np.linspace(-1, 1, 61)[None, :]
    v = np.linspace(0, 1, 8)[:, None]
    drop = (0.2 + 0.1 * np.abs(np.sin(1.5 * np.pi * s))) * v
    grid = np.stack(
        [width / 2 * 1.04 * s + 0 * v, height + 0.04 - drop, -0.1 - 0.015 * np.sin(24 * s) * (0.3 + v)], axis=-1
    )
    curtain.add(fabric, sheet(grid, 0.006)).add(trim, box(width * 1.06, 0.06, 0.13).move(0, height + 0.02, -0.05))
    x = width / 4 + 0.22 * each
    return curtain.add(
        trim, mirror(torus(1.0, 0.1, 24).scale(each * (1 - gather) / 2 + 0.02, 0.3, 0.085).move(x, height * 0.38))
    )


def _draw_ridge_tent(rng: Rng) -> Assembly:
    """A ridge tent: two sloping sides, an open front with its flaps rolled aside, guy lines and pegs."""
    u = rng.uniform
    width, height, length = u(1.4, 2.0), u(1.1, 1.5), u(2.0, 2.8)
    canvas, wood, rope = paint(rng, "fabric"), paint(rng, "wood"), paint(rng, "white")
    tent = Assembly()
    t = np.linspace(0, 1, 9)[:, None]
    z = np.linspace(-length / 2, length / 2, 9)[None, :]
    ridge = height - 0.05 * np.sin(np.pi * (z / length + 0.5))
    side = np.stack([width / 2 * t + 0 * z, ridge * (1 - t) - 0.06 * np.sin(np.pi * t) + 0.02, z + 0 * t], axis=-1)
    tent.add(canvas, mirror(sheet(side, 0.012)))
    back = np.array([(-width / 2, 0.0), (width / 2, 0.0), (0.0, height)])
    tent.add(canvas, extrude(back, 0.012).move(z=length / 2 - 0.03))
    opening = u(0.25, 0.8)
    flap = np.array([(width / 2 * opening, 0.0), (width / 2, 0.0), (0.0, height), (-0.005, height * 0.97)])
    tent.add(canvas, mirror(extrude(flap, 0.012).move(z=-length / 2 + 0.03)))
    tent.add(canvas, box(width, 0.01, length))
    for end in (-1, 1):
        tip = (0.0, height + 0.08, end * (length / 2 - 0.02))
        peg = (0.0, 0.0, end * (length / 2 + 0.9))
        tent.add(wood, rod((0, 0, end * (length / 2 - 0.02)), tip, 0.018)).add(rope, rod(tip, peg, 0.007))
    for place in (-length / 2 + 0.1, 0.0, length / 2 - 0.1):
        tent.add(rope, mirror(rod((width * 0.3, height * 0.4, place), (width / 2 + 0.45, 0.0, place), 0.007)))
        tent.add(wood, mirror(rod((width / 2 + 0.43, 0.1, place), (width / 2 + 0.46, 0.0, place), 0.012)))
    return tent


def _draw_dome_tent(rng: Rng) -> Assembly:
    """A dome tent: four curved gores on crossing poles, an arched door, a small porch now and then."""
    u = rng.uniform
    width, length, height = u(1.9, 2.5), u(2.0, 2.8), u(1.15, 1.5)
    canvas, pole, dark = paint(rng, "plastic"), paint(rng, "metal"), paint(rng, "black")
    rings = []
    for t in np.linspace(0, 1, 11)[:-1]:
        share = np.sqrt(1 - t**2)
        # Between the poles, which stand on the corners, the cloth is drawn in.
        outline = round_rectangle(width * share, length * share, min(width, length) * 0.06 * share, 3)
        rings.append(np.column_stack([outline[:, 0], np.full(len(outline), t * height), outline[:, 1]]))
    rings.append(np.tile([[0.0, height, 0.0]], (len(rings[0]), 1)))
    tent = Assembly().add(canvas, loft(rings))
    angle = np.linspace(0, np.pi, 21)
    for side in (-1, 1):
        bow = (
            np.column_stack(
                [side * width / 2 * np.cos(angle), height * np.sin(angle) + 0.015, length / 2 * np.cos(angle)]
            )
            * 0.995
        )
        tent.add(pole, tube(bow, 0.016, 8))
    wide, tall = width * 0.24, height * u(0.62, 0.72)
    door = np.concatenate([[(-wide, 0.03), (wide, 0.03)], arc(1.0, 0, 180, 15) * (wide, tall - 0.3) + (0, 0.3)])
    steps = []
    for out in (0.02, -0.05):
        lean = length / 2 * np.sqrt(1 - np.clip(door[:, 1] / height, 0, 1) ** 2)
        steps.append(np.column_stack([door[:, 0], door[:, 1], -lean - out]))
    tent.add(dark, loft(steps))
    rope = paint(rng, "white")
    for x, z in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        tent.add(
            rope,
            rod(
                (x * width * 0.4, height * 0.55, z * length * 0.4),
                (x * (width / 2 + 0.5), 0.0, z * (length / 2 + 0.4)),
                0.007,
            ),
        )
    return tent


def _draw_tipi(rng: Rng) -> Assembly:
    """A tipi: a tall cone of cloth with an entrance, the poles sticking out at the top."""
    u = rng.uniform
    radius, height, count = u(0.9, 1.5), u(2.2, 3.0), int(rng.integers(7, 11))
    cloth, wood, dark = paint(rng, "shade"), paint(rng, "wood"), paint(rng, "black")
    cut = 0.86
    outside = np.array([(radius, 0.0), (radius * (1 - cut), height * cut)])
    wall = np.concatenate([outside, outside[::-1] - (0.012, 0.0)])
    tent = Assembly().add(cloth, lathe(wall, 3 * count, closed=True))
    pole = rod((0, 0, radius * 0.98), (0, height * 1.14, -radius * 0.13), 0.022, 0.016)
    tent.add(wood, repeat_around(pole, count, 180 / count))
    wide, tall = radius * 0.3, height * u(0.38, 0.48)
    door = [(-wide, 0.02), (wide, 0.02), (0.0, tall)]
    rings = []
    for out in (0.03, -0.04):
        rings.append(np.array([(x, y, -np.sqrt((radius * (1 - y / height)) ** 2 - x**2) - out) for x, y in door]))
    tent.add(dark, loft(rings))
    flap = np.array([(wide * 1.0, 0.0), (wide * 1.5, 0.05), (0.02, tall * 1.04), (0.0, tall)])
    rings = [
        np.array([(x, y, -np.sqrt((radius * (1 - y / height)) ** 2 - x**2) - out) for x, y in flap])
        for out in (0.06, 0.02)
    ]
    return tent.add(cloth, mirror(loft(rings)))


def _draw_pavilion(rng: Rng) -> Assembly:
    """A party tent: hipped roof with a valance on four poles, open sides."""
    u = rng.uniform
    width, length, eaves, rise = u(2.6, 3.4), u(2.6, 3.8), u(1.9, 2.2), u(0.7, 1.1)
    cloth, metal = paint(rng, "white" if rng.random() < 0.5 else "plastic"), paint(rng, "metal")
    rings = []
    for share, y in smooth(
        [(1.0, eaves), (0.62, eaves + rise * 0.33), (0.28, eaves + rise * 0.68), (0.02, eaves + rise)], 4
    ):
        x, z = width / 2 * share, length / 2 * share
        rings.append(np.array([(x, y, z), (x, y, -z), (-x, y, -z), (-x, y, z)]))
    tent = Assembly().add(cloth, loft(rings))
    drop = 0.22
    tent.add(cloth, mirror(box(0.015, drop, length).move(width / 2, eaves - drop)))
    tent.add(cloth, repeat(box(width, drop, 0.015), (0, eaves - drop, -length / 2), (0, eaves - drop, length / 2), 2))
    tent.add(metal, mirror_twice(cylinder(0.03, eaves, segments=14).move(width / 2 - 0.03, 0, length / 2 - 0.03)))
    tent.add(metal, mirror_twice(box(0.14, 0.012, 0.14).move(width / 2 - 0.03, 0, length / 2 - 0.03)))
    if rng.random() < 0.4:
        tent.add(cloth, box(width, eaves, 0.015).move(z=length / 2))
    return tent


STYLES = {
    "curtain": {"drapes": _draw_drapes, "full": _draw_full_curtain, "valance": _draw_valance},
    "tent": {"ridge": _draw_ridge_tent, "dome": _draw_dome_tent, "tipi": _draw_tipi, "pavilion": _draw_pavilion},
}
