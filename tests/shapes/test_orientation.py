"""Up-axes: rotations that are exact and undo nothing but the axis."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clip2point.core.errors import OptionError
from clip2point.shapes import UP_AXES, check_up, to_y_up
from clip2point.shapes.orientation import from_y_up

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "-x": (-1, 0, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}


@pytest.mark.parametrize("up", UP_AXES)
def test_every_axis_is_a_rotation_that_brings_it_to_y(up):
    matrix = to_y_up(np.eye(3), up)  # row i: where unit vector i goes
    np.testing.assert_array_equal(np.array(AXES[up]) @ matrix, [0, 1, 0])
    np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("up", "rotated"),
    [
        ("y", (1, 2, 3)),
        ("-y", (-1, -2, 3)),
        ("z", (-2, 3, -1)),
        ("-z", (2, -3, -1)),
        ("x", (-2, 1, 3)),
        ("-x", (2, -1, 3)),
    ],
)
def test_fronts_go_where_they_went_in_release_0_1_0(up, rotated):
    assert to_y_up(np.array([1.0, 2.0, 3.0]), up).tolist() == list(rotated)


def test_there_are_six_axes():
    assert UP_AXES == ("y", "-y", "z", "-z", "x", "-x")


def test_z_up_is_the_rotation_of_the_method():
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    x, y, z = points.T
    np.testing.assert_array_equal(to_y_up(points, "z"), np.stack([-y, z, -x], axis=1))


def test_y_up_is_left_as_it_is():
    points = np.ones((2, 3), np.float32)
    assert to_y_up(points, "y") is points


@pytest.mark.slow
@given(
    points=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 5), st.just(3)),
        elements=st.floats(width=32, allow_nan=False),
    ),
    up=st.sampled_from(UP_AXES),
)
def test_numbers_are_moved_and_negated_but_never_rounded(points, up):
    before = points.copy()
    rotated = to_y_up(points, up)
    assert rotated.dtype == points.dtype
    np.testing.assert_array_equal(np.sort(np.abs(rotated)), np.sort(np.abs(points)))
    np.testing.assert_array_equal(points, before)
    np.testing.assert_array_equal(to_y_up(torch.from_numpy(points), up).numpy(), rotated)


@pytest.mark.parametrize("up", UP_AXES)
def test_four_rotations_or_fewer_lead_back(up):
    points = np.random.default_rng(1).normal(size=(4, 3))
    matrix = to_y_up(np.eye(3), up)
    order = next(n for n in range(1, 7) if np.array_equal(np.linalg.matrix_power(matrix, n), np.eye(3)))
    rotated = points
    for _ in range(order):
        rotated = to_y_up(rotated, up)
    np.testing.assert_array_equal(rotated, points)


def test_an_unknown_axis_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="unknown up-axis 'w': expected one of y, -y, z"):
        to_y_up(np.zeros((1, 3)), "w")
    with pytest.raises(OptionError, match="unknown up-axis 'auto'"):
        check_up("auto")
    assert check_up("auto", auto=True) == "auto"


@pytest.mark.parametrize("up", UP_AXES)
def test_from_y_up_undoes_to_y_up(up):
    points = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    np.testing.assert_array_equal(from_y_up(to_y_up(points, up), up), points)
    top = from_y_up(np.array([0.0, 1.0, 0.0]), up)
    assert top["xyz".index(up[-1])] == (-1 if up.startswith("-") else 1)


def test_from_y_up_knows_its_axes():
    with pytest.raises(OptionError, match="unknown up-axis 'w'"):
        from_y_up(np.zeros((1, 3)), "w")
