"""Groups and neighbours against plain searches through all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.shapes.groups import join_corners, sort_by_first, sort_by_size
from clip2point.shapes.neighbours import connect, find_nearest, find_neighbours, link_points, measure_distances


def draw(seed, count):
    """Points on a coarse grid, so that many distances are equal, in a random direction."""
    return np.random.default_rng(seed).integers(0, 5, (count, 3)) * np.array([1.0, 0.5, 2.0])


def pairwise(points, others):
    return np.sqrt(((points[:, None] - others[None]) ** 2).sum(axis=2))


@given(st.integers(0, 99), st.integers(2, 60))
def test_distances_are_those_of_all_pairs(seed, count):
    points, others = draw(seed, count), draw(seed + 1, count)
    expected = np.sort(pairwise(points, points) + np.diag(np.full(count, np.inf)), axis=1)
    np.testing.assert_allclose(measure_distances(points), expected[:, min(4, count - 1) - 1])
    nearest, distance = find_nearest(points, others)
    np.testing.assert_allclose(distance, pairwise(points, others).min(axis=1))
    np.testing.assert_allclose(np.linalg.norm(points - others[nearest], axis=1), distance)


@given(st.integers(0, 99), st.integers(2, 60), st.sampled_from([0.6, 1.1, 2.1]))
def test_the_sweep_and_the_grid_link_the_same_points(seed, count, radius):
    points = draw(seed, count)
    swept = link_points(points, radius)
    np.testing.assert_array_equal(sort_by_size(swept), connect(find_neighbours(points, radius, count)))
    near = pairwise(points, points) <= radius
    assert (swept[:, None] == swept[None])[near].all()


def test_faces_join_vertices_and_groups_are_numbered_by_size_or_by_their_first():
    roots = join_corners(np.array([[4, 5, 6], [0, 1, 2], [6, 3, 3]]), 8)
    assert roots.tolist() == [0, 0, 0, 3, 3, 3, 3, 7]
    assert sort_by_first(roots).tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert sort_by_size(roots).tolist() == [1, 1, 1, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("number", [sort_by_first, sort_by_size])
def test_no_members_are_no_groups(number):
    assert number(np.zeros(0, np.int64)).tolist() == []
