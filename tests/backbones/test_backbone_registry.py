import copy

import numpy as np
import pytest
import torch

from clip2point import load
from clip2point.backbones import FrozenBackbone, register_backbone
from clip2point.backbones.backbone_registry import load_plugin_backbone
from clip2point.core.errors import ModelError, OptionError, PluginError
from clip2point.core.registries import BACKBONES
from clip2point.model.checkpoint import read_config
from clip2point.model.saving import save_model
from clip2point.search.identity import fingerprint_embedding

SOURCE = """
import torch

from clip2point.backbones import FrozenBackbone


class Colors(FrozenBackbone):
    name, dim, logit_scale = "colors", 3, 10.0

    def encode_image(self, images):
        return images.mean((2, 3))

    def encode_text(self, texts):
        return torch.eye(3)[[len(text) % 3 for text in texts]]
"""


class Tower(torch.nn.Linear):
    def forward(self, images):
        return super().forward(images.mean((2, 3)))


class Trainable(FrozenBackbone):
    """A backbone whose depth tower can be trained."""

    name, dim, logit_scale, tower, version = "trainable", 3, 10.0, None, "1"

    def encode_image(self, images):
        return images.mean((2, 3))

    def encode_text(self, texts):
        return torch.eye(3)[[len(text) % 3 for text in texts]]

    def encode_depth(self, depth, path="depth"):
        if self.tower is None or path == "image":
            return super().encode_depth(depth, path)
        return self.tower(depth.flatten(0, 1)[:, None]).unflatten(0, depth.shape[:2])

    def fingerprint(self, path="depth"):
        return f"{self.name} {self.version}"

    def depth_tower(self, path="depth"):
        return copy.deepcopy(self.tower) or Tower(1, 3)

    def with_depth_tower(self, tower, *, image_size=None):
        other = copy.copy(self)
        other.tower = Tower(1, 3)
        other.tower.load_state_dict(tower if isinstance(tower, dict) else tower.state_dict())
        return other

    def state_dict(self):
        return {} if self.tower is None else {f"depth.{name}": value for name, value in self.tower.state_dict().items()}

    def config(self):
        return {**super().config(), "logit_scale": self.logit_scale, "depth_tower": {"image_size": self.image_size}}


@pytest.fixture
def colors(plugins):
    plugins.install(SOURCE, "[clip2point.backbones]\ncolors = MODULE:Colors\n")
    return "colors"


@pytest.fixture
def trainable():
    register_backbone("trainable", Trainable)
    yield "trainable"
    BACKBONES.unregister("trainable")


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (64, 3)).astype(np.float32)


def test_a_package_adds_a_backbone(colors, points):
    model = load(colors, dtype="fp32")
    answer = model.classify(points, labels=["a", "bb", "ccc"], up="y")
    assert answer.label in ("a", "bb", "ccc")
    assert model.embed([points], up="y").shape == (1, 3)
    assert model.name == "colors"


def test_what_frozen_towers_cannot_do_is_told(colors):
    backbone = load(colors).backbone
    for use, message in (
        (backbone.depth_tower, "its towers cannot be trained"),
        (lambda: backbone.with_depth_tower({}), "its towers cannot be trained"),
        (lambda: backbone.encode_pixels(torch.zeros(1, 3, 8, 8)), "use encode_image"),
        (lambda: backbone.encode_tokens(torch.zeros(1, 3).long()), "use encode_text"),
        (lambda: backbone.encode_depth(torch.zeros(1, 1, 8, 8), "photo"), "unknown path 'photo'"),
    ):
        with pytest.raises(OptionError, match=message):
            use()


def test_a_trained_tower_of_a_plug_in_is_saved_and_loaded(trainable, tmp_path, monkeypatch):
    model = load(trainable)
    tuned = model.backbone.with_depth_tower(Tower(1, 3))
    save_model(tmp_path / "tuned", tuned, model.settings, {})
    again = load(tmp_path / "tuned")
    depth = torch.rand(1, 6, 224, 224)
    assert torch.equal(again.backbone.encode_depth(depth), tuned.encode_depth(depth))
    assert read_config(tmp_path / "tuned")["backbone"] == "trainable"
    monkeypatch.setattr(Trainable, "version", "2")
    with pytest.raises(ModelError, match="trained with another version of trainable"):
        load(tmp_path / "tuned")
    BACKBONES.unregister("trainable")
    with pytest.raises(ModelError, match="unknown backbone 'trainable', .* or install the package that brings it"):
        load(tmp_path / "tuned")


def test_a_backbone_that_lacks_something_is_refused(plugins):
    plugins.install(
        "class Half:\n    def __init__(self, **more): self.name = 'half'\n",
        "[clip2point.backbones]\nhalf = MODULE:Half\n",
    )
    with pytest.raises(PluginError, match=r"'half' lacks dim, image_size, .*encode_text"):
        load("half")


def test_unknown_models_are_answered_with_those_that_there_are(colors):
    with pytest.raises(ModelError, match=r"unknown model 'pockt': expected pocket, clip-vit-b-32, .*, colors, hf:"):
        load("pockt")


@pytest.mark.parametrize("name", ["pocket", "clip-vit-b-32", "hf:mine"])
def test_names_that_a_backbone_cannot_have(name):
    with pytest.raises(OptionError, match="is built in|on a hub"):
        register_backbone(name, Trainable)


def test_libraries_know_the_code_of_their_backbone(colors, plugins):
    first = fingerprint_embedding(load(colors))
    plugins.uninstall()
    plugins.install(SOURCE.replace("mean", "amax"), "[clip2point.backbones]\ncolors = MODULE:Colors\n")
    assert fingerprint_embedding(load(colors)) != first


def test_names_of_clip2point_are_no_plug_ins():
    with pytest.raises(OptionError, match="unknown backbone 'nothing'"):
        load_plugin_backbone("nothing")
