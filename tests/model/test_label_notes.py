"""Remarks on labels: no choice, indistinguishable, unknown."""

from types import SimpleNamespace

import numpy as np
import pytest

import clip2point
from clip2point.core.everyday import EVERYDAY
from clip2point.model import everyday_features, recogniser
from clip2point.model.everyday_features import FILE, find_everyday
from clip2point.model.label_notes import note_labels
from clip2point.model.zero_shot import class_features
from clip2point.shapes.demo_shapes import demo_files


@pytest.fixture(scope="module")
def pocket():
    return clip2point.load("pocket")


def test_labels_that_cannot_be_told_apart_are_named_together(pocket):
    (equal, unknown) = pocket.note_labels(["椅子", "bed", "桌子", "lamp"])
    assert equal.startswith("the text tower cannot tell these labels apart: '椅子', '桌子'; ")
    assert unknown.startswith(
        "words of labels that the text tower, which learned English, may not know: '椅子', '桌子'; "
    )


@pytest.mark.parametrize("word", ["Stuhl", "fenêtre", "стул", "schraubenzieher", "lampe"])
def test_words_of_other_languages_are_named(pocket, word):
    (note,) = pocket.note_labels([word, "bed", "night_stand", "screwdriver"])
    assert f"may not know: {word!r}; check spelling and language" in note


def test_common_labels_need_no_remark(pocket):
    assert pocket.note_labels(EVERYDAY) == ()
    assert pocket.note_labels(["toothbrush holder", "night_stand", "T-shirt", "USB stick", "3D printer"]) == ()


def test_one_label_is_no_choice():
    backbone = SimpleNamespace()
    (note,) = note_labels(backbone, ["sofa"], np.ones((1, 1), np.float32))
    assert note == "one label is no choice: whatever the shape, it is 'sofa' with 100 %"
    (note,) = note_labels(backbone, ["sofa,bed"], np.ones((1, 1), np.float32))
    assert note.endswith("; a list of labels is ['sofa', 'bed']")


def test_lists_within_a_label_are_pointed_out():
    (note,) = note_labels(SimpleNamespace(), ["sofa,bed", "lamp", "tub;bath"], np.eye(3, dtype=np.float32))
    assert note.startswith("labels with commas or semicolons in them: 'sofa,bed', 'tub;bath'; each is one label")


def test_answers_carry_the_remarks_and_the_first_of_synonyms(pocket):
    chair = demo_files(["chair"])["chair"]
    answer = pocket.classify(chair, ["Stuhl|chair", "table|desk", "lamp"])
    assert [answer.label, {guess.label for guess in answer.guesses}] == ["Stuhl", {"Stuhl", "table", "lamp"}]
    assert any("'Stuhl'" in note for note in answer.notes)
    assert pocket.classify(chair, "sofa").label == "sofa"


def test_synonyms_are_averaged(pocket):
    both = pocket.class_features(["mug|cup", "bed"])
    mug, cup, bed = pocket.class_features(["mug", "cup", "bed"])
    np.testing.assert_allclose(both[0], (mug + cup) / np.linalg.norm(mug + cup), atol=1e-6)
    np.testing.assert_allclose(both[1], bed, atol=1e-6)


def test_the_features_that_the_package_carries_are_those_of_the_tower(pocket):
    templates = pocket.settings.templates
    tower = pocket.backbone.text_fingerprint()
    with np.load(FILE) as archive:
        assert archive["labels"].tolist() == list(EVERYDAY), "run tools/write_everyday.py"
    chosen = EVERYDAY[::7]
    computed = class_features(pocket.backbone, chosen, templates)
    np.testing.assert_allclose(find_everyday(chosen, tower, templates), computed, atol=1e-5)
    assert find_everyday(chosen, tower, ["a {}"]) is find_everyday(chosen, "other", templates) is None


def test_labels_of_ones_own_do_not_read_the_features_of_the_package(pocket, monkeypatch):
    monkeypatch.setattr(everyday_features, "_read", lambda: pytest.fail("read"))
    assert find_everyday(["chair", "a chair of mine"], pocket.backbone.text_fingerprint(), ()) is None


def test_no_labels_are_those_of_everyday(pocket):
    answer = pocket.classify(demo_files(["guitar"])["guitar"])
    assert answer.label == "guitar"
    assert {guess.label for guess in answer.guesses} <= {label.split("|")[0] for label in EVERYDAY}


def test_remarks_are_computed_once_for_a_list(monkeypatch):
    model = clip2point.load("pocket")
    first = model.note_labels(["Stuhl", "bed"])
    monkeypatch.setattr(recogniser, "note_labels", lambda *arguments: pytest.fail("computed again"))
    assert model.note_labels(["Stuhl", "bed"]) == first != ()
