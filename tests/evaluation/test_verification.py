"""Verification must notice every way in which an installation can be wrong; each is broken here in turn."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import ModelError
from clip2point.evaluation import verification
from clip2point.model import Recogniser, recogniser
from clip2point.model.settings import Settings

WEIGHTS = {"tower": "abc"}
SETTINGS = Settings(points=512, radius=0.05)


@pytest.fixture(scope="module", autouse=True)
def fewer_classes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "CLASSES", ("chair", "lamp"))
        yield


@pytest.fixture
def model(tiny_clip):
    return Recogniser(load_transformers_backbone(tiny_clip, dtype="fp32"), SETTINGS, "tiny")


@pytest.fixture(scope="module")
def record(tiny_clip):
    return verification.measure(
        Recogniser(load_transformers_backbone(tiny_clip, dtype="fp32"), SETTINGS, "tiny"), WEIGHTS
    )


def failed(record, model):
    checks = verification.verify(record, verification.measure(model, WEIGHTS))
    return [check.name for check in checks if not check.passed]


def test_an_unchanged_model_passes(record, model):
    assert failed(record, model) == []


def test_a_changed_up_axis_is_noticed(record, model, monkeypatch):
    monkeypatch.setattr(recogniser, "to_y_up", lambda points, up: points)
    assert "rendering" in failed(record, model)


def test_changed_weights_are_noticed(record, model):
    with torch.no_grad():
        model.backbone._towers["depth"].vision.embeddings.patch_embedding.weight.mul_(-1)
    assert failed(record, model)[0] == "scores"


def test_a_changed_prompt_is_noticed(record, model):
    changed = Recogniser(model.backbone, replace(SETTINGS, templates=("the {}",)), "tiny")
    assert failed(record, changed)[:2] == ["settings", "scores"]


def test_a_changed_radius_is_noticed(record, model):
    changed = Recogniser(model.backbone, replace(SETTINGS, radius=0.06), "tiny")
    assert failed(record, changed)[:2] == ["settings", "rendering"]


def test_swapped_labels_are_noticed(record, model, monkeypatch):
    encode = model.class_features
    monkeypatch.setattr(model, "class_features", lambda labels: np.roll(encode(labels), 1, axis=0))
    assert "scores" in failed(record, model)


def test_another_list_of_labels_is_noticed(record, model, monkeypatch):
    monkeypatch.setattr(verification, "CLASSES", ("chair", "bed"))
    assert {"labels", "files"} <= set(failed(record, model))


def test_other_weight_files_are_noticed(record):
    got = copy.deepcopy(record)
    got["weights"]["tower"] = "def"
    first = next(check for check in verification.verify(record, got) if not check.passed)
    assert (first.name, first.got) == ("weights", "another sha256: tower")


def test_changed_answers_are_counted(record):
    got = copy.deepcopy(record)
    for entry in got["files"].values():
        entry["answer"] = "something else"
    names = [check.name for check in verification.verify(record, got) if not check.passed]
    assert names == ["answers"]


def test_a_broken_record_is_an_error(record):
    with pytest.raises(ModelError, match="record for verification is broken"):
        verification.verify({"weights": {}}, record)


def test_the_model_below_a_head_is_verified(model, record, monkeypatch):
    adapted = SimpleNamespace(adapted=SimpleNamespace(base="below"))
    monkeypatch.setattr(verification, "load", lambda name, **options: {"head": adapted, "below": model}[name])
    monkeypatch.setattr(verification.folders, "weight_checksums", lambda name: WEIGHTS)
    monkeypatch.setattr(verification.folders, "read_expected_record", {"below": record}.get)
    found = verification.verify_model("head")
    assert (found.model, found.below_head, found.failed, found.advice) == ("tiny", True, None, "")
    assert found.to_dict()["passed"] is True
    monkeypatch.setattr(verification.folders, "weight_checksums", lambda name: {"tower": "def"})
    found = verification.verify_model("below")
    assert found.failed.name == "weights"
    assert "reinstall them" in found.advice
    assert found.to_dict()["passed"] is False
    monkeypatch.setattr(verification.folders, "read_expected_record", lambda name: None)
    found = verification.verify_model("below")
    assert found.to_dict() == {"model": "tiny", "accuracy": record["accuracy"], "samples": 2, "checks": None}
