import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clip2point.core.errors import ModelError
from clip2point.core.files import sha256
from clip2point.model.checkpoint import check_tensors, is_checkpoint, read_checkpoint, write_checkpoint

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4)}
SHAPES = {"a": (2, 3), "b": (4,)}


@pytest.fixture
def folder(tmp_path):
    write_checkpoint(tmp_path / "model", TENSORS, {"backbone": "pocket", "note": "größer"})
    return tmp_path / "model"


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_round_trip(folder):
    checkpoint = read_checkpoint(folder)
    assert checkpoint.config["note"] == "größer"
    assert checkpoint.tensors.keys() == TENSORS.keys()
    assert all(np.array_equal(checkpoint.tensors[name], TENSORS[name]) for name in TENSORS)
    check_tensors(checkpoint, SHAPES)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_half_precision_is_read_and_written(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.randn(5), "c": torch.arange(3), "d": torch.tensor(2.0)}
    write_checkpoint(tmp_path, {**tensors, "a": tensors["a"].half()}, {})
    found = read_checkpoint(tmp_path).tensors
    assert {name: (str(values.dtype), values.shape) for name, values in found.items()} == {
        "a": ("float16", (3, 4)),
        "b": ("float32", (5,)),
        "c": ("int64", (3,)),
        "d": ("float32", ()),
    }
    path = tmp_path / "model.safetensors"
    save_file({**tensors, "a": tensors["a"].bfloat16(), "b": tensors["b"].bfloat16()}, path)
    edit(tmp_path, sha256=sha256(path))
    found = read_checkpoint(tmp_path).tensors
    assert np.array_equal(found["a"], tensors["a"].bfloat16().float())
    assert np.array_equal(found["b"], tensors["b"].bfloat16().float())
    assert np.array_equal(found["c"], [0, 1, 2])
    assert found["a"].dtype == np.float32


def test_others_may_read_it(folder):
    assert (folder / "model.safetensors").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({**SHAPES, "c": (1,)}, "the tensor 'c' is missing"),
        ({"a": (2, 3)}, "the tensor 'b' is not part of this model"),
        ({**SHAPES, "a": (3, 2)}, r"the tensor 'a' has shape \[2, 3\], expected \[3, 2\]"),
    ],
)
def test_tensors_are_checked_strictly(folder, expected, message):
    with pytest.raises(ModelError, match=message):
        check_tensors(read_checkpoint(folder), expected)


def test_values_that_are_not_finite_are_refused(tmp_path):
    write_checkpoint(tmp_path, {"a": torch.tensor([1.0, torch.nan])}, {})
    with pytest.raises(ModelError, match="'a' has values that are not finite"):
        check_tensors(read_checkpoint(tmp_path), {"a": (2,)})


def test_a_changed_tensor_file_is_noticed(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="its sha256 is .* but config.json says .* copy both again"):
        read_checkpoint(folder)


def test_what_is_wrong_with_a_folder_is_said(folder, tmp_path):
    with pytest.raises(ModelError, match="config.json: cannot be read"):
        read_checkpoint(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors: missing; a checkpoint is a folder with"):
        read_checkpoint(folder)


def test_other_formats_and_versions_are_refused(folder, tmp_path):
    newer = shutil.copytree(folder, tmp_path / "newer")
    edit(newer, format_version=2)
    with pytest.raises(ModelError, match="format version 2, expected 1; update clip2point"):
        read_checkpoint(newer)
    edit(folder, format="other")
    assert not is_checkpoint(folder)
    with pytest.raises(ModelError, match="not a clip2point checkpoint"):
        read_checkpoint(folder)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[1]", "expected a JSON object, got list")])
def test_broken_configs_are_named(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(folder)
