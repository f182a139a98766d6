"""Monitor, laptop and keyboard, their screens and lower edges towards -z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import round_rectangle, shift
from clip2point_shapes.primitives import (
    beam,
    box,
    cylinder,
    lathe,
    loft,
    round_box,
    sheet,
)
from clip2point_shapes.solid import Solid, join, mirror, repeat

Rng = np.random.Generator


def _keys(width: float, depth: float, rows: Sequence[Sequence[float]], gap: float = 0.003) -> Solid:
    """Keycaps on the plane y = 0: rows from front to back, each a list of key widths (fractions of the row)."""
    pitch = depth / len(rows)
    caps = []
    for row, shares in enumerate(rows):
        z = -depth / 2 + (row + 0.5) * pitch
        left = -width / 2
        for share in shares:
            wide = width * share / sum(shares)
            base = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)])
            levels = [
                np.column_stack([base[:, 0] * (wide - inset), np.full(4, y), base[:, 1] * (pitch - inset)])
                for inset, y in ((gap, 0.0), (gap + 0.006, 0.008))
            ]
            caps.append(loft(levels).move(left + wide / 2, 0, z))
            left += wide
    return join(caps)


_LETTERS = [
    [1.4, 1.2, 1.2, 5.6, 1.2, 1.2, 1.4],
    [2.2] + [1] * 10 + [2.4],
    [1.8] + [1] * 11 + [2],
    [1.5] + [1] * 12 + [1.4],
    [1] * 13 + [1.8],
]


def _draw_flat_monitor(rng: Rng) -> Assembly:
    """A flat widescreen monitor on a stand."""
    u = rng.uniform
    width = u(0.5, 0.72)
    height, lift, thick = width * u(0.56, 0.64), u(0.08, 0.14), u(0.022, 0.035)
    black, metal = paint(rng, "black" if rng.random() < 0.6 else "metal"), paint(rng, "metal")
    bezel = u(0.008, 0.02)
    panel = Assembly().add(black, round_box(width, height, thick, 0.007))
    panel.add(
        paint(rng, "screen"), box(width - 2 * bezel, height - 2.2 * bezel, 0.003).move(0, 1.2 * bezel, -thick / 2)
    )
    panel.add(black, round_box(width * 0.45, height * 0.5, 0.05, 0.02).move(0, height * 0.25, thick / 2))
    monitor = Assembly().include(panel, y=lift)
    z = thick / 2 + 0.045
    monitor.add(metal, round_box(u(0.05, 0.09), lift + height * 0.45, 0.022, 0.008).move(z=z))
    if rng.random() < 0.5:
        return monitor.add(metal, round_box(width * 0.42, 0.016, 0.2, 0.007).move(z=z - 0.04))
    foot = lathe([(0, 0), (0.13, 0), (0.13, 0.008), (0.04, 0.018), (0, 0.018)], 36)
    return monitor.add(metal, foot.scale(x=u(1.0, 1.3)).move(z=z - 0.03))


def _draw_curved_monitor(rng: Rng) -> Assembly:
    """An ultrawide curved monitor on a V-shaped foot."""
    u = rng.uniform
    width, height, lift, radius = u(0.8, 0.95), u(0.35, 0.4), u(0.11, 0.16), u(0.8, 1.2)
    black, dark = paint(rng, "black"), paint(rng, "screen")
    half = np.degrees(width / radius / 2)
    t = np.radians(np.linspace(-half, half, 25))

    def shell(inset: float, back: float, low: float, high: float) -> np.ndarray:
        scale = 1 - inset / width
        x = (radius + back) * np.sin(t * scale)
        z = (radius + back) * np.cos(t * scale) - radius
        return np.stack([np.stack([x, np.full_like(x, y), z], axis=-1) for y in (low, high)])

    monitor = Assembly().add(black, sheet(shell(0.0, 0.0, lift, lift + height), 0.028))
    monitor.add(dark, sheet(shell(0.03, -0.014, lift + 0.018, lift + height - 0.012), 0.003))
    monitor.add(black, round_box(0.2, 0.2, 0.06, 0.025).move(0, lift + height * 0.3, 0.02))
    monitor.add(black, round_box(0.06, lift + height * 0.5, 0.04, 0.015).move(z=0.07))
    return monitor.add(black, mirror(beam((0.01, 0.008, 0.08), (0.24, 0.008, -0.13), 0.05, 0.016)))


def _draw_tube_monitor(rng: Rng) -> Assembly:
    """An old picture-tube monitor: deep tapering case, bulging screen, swivel foot."""
    u = rng.uniform
    width, height, deep = u(0.38, 0.46), u(0.34, 0.4), u(0.36, 0.44)
    case = paint(rng, "white")
    lift = 0.055
    rings = []
    for share, lower, z in (
        (1.0, 0.0, -0.5),
        (1.0, 0.0, -0.28),
        (0.94, 0.01, -0.2),
        (0.66, 0.06, 0.35),
        (0.6, 0.07, 0.5),
    ):
        outline = shift(round_rectangle(width * share, height * share, 0.03), 0, height * share / 2 + lift + lower)
        rings.append(np.column_stack([outline, np.full(len(outline), z * deep)]))
    monitor = Assembly().add(case, loft(rings))
    screen = []
    for share, out in ((1.0, 0.0), (0.8, 0.012), (0.5, 0.02), (0.15, 0.023)):
        outline = round_rectangle(width * 0.84 * share, height * 0.76 * share, 0.03 * share)
        outline = shift(outline, 0, lift + height * 0.53)
        screen.append(np.column_stack([outline, np.full(len(outline), -deep / 2 - out)]))
    monitor.add(paint(rng, "screen"), loft(screen))
    monitor.add(
        case,
        repeat(
            cylinder(0.008, 0.008, segments=12).rotate(x=-90),
            (width * 0.2, lift + 0.03, -deep / 2),
            (width * 0.38, lift + 0.03, -deep / 2),
            4,
        ),
    )
    return monitor.add(
        case, lathe([(0, 0), (0.15, 0), (0.14, 0.02), (0.09, 0.03), (0.09, lift + 0.02), (0, lift + 0.02)])
    )


def _laptop(rng: Rng, width: float, depth: float, thick: float, angle: float) -> Assembly:
    """An open laptop: keyboard half flat on the desk, lid hinged at the back (``angle`` past upright)."""
    body, dark = paint(rng, "metal" if rng.random() < 0.6 else "black"), paint(rng, "black")
    laptop = Assembly().add(body, round_box(width, thick, depth, thick * 0.4))
    laptop.add(
        dark, _keys(width * 0.88, depth * 0.46, _LETTERS, 0.002).scale(y=0.4).move(0, thick - 0.0005, depth * 0.14)
    )
    laptop.add(dark, round_box(width * 0.3, 0.003, depth * 0.27, 0.001).move(0, thick - 0.001, -depth * 0.29))
    lid = Assembly().add(body, round_box(width, depth * 0.97, thick * 0.5, thick * 0.2))
    lid.add(paint(rng, "screen"), box(width - 0.016, depth * 0.97 - 0.026, 0.002).move(0, 0.016, -thick * 0.25))
    laptop.include(lid.rotate(x=angle), 0, thick * 0.9, depth / 2)
    return laptop.add(
        dark, cylinder(thick * 0.35, width * 0.8, segments=12).rotate(z=90).move(width * 0.4, thick * 0.85, depth / 2)
    )


def _draw_slim_laptop(rng: Rng) -> Assembly:
    """A slim widescreen laptop."""
    width = rng.uniform(0.3, 0.36)
    return _laptop(rng, width, width * rng.uniform(0.62, 0.7), rng.uniform(0.012, 0.018), rng.uniform(8, 35))


def _draw_old_laptop(rng: Rng) -> Assembly:
    """A thick older laptop with a nearly square screen and a disc drive at its side."""
    width, thick = rng.uniform(0.3, 0.33), rng.uniform(0.032, 0.042)
    laptop = _laptop(rng, width, width * rng.uniform(0.78, 0.84), thick, rng.uniform(5, 30))
    return laptop.add(paint(rng, "black"), box(0.006, thick * 0.4, 0.13).move(width / 2, thick * 0.25, -0.02))


def _draw_full_keyboard(rng: Rng) -> Assembly:
    """A full-size keyboard: letters, cursor block and number pad on a wedge."""
    u = rng.uniform
    depth, slope = u(0.14, 0.17), u(4, 8)
    case, caps = (
        (paint(rng, "black"), paint(rng, "black")) if rng.random() < 0.5 else (paint(rng, "white"), paint(rng, "white"))
    )
    board = Assembly().add(case, round_box(0.45, 0.018, depth, 0.006))
    field, y = depth * 0.68, 0.0175
    parts = Assembly()
    parts.add(caps, _keys(0.28, field, _LETTERS).move(-0.075, y, -0.012))
    parts.add(caps, _keys(0.054, field * 0.2, [[1, 1, 1]]).move(0.107, y, -0.012 - field * 0.4))
    parts.add(
        caps,
        _keys(0.054, field * 0.4, [[1, 1, 1]] * 2).move(0.107, y, -0.012 + field * 0.3),
        _keys(0.018, field * 0.2, [[1]]).move(0.107, y, -0.012 - field * 0.2),
    )
    parts.add(caps, _keys(0.072, field, [[2, 1, 1], *[[1, 1, 1, 1]] * 4]).move(0.18, y, -0.012))
    parts.add(caps, _keys(0.42, depth * 0.12, [[1] * 16]).move(-0.005, y, depth * 0.4))
    return board.include(parts).rotate(x=-slope)


def _draw_compact_keyboard(rng: Rng) -> Assembly:
    """A compact keyboard: letters only, thick case with a broad rim or none, sometimes a wrist rest."""
    u = rng.uniform
    width, depth, slope = u(0.29, 0.33), u(0.105, 0.125), u(4, 9)
    case, caps = paint(rng, "black" if rng.random() < 0.5 else "metal"), paint(rng, "white")
    rim = u(0.008, 0.02)
    board = Assembly().add(case, round_box(width, 0.022, depth, 0.008))
    board.add(caps, _keys(width - rim, depth - rim, _LETTERS).scale(y=1.3).move(y=0.0215))
    if rng.random() < 0.4:
        board.add(paint(rng, "wood"), round_box(width, 0.018, 0.07, 0.008).move(z=-depth / 2 - 0.04))
    return board.rotate(x=-slope)


def _draw_split_keyboard(rng: Rng) -> Assembly:
    """An ergonomic keyboard: two halves rotated outwards, tented, on a wavy base with a palm rest."""
    u = rng.uniform
    black, caps = paint(rng, "black"), paint(rng, "black" if rng.random() < 0.5 else "white")
    rotation, tent = u(8, 14), u(4, 9)
    board = Assembly()
    x = np.linspace(-0.23, 0.23, 25)
    outline = np.column_stack([x, 0.085 - 0.25 * x**2])
    palm = np.column_stack([x[::-1], -0.13 + 0.9 * np.abs(x[::-1]) ** 1.6 - 0.012])
    plate = np.concatenate([outline, palm])
    crown = 0.02 + 0.028 * np.exp(-((plate[:, 0] / 0.09) ** 2))
    lower = np.column_stack([plate[:, 0], np.zeros(len(plate)), plate[:, 1]])
    upper = np.column_stack([plate[:, 0], crown, plate[:, 1]])
    board.add(black, loft([lower, upper]))
    half = _keys(0.15, 0.1, [[1.5, 1, 3], [1.6] + [1] * 5, [1.3] + [1] * 5, [1] * 6, [1] * 6])
    board.add(caps, mirror(half.rotate(z=tent).rotate(y=rotation).move(-0.108, 0.036, 0.022)))
    return board.add(caps, _keys(0.06, 0.09, [[1, 1, 1]] * 4).move(0.235, 0.02, 0.0)).add(
        black, round_box(0.08, 0.018, 0.13, 0.006).move(0.238)
    )


STYLES = {
    "monitor": {"flat": _draw_flat_monitor, "curved": _draw_curved_monitor, "tube": _draw_tube_monitor},
    "laptop": {"slim": _draw_slim_laptop, "old": _draw_old_laptop},
    "keyboard": {"full": _draw_full_keyboard, "compact": _draw_compact_keyboard, "split": _draw_split_keyboard},
}
