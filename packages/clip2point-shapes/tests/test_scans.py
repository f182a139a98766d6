"""Scans lie near the visible side."""

import numpy as np
import pytest

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import Mesh, Shape, sample_points
from clip2point_shapes import generate, scan_one_side
from clip2point_shapes.primitives import box, ellipsoid
from clip2point_shapes.solid import join

pytestmark = pytest.mark.slow

BALL = Mesh.plain(ellipsoid(1, 1, 1, 60).vertices, ellipsoid(1, 1, 1, 60).faces)


def direction(azimuth: float, elevation: float) -> np.ndarray:
    a, e = np.radians([azimuth, elevation])
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 0), (180, 20), (90, -30), (-45, 80), (10, 90), (0, -90)])
def test_scan_of_a_ball_shows_the_near_cap_only(azimuth, elevation):
    scan = scan_one_side(BALL, azimuth=azimuth, elevation=elevation, noise=0.0)
    assert scan.shape == (2048, 3)
    assert scan.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(scan, axis=1), 1, atol=0.006)
    # The bounding sphere of the ball's box has radius sqrt(3); from 3 sqrt(3) the horizon lies at 1 / (3 sqrt(3)).
    assert (scan @ direction(azimuth, elevation)).min() > 1 / (3 * np.sqrt(3)) - 0.02
    assert (scan @ direction(azimuth, elevation)).max() > 0.99


def test_what_is_inside_or_behind_is_not_seen():
    solid = join([box(2, 2, 2), box(1, 1, 1).move(y=0.5), box(0.5, 0.5, 0.5).move(0, 0.5, -3)])
    scan = scan_one_side(Mesh.plain(solid.vertices, solid.faces), azimuth=0, elevation=0, noise=0.0)
    # A pixel on the very edge may catch the side wall just behind it.
    np.testing.assert_allclose(scan[:, 2], 1, atol=0.03)


def test_noise_runs_along_the_rays_with_the_given_size():
    solid = box(2, 2, 0.02)
    wall = Mesh.plain(solid.vertices, solid.faces)
    scan = scan_one_side(wall, azimuth=0, elevation=0, noise=0.01, count=4000)
    radius = np.linalg.norm([2, 2, 0.02]) / 2
    assert scan[:, 2].std() == pytest.approx(0.01 * radius, rel=0.1)
    assert scan[:, 2].mean() == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("name", ["chair", "airplane", "lamp", "plant"])
def test_scan_of_a_sample_lies_near_its_surface(name):
    mesh = generate(name, seed=2)
    scan = scan_one_side(mesh, azimuth=200, noise=0.0, count=500)
    surface = sample_points(Shape(mesh.vertices, mesh), 30_000)
    size = np.linalg.norm(np.ptp(mesh.vertices, axis=0))
    distance = np.array([np.linalg.norm(surface - point, axis=1).min() for point in scan])
    assert distance.max() < 0.03 * size
    np.testing.assert_array_equal(scan, scan_one_side(mesh, azimuth=200, noise=0.0, count=500))
    assert not np.array_equal(scan, scan_one_side(mesh, azimuth=200, noise=0.0, count=500, seed=1))


@pytest.mark.parametrize(
    "arguments",
    [{"count": 0}, {"noise": -1.0}, {"noise": np.nan}, {"elevation": 91.0}, {"azimuth": np.inf}, {"seed": -1}],
)
def test_invalid_options_are_refused(arguments):
    with pytest.raises(OptionError, match="expected count >= 1"):
        scan_one_side(BALL, **{"azimuth": 0.0, **arguments})


def test_mesh_without_area_is_refused():
    flat = Mesh.plain(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(ShapeError, match="zero area"):
        scan_one_side(flat, azimuth=0)
