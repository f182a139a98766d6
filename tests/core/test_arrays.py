import numpy as np
import pytest
import torch

from clip2point.core.arrays import match_container, normalize_rows, softmax, to_array


def test_tensors_become_arrays_and_bfloat16_becomes_float32():
    values = torch.tensor([1.5, -2.0], requires_grad=True)
    assert to_array(values).tolist() == [1.5, -2.0]
    rounded = to_array(values.bfloat16())
    assert (rounded.dtype, rounded.tolist()) == (np.float32, [1.5, -2.0])
    array = np.ones(3)
    assert to_array(array) is array


def test_results_come_in_the_callers_container():
    array = np.arange(3.0)
    assert match_container(array, np.zeros(1)) is array
    tensor = match_container(array, torch.zeros(1))
    assert torch.equal(tensor, torch.arange(3.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_normalised_as_in_pytorch(dtype):
    vectors = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(dtype)
    vectors[0, 0] = 0
    found = normalize_rows(vectors)
    assert found.dtype == dtype
    expected = torch.nn.functional.normalize(torch.from_numpy(vectors), dim=-1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_softmax_is_pytorchs_in_float64_and_takes_large_scores():
    scores = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32) * 1000
    expected = torch.from_numpy(scores).double().softmax(-1)
    np.testing.assert_allclose(softmax(scores), expected, atol=1e-12)
