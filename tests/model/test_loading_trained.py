import json
import shutil

import numpy as np
import pytest
import torch

import clip2point
from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import ModelError
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.folders import POCKET, weight_checksums
from clip2point.model.saving import save_model
from clip2point.shapes.demo_shapes import demo_files

pytestmark = pytest.mark.slow

SETTINGS = clip2point.Settings(points=512)


def disturb(backbone, image_size=None):
    """The backbone with a depth tower that is no longer the image tower."""
    tower = backbone.depth_tower()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter *= 1 + 0.05 * torch.rand(parameter.shape, generator=generator)
    return backbone.with_depth_tower(tower, image_size=image_size)


def depth_maps(size):
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def pocket():
    return disturb(clip2point.load(dtype="fp32").backbone, image_size=64)


@pytest.fixture
def clip(tiny_clip, tmp_path):
    """A trained backbone whose base lies in a folder of its own."""
    return disturb(load_transformers_backbone(shutil.copytree(tiny_clip, tmp_path / "base"), dtype="fp32"))


@pytest.fixture(scope="module")
def half(pocket, tmp_path_factory):
    """Folder of the same in half precision; not to be changed."""
    folder = tmp_path_factory.mktemp("half")
    save_model(folder, pocket, SETTINGS, {}, half=True)
    return folder


def rewrite(folder, change, out=None):
    checkpoint = read_checkpoint(folder)
    tensors, config = dict(checkpoint.tensors), dict(checkpoint.config)
    change(tensors, config)
    write_checkpoint(out or folder, tensors, config)


def test_pocket_round_trip_and_use(pocket, half, tmp_path):
    save_model(tmp_path, pocket, SETTINGS, {"recipe": "small.yaml", "licences": {"depth": "MIT"}})
    model = clip2point.load(tmp_path, dtype="fp32")
    assert (model.settings, model.backbone.image_size, model.backbone.logit_scale) == (SETTINGS, 64, pocket.logit_scale)
    assert torch.equal(model.backbone.encode_depth(depth_maps(64)), pocket.encode_depth(depth_maps(64)))
    assert model.backbone.fingerprint() == pocket.fingerprint()
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["depth_tower"] == {"image_size": 64}
    assert (config["recipe"], config["licences"]) == ("small.yaml", {"depth": "MIT"})
    assert weight_checksums(tmp_path).keys() == weight_checksums("pocket").keys()
    assert weight_checksums(tmp_path)["clip2point"] == config["sha256"]
    points = torch.rand(600, 3, generator=torch.Generator().manual_seed(0)).numpy()
    assert model.classify(points, labels=["chair", "lamp"], up="y").points == 512
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path, half)]
    assert sizes[1] < 0.6 * sizes[0]


def test_pocket_without_a_depth_tower_round_trips(untrained_pocket, tmp_path):
    model = clip2point.load(untrained_pocket, dtype="fp32")
    save_model(tmp_path, model.backbone, model.settings, {})
    again = clip2point.load(tmp_path, dtype="fp32")
    assert again.backbone.fingerprint() == model.backbone.fingerprint()
    assert "depth_tower" not in json.loads((tmp_path / "config.json").read_text())


def test_half_precision_keeps_what_is_small_and_the_features(pocket, half):
    tensors = read_checkpoint(half).tensors
    assert {tensors[name].dtype for name in ("depth.head.weight", "depth.network._conv_stem.weight")} == {
        np.dtype(np.float16)
    }
    for name, tensor in tensors.items():
        if name.startswith("map.") or name.endswith((".bias", "running_mean", "running_var")):
            assert tensor.dtype == np.float32
    backbone = clip2point.load(half, dtype="fp32").backbone
    similarity = torch.cosine_similarity(
        backbone.encode_depth(depth_maps(64)), pocket.encode_depth(depth_maps(64)), dim=-1
    )
    assert similarity.min() > 0.999


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kind", ["tiny_clip", "tiny_siglip"])
def test_round_trip_on_a_base(request, kind, tmp_path, half):
    backbone = disturb(load_transformers_backbone(request.getfixturevalue(kind), dtype="fp32"))
    save_model(tmp_path, backbone, SETTINGS, {}, half=half)
    assert all(name.startswith("depth.") for name in read_checkpoint(tmp_path).tensors)
    loaded = clip2point.load(tmp_path, dtype="fp32").backbone
    got, expected = (one.encode_depth(depth_maps(32)) for one in (loaded, backbone))
    if half:
        assert torch.cosine_similarity(got, expected, dim=-1).min() > 0.999
    else:
        assert torch.equal(got, expected)
    np.testing.assert_array_equal(loaded.encode_text(["chair"]), backbone.encode_text(["chair"]))
    assert weight_checksums(tmp_path).keys() == {"clip2point"}
    assert clip2point.load(tmp_path, dtype="bf16").backbone.encode_depth(depth_maps(32)).isfinite().all()


def test_a_relative_base_moves_with_its_checkpoint(tiny_clip, tmp_path, monkeypatch):
    shutil.copytree(tiny_clip, tmp_path / "old" / "base")
    monkeypatch.chdir(tmp_path / "old")
    backbone = disturb(load_transformers_backbone("base", dtype="fp32"))
    save_model(tmp_path / "old" / "trained", backbone, SETTINGS, {})
    assert json.loads((tmp_path / "old" / "trained" / "config.json").read_text())["base"] == "../base"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    loaded = clip2point.load(tmp_path / "new" / "trained", dtype="fp32").backbone
    assert torch.equal(loaded.encode_depth(depth_maps(32)), backbone.encode_depth(depth_maps(32)))


def test_a_missing_or_other_base_is_said(clip, tiny_siglip, tmp_path):
    folder = tmp_path / "trained"
    save_model(folder, clip, SETTINGS, {})
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ModelError, match=r"base: missing; .*trained builds on this model: copy it there"):
        clip2point.load(folder)
    rewrite(folder, lambda tensors, config: config.update(base=str(tiny_siglip)))
    with pytest.raises(ModelError, match='trained with another model than .*; correct "base" in config.json'):
        clip2point.load(folder)
    rewrite(folder, lambda tensors, config: config.pop("base"))
    with pytest.raises(ModelError, match='should name the model that this one builds on, as "base"'):
        clip2point.load(folder)


def test_a_base_that_no_hub_gives_is_said(clip, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    save_model(tmp_path / "trained", clip, SETTINGS, {})
    rewrite(tmp_path / "trained", lambda tensors, config: config.update(base="clip-vit-b-32"))
    with pytest.raises(ModelError, match="trained builds on another model: openai/clip"):
        clip2point.load(tmp_path / "trained")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, c: t.pop("depth.head.weight"), "depth tower: the tensor 'head.weight' is missing"),
        (lambda t, c: t.update({"depth.foot": torch.ones(1)}), "depth tower: the tensor 'foot' is not part"),
        (lambda t, c: t.update({"foot": torch.ones(1)}), "the tensor 'foot' is not part of this model"),
        (lambda t, c: t.update({"depth.head.bias": torch.ones(1)}), r"'head.bias' has shape \[1\], expected \[384\]"),
        (lambda t, c: [t.pop(name) for name in list(t) if name.startswith("depth.")], "is missing .* in all"),
        (lambda t, c: c.pop("depth_tower"), 'config.json should have "depth_tower": {"image_size": PIXELS}'),
        (lambda t, c: c.update(depth_tower={"image_size": "big"}), 'config.json should have "depth_tower"'),
        (lambda t, c: c.update(depth_tower={"image_size": 1}), "image size 1 of the depth tower: expected 32 to"),
        (lambda t, c: c.pop("logit_scale"), 'should have a number above 0 as "logit_scale", not None'),
        (lambda t, c: c.update(logit_scale=float("nan")), 'number above 0 as "logit_scale", not nan'),
    ],
)
def test_incomplete_checkpoints_load_not_at_all(half, tmp_path, change, message):
    rewrite(half, change, tmp_path)
    with pytest.raises(ModelError, match=f"{tmp_path}: .*{message}"):
        clip2point.load(tmp_path)


def test_a_tensor_on_a_base_that_is_no_depth_tower_is_refused(clip, tmp_path):
    save_model(tmp_path / "trained", clip, SETTINGS, {})
    rewrite(tmp_path / "trained", lambda tensors, config: tensors.update({"map.weight": torch.ones(2)}))
    with pytest.raises(ModelError, match="the tensor 'map.weight' is not part of this model"):
        clip2point.load(tmp_path / "trained")


def test_what_cannot_be_saved_is_said(tiny_clip, tmp_path):
    backbone = load_transformers_backbone(tiny_clip, dtype="fp32")
    with pytest.raises(ModelError, match="no depth tower was trained, so there is nothing to be saved"):
        save_model(tmp_path / "model", backbone, SETTINGS, {})
    state = backbone.depth_tower().state_dict()
    state["projection.weight"] = state["projection.weight"] + 1e6
    large = backbone.with_depth_tower(state)
    with pytest.raises(ModelError, match=r"'depth.projection.weight' has values that are not finite in torch.float16"):
        save_model(tmp_path / "model", large, SETTINGS, {}, half=True)
    assert not (tmp_path / "model").exists()


def test_the_shipped_model_has_two_paths_and_an_untrained_one_has_one(untrained_pocket):
    depth = depth_maps(64)
    shipped, untrained = (clip2point.load(model, dtype="fp32").backbone for model in (POCKET, untrained_pocket))
    assert shipped.state_dict().keys() == read_checkpoint(POCKET).tensors.keys()
    assert torch.equal(untrained.encode_depth(depth), untrained.encode_depth(depth, path="image"))
    assert torch.equal(shipped.encode_depth(depth, path="image"), untrained.encode_depth(depth, path="image"))
    assert not torch.allclose(shipped.encode_depth(depth), untrained.encode_depth(depth))


def test_the_shipped_model_knows_shapes_of_kinds_that_it_was_trained_on():
    """Other shapes than those of its training; far above chance (1 in 40), which a wrong tower or setting is not."""
    model = clip2point.load(dtype="fp32")
    files = demo_files(("chair", "airplane", "toilet", "guitar"))
    assert sum(model.classify(file).label == name for name, file in files.items()) >= 3
