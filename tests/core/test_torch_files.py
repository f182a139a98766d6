import os
import pickle

import numpy as np
import pytest
import torch

from clip2point.core.torch_files import read_torch_file

STATE = {
    "weight": torch.randn(4, 3, 2),
    "half": torch.arange(5).half(),
    "double": torch.rand(2, dtype=torch.float64),
    "count": torch.tensor(7),
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "empty": torch.zeros(0, 3),
}


@pytest.fixture
def path(tmp_path):
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    return tmp_path / "old.pth"


def test_tensors_are_those_that_were_saved(path):
    found = read_torch_file(path)
    assert list(found) == list(STATE)
    for name, tensor in STATE.items():
        assert found[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_nothing_else_is_read_and_nothing_runs(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "bad.pth"
    torch.save({"a": torch.ones(1), "b": Attack()}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"an object besides tensors \((posix|nt).mkdir\)"):
        read_torch_file(path)
    path.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ValueError, match="besides tensors"):
        read_torch_file(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("length", [0, 3, 20, 200, 900])
def test_a_file_that_is_cut_off_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="is damaged|lies outside"):
        read_torch_file(path)


def test_another_format_is_refused(tmp_path):
    torch.save(STATE, tmp_path / "new.pth")
    with pytest.raises(ValueError, match="is damaged"):
        read_torch_file(tmp_path / "new.pth")
    (tmp_path / "number.pth").write_bytes(pickle.dumps(5) * 3)
    with pytest.raises(ValueError, match=r"no file of PyTorch's format before 1\.6"):
        read_torch_file(tmp_path / "number.pth")
