"""Cupboards, drawers and shelves: bookshelf, wardrobe, night stand, dresser, TV stand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from clip2point.shapes.shape import Material
from clip2point_shapes.assembly import Assembly, paint
from clip2point_shapes.curves import round_rectangle, shift
from clip2point_shapes.primitives import beam, box, cylinder, ellipsoid, extrude, lathe, rod, round_box
from clip2point_shapes.solid import Solid, join, mirror, mirror_twice, repeat

Rng = np.random.Generator


def _knob(radius: float) -> Solid:
    """A door knob at the origin that points to -z."""
    return join(
        [
            cylinder(radius * 0.5, radius * 1.6, segments=10),
            ellipsoid(radius, radius * 0.7, radius, 12).move(y=radius * 1.8),
        ]
    ).rotate(x=-90)


def _handle(length: float, upright: bool = False) -> Solid:
    """A bar handle about the origin that stands off towards -z."""
    bar = beam((-length / 2, 0, -0.035), (length / 2, 0, -0.035), 0.014, 0.014)
    handle = join([bar, mirror(beam((length / 2 - 0.02, 0, 0), (length / 2 - 0.02, 0, -0.035), 0.012, 0.012))])
    return handle.rotate(z=90) if upright else handle


def _fronts(
    body: Assembly, wood: Material, metal: Material, frame: tuple[float, float, float, float, float], knobs: bool
) -> None:
    """Add one drawer front: ``frame`` is x and y of its lower middle, its width and height, and z of the carcass."""
    x, y, width, height, z = frame
    body.add(wood, round_box(width, height, 0.024, 0.006, 2).move(x, y, z - 0.008))
    middle = (x, y + height / 2, z - 0.02)
    if not knobs:
        body.add(metal, _handle(min(0.16, width * 0.4)).move(*middle))
    elif width > 0.5:
        body.add(metal, *(_knob(0.016).move(x + side * width * 0.3, *middle[1:]) for side in (-1, 1)))
    else:
        body.add(metal, _knob(0.016).move(*middle))


def _carcass(wood: Material, width: float, height: float, depth: float, board: float = 0.02) -> Assembly:
    """A cupboard without front: sides, bottom, top and back."""
    body = Assembly().add(wood, mirror(box(board, height, depth).move(width / 2 - board / 2)))
    inner = width - 2 * board
    body.add(wood, box(inner, board, depth), box(inner, board, depth).move(y=height - board))
    return body.add(wood, box(inner, height, 0.008).move(z=depth / 2 - 0.004))


def _books(rng: Rng, shelf: Assembly, left: float, right: float, y: float, room: float, depth: float) -> None:
    """Fill a part of a board with upright books, the last ones leaning or missing."""
    x = left + 0.005
    end = right - rng.choice([0.01, 0.05, 0.3]) * (right - left)
    while True:
        thick, high, deep = rng.uniform(0.018, 0.05), room * rng.uniform(0.62, 0.92), depth * rng.uniform(0.6, 0.85)
        if x + thick > end:
            return
        stuff = paint(rng, str(rng.choice(["fabric", "leather", "plastic", "paint"])))
        shelf.add(stuff, box(thick - 0.002, high, deep).move(x + thick / 2, y, depth / 2 - 0.02 - deep / 2))
        x += thick


def _draw_bookcase(rng: Rng) -> Assembly:
    """A tall bookcase with rows of books."""
    u = rng.uniform
    width, height, depth, board = u(0.7, 1.1), u(1.5, 2.1), u(0.26, 0.34), u(0.018, 0.028)
    wood = paint(rng, "wood")
    shelf = _carcass(wood, width, height, depth, board)
    plinth = 0.06
    shelf.add(wood, box(width, plinth, depth * 0.9))
    levels = np.linspace(plinth, height - board, int(rng.integers(5, 7)))
    for y, following in pairwise(levels):
        shelf.add(wood, box(width - 2 * board, board, depth - 0.01).move(y=y))
        half = width / 2 - board
        _books(rng, shelf, -half, half, y + board, following - y - board, depth)
    return shelf


def _draw_cube_shelf(rng: Rng) -> Assembly:
    """A room divider of square cells, some with boxes or books."""
    u = rng.uniform
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(3, 5))
    cell, depth, board = u(0.33, 0.39), u(0.33, 0.4), u(0.025, 0.04)
    wood, basket = paint(rng, "wood" if rng.random() < 0.5 else "white"), paint(rng, "fabric")
    width, height = columns * cell + board, rows * cell + board
    shelf = Assembly().add(
        wood,
        repeat(box(board, height, depth), (-columns * cell / 2, 0, 0), (columns * cell / 2, 0, 0), columns + 1),
    )
    shelf.add(wood, repeat(box(width - 0.002, board, depth - 0.002), (0, 0, 0), (0, rows * cell, 0), rows + 1))
    for column in range(columns):
        for row in range(rows):
            x, y = (column + 0.5 - columns / 2) * cell, row * cell + board
            filling = rng.random()
            if filling < 0.25:
                shelf.add(basket, round_box(cell - board - 0.02, cell - board - 0.04, depth - 0.03, 0.01).move(x, y))
            elif filling < 0.6:
                _books(rng, shelf, x - cell / 2 + board / 2, x + cell / 2 - board / 2, y, cell - board, depth)
    return shelf


def _draw_ladder_shelf(rng: Rng) -> Assembly:
    """A leaning or straight open rack: four posts, boards without back or sides, few things on them."""
    u = rng.uniform
    width, height, depth = u(0.7, 1.0), u(1.5, 1.9), u(0.3, 0.38)
    wood, metal = paint(rng, "wood"), paint(rng, "black")
    shelf = Assembly().add(metal, mirror_twice(box(0.028, height, 0.028).move(width / 2, 0, depth / 2)))
    levels = np.linspace(0.12, height - 0.05, int(rng.integers(4, 6)))
    for y in levels:
        shelf.add(wood, box(width, 0.025, depth).move(y=y))
        shelf.add(metal, mirror(box(0.02, 0.02, depth).move(width / 2, y)))
        if y < levels[-1] - 0.1:
            left = u(-0.5, -0.1) * width
            _books(rng, shelf, left, left + u(0.35, 0.55) * width, y + 0.025, 0.28, depth)
    shelf.add(metal, beam((-width / 2, levels[0], depth / 2), (width / 2, levels[-1], depth / 2), 0.008, 0.014))
    shelf.add(metal, beam((width / 2, levels[0], depth / 2), (-width / 2, levels[-1], depth / 2), 0.008, 0.014))
    return shelf


def _draw_hinged_wardrobe(rng: Rng) -> Assembly:
    """A wardrobe: two or three panelled doors with handles, a cornice and often a drawer below."""
    u = rng.uniform
    doors = int(rng.integers(2, 4))
    width, height, depth = doors * u(0.45, 0.55), u(1.9, 2.2), u(0.56, 0.64)
    wood, metal = paint(rng, "wood"), paint(rng, "metal")
    body = Assembly().add(wood, box(width, height - 0.08, depth).move(y=0.08))
    body.add(wood, box(width - 0.04, 0.08, depth - 0.06).move(y=0.002))
    body.add(
        wood,
        box(width + 0.06, 0.05, depth + 0.05).move(y=height),
        box(width + 0.1, 0.025, depth + 0.08).move(y=height + 0.05),
    )
    front = -depth / 2
    bottom = 0.1
    if rng.random() < 0.5:
        for i in range(2):
            _fronts(body, wood, metal, ((i - 0.5) * width / 2, 0.1, width / 2 - 0.015, 0.22, front), knobs=True)
        bottom = 0.34
    each, tall = width / doors, height - bottom - 0.02
    rail = u(0.06, 0.09)
    for i in range(doors):
        x = (i + 0.5 - doors / 2) * each
        w = each - 0.012
        body.add(wood, box(w, tall, 0.012).move(x, bottom, front - 0.004))
        for side in (-1, 1):
            body.add(wood, box(rail, tall, 0.03).move(x + side * (w / 2 - rail / 2), bottom, front - 0.012))
        for y in (0.0, tall * 0.45, tall - rail):
            body.add(wood, box(w, rail, 0.029).move(x, bottom + y, front - 0.012))
        toward = -1 if i == doors - 1 else 1
        body.add(metal, _handle(0.2, True).move(x + toward * (w / 2 - 0.045), bottom + tall * 0.5, front - 0.026))
    return body


def _draw_sliding_wardrobe(rng: Rng) -> Assembly:
    """A wide wardrobe with two overlapping sliding doors, one of them a mirror."""
    u = rng.uniform
    width, height, depth = u(1.5, 2.0), u(1.95, 2.2), u(0.6, 0.68)
    wood, door, glass = paint(rng, "wood"), paint(rng, "white"), paint(rng, "metal")
    body = _carcass(wood, width, height, depth, 0.035)
    body.add(wood, box(0.03, height, depth - 0.12).move(z=0.04))
    leaf, tall = width / 2 + 0.01, height - 0.1
    for side, z in ((-1, -depth / 2 + 0.05), (1, -depth / 2 + 0.015)):
        x = side * (width / 4 - 0.02)
        body.add(glass if side > 0 else door, box(leaf, tall, 0.02).move(x, 0.05, z))
        body.add(
            paint(rng, "metal"), *(box(0.03, tall, 0.032).move(x + s * (leaf / 2 - 0.015), 0.05, z) for s in (-1, 1))
        )
        body.add(
            wood,
            repeat(box(leaf, 0.02, 0.026).move(x, 0, z), (0, 0.05, 0), (0, tall + 0.03, 0), int(rng.integers(3, 5))),
        )
    return body


def _draw_armoire(rng: Rng) -> Assembly:
    """An old armoire: arched top, two doors with raised panels, turned feet."""
    u = rng.uniform
    width, height, depth, foot = u(1.1, 1.4), u(1.8, 2.0), u(0.55, 0.62), u(0.1, 0.14)
    wood, brass = paint(rng, "wood"), paint(rng, "brass")
    body = Assembly()
    bun = lathe([(0, 0), (0.03, 0), (0.05, foot * 0.5), (0.035, foot), (0, foot)], 14)
    body.add(wood, mirror_twice(bun.move(width / 2 - 0.07, 0, depth / 2 - 0.07)))
    rise = u(0.12, 0.22)
    x = np.linspace(width / 2, -width / 2, 17)
    arch = np.column_stack([x, height + rise * (1 - (2 * x / width) ** 2)])
    front = [(-width / 2, foot), (width / 2, foot), *arch]
    body.add(wood, extrude(front, depth))
    crown = np.concatenate([shift(arch, 0, 0.05), shift(arch[::-1], 0, -0.02)]) * (1.05, 1)
    body.add(wood, extrude(crown, depth + 0.1))
    body.add(wood, box(width + 0.04, 0.05, depth + 0.04).move(y=foot))
    z = -depth / 2
    drawer = 0.24
    _fronts(body, wood, brass, (0, foot + 0.07, width - 0.1, drawer - 0.04, z), knobs=True)
    w, tall = width / 2 - 0.06, height - foot - drawer - 0.1
    for side in (-1, 1):
        at = side * (w / 2 + 0.006)
        base = foot + drawer + 0.06
        body.add(wood, round_box(w, tall, 0.03, 0.006, 2).move(at, base, z - 0.008))
        for low, part in ((0.08, 0.36), (0.52, 0.4)):
            body.add(wood, round_box(w - 0.14, tall * part, 0.03, 0.012, 2).move(at, base + tall * low, z - 0.024))
        body.add(brass, _knob(0.018).move(side * 0.045, base + tall * 0.5, z - 0.022))
    return body


def _chest(rng: Rng, size: tuple[float, float, float], rows: list[int], foot: float, knobs: bool) -> Assembly:
    """A chest with rows of drawers (one number of drawers for each row, from the bottom) on feet."""
    width, height, depth = size
    wood, metal = paint(rng, "wood"), paint(rng, "brass" if knobs else "metal")
    body = Assembly().add(wood, box(width, height - foot - 0.03, depth).move(y=foot))
    body.add(wood, round_box(width + 0.04, 0.032, depth + 0.03, 0.01).move(y=height - 0.032))
    x, z = width / 2 - 0.04, depth / 2 - 0.04
    if rng.random() < 0.5:
        body.add(wood, mirror_twice(rod((x + 0.015, 0, z + 0.01), (x, foot + 0.005, z), 0.013, 0.024)))
    else:
        body.add(wood, mirror_twice(box(0.06, foot + 0.005, 0.06).move(x, 0, z)))
    inner, base = height - foot - 0.06, foot + 0.015
    each = inner / len(rows)
    for row, count in enumerate(rows):
        part = (width - 0.03) / count
        for i in range(count):
            frame = ((i + 0.5 - count / 2) * part, base + row * each + 0.006, part - 0.014, each - 0.012, -depth / 2)
            _fronts(body, wood, metal, frame, knobs)
    return body


def _draw_tall_dresser(rng: Rng) -> Assembly:
    """A tall chest of four to six drawers, the top row often halved."""
    u = rng.uniform
    rows = [1] * int(rng.integers(3, 5)) + [int(rng.integers(1, 3))]
    return _chest(rng, (u(0.75, 0.95), u(1.0, 1.3), u(0.42, 0.5)), rows, u(0.06, 0.14), rng.random() < 0.6)


def _draw_wide_dresser(rng: Rng) -> Assembly:
    """A low wide dresser of three rows of drawers, often with a mirror."""
    u = rng.uniform
    width, height, depth = u(1.3, 1.6), u(0.72, 0.85), u(0.44, 0.5)
    body = _chest(rng, (width, height, depth), [2, 2, int(rng.integers(2, 4))], u(0.06, 0.12), rng.random() < 0.7)
    if rng.random() < 0.6:
        wood, glass = paint(rng, "wood"), paint(rng, "metal")
        w, h, z = width * u(0.5, 0.7), u(0.6, 0.8), depth / 2 - 0.05
        frame, y = round_rectangle(w, h, u(0.05, 0.25)), height + 0.1 + h / 2
        body.add(wood, extrude(frame, 0.03).move(0, y, z))
        body.add(glass, extrude(frame * 0.88, 0.012).move(0, y, z - 0.02))
        body.add(wood, mirror(beam((w * 0.4, height, z + 0.03), (w * 0.4, height + h * 0.6, z + 0.03), 0.05, 0.025)))
    return body


def _draw_drawer_stand(rng: Rng) -> Assembly:
    """A bedside chest of two or three drawers."""
    u = rng.uniform
    rows = [1] * int(rng.integers(2, 4))
    return _chest(rng, (u(0.42, 0.52), u(0.5, 0.62), u(0.38, 0.44)), rows, u(0.05, 0.12), rng.random() < 0.6)


def _draw_open_stand(rng: Rng) -> Assembly:
    """A bedside table on slender legs: one drawer, an open shelf, a small lamp on it now and then."""
    u = rng.uniform
    width, height, depth, leg = u(0.4, 0.5), u(0.52, 0.64), u(0.36, 0.42), u(0.028, 0.038)
    wood, brass = paint(rng, "wood"), paint(rng, "brass")
    x, z = width / 2 - leg / 2, depth / 2 - leg / 2
    stand = Assembly().add(wood, mirror_twice(box(leg, height - 0.02, leg).move(x, 0, z)))
    stand.add(wood, round_box(width + 0.04, 0.024, depth + 0.03, 0.008).move(y=height - 0.024))
    drawer = u(0.12, 0.16)
    stand.add(wood, box(width - 0.01, drawer, depth - 0.02).move(y=height - 0.024 - drawer))
    _fronts(stand, wood, brass, (0, height - 0.018 - drawer, width - 2 * leg, drawer - 0.012, -depth / 2), knobs=True)
    stand.add(wood, box(width - 0.01, 0.018, depth - 0.01).move(y=height * u(0.2, 0.3)))
    if rng.random() < 0.4:
        stand.add(
            paint(rng, "ceramic"),
            lathe([(0, 0), (0.05, 0), (0.06, 0.06), (0.02, 0.14), (0.015, 0.2), (0, 0.2)]).move(0, height, 0.05),
        )
        shade = [(0.055, 0.3), (0.1, 0.17), (0.096, 0.17), (0.051, 0.3)]
        stand.add(paint(rng, "shade"), lathe(shade, closed=True).move(0, height, 0.05))
    return stand


def _television(rng: Rng, width: float) -> Assembly:
    """A flat television on two feet, screen towards -z."""
    height = width * 0.57
    black, screen = paint(rng, "black"), paint(rng, "screen")
    tv = Assembly().add(black, round_box(width, height, 0.035, 0.008).move(y=0.05))
    tv.add(screen, box(width - 0.03, height - 0.03, 0.004).move(0, 0.065, -0.0185))
    tv.add(black, mirror(beam((width * 0.36, 0.01, -0.12), (width * 0.36, 0.01, 0.12), 0.025, 0.02)))
    return tv.add(black, mirror(box(0.02, 0.06, 0.03).move(width * 0.36)))


def _draw_low_stand(rng: Rng) -> Assembly:
    """A long low TV stand: doors at the sides, an open middle with a shelf, sometimes a television on it."""
    u = rng.uniform
    width, height, depth, foot = u(1.3, 1.8), u(0.42, 0.55), u(0.38, 0.45), u(0.08, 0.15)
    wood, metal = paint(rng, "wood"), paint(rng, "metal")
    body = Assembly().include(_carcass(wood, width, height - foot, depth, 0.025), y=foot)
    body.add(
        wood,
        mirror_twice(
            rod((width / 2 - 0.07, 0, depth / 2 - 0.05), (width / 2 - 0.1, foot + 0.01, depth / 2 - 0.08), 0.013, 0.022)
        ),
    )
    side = width * u(0.26, 0.34)
    body.add(wood, mirror(box(0.02, height - foot, depth - 0.02).move(width / 2 - side, foot)))
    body.add(wood, box(width - 2 * side, 0.02, depth - 0.04).move(0, foot + (height - foot) * 0.48, 0.01))
    front = -depth / 2
    for s in (-1, 1):
        x = s * (width / 2 - side / 2)
        body.add(
            wood, round_box(side - 0.015, height - foot - 0.03, 0.022, 0.005, 2).move(x, foot + 0.015, front + 0.004)
        )
        body.add(metal, _handle(0.12, True).move(x - s * (side / 2 - 0.05), foot + (height - foot) / 2, front - 0.006))
    if rng.random() < 0.5:
        body.include(_television(rng, width * u(0.62, 0.85)), y=height)
    else:
        body.add(paint(rng, "black"), round_box(0.4, 0.06, 0.26, 0.01).move(0, foot + 0.03, 0.02))
    return body


def _draw_shelf_stand(rng: Rng) -> Assembly:
    """A TV rack of glass or wooden shelves between metal posts, with devices and a television."""
    u = rng.uniform
    width, height, depth = u(1.0, 1.3), u(0.45, 0.55), u(0.4, 0.45)
    metal, black, board = paint(rng, "metal"), paint(rng, "black"), paint(rng, "wood")
    rack = Assembly().add(
        metal, mirror_twice(cylinder(0.025, height, segments=14).move(width / 2 - 0.06, 0, depth / 2 - 0.05))
    )
    for y in (0.06, height * 0.5, height - 0.02):
        rack.add(board, round_box(width, 0.02, depth, 0.008).move(y=y))
    for y in (0.08, height * 0.5 + 0.02):
        rack.add(black, round_box(u(0.3, 0.44), u(0.05, 0.09), 0.28, 0.008).move(u(-0.15, 0.15), y))
    return rack.include(_television(rng, width * u(0.8, 1.0)), y=height)


STYLES = {
    "bookshelf": {"bookcase": _draw_bookcase, "cubes": _draw_cube_shelf, "rack": _draw_ladder_shelf},
    "wardrobe": {"hinged": _draw_hinged_wardrobe, "sliding": _draw_sliding_wardrobe, "armoire": _draw_armoire},
    "dresser": {"tall": _draw_tall_dresser, "wide": _draw_wide_dresser},
    "night_stand": {"drawers": _draw_drawer_stand, "legs": _draw_open_stand},
    "tv_stand": {"low": _draw_low_stand, "rack": _draw_shelf_stand},
}
