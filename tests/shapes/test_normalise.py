"""The unit sphere: definition, idempotence, batches, bad clouds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip2point.core.errors import ShapeError
from clip2point.shapes import to_unit_sphere

clouds = st.builds(
    lambda seed, count, scale, offset: (
        np.random.default_rng(seed).normal(size=(count, 3)) * scale + offset * scale
    ).astype(np.float32),
    st.integers(0, 2**32),
    st.integers(2, 50),
    st.floats(1e-20, 1e20),
    st.floats(-100, 100),
)


@given(clouds)
def test_mean_is_the_origin_and_the_farthest_point_is_at_one(points):
    unit = to_unit_sphere(points)
    assert unit.dtype == np.float32
    assert unit.shape == points.shape
    assert np.abs(unit.astype(np.float64).mean(axis=0)).max() < 1e-6
    assert np.linalg.norm(unit.astype(np.float64), axis=1).max() == pytest.approx(1, abs=1e-6)


@given(clouds)
def test_twice_is_the_same_as_once_bit_for_bit(points):
    once = to_unit_sphere(points)
    np.testing.assert_array_equal(to_unit_sphere(once), once)
    tensor = torch.from_numpy(once)
    assert torch.equal(to_unit_sphere(tensor), tensor)


@given(clouds)
def test_torch_agrees_with_numpy(points):
    unit = to_unit_sphere(torch.from_numpy(points))
    assert unit.dtype == torch.float32
    np.testing.assert_allclose(unit.numpy(), to_unit_sphere(points), rtol=0, atol=1.2e-7)


def test_a_small_case_is_as_computed_by_hand():
    unit = to_unit_sphere(np.array([[0, 0, 0], [4, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(unit[:, 0], [-1 / 3, 1, -1 / 3, -1 / 3], rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_clouds_of_a_batch_do_not_know_each_other(kind):
    rng = np.random.default_rng(0)
    done = to_unit_sphere(rng.normal(size=(30, 3)).astype(np.float32))
    raw = rng.normal(size=(30, 3)).astype(np.float32) * 7 + 3
    batch = to_unit_sphere(kind(np.stack([[done, raw], [raw, done]])))
    alone = to_unit_sphere(kind(raw))
    for cloud in (batch[0, 0], batch[1, 1]):
        np.testing.assert_array_equal(cloud, done)
    for cloud in (batch[0, 1], batch[1, 0]):
        np.testing.assert_allclose(cloud, alone, rtol=0, atol=1.2e-7)


def test_the_input_is_not_changed():
    points = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    for array in (points, torch.from_numpy(points)):
        before = points.copy()
        to_unit_sphere(array)
        np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_bad_clouds_are_refused(kind):
    equal = np.full((2, 5, 3), 0.1, np.float32)
    equal[0] += np.arange(15).reshape(5, 3)
    with pytest.raises(ShapeError, match="points of a cloud are all equal: expected a shape with some extent"):
        to_unit_sphere(kind(equal))
    with pytest.raises(ShapeError, match="NaN or infinite coordinates"):
        to_unit_sphere(kind(np.array([[0, 0, 0], [np.nan, 1, 1]], np.float32)))
    with pytest.raises(ShapeError, match="NaN or infinite coordinates"):
        to_unit_sphere(kind(np.array([[0, 0, 0], [np.inf, 1, 1]], np.float32)))
    with pytest.raises(ShapeError, match=r"got an array \[4, 2\]: expected clouds \[..., N, 3\]"):
        to_unit_sphere(kind(np.zeros((4, 2), np.float32)))
