import sys
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from clip2point.backbones import FrozenBackbone
from clip2point.core.errors import OptionError
from clip2point.core.registries import HEADS
from clip2point.data.parts import open_parts
from clip2point.evaluation.protocol_settings import ProtocolSettings
from clip2point.evaluation.protocols import compare_supervised
from clip2point.heads import register_head
from clip2point.heads.head_registry import make_point_classifier
from clip2point.model import Recogniser
from clip2point.model.settings import Settings
from clip2point_baselines import DGCNNClassifier, PointNetClassifier
from clip2point_baselines.training import POINT_TRAINING, train_point_network

pytestmark = pytest.mark.slow

QUICK = {"epochs": 2, "batch_size": 6, "points": 32, "k": 5}


@pytest.fixture
def registered(monkeypatch):
    """Both classifiers, as a package with entry points brings them."""
    monkeypatch.setattr(HEADS, "_offered", {})
    for kind in (PointNetClassifier, DGCNNClassifier):
        register_head(kind)
    yield
    for kind in (PointNetClassifier, DGCNNClassifier):
        HEADS.unregister(kind.name)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_the_entry_points_name_the_classes():
    import tomllib

    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    points = tomllib.loads(text)["project"]["entry-points"][HEADS.group]
    kinds = {
        name: getattr(import_module(target.partition(":")[0]), target.partition(":")[2])
        for name, target in points.items()
    }
    assert kinds == {"pointnet": PointNetClassifier, "dgcnn": DGCNNClassifier}
    assert all(kind.name == name for name, kind in kinds.items())
    assert set(points) == set(HEADS.elsewhere)


@pytest.mark.parametrize("name", ["pointnet", "dgcnn"])
def test_a_classifier_is_its_network_and_tells_what_was_chosen(registered, sampled, clouds, name):
    classifier = make_point_classifier(name, QUICK)
    assert classifier.options == {**asdict(POINT_TRAINING[name]), **QUICK}
    assert classifier.fit(sampled(), sampled(6, seed=3), seed=1)
    trained = train_point_network(name, sampled(), sampled(6, seed=3), replace(POINT_TRAINING[name], **QUICK), seed=1)
    assert classifier.options["epoch"] == trained.epoch > 0
    points, _ = clouds(3, seed=7)
    np.testing.assert_array_equal(classifier.probabilities(points, "z"), trained.probabilities(points, "z"))


def test_a_training_that_is_ended_says_so(sampled):
    classifier = PointNetClassifier(**QUICK)
    assert not classifier.fit(sampled(), None, seed=0, progress=lambda steps, total: list(steps)[:1])


def test_options_are_checked(registered):
    for options, message in (
        ({"speed": 1}, "pointnet has no option 'speed': expected one of epochs, "),
        ({"epochs": 0}, "pointnet: epochs is 0: expected 1 to 100000"),
        ({"epochs": "many"}, "pointnet: "),
    ):
        with pytest.raises(OptionError, match=message):
            make_point_classifier("pointnet", options)
    with pytest.raises(OptionError, match="dgcnn was not fitted yet"):
        DGCNNClassifier().probabilities(np.zeros((1, 4, 3), np.float32), "y")


class Brightness(FrozenBackbone):
    """Towers that cost nothing."""

    name, dim, logit_scale, image_size = "brightness", 4, 10.0, 16

    def encode_image(self, images):
        return np.concatenate([images.mean((2, 3)), images[:, :1].max((2, 3))], axis=1)

    def encode_text(self, texts):
        return torch.eye(4)[[len(text) % 4 for text in texts]]


def test_the_supervised_protocol_compares_them_with_heads(registered, clouds, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    points, labels = clouds(60, up="y")
    split = np.where(np.arange(60) % 5 < 3, "train", "test")
    path = tmp_path / "solids.npz"
    np.savez(path, points=points, labels=labels, classes=np.array(["ball", "disc", "pole"]), split=split, up="y")
    model = Recogniser(Brightness(), Settings(points=48, views="ring-2"), "brightness")
    quick = "pointnet:epochs=1:points=32:batch_size=6"
    settings = ProtocolSettings(heads=("nearest-mean", quick), augmented_views=1)
    found = compare_supervised(model, open_parts(f"npz:{path}"), settings)
    assert found.heads == ("nearest-mean", quick)
    (fit,) = found.cell(quick, None).fits
    assert (fit.options["epochs"], fit.options["epoch"]) == (1, 1)
    assert fit.probabilities.shape == (24, 3)
