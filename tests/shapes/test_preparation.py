from types import SimpleNamespace

import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import (
    Mesh,
    Shape,
    as_shape,
    place_points,
    prepare_points,
    sample_points,
    to_unit_sphere,
    to_y_up,
)
from clip2point.shapes.preparation import check_list


@pytest.fixture
def tower():
    """A mesh that is 10 high along z and 1 wide, far from the origin."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 10]], np.float32) + 5
    faces = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
    return Shape(corners, Mesh.plain(corners, faces), up="z")


def test_prepared_points_are_sampled_scaled_and_upright(tower):
    points = prepare_points(tower, 256, seed=3)
    np.testing.assert_array_equal(points, to_y_up(to_unit_sphere(sample_points(tower, 256, 3)), "z"))
    assert points.shape == (256, 3)
    assert points.dtype == np.float32
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-6)
    assert np.ptp(points, axis=0).argmax() == 1
    assert not np.array_equal(points, prepare_points(tower, 256, seed=4))


def test_a_given_axis_takes_precedence_over_the_declared_one(tower):
    own = prepare_points(tower, 64, up="y")
    assert np.ptp(own, axis=0).argmax() == 2
    np.testing.assert_array_equal(prepare_points(tower, 64), to_y_up(own, "z"))
    with pytest.raises(OptionError, match="unknown up-axis 'auto'"):
        prepare_points(tower.with_up("auto"), 64)


def test_clouds_are_placed_each_on_its_own_whatever_holds_them():
    clouds = np.random.default_rng(0).normal(3, 5, (2, 32, 3)).astype(np.float32)
    placed = place_points(clouds, "x")
    for cloud, one in zip(clouds, placed, strict=True):
        np.testing.assert_array_equal(place_points(cloud, "x"), one)
    np.testing.assert_allclose(place_points(torch.from_numpy(clouds), "x").numpy(), placed, atol=1e-6)
    with pytest.raises(ShapeError, match="all equal"):
        place_points(np.ones((4, 3), np.float32), "y")


def test_files_shapes_and_arrays_become_shapes(tower, tmp_path):
    assert as_shape(tower) is tower
    assert as_shape(tower, "x").up == "x"
    cloud = np.random.default_rng(0).normal(size=(8, 3))
    np.save(tmp_path / "cloud.npy", cloud)
    for given in (cloud, tmp_path / "cloud.npy", str(tmp_path / "cloud.npy")):
        shape = as_shape(given, "z")
        np.testing.assert_array_equal(shape.points, cloud.astype(np.float32))
        assert shape.up == "z"
    with pytest.raises(ShapeError, match="no such file"):
        as_shape(tmp_path / "nowhere.off")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ("chair.off", "chair.off: expected a list of shapes"),
        (np.zeros((8, 3)), r"shapes \[8, 3\]: one cloud\? Expected a list of them: give \[points\]"),
        (torch.zeros(8, 3), r"give \[points\]"),
        (np.zeros((2, 3, 8)), r"give shapes.transpose\(0, 2, 1\)"),
        (
            SimpleNamespace(vertices=[], faces=[]),
            r"SimpleNamespace: one shape\? .* give \[shape\]",
        ),
        (3, "int: one shape"),
    ],
)
def test_one_shape_is_not_several(shapes, message):
    with pytest.raises(OptionError, match=message):
        check_list(shapes)


def test_lists_arrays_and_streams_of_shapes_stay_as_they_are():
    for shapes in ([np.zeros((8, 3))], np.zeros((2, 8, 3)), np.zeros((2, 3, 3)), iter(["a.off"]), ()):
        assert check_list(shapes) is shapes
