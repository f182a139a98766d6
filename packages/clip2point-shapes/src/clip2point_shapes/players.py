"""Radios and game consoles (xbox), their fronts towards -z."""

from __future__ import annotations

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import arc, round_rectangle, shift, smooth
from clip2point_shapes.primitives import (
    box,
    cylinder,
    extrude,
    lathe,
    loft,
    rod,
    round_box,
    sweep,
    torus,
    tube,
)
from clip2point_shapes.solid import Solid, mirror, repeat, repeat_around

Rng = np.random.Generator


def _dial(radius: float, depth: float) -> Solid:
    """A round knob at the origin that stands off towards -z."""
    return cylinder(radius, depth, radius * 0.9, 20).rotate(x=-90)


def _draw_boombox(rng: Rng) -> Assembly:
    """A boombox: two loudspeakers, a cassette door, a carrying handle and an aerial."""
    u = rng.uniform
    width, height, deep = u(0.42, 0.58), u(0.2, 0.26), u(0.11, 0.15)
    case, dark, metal = paint(rng, "metal"), paint(rng, "black"), paint(rng, "metal")
    z = -deep / 2
    radio = Assembly().add(case, round_box(width, height, deep, 0.02))
    cone = height * u(0.31, 0.36)
    speaker = lathe(
        [
            (0, -0.03),
            (cone * 0.25, -0.024),
            (cone * 0.3, -0.03),
            (cone * 0.85, -0.004),
            (cone, 0.006),
            (cone, 0.012),
            (cone * 1.08, 0.0),
            (cone * 1.08, -0.035),
            (0, -0.035),
        ],
        32,
    )
    for side in (-1, 1):
        radio.add(dark, speaker.rotate(x=-90).move(side * (width / 2 - cone * 1.25), height * 0.44, z - 0.022))
    middle = width - 5.2 * cone
    radio.add(dark, round_box(max(middle, 0.1), height * 0.42, 0.02, 0.006).move(0, height * 0.12, z - 0.004))
    radio.add(metal, mirror(cylinder(0.014, 0.01, segments=14).rotate(x=-90).move(0.025, height * 0.32, z - 0.012)))
    radio.add(dark, box(width * 0.5, height * 0.12, 0.006).move(0, height * 0.82, z - 0.002))
    radio.add(metal, repeat(_dial(0.014, 0.018), (-0.05, height * 0.68, z), (0.05, height * 0.68, z), 3))
    x, rise = width / 2 - 0.025, u(0.06, 0.09)
    grip = smooth(
        [
            (-x, height - 0.03, 0),
            (-x, height + rise * 0.7, 0),
            (-x + 0.05, height + rise, 0),
            (x - 0.05, height + rise, 0),
            (x, height + rise * 0.7, 0),
            (x, height - 0.03, 0),
        ],
        4,
    )
    radio.add(dark, tube(grip, 0.011))
    return radio.add(
        metal, rod((width * 0.42, height, 0.03), (width * u(0.55, 0.8), height + u(0.2, 0.32), 0.03), 0.004, 0.002)
    )


def _draw_cathedral_radio(rng: Rng) -> Assembly:
    """A wireless of the thirties: arched wooden case, cloth grille behind bars, dial and knobs."""
    u = rng.uniform
    width, straight, deep = u(0.26, 0.32), u(0.2, 0.27), u(0.18, 0.24)
    wood, cloth, brass = paint(rng, "wood"), paint(rng, "shade"), paint(rng, "brass")
    r = width / 2
    point = u(1.0, 1.25)
    bow = arc(r, 0, 180, 21) * (1, point) + (0, straight)
    outline = np.concatenate([[(-r, 0.03), (r, 0.03)], bow])
    radio = Assembly().add(wood, extrude(outline, deep))
    frame = np.concatenate([bow, (bow[::-1] - (0, straight)) * 0.88 + (0, straight)])
    z = -deep / 2
    radio.add(wood, extrude(frame, 0.02).move(z=z - 0.008), box(width + 0.03, 0.032, deep + 0.03))
    grille = (bow - (0, straight)) * 0.7 + (0, straight)
    radio.add(cloth, extrude(grille, 0.008).move(z=z - 0.002))
    for x in np.linspace(-0.45, 0.45, int(rng.integers(3, 6))):
        high = straight + r * 0.7 * point * np.sqrt(1 - (x / 0.7) ** 2)
        radio.add(wood, box(0.012, high - straight, 0.014).move(x * r, straight, z - 0.006))
    radio.add(wood, box(width * 0.76, 0.014, 0.02).move(0, straight - 0.012, z - 0.006))
    dial = shift(arc(0.05, 0, 180, 13), 0, straight * 0.52)
    radio.add(brass, extrude(dial, 0.014).move(z=z - 0.004))
    for x in (-0.07, 0.0, 0.07):
        radio.add(wood, _dial(0.017, 0.026).move(x, straight * 0.3, z))
    return radio


def _draw_transistor(rng: Rng) -> Assembly:
    """A portable radio: upright or wide case, one round grille of slots, tuning dial, aerial and strap handle."""
    u = rng.uniform
    width, height, deep = u(0.2, 0.28), u(0.13, 0.18), u(0.05, 0.075)
    case, metal, dark = paint(rng, "plastic"), paint(rng, "metal"), paint(rng, "black")
    z = -deep / 2
    radio = Assembly().add(case, round_box(width, height, deep, 0.014))
    cone = height * 0.36
    at = (-width / 2 + cone + 0.018, height * 0.5, z)
    radio.add(metal, torus(cone, 0.005).rotate(x=90).move(*at))
    for y in np.linspace(-0.8, 0.8, 8):
        half = cone * np.sqrt(1 - y**2)
        radio.add(dark, box(2 * half, 0.005, 0.01).move(at[0], at[1] + y * cone, z))
    right = (at[0] + cone + width / 2) / 2
    radio.add(
        metal,
        _dial(height * 0.17, 0.016).move(right, height * 0.32, z),
        _dial(height * 0.05, 0.03).move(right, height * 0.32, z),
    )
    radio.add(dark, box((width / 2 - right) * 1.5, height * 0.24, 0.006).move(right, height * 0.6, z))
    x = width / 2 - 0.01
    grip = smooth(
        [
            (-x, height * 0.8, 0),
            (-x, height + 0.035, 0),
            (-x + 0.03, height + 0.05, 0),
            (x - 0.03, height + 0.05, 0),
            (x, height + 0.035, 0),
            (x, height * 0.8, 0),
        ],
        4,
    )
    radio.add(metal, sweep(grip, round_rectangle(0.018, 0.006, 0.002, 2)))
    return radio.add(
        metal,
        rod((x - 0.01, height * 0.9, deep / 2), (x + u(0.02, 0.1), height + u(0.15, 0.25), deep / 2), 0.0035, 0.002),
    )


def _gamepad(rng: Rng) -> Assembly:
    """A game controller lying on the floor: two horns, sticks, cross and buttons; its front is at +z."""
    body, dark = paint(rng, "black" if rng.random() < 0.5 else "white"), paint(rng, "rubber")
    half = smooth(
        [
            (0.0, 0.03),
            (0.045, 0.038),
            (0.072, 0.02),
            (0.082, -0.035),
            (0.066, -0.058),
            (0.048, -0.04),
            (0.03, -0.016),
            (0.0, -0.014),
        ],
        4,
    )
    outline = np.concatenate([half, half[-2:0:-1] * (-1, 1)])
    middle = outline.mean(axis=0)
    rings = [
        np.column_stack([*((outline - middle) * share + middle).T, np.full(len(outline), y)])[:, [0, 2, 1]]
        for share, y in ((0.82, 0.0), (1.0, 0.014), (1.0, 0.024), (0.84, 0.036))
    ]
    pad = Assembly().add(body, loft(rings))
    stick = lathe([(0, 0), (0.006, 0), (0.005, 0.012), (0.0095, 0.014), (0.0095, 0.018), (0, 0.016)], 16)
    pad.add(dark, stick.move(-0.048, 0.034, 0.012), stick.move(0.024, 0.034, -0.004))
    pad.add(
        dark, box(0.022, 0.006, 0.007).move(-0.024, 0.034, -0.004), box(0.007, 0.006, 0.022).move(-0.024, 0.034, -0.004)
    )
    button = cylinder(0.0048, 0.006, segments=12).move(0.012, 0.033)
    return pad.add(paint(rng, "plastic"), repeat_around(button, 4).move(0.05, 0.001, 0.012))


def _draw_flat_xbox(rng: Rng) -> Assembly:
    """The first console: a broad black box with a raised X across its top and a disc in the middle; a controller."""
    u = rng.uniform
    width, height, deep = u(0.3, 0.33), u(0.085, 0.1), u(0.25, 0.28)
    black, green = paint(rng, "black"), paint(rng, "leaf")
    console = Assembly().add(black, round_box(width, height, deep, 0.012))
    for side in (-1, 1):
        arm = [
            (-side * width * 0.46, height, -deep * 0.46),
            (0, height + 0.008, 0),
            (side * width * 0.46, height, deep * 0.46),
        ]
        console.add(black, sweep(smooth(arm, 4), round_rectangle(0.055, 0.03, 0.012, 3)))
    console.add(green, lathe([(0, 0), (0.045, 0), (0.045, 0.028), (0.03, 0.034), (0, 0.036)]).move(y=height - 0.005))
    z = -deep / 2
    console.add(paint(rng, "rubber"), box(width * 0.5, height * 0.16, 0.008).move(0, height * 0.62, z))
    console.add(
        paint(rng, "metal"),
        repeat(
            cylinder(0.014, 0.01, segments=16).rotate(x=-90),
            (-0.09, height * 0.3, z + 0.004),
            (0.09, height * 0.3, z + 0.004),
            4,
        ),
    )
    return console.include(_gamepad(rng), u(-0.06, 0.06), 0.0, z - u(0.1, 0.14))


def _draw_waisted_xbox(rng: Rng) -> Assembly:
    """The second console, upright: a slab with drawn-in sides, disc tray, round power button, vents; a controller."""
    u = rng.uniform
    width, height, deep, waist = u(0.08, 0.09), u(0.29, 0.32), u(0.24, 0.27), u(0.008, 0.014)
    white, grey = paint(rng, "white"), paint(rng, "metal")
    t = np.linspace(0, 1, 13)
    half = width / 2 - waist * np.sin(np.pi * t)
    outline = np.concatenate([np.column_stack([half, t * height]), np.column_stack([-half, t * height])[::-1]])
    rings = []
    for z, share in ((-0.5, 0.93), (-0.46, 1.0), (0.46, 1.0), (0.5, 0.93)):
        flat = (outline - (0, height / 2)) * (share, 1 - (1 - share) * 0.4) + (0, height / 2)
        z_line = z * deep + 0.09 * deep * np.sign(z) * -np.sin(np.pi * flat[:, 1] / height)
        rings.append(np.column_stack([flat, z_line]))
    console = Assembly().add(white, loft(rings))
    z = -deep / 2 + 0.045 * deep * 2
    console.add(grey, round_box(0.014, height * 0.52, 0.02, 0.004).move(width * 0.1, height * 0.4, z - 0.004))
    console.add(grey, cylinder(0.02, 0.014, segments=24).rotate(x=-90).move(0, height * 0.17, z + 0.008))
    console.add(paint(rng, "leaf"), torus(0.02, 0.003).rotate(x=90).move(0, height * 0.17, z - 0.005))
    vent = box(0.004, 0.006, deep * 0.5)
    console.add(
        grey,
        mirror(repeat(vent.move(width / 2 - waist, 0, 0), (0, height * 0.4, 0), (0, height * 0.62, 0), 7)),
    )
    console.add(grey, box(width * 1.1, 0.008, deep * 0.8))
    return console.include(_gamepad(rng), u(0.1, 0.14), 0.0, -deep * 0.45)


def _draw_tower_xbox(rng: Rng) -> Assembly:
    """The newest console: a plain square tower, its sunken top full of round vents, a disc slot; a controller."""
    u = rng.uniform
    side, height = u(0.145, 0.155), u(0.29, 0.31)
    black, dark = paint(rng, "black"), paint(rng, "rubber")
    rim, dip = 0.006, 0.008
    square = round_rectangle(side, side, 0.008)
    hole = round_rectangle(side - 2 * rim, side - 2 * rim, 0.005)
    levels = [(square, 0.01), (square, height), (hole, height), (hole, height - dip)]
    console = Assembly().add(black, loft([np.column_stack([o[:, 0], np.full(len(o), y), -o[:, 1]]) for o, y in levels]))
    console.add(dark, cylinder(side * 0.4, 0.012))
    for ring, count in ((0.0, 1), (0.024, 6), (0.047, 12)):
        vent = torus(0.0075, 0.0018, 12).move(ring, height - dip + 0.001)
        console.add(dark, repeat_around(vent, count))
    z = -side / 2
    console.add(dark, box(0.005, height * 0.4, 0.006).move(-side * 0.32, height * 0.12, z))
    console.add(
        paint(rng, "white"),
        cylinder(0.009, 0.005, segments=20).rotate(x=-90).move(-side * 0.32, height * 0.9, z + 0.002),
    )
    return console.include(_gamepad(rng), u(0.16, 0.2), 0.0, z * 0.5)


STYLES = {
    "radio": {"boombox": _draw_boombox, "cathedral": _draw_cathedral_radio, "transistor": _draw_transistor},
    "xbox": {"flat": _draw_flat_xbox, "waisted": _draw_waisted_xbox, "tower": _draw_tower_xbox},
}
