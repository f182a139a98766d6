"""Primitives: watertight, outward, and with the volume and area that the formulas give."""

import math

import numpy as np
import pytest

from clip2point_shapes import primitives as p
from clip2point_shapes.curves import circle, round_rectangle, smooth
from clip2point_shapes.solid import Solid, join, mirror, mirror_twice, repeat, repeat_around


def is_watertight(solid: Solid) -> bool:
    """Each directed edge occurs once, and once the other way round."""
    edges = np.concatenate([solid.faces[:, [0, 1]], solid.faces[:, [1, 2]], solid.faces[:, [2, 0]]])
    codes = edges[:, 0] * len(solid.vertices) + edges[:, 1]
    reverse = edges[:, 1] * len(solid.vertices) + edges[:, 0]
    return len(np.unique(codes)) == len(codes) and set(codes) == set(reverse)


def smallest_area(solid: Solid) -> float:
    a, b, c = (solid.vertices[solid.faces[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).min() / 2)


star = np.array([(math.cos(t), math.sin(t)) for t in np.arange(10) * math.pi / 5]) * np.tile([1.0, 0.4], 5)[:, None]
wave = np.stack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 2, 12), indexing="ij"), axis=-1)
surface = np.stack([wave[..., 0], np.sin(3 * wave[..., 1]) / 5, wave[..., 1]], axis=-1)

SOLIDS = {
    "box": p.box(1, 2, 3),
    "rounded box": p.round_box(1, 2, 3, 0.2),
    "rounded box, radius too large": p.round_box(0.1, 2, 3, 5.0),
    "cylinder": p.cylinder(1, 2),
    "frustum": p.cylinder(1, 2, 0.5),
    "cone": p.cylinder(1, 2, 0),
    "vessel": p.lathe([(0, 0), (1, 0), (1.2, 1), (1.1, 1), (0.9, 0.1), (0, 0.1)]),
    "ring": p.lathe([(1, 0), (1.2, 0), (1.1, 0.5)], closed=True),
    "open-ended profile": p.lathe([(1, 0), (2, 1), (1, 2)]),
    "ellipsoid": p.ellipsoid(1, 2, 3),
    "torus": p.torus(1, 0.3),
    "star plate": p.extrude(star, 0.1),
    "clockwise plate": p.extrude(star[::-1], 0.1),
    "tube": p.tube(smooth([(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1)]), 0.1),
    "tapered tube": p.tube([(0, 0, 0), (0, 1, 0), (0, 2, 0.1)], [0.3, 0.2, 0.0]),
    "sweep": p.sweep(smooth([(0, 0, 0), (1, 0, 0), (2, 1, 0)]), round_rectangle(0.2, 0.1, 0.02)),
    "rod": p.rod((0, 0, 0), (1, 2, 3), 0.1, 0.2),
    "beam": p.beam((1, 0, 0), (1, 2, 0), 0.1, 0.2),
    "sheet": p.sheet(surface, 0.02),
    "loft of concave rings": p.loft([np.column_stack([star * s, np.full(10, z)]) for s, z in ((1, 0), (0.5, 1))]),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_primitive_is_closed_and_faces_outwards(name):
    solid = SOLIDS[name]
    assert is_watertight(solid)
    assert solid.volume > 0
    assert smallest_area(solid) > 1e-9
    assert np.isfinite(solid.vertices).all()
    assert set(np.unique(solid.faces)) == set(range(len(solid.vertices)))


@pytest.mark.parametrize(
    ("solid", "volume", "area"),
    [
        (p.box(1, 2, 3), 6, 22),
        (p.cylinder(0.5, 2, segments=400), math.pi * 0.25 * 2, math.pi * (0.5 + 2)),
        (p.cylinder(0.6, 0.8, 0, segments=400), math.pi * 0.36 * 0.8 / 3, math.pi * 0.6 * (0.6 + 1.0)),
        (p.ellipsoid(1, 1, 1, 200), 4 / 3 * math.pi, 4 * math.pi),
        (p.ellipsoid(1, 2, 3, 200), 8 * math.pi, None),
        (p.torus(1, 0.25, 300), 2 * math.pi**2 / 16, math.pi**2),
        (p.tube([(0, 0, 0), (3, 0, 4)], 0.1, 300), math.pi * 0.01 * 5, math.pi * (0.02 + 0.2 * 5)),
        (p.beam((0, 0, 0), (3, 0, 4), 0.2, 0.1), 0.1, 0.04 + 0.6 * 5),
        (p.extrude(star, 0.5), 0.5 * 5 * 0.4 * math.sin(math.pi / 5) * 2 / 2 * 1, None),
        (p.lathe([(1, 0), (2, 0), (2, 1), (1, 1)], 400, closed=True), 3 * math.pi, 12 * math.pi),
        # A rounded box is a box, six slabs, twelve quarter cylinders and eight eighths of a ball.
        (
            p.round_box(1, 2, 3, 0.25, 40),
            0.5 * 1.5 * 2.5 + 0.5 * (0.75 + 1.25 + 3.75) + math.pi / 16 * 4.5 + 4 / 3 * math.pi / 64,
            2 * (0.75 + 1.25 + 3.75) + math.pi / 2 * 4.5 + math.pi / 4,
        ),
    ],
)
def test_volume_and_area_match_the_formulas(solid, volume, area):
    assert solid.volume == pytest.approx(volume, rel=2e-3)
    if area is not None:
        assert solid.area == pytest.approx(area, rel=2e-3)


def test_primitives_stand_on_the_floor_and_have_their_size():
    for solid in (p.box(1, 2, 3), p.round_box(1, 2, 3, 0.1), p.cylinder(0.5, 2).scale(z=3)):
        np.testing.assert_allclose(solid.vertices.min(axis=0), [-0.5, 0, -1.5], atol=1e-9)
        np.testing.assert_allclose(solid.vertices.max(axis=0), [0.5, 2, 1.5], atol=1e-9)


def test_lathe_keeps_every_point_at_its_radius():
    profile = [(0, 0), (1, 0), (0.5, 1), (0, 2)]
    solid = p.lathe(profile, 16)
    radius = np.hypot(solid.vertices[:, 0], solid.vertices[:, 2])
    np.testing.assert_allclose(
        radius, np.interp(solid.vertices[:, 1], [0, 1, 2], [1, 0.5, 0]) * (radius > 0), atol=1e-9
    )


def test_tube_keeps_its_distance_from_the_path():
    angle = np.linspace(0, np.pi, 60)
    path = np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    solid = p.tube(path, 0.1)
    distance = np.linalg.norm(solid.vertices[:, None] - path[None], axis=2).min(axis=1)
    np.testing.assert_allclose(distance, 0.1, atol=1e-3)


def test_sweep_does_not_twist():
    solid = p.sweep(
        [(0, 0, 0), (1, 0, 0), (1.5, 0, 0.5), (1.5, 0, 2)], [(0.1, 0.3), (-0.1, 0.3), (-0.1, -0.3), (0.1, -0.3)]
    )
    np.testing.assert_allclose(np.abs(solid.vertices[:, 1]), 0.3, atol=1e-12)


def test_sheet_has_the_volume_of_area_times_thickness():
    grid = np.stack([wave[..., 0], 0 * wave[..., 0], wave[..., 1]], axis=-1)
    assert p.sheet(grid, 0.05).volume == pytest.approx(2 * 0.05)


def test_transforms_keep_volume_and_direction():
    solid = p.rod((0, 0, 0), (1, 2, 3), 0.1)
    for moved in (solid.move(1, 2, 3), solid.rotate(10, 20, 30), solid.scale(x=-1), solid.scale(x=-1, y=-1, z=-1)):
        assert is_watertight(moved)
        assert moved.volume == pytest.approx(solid.volume)
    assert solid.scale(2, 3, 0.5).volume == pytest.approx(3 * solid.volume)


def test_turn_goes_about_x_then_y_then_z():
    point = Solid(np.array([[0.0, 1.0, 0.0]]), np.empty((0, 3), np.int64))
    np.testing.assert_allclose(point.rotate(x=90).vertices, [[0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(point.rotate(x=90, y=90).vertices, [[1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(point.rotate(x=90, y=90, z=90).vertices, [[0, 1, 0]], atol=1e-12)


def test_copies_add_up():
    box = p.box(1, 1, 1).move(2, 0, 2)
    assert join([box, box]).volume == pytest.approx(2)
    assert mirror(box).volume == pytest.approx(2)
    assert mirror_twice(box).volume == pytest.approx(4)
    assert repeat_around(box, 5).volume == pytest.approx(5)
    row = repeat(box, (0, 0, 0), (9, 0, 0), 4)
    assert row.volume == pytest.approx(4)
    assert row.vertices[:, 0].max() == pytest.approx(11.5)


def test_smooth_passes_through_its_points():
    points = np.array([(0, 0), (1, 2), (3, 1), (4, 4)], dtype=float)
    np.testing.assert_allclose(smooth(points, 5)[::5], points)
    np.testing.assert_allclose(smooth(points, 5, closed=True)[::5], points)
    np.testing.assert_allclose(smooth(circle(1, 40), 4, closed=True) ** 2 @ [1, 1], 1, atol=1e-4)
