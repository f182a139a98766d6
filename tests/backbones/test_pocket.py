"""The embedded backbone: the same answers from the inference engine and from PyTorch."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import clip2point
from clip2point.backbones.pocket_state import check_depth_state
from clip2point.core.errors import ModelError, OptionError

RUNTIMES = ("openvino", "torch")
TEXTS = ["chair", "image of a night stand with two drawers and a lamp on top of it", "x"]


def load(monkeypatch, runtime, dtype="fp32"):
    monkeypatch.setenv("CLIP2POINT_RUNTIME", runtime)
    return clip2point.load("pocket", dtype=dtype).backbone


@pytest.fixture(scope="module")
def backbones():
    with pytest.MonkeyPatch.context() as patch:
        return {runtime: load(patch, runtime) for runtime in RUNTIMES}


@pytest.fixture(scope="module")
def depth():
    return np.random.default_rng(0).random((3, 6, 112, 112), dtype=np.float32)


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_features_of_both_runtimes_agree(backbones, depth):
    images = np.random.default_rng(1).random((2, 3, 90, 120), dtype=np.float32)
    tokens = np.array([[101, 3242, 102], [101, 102, 0]])
    for encode in (
        lambda towers: towers.encode_depth(depth),
        lambda towers: towers.encode_depth(depth[:, :2], "image"),
        lambda towers: towers.encode_image(images),
        lambda towers: towers.encode_pixels(2 * images[..., :64, :64] - 1),
        lambda towers: towers.encode_pixels(2 * images[..., :64, :64] - 1, "depth"),
        lambda towers: towers.encode_text(TEXTS),
        lambda towers: towers.encode_tokens(tokens),
    ):
        engine, modules = (encode(backbones[runtime]) for runtime in RUNTIMES)
        assert engine.shape == modules.shape
        assert engine.dtype == modules.dtype == np.float32
        assert cosines(engine, modules).min() > 0.99999
        np.testing.assert_allclose(engine, modules, atol=1e-5)


def test_both_runtimes_have_one_fingerprint_in_each_number_format(backbones, monkeypatch):
    rounded = {runtime: load(monkeypatch, runtime, "bf16") for runtime in RUNTIMES}
    for path in ("depth", "image"):
        prints = [towers[runtime].fingerprint(path) for towers in (backbones, rounded) for runtime in RUNTIMES]
        assert prints[0] == prints[1] != prints[2] == prints[3]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_tensors_give_tensors_and_arrays_arrays(backbones, depth, runtime):
    backbone = backbones[runtime]
    found = backbone.encode_depth(torch.from_numpy(depth[:1]))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), backbone.encode_depth(depth[:1]))
    assert isinstance(backbone.encode_text(TEXTS), np.ndarray)
    assert isinstance(backbone.encode_tokens(torch.tensor([[101, 3242, 102]])), torch.Tensor)


def test_a_feature_depends_on_its_own_input_alone(backbones, depth):
    backbone = backbones["openvino"]
    whole, texts = backbone.encode_depth(depth), backbone.encode_text(TEXTS * 9)
    for row in range(3):
        np.testing.assert_array_equal(backbone.encode_depth(depth[row : row + 1])[0], whole[row])
        np.testing.assert_array_equal(backbone.encode_text(TEXTS[row : row + 1])[0], texts[row])
        np.testing.assert_array_equal(texts[row], texts[row + 3])
    assert backbone.encode_depth(depth[:0]).shape == (0, 6, 384)
    assert backbone.encode_text([]).shape == (0, 384)


def test_many_views_are_computed_a_few_at_a_time(backbones):
    views = np.random.default_rng(0).random((1, 20, 64, 64), dtype=np.float32)
    engine, modules = (backbones[runtime].encode_depth(views) for runtime in RUNTIMES)
    np.testing.assert_allclose(engine, modules, atol=1e-5)


THREADS = """
import sys
import numpy as np
import clip2point
backbone = clip2point.load("pocket", dtype="fp32").backbone
depth = np.random.default_rng(0).random((2, 6, 112, 112), dtype=np.float32)
sys.stdout.buffer.write(backbone.encode_depth(depth).tobytes() + backbone.encode_text(["night stand"]).tobytes())
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit(monkeypatch):
    found = []
    monkeypatch.setenv("CLIP2POINT_RUNTIME", "openvino")
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(subprocess.run([sys.executable, "-c", THREADS], capture_output=True, check=True).stdout)
    assert found[0] == found[1] == found[2]


def test_the_engine_computes_in_fp32_unless_told(monkeypatch):
    assert load(monkeypatch, "openvino", "auto").dtype == "float32"


def test_bf16_is_near(backbones, depth, monkeypatch):
    rounded = load(monkeypatch, "openvino", "bf16")
    assert rounded.dtype == "bfloat16"
    assert cosines(rounded.encode_depth(depth), backbones["openvino"].encode_depth(depth)).min() > 0.999


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_invalid_inputs_are_refused(backbones, runtime):
    backbone = backbones[runtime]
    with pytest.raises(OptionError, match=r"expected integers \[B, L\], L from 1 to 256"):
        backbone.encode_tokens(np.ones((1, 257), int))
    with pytest.raises(OptionError, match="tokens of an empty text"):
        backbone.encode_tokens(np.array([[101, 102], [0, 0]]))
    with pytest.raises(OptionError, match=r"expected \[N, 3, H, W\]"):
        backbone.encode_pixels(np.zeros((3, 64, 64), np.float32))
    with pytest.raises(OptionError, match="unknown path 'photo'"):
        backbone.encode_depth(np.zeros((1, 1, 64, 64), np.float32), "photo")


def test_a_state_that_is_none_is_refused(backbones):
    state = dict(backbones["openvino"].depth_tower().state_dict())
    assert check_depth_state(state, 384).fingerprint("float32") == backbones["openvino"].fingerprint()
    broken = {
        "the tensor 'head.bias' is missing": {name: state[name] for name in state if name != "head.bias"},
        "'more' is not part of this model": {**state, "more": torch.ones(1)},
        r"'head.bias' has shape \[3\]": {**state, "head.bias": torch.ones(3)},
        "'head.bias' has values that are not finite": {**state, "head.bias": torch.full((384,), torch.nan)},
        "'head.bias' is in int64, expected float32 or float16": {**state, "head.bias": torch.ones(384, dtype=int)},
    }
    for message, tensors in broken.items():
        with pytest.raises(ModelError, match=message):
            check_depth_state(tensors, 384)
