"""Files of the wrong kind are told apart by name, and none of them runs code or eats memory."""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import clip2point
from clip2point.core.errors import ModelError
from clip2point.model.conversion.reading import read_foreign

DATA = Path(__file__).parent.parent.parent / "data"
CLIP = DATA / "openai_clip_tiny.pth"
DRIVE = b"\n<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: download it again"),
        (DRIVE, r"is no checkpoint but a web page \(HTML\), which file hosts send .*download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is no checkpoint but a pointer of Git LFS"),
        (b"\x1f\x8b\x08" + bytes(40), "is no checkpoint but a packed archive: unpack it"),
        (
            b"epoch,accuracy\n1,0.5\n",
            r"is no checkpoint but text that begins with b'epoch,accuracy.*expected a checkpoint of OpenAI's",
        ),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "is no checkpoint but a file of another kind, which begins with"),
        (pickle.dumps({"weights": [1.0]}), "is a pickle, but not one of PyTorch"),
        (struct.pack("<Q", 10**12) + b'{"a":1}', "is a safetensors file that is damaged or cut off"),
    ],
)
def test_files_of_another_kind(content, message, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=rf"model.pth: {message}"):
        clip2point.convert(path, tmp_path / "out")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_truncated_downloads(form, part, saved, tmp_path):
    state = torch.load(CLIP, weights_only=True)
    if form == "safetensors":
        path = tmp_path / "model.safetensors"
        save_file(state, path)
    else:
        path = saved(state, _use_new_zipfile_serialization=form == "zip")
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(ModelError, match=r"model\.\w+: is .*(cut off or damaged|damaged or cut off)"):
        clip2point.convert(path, tmp_path / "out")


def test_other_models_and_other_contents(saved, tmp_path):
    for content, message in (
        ({"conv1.weight": torch.zeros(2), "fc.bias": torch.zeros(2)}, "'conv1.weight' and 1 others, .* no known model"),
        ({"epoch": 3, "weights": torch.zeros(2)}, "holds 'epoch', a int, among its tensors"),
        (torch.zeros(3), "holds a Tensor that has no tensors by name"),
        ({}, "holds a dict that has no tensors by name"),
        ({"a": torch.zeros(3).to_sparse()}, "holds a Python object besides tensors .torch._utils._rebuild_sparse"),
        ({"a": torch.zeros(1).expand(10**12)}, r"the tensor 'a' of shape \[1000000000000\] is larger than its numbers"),
    ):
        with pytest.raises(ModelError, match=message):
            clip2point.convert(saved(content), tmp_path / "out")
    np.savez(tmp_path / "points.npz", points=np.zeros(3))
    with pytest.raises(ModelError, match=r"points.npz: is a zip archive without a model \(it holds points.npy\)"):
        clip2point.convert(tmp_path / "points.npz", tmp_path / "out")


def test_folders(tmp_path):
    clip2point.convert(CLIP, tmp_path / "ours")
    for path in (tmp_path / "ours", tmp_path / "ours" / "model.safetensors"):
        with pytest.raises(ModelError, match="is a model in clip2point's own format already: load .*ours as it is"):
            clip2point.convert(path, tmp_path / "out")
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    (tmp_path / "ours" / "config.json").write_text(json.dumps({**config, "head": "gdpa"}))
    with pytest.raises(ModelError, match="is a few-shot model in clip2point's own format already"):
        clip2point.convert(tmp_path / "ours", tmp_path / "out")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ModelError, match="is a folder in transformers format: give it to --model"):
        clip2point.convert(tmp_path, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="empty: is a folder: give the checkpoint file in it"):
        clip2point.convert(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ModelError, match="none.pth: no such file"):
        clip2point.convert(tmp_path / "none.pth", tmp_path / "out")


class Hostile:
    """Makes a file if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("form", ["zip", "legacy", "protocol 4", "torchscript"])
def test_pickles_run_no_code(form, saved, tmp_path):
    trap = tmp_path / "trap"
    content = {"visual.proj": Hostile(trap)}
    if form == "protocol 4":
        path = saved(content, pickle_protocol=4)
    else:
        path = saved(content, _use_new_zipfile_serialization=form != "legacy")
    if form == "torchscript":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model/constants.pkl", b"")
    with pytest.raises(ModelError, match=r"holds a Python object besides tensors \((\w+.mkdir|STACK_GLOBAL)"):
        clip2point.convert(path, tmp_path / "out")
    assert not trap.exists()


def test_whole_modules_are_refused(saved):
    with pytest.raises(ModelError, match=r"\(torch.nn.modules.linear.Linear\).*expected a state dict"):
        read_foreign(saved(torch.nn.Linear(2, 2)))


def rewrite(path, **members):
    """The archive with other contents of some members; a member's name has _ for what a keyword cannot hold."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(data, "w") as new:
        for name in old.namelist():
            key = name.split("/", 1)[1].replace("/", "_").replace(".", "_")
            new.writestr(name, members.get(key, old.read(name)))
    path.write_bytes(data.getvalue())
    return path


def header(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{archive.namelist()[0].split('/')[0]}/data.pkl")


HUGE = struct.pack("<i", 2**31 - 1)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02cbuiltins\nbytearray\nJ" + HUGE + b"\x85R.",  # a bytearray of 2 GB
        b"\x80\x02}r" + HUGE + b".",  # a memo of 2**31 entries
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",  # bytes of a terabyte
        b"\x80\x02X" + HUGE + b"abc.",  # a text of 2 GB
        b"\x80\x02}",  # without an end
        b"garbage",
    ],
)
@pytest.mark.parametrize("torchscript", [False, True])
def test_hostile_headers(pickled, torchscript, saved):
    path = rewrite(saved({"a": torch.zeros(2)}), data_pkl=pickled)
    if torchscript:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model/constants.pkl", b"")
    with pytest.raises(ModelError, match=r"model.pth: (is damaged|holds a Python object besides tensors \(builtins)"):
        read_foreign(path)


@pytest.mark.parametrize("torchscript", [False, True])
def test_tensors_that_claim_more_than_the_file_holds(torchscript, saved):
    path = saved({"a": torch.zeros(77)})
    claims = header(path).replace(b"K\x4d", b"J" + HUGE)
    assert claims != header(path)
    rewrite(path, data_pkl=claims)
    if torchscript:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model/constants.pkl", b"")
    if not torchscript:
        with pytest.raises(ModelError, match="is damaged|larger than its numbers"):
            read_foreign(path)
        return
    with pytest.raises(ModelError, match="is a damaged TorchScript archive"):
        read_foreign(path)


def test_zip_bombs(saved, tmp_path):
    path = saved({"a": torch.zeros(1000)})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(ModelError, match=r"bomb.pth: decompresses to more than it holds"):
        read_foreign(tmp_path / "bomb.pth")
