from pathlib import Path

import numpy as np
import pytest
import torch

import clip2point
from clip2point.core.errors import OptionError
from clip2point.data import open_dataset
from clip2point.evaluation.measurement import evaluate
from clip2point.model.adapter_answers import NOTE
from clip2point.model.settings import Settings

DATA = Path(__file__).parent.parent / "data"
LABELS = ["chair", "lamp", "table"]
CLOUD = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32) * [1, 2, 0.5]


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A converted DPA with the text tower of its CLIP, whose class names are given features: it has no tokenizer."""
    clip2point.convert(DATA / "official_dpa_tiny.pth", tmp_path / "dpa", clip=DATA / "openai_clip_tiny.pth")
    model = clip2point.load(tmp_path / "dpa", dtype="fp32")
    features = np.random.default_rng(1).normal(size=(3, model.backbone.dim)).astype(np.float32)
    monkeypatch.setattr(type(model), "class_features", lambda self, labels: features[: len(labels)])
    return model


def test_answers_are_those_of_the_adapter(model):
    answer = model.classify(CLOUD, LABELS, up="y", top=3)
    points = clip2point.shapes.prepare_points(clip2point.shapes.shape_from_points(CLOUD), model.settings.points, 0)
    depth = model.depth_maps(points[None])
    both = [torch.from_numpy(np.asarray(model.backbone.encode_depth(depth, path))) for path in ("depth", "image")]
    with torch.no_grad():
        feature = model.adapter(*both).numpy()[0]
    text = model.class_features(LABELS)
    expected = text @ feature / np.linalg.norm(text, axis=1)
    assert {guess.label: guess.score for guess in answer.guesses} == pytest.approx(
        dict(zip(LABELS, expected.tolist(), strict=True)), abs=1e-5
    )
    assert NOTE in answer.notes
    other = model.without_head()
    assert other.adapter is None
    assert NOTE not in other.classify(CLOUD, LABELS, up="y").notes
    assert other.classify(CLOUD, LABELS, up="y", top=3).guesses[0].score != answer.guesses[0].score


def test_evaluation_uses_it_too(model, tmp_path):
    for name in LABELS:
        (tmp_path / "set" / name).mkdir(parents=True)
        np.save(tmp_path / "set" / name / "a.npy", CLOUD * (1 + len(name)))
    dataset = open_dataset(f"folder:{tmp_path / 'set'}", up="y")
    measured = evaluate(model, dataset)
    assert measured.protocol != evaluate(model.without_head(), dataset).protocol
    answer = model.classify(dataset.items.paths[0], LABELS, up="y", top=3)
    found = dict(zip(LABELS, measured.runs[0].probabilities[0].tolist(), strict=True))
    assert found == pytest.approx({guess.label: guess.confidence for guess in answer.guesses}, abs=1e-2)


def test_other_views_than_its_own_are_refused(model):
    with pytest.raises(OptionError, match="views ring-2: the adapter of .* was trained on clip2point-10"):
        model.with_settings(Settings(views="ring-2"))


def test_unknown_cameras_and_missing_towers_are_refused(model, tmp_path):
    clip2point.convert(DATA / "official_dpa_tiny.pth", tmp_path / "alone")
    with pytest.raises(OptionError, match="needs the text tower, which is missing: convert the checkpoint again"):
        clip2point.load(tmp_path / "alone").classify(CLOUD, LABELS, up="y")
    state = torch.load(DATA / "official_dpa_tiny.pth", weights_only=True)
    state["selector.view_selector.views_azim"] = torch.arange(10.0)
    torch.save(state, tmp_path / "turned.pth")
    clip2point.convert(tmp_path / "turned.pth", tmp_path / "turned", clip=DATA / "openai_clip_tiny.pth")
    with pytest.raises(OptionError, match="cameras that are none of the known view sets, so it cannot name shapes"):
        clip2point.load(tmp_path / "turned").classify(CLOUD, LABELS, up="y")
