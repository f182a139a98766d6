"""Sampling: how many, where, how evenly, and always the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import Mesh, Shape, farthest_points, sample_points, shape_from_points


def mesh_shape(vertices, faces):
    mesh = Mesh.plain(np.array(vertices), np.array(faces))
    return Shape(mesh.vertices, mesh)


# Two triangles of areas 0.5 and 4.5 in different planes, and between them one without area.
UNEVEN = mesh_shape(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 3, 5]], [[0, 1, 2], [0, 1, 1], [3, 4, 5]]
)


def slow_farthest(points, count, start):
    """The definition, with distances of integers, which are exact."""
    chosen = [start]
    while len(chosen) < count:
        distance = ((points[:, None] - points[chosen]) ** 2).sum(axis=-1).min(axis=1)
        chosen.append(int(distance.argmax()))
    return chosen


def test_faces_are_hit_in_proportion_to_their_area():
    points = sample_points(UNEVEN, 20_000, seed=3)
    share = (points[:, 2] == 0).mean()
    assert abs(share - 0.1) < 5 * np.sqrt(0.1 * 0.9 / 20_000)
    assert set(np.unique(points[:, 2])) == {0.0, 5.0}


def test_points_are_uniform_within_a_triangle():
    square = mesh_shape([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    points = sample_points(square, 16_000, seed=1)
    cells, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=4, range=[[0, 1], [0, 1]])
    chi_square = ((cells - 1000) ** 2 / 1000).sum()
    assert chi_square < 44.3  # 15 degrees of freedom, one in 10,000
    assert points.min() >= 0
    assert points.max() <= 1


def test_points_lie_on_the_surface():
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(3, 3))
    points = sample_points(mesh_shape(vertices, [[0, 1, 2]]), 200)
    a, b, c = vertices.astype(np.float32).astype(np.float64)
    weights = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), (points - a).T, rcond=None)[0]
    np.testing.assert_allclose((np.stack([b - a, c - a], axis=1) @ weights).T + a, points, atol=1e-5)
    assert weights.min() > -1e-5
    assert weights.sum(axis=0).max() < 1 + 1e-5


@pytest.mark.parametrize("method", ["surface", "fps", "random"])
@pytest.mark.parametrize("count", [1, 5, 6, 7, 300])
def test_the_count_is_exact_and_the_seed_decides(method, count):
    points = sample_points(UNEVEN, count, seed=5, method=method)
    assert points.shape == (count, 3)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, sample_points(UNEVEN, count, seed=5, method=method))
    assert count in (5, 6) or not np.array_equal(points, sample_points(UNEVEN, count, seed=7, method=method))


def test_1024_points_are_drawn_unless_told():
    assert sample_points(UNEVEN).shape == (1024, 3)
    np.testing.assert_array_equal(sample_points(UNEVEN), sample_points(UNEVEN, 1024, seed=0))


def test_auto_samples_surfaces_of_meshes_and_takes_far_points_of_clouds():
    cloud = shape_from_points(np.random.default_rng(0).normal(size=(500, 3)))
    np.testing.assert_array_equal(sample_points(UNEVEN, 64), sample_points(UNEVEN, 64, method="surface"))
    np.testing.assert_array_equal(sample_points(cloud, 64), sample_points(cloud, 64, method="fps"))


@pytest.mark.parametrize("method", ["fps", "random"])
def test_clouds_give_their_own_points(method):
    cloud = shape_from_points(np.random.default_rng(0).normal(size=(100, 3)))
    same = sample_points(cloud, 100, seed=9, method=method)
    np.testing.assert_array_equal(same, cloud.points)
    same[0] = 0  # a copy: the shape cannot be changed through it
    assert cloud.points[0].any()
    fewer = sample_points(cloud, 60, method=method)
    assert len(np.unique(fewer, axis=0)) == 60
    more = sample_points(cloud, 250, method=method)
    np.testing.assert_array_equal(more[:100], cloud.points)
    rows = {tuple(row) for row in cloud.points}
    assert all(tuple(row) in rows for row in (*fewer, *more))


def test_far_points_reach_what_random_points_miss():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32)
    crowd = np.random.default_rng(0).normal(scale=1e-3, size=(112, 3)).astype(np.float32)
    cloud = shape_from_points(np.concatenate([crowd, corners]))
    reached = {
        method: (np.abs(sample_points(cloud, 9, seed=1, method=method)) == 1).all(axis=1).sum()
        for method in ("fps", "random")
    }
    assert reached["fps"] == 8
    assert reached["random"] < 5


def test_a_big_cloud_is_thinned_before_far_points_are_chosen():
    cloud = shape_from_points(np.random.default_rng(0).normal(size=(400_000, 3)))
    assert len(np.unique(sample_points(cloud, 256), axis=0)) == 256


@given(st.integers(0, 2**32), st.integers(1, 60), st.data())
@settings(max_examples=60)
def test_farthest_points_follow_the_definition(seed, size, data):
    # Coordinates on a grid of 64 keep the scaled distances exact, and make many of them equal.
    points = np.random.default_rng(seed).integers(0, 65, size=(size, 3)).astype(np.float32)
    points[0], points[-1] = 0, 64
    count = data.draw(st.integers(1, size))
    start = data.draw(st.integers(0, size - 1))
    chosen = farthest_points(points, count, start)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == slow_farthest(points, count, start)


def test_farthest_points_do_not_depend_on_the_unit():
    points = np.random.default_rng(0).normal(size=(300, 3))
    chosen = farthest_points(points, 50)
    assert len(set(chosen)) == 50
    for scale in (2.0**-100, 2.0**-60, 2.0**60, 2.0**100):
        np.testing.assert_array_equal(farthest_points(points * scale, 50), chosen)


def test_farthest_points_of_equal_points():
    assert farthest_points(np.ones((4, 3)), 3, start=2).tolist() == [2, 0, 0]


def test_bad_arguments_are_refused():
    with pytest.raises(OptionError, match="expected count >= 1 and seed >= 0"):
        sample_points(UNEVEN, 0)
    with pytest.raises(OptionError, match="expected count >= 1 and seed >= 0"):
        sample_points(UNEVEN, 1, seed=-1)
    with pytest.raises(OptionError, match="unknown sampling method 'poisson': expected one of auto, surface"):
        sample_points(UNEVEN, 1, method="poisson")
    with pytest.raises(ShapeError, match="array: has no surface to sample: use the method 'fps' or 'random'"):
        sample_points(shape_from_points(np.eye(3)), 8, method="surface")
    with pytest.raises(ShapeError, match="all faces have zero area"):
        sample_points(mesh_shape(np.eye(3), [[0, 1, 1]]), 8)
    with pytest.raises(OptionError, match="got count=4, start=0 for 3 points"):
        farthest_points(np.eye(3), 4)
    with pytest.raises(OptionError, match=r"got points \[3, 2\]: expected \[N, 3\]"):
        farthest_points(np.zeros((3, 2)), 1)
