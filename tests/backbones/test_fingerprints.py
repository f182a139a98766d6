import numpy as np
import torch

from clip2point.backbones.fingerprints import hash_tensors, round_to_bf16


def test_arrays_and_tensors_have_one_hash():
    arrays = {"a": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), "b": np.arange(3)}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    assert hash_tensors(arrays.items()) == hash_tensors(tensors.items())
    turned = {**arrays, "a": np.asfortranarray(arrays["a"])}
    assert hash_tensors(turned.items()) == hash_tensors(arrays.items())


def test_every_change_changes_the_hash():
    first = {"a": np.zeros(4, np.float32)}
    changes = (
        {"b": first["a"]},
        {"a": np.ones(4, np.float32)},
        {"a": np.zeros((2, 2), np.float32)},
        {"a": np.zeros(4)},
    )
    assert len({hash_tensors(each.items()) for each in (first, *changes)}) == 5


def test_rounded_arrays_are_hashed_as_tensors_in_bfloat16():
    array = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    rounded = torch.from_numpy(array).bfloat16()
    np.testing.assert_array_equal(round_to_bf16(array), rounded.view(torch.int16).numpy().view(np.uint16))
    for dtype, tensor in (("bfloat16", rounded), ("float32", torch.from_numpy(array))):
        found = hash_tensors([("head", np.ones(2, np.float32))], rounded=(dtype, [("a", array)]))
        assert found == hash_tensors([("a", tensor), ("head", torch.ones(2))])
