"""Neighbours against brute force; components and thinning by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip2point.shapes.groups import sort_by_size
from clip2point.shapes.neighbours import connect, find_neighbours, measure_spacing, thin_out


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.05, 2.0), st.integers(1, 8))
def test_neighbours_are_those_of_brute_force(seed, count, radius, most):
    points = np.random.default_rng(seed).uniform(-1, 1, (count, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    found = find_neighbours(points, radius, most)
    for row, own in zip(distances, found, strict=True):
        order = np.argsort(row, kind="stable")
        expected = order[row[order] <= radius][:most]
        assert own[own >= 0].tolist() == expected.tolist()
        assert (own[len(expected) :] == -1).all()


def test_a_far_outlier_costs_nothing_but_itself():
    points = np.array([[0, 0, 0], [0.5, 0, 0], [1e12, 0, 0]])
    assert find_neighbours(points, 1.0, 1).ravel().tolist() == [1, 0, -1]


def test_components_are_numbered_by_size():
    points = np.array([[0.0, 0, 0], [10, 0, 0], [11, 0, 0], [12, 0, 0], [20, 0, 0], [21, 0, 0]])
    assert connect(find_neighbours(points, 1.5, 2)).tolist() == [2, 0, 0, 0, 1, 1]


def test_spacing_of_a_grid_is_its_ring():
    x, y = np.meshgrid(np.arange(40.0), np.arange(40.0))
    grid = np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
    assert measure_spacing(grid) == pytest.approx(np.sqrt(2))


def test_equal_sizes_keep_their_order():
    assert sort_by_size(np.array([5, 5, 2, 2, -1, 9])).tolist() == [0, 0, 1, 1, -1, 2]


def test_thinning_keeps_the_first_of_each_cell():
    kept, cell = thin_out(np.array([[0.0, 0, 0], [2.5, 0, 0], [0.1, 0, 0]]), 1.0)
    assert kept.tolist() == [0, 1]
    assert cell.tolist() == [0, 1, 0]
