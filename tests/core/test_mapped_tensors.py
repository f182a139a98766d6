import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from clip2point.core.mapped_tensors import map_tensors

TENSORS = {
    "a": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
    "half": np.arange(5).astype(np.float16),
    "count": np.array(7),
    "none": np.zeros((0, 2), np.float64),
}


@pytest.fixture
def path(tmp_path):
    save_file(TENSORS, tmp_path / "x.safetensors", metadata={"format": "np"})
    return tmp_path / "x.safetensors"


def test_tensors_are_those_of_the_file(path):
    expected, found = load_file(path), map_tensors(path)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        np.testing.assert_array_equal(found[name], tensor)
    found["a"][:] = 0
    np.testing.assert_array_equal(map_tensors(path)["a"], TENSORS["a"])


def write(path, header, data=b""):
    content = json.dumps(header).encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content + data)


@pytest.mark.parametrize("length", [0, 4, 8, 40])
def test_a_file_that_is_cut_off_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="cut off|empty file"):
        map_tensors(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}, "in BF16"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 80]}, "outside of it"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}, "outside of it"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "outside of it"),
    ],
)
def test_entries_that_lie_are_refused(path, entry, message):
    write(path, {"a": entry}, b"\0" * 8)
    with pytest.raises(ValueError, match=message):
        map_tensors(path)


def test_tensors_at_odd_places_are_copied(path):
    write(path, {"a": {"dtype": "F32", "shape": [1], "data_offsets": [1, 5]}}, b"\0" + np.float32(2.5).tobytes())
    assert map_tensors(path)["a"].tolist() == [2.5]
