"""Airplanes, the nose towards -z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.cars import wheel
from clip2point_shapes.curves import aerofoil, ellipse, smooth
from clip2point_shapes.primitives import box, ellipsoid, lathe, loft, rod, round_box
from clip2point_shapes.solid import Solid, mirror

Rng = np.random.Generator


@dataclass(frozen=True)
class _Wing:
    """A wing half: root at ``at`` (nose of the section), reaching out along +x.

    Attributes:
        at: Position (x, y, z) of the root's nose, metres.
        span: Reach along x, metres.
        root: Chord at the root, metres.
        tip: Chord at the tip, metres.
        sweep: Distance of the tip's nose behind the root's, metres.
        rise: Height of the tip above the root, metres.
        thickness: Greatest thickness as a fraction of the chord.
    """

    at: tuple[float, float, float]
    span: float
    root: float
    tip: float
    sweep: float = 0.0
    rise: float = 0.0
    thickness: float = 0.12

    def solid(self) -> Solid:
        """Return the closed surface of the wing half."""
        rings = []
        for t in (0.0, 0.5, 0.97, 1.0):
            chord = self.root + (self.tip - self.root) * t
            section = aerofoil(chord * (1.0 if t < 1 else 0.8), self.thickness if t < 1 else self.thickness * 0.3)
            x, y, z = self.at
            rings.append(
                np.column_stack(
                    [
                        np.full(len(section), x + t * self.span),
                        y + t * self.rise + section[:, 1],
                        z + t * self.sweep + section[:, 0],
                    ]
                )
            )
        return loft(rings)


def _fin(at: tuple[float, float, float], height: float, root: float, tip: float, sweep: float) -> Solid:
    """An upright tail fin: a wing half rotated upright."""
    wing = _Wing((0, 0, 0), height, root, tip, sweep, thickness=0.1).solid()
    return wing.rotate(z=90).move(*at)


def _hull(stations: list[tuple[float, float, float, float]], count: int = 20, power: float = 2.0) -> Solid:
    """A body along z from stations (z, half width, half height, y of the middle)."""
    rings = []
    for z, wide, high, y in smooth(stations, 5):
        outline = ellipse(max(wide, 1e-3), max(high, 1e-3), count, power)
        rings.append(np.column_stack([outline[:, 0], outline[:, 1] + y, np.full(count, z)]))
    return loft(rings)


def _draw_airliner(rng: Rng) -> Assembly:
    """A jet airliner: long tube, swept wings, two or four engines under them, tall fin."""
    u = rng.uniform
    length, radius, span = u(34, 60), u(1.9, 2.9), u(0.44, 0.52)
    span *= length
    nose, tail = -length / 2, length / 2
    paint_white, metal, tip = paint(rng, "white"), paint(rng, "metal"), paint(rng, "paint")
    r = radius
    plane = Assembly()
    stations = [
        (nose, 0.05, 0.05, -r * 0.25),
        (nose + r * 0.5, r * 0.5, r * 0.5, -r * 0.18),
        (nose + r * 1.5, r * 0.85, r * 0.85, -r * 0.07),
        (nose + r * 3, r, r, 0),
    ]
    stations += [
        (0.0, r, r, 0),
        (tail - length * 0.28, r, r, 0),
        (tail - length * 0.12, r * 0.66, r * 0.66, r * 0.3),
        (tail, r * 0.12, r * 0.16, r * 0.62),
    ]
    plane.add(paint_white, _hull(stations))
    root, sweep = length * u(0.17, 0.2), span * u(0.42, 0.55)
    wing_z = -length * u(0.1, 0.14)
    wing = _Wing((r * 0.3, -r * 0.55, wing_z), span, root, root * u(0.2, 0.28), sweep, span * u(0.08, 0.13))
    plane.add(paint_white, mirror(wing.solid()))
    if rng.random() < 0.6:
        x, y, z = r * 0.3 + span, -r * 0.55 + wing.rise, wing_z + sweep
        plane.add(
            tip,
            mirror(_fin((x - 0.1, y, z + wing.tip * 0.2), span * 0.09, wing.tip * 0.75, wing.tip * 0.35, span * 0.06)),
        )
    engine_radius = radius * u(0.45, 0.6)
    for share in (0.3, 0.6) if rng.random() < 0.35 else (0.33,):
        x, z = r * 0.3 + share * span, wing_z + share * sweep - engine_radius * 1.6
        y = -r * 0.55 + share * wing.rise - engine_radius * 1.15
        e = engine_radius
        nacelle = [
            (e * 0.82, 0),
            (e * 0.95, -0.05 * e),
            (e, e * 0.6),
            (e * 0.9, e * 2.4),
            (e * 0.6, e * 3.6),
            (e * 0.5, e * 3.6),
            (e * 0.45, e * 1.0),
            (e * 0.78, e * 0.5),
        ]
        plane.add(metal, mirror(lathe(nacelle, 20, closed=True).rotate(x=90).move(x, y, z)))
        spinner = lathe(
            [
                (0, e * 0.1),
                (e * 0.3, e * 0.6),
                (e * 0.8, e * 0.7),
                (e * 0.5, e * 1.2),
                (e * 0.4, e * 3.2),
                (0, e * 4.2),
            ],
            16,
        )
        plane.add(paint(rng, "black"), mirror(spinner.rotate(x=90).move(x, y, z)))
        plane.add(paint_white, mirror(box(e * 0.25, e * 0.9, e * 2.6).move(x, y + e * 0.7, z + e * 2.2)))
    fin_root = length * 0.12
    plane.add(
        tip,
        _fin((0, r * 0.55, tail - fin_root * 1.35), length * u(0.12, 0.15), fin_root, fin_root * 0.45, fin_root * 0.75),
    )
    stabiliser = _Wing(
        (r * 0.1, r * 0.5, tail - length * 0.1), span * 0.36, length * 0.08, length * 0.035, span * 0.2, span * 0.03
    )
    plane.add(paint_white, mirror(stabiliser.solid()))
    return plane


def _draw_propeller_plane(rng: Rng) -> Assembly:
    """A light airplane: straight wing above or below the cabin, propeller in front, fixed wheels."""
    u = rng.uniform
    length, radius, span = u(7, 9), u(0.5, 0.62), u(4.6, 5.6)
    nose, tail = -length * 0.42, length * 0.58
    r = radius
    body, trim, dark = paint(rng, "white"), paint(rng, "paint"), paint(rng, "black")
    high = rng.random() < 0.6
    plane = Assembly()
    stations = [(nose, r * 0.55, r * 0.5, 0), (nose + 0.6, r * 0.85, r * 0.75, 0), (nose + 1.4, r, r * 0.95, 0.05)]
    stations += [(nose + 2.8, r, r, 0.08), (tail - 1.6, r * 0.45, r * 0.5, 0.12), (tail, r * 0.08, r * 0.2, 0.2)]
    plane.add(body, _hull(stations, power=2.5))
    canopy = [
        (nose + 0.9, 0.1, 0.05, r * 0.7),
        (nose + 1.5, r * 0.8, r * 0.55, r * 0.8),
        (nose + 2.5, r * 0.78, r * 0.55, r * 0.8),
        (nose + 3.6, 0.1, 0.05, r * 0.7),
    ]
    plane.add(paint(rng, "screen"), _hull(canopy, power=2.5))
    chord = u(1.2, 1.6)
    wing_y = r * 1.3 if high else -r * 0.6
    wing_z = nose + u(1.2, 1.5)
    wing = _Wing((0, wing_y, wing_z), span, chord, chord * u(0.6, 1.0), u(0, 0.25), u(0.1, 0.45))
    plane.add(body, mirror(wing.solid()))
    if high:
        strut = rod((r * 0.8, -r * 0.7, wing_z + 0.5), (span * 0.55, wing_y + wing.rise * 0.5, wing_z + 0.5), 0.035)
        plane.add(trim, mirror(strut))
    plane.add(trim, _fin((0, 0.2, tail - 1.15), u(1.1, 1.4), 1.1, 0.6, 0.55))
    plane.add(body, mirror(_Wing((0.02, 0.25, tail - 0.95), span * 0.32, 0.85, 0.6, 0.2).solid()))
    plane.add(trim, lathe([(0, 0), (r * 0.28, -0.02), (r * 0.2, 0.2), (0, 0.32)], 16).rotate(x=-90).move(z=nose))
    blade = round_box(0.14, u(0.85, 1.0), 0.035, 0.015).rotate(y=25)
    count = int(rng.integers(2, 4))
    plane.add(dark, *(blade.rotate(z=360 * i / count + 20).move(z=nose - 0.1) for i in range(count)))
    tyre, rim = wheel(0.24, 0.16)
    ground = -r - 0.62
    for x, z in ((1.05, wing_z + chord * 0.55), (0.0, nose + 0.45)):
        sides = (1, -1) if x else (1,)
        for side in sides:
            plane.add(dark, tyre.move(side * x, ground, z)).add(paint(rng, "metal"), rim.move(side * x, ground, z))
            plane.add(body, rod((side * x * 0.93, ground, z), (side * x * 0.3, -r * 0.6, z + 0.05), 0.05))
    return plane


def _draw_fighter(rng: Rng) -> Assembly:
    """A jet fighter: needle nose, bubble canopy, delta wings, twin fins and nozzles."""
    u = rng.uniform
    length, radius, span = u(14, 18), u(0.8, 1.0), u(4.2, 5.4)
    nose, tail, r = -length / 2, length / 2, radius
    grey, dark = paint(rng, "metal"), paint(rng, "black")
    plane = Assembly()
    stations = [
        (nose, 0.02, 0.02, 0),
        (nose + length * 0.12, r * 0.42, r * 0.42, 0),
        (nose + length * 0.3, r * 0.8, r * 0.75, 0.05),
        (0, r * 1.2, r * 0.8, 0),
    ]
    stations += [(tail - length * 0.2, r * 1.25, r * 0.7, 0), (tail - 0.6, r * 1.05, r * 0.55, 0)]
    plane.add(grey, _hull(stations, power=2.4))
    plane.add(paint(rng, "screen"), ellipsoid(r * 0.48, r * 0.6, length * 0.1).move(0, r * 0.6, nose + length * 0.28))
    intake = round_box(r * 0.62, r * 0.9, length * 0.36, 0.12)
    plane.add(grey, mirror(intake.move(r * 1.05, -r * 0.6, -length * 0.04)))
    chord = length * u(0.36, 0.44)
    wing_z = tail - length * 0.12 - chord
    wing = _Wing((r * 0.8, 0, wing_z), span, chord, chord * u(0.14, 0.25), chord * u(0.6, 0.72), 0.0, 0.05)
    plane.add(grey, mirror(wing.solid()))
    plane.add(
        grey,
        mirror(
            _Wing(
                (r * 0.9, 0, tail - length * 0.13), span * 0.5, length * 0.13, length * 0.05, length * 0.09, -0.1, 0.05
            ).solid()
        ),
    )
    fin_root = length * 0.16
    height = u(2.0, 2.6)
    if rng.random() < 0.6:
        fin = _fin((0, 0, 0), height, fin_root, fin_root * 0.4, fin_root * 0.7).rotate(z=-u(8, 22))
        plane.add(grey, mirror(fin.move(r * 0.85, r * 0.4, tail - fin_root * 1.25)))
        nozzles = [-r * 0.55, r * 0.55]
    else:
        plane.add(
            grey, _fin((0, r * 0.4, tail - fin_root * 1.4), height * 1.2, fin_root * 1.2, fin_root * 0.4, fin_root)
        )
        nozzles = [0.0]
    for x in nozzles:
        e = r * (0.5 if len(nozzles) == 2 else 0.62)
        plane.add(
            dark,
            lathe([(e, 0), (e * 0.8, 1.1), (e * 0.7, 1.1), (e * 0.8, 0)], 20, closed=True)
            .rotate(x=90)
            .move(x, 0, tail - 0.8),
        )
    if rng.random() < 0.6:
        missile = lathe([(0, -1.5), (0.1, -1.2), (0.1, 1.4), (0, 1.4)], 12).rotate(x=90)
        place = (r * 0.8 + span * 0.98, 0.0, wing_z + wing.sweep + 0.4)
        plane.add(paint(rng, "white"), mirror(missile.move(*place)))
    return plane


def _draw_glider(rng: Rng) -> Assembly:
    """A sailplane: very long slender wings, thin tail boom, T-tail, bubble cockpit."""
    u = rng.uniform
    length, span, r = u(6.3, 7.2), u(7.2, 9.0), u(0.32, 0.38)
    nose, tail = -length * 0.36, length * 0.64
    white = paint(rng, "white")
    plane = Assembly()
    stations = [
        (nose, 0.03, 0.03, -0.1),
        (nose + 0.6, r * 0.75, r * 0.8, -0.05),
        (nose + 1.5, r, r * 1.2, 0),
        (nose + 2.6, r * 0.7, r * 0.9, 0.08),
    ]
    stations += [(nose + 3.6, r * 0.3, r * 0.36, 0.12), (tail, 0.07, 0.09, 0.15)]
    plane.add(white, _hull(stations))
    plane.add(paint(rng, "screen"), ellipsoid(r * 0.78, r * 0.75, 0.85).move(0, r * 0.65, nose + 1.3))
    chord = u(0.75, 0.95)
    plane.add(white, mirror(_Wing((0, r * 0.6, nose + 1.9), span, chord, chord * 0.38, 0.25, u(0.3, 0.7)).solid()))
    high = u(1.0, 1.25)
    plane.add(white, _fin((0, 0.12, tail - 0.85), high, 0.85, 0.55, 0.35))
    plane.add(white, mirror(_Wing((0, 0.12 + high, tail - 0.5), 1.3, 0.5, 0.32, 0.12).solid()))
    return plane


STYLES = {
    "airplane": {
        "airliner": _draw_airliner,
        "propeller": _draw_propeller_plane,
        "fighter": _draw_fighter,
        "glider": _draw_glider,
    },
}
