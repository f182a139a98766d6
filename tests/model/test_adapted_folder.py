import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import clip2point
from clip2point.core.errors import ModelError, OptionError
from clip2point.heads.examples import Examples
from clip2point.heads.head_registry import make_head
from clip2point.heads.ood import OODDetector
from clip2point.model import Classification, Failure
from clip2point.model.adapted_folder import save_adapted
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.conversion import convert
from clip2point.shapes import load_shape, sample_points
from clip2point_shapes import generate, write_mesh

SETTINGS = clip2point.Settings(views="ring-2", points=64, radius=0.08)
CLASSES = ("chair", "table", "lamp")
TEXT_HEADS, EXAMPLE_HEADS = ("zero-shot", "gdpa"), ("nearest-mean", "linear")


def head_on(model, name, classes=CLASSES, options=None):
    """A head that was fitted on noise, on a model."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 4 * len(classes), 2, 2, model.backbone.dim, generator=generator)
    labels = torch.arange(len(classes)).repeat(4)
    head = make_head(name, options or ({"epochs": 1} if name == "gdpa" else {}))
    text = torch.from_numpy(model.class_features(classes))
    head.fit(Examples(features, labels), text, logit_scale=model.backbone.logit_scale, seed=0)
    detector = OODDetector(normalize(text, dim=-1), -1.0)  # everything is in distribution
    return model.with_head(AdaptedHead(head, tuple(classes), 0.5, 0.9, model.name, {"shapes": 12}, detector))


def with_ood_threshold(model, threshold):
    """The same model with another OOD threshold and none for the confidence."""
    detector = replace(model.adapted.ood, threshold=threshold)
    return model.without_head().with_head(replace(model.adapted, threshold=None, ood=detector))


@pytest.fixture(scope="module")
def base(tiny_clip):
    return clip2point.load(tiny_clip, dtype="fp32").with_settings(SETTINGS)


@pytest.fixture(scope="module")
def models(base):
    """Models with a head, by the head's name."""
    return {name: head_on(base, name) for name in (*TEXT_HEADS, *EXAMPLE_HEADS)}


def test_thresholds_hold_among_all_classes_of_the_head_alone(models, files):
    strict = with_ood_threshold(models["linear"], 1.0)  # nothing is in distribution
    classes = strict.adapted.classes
    assert strict.classify(files[0], up="y").unknown
    assert strict.classify(files[0], classes[::-1], up="y").unknown
    assert not strict.classify(files[0], classes[:-1], up="y").unknown


def test_a_head_keeps_the_views_that_it_was_fitted_on(models, base):
    model = models["linear"]
    assert model.with_settings(replace(SETTINGS, points=99)).settings.points == 99
    with pytest.raises(OptionError, match="was fitted on"):
        model.with_settings(replace(SETTINGS, views="ring-4"))
    assert base.with_settings(replace(SETTINGS, views="ring-4")).settings.views == "ring-4"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    paths = [folder / f"{name}.off" for name in CLASSES]
    for path in paths:
        write_mesh(generate(path.stem), path)
    return paths


@pytest.fixture
def folder(models, tmp_path):
    save_adapted(tmp_path / "mine", models["nearest-mean"])
    return tmp_path / "mine"


@pytest.mark.parametrize("name", [*TEXT_HEADS, *EXAMPLE_HEADS])
def test_round_trip(models, files, tmp_path, name):
    save_adapted(tmp_path / "mine", models[name])
    loaded = clip2point.load(tmp_path / "mine", dtype="fp32")
    assert (loaded.name, loaded.settings) == (str(tmp_path / "mine"), SETTINGS)
    assert (loaded.adapted.classes, loaded.adapted.temperature, loaded.adapted.threshold) == (CLASSES, 0.5, 0.9)
    assert loaded.adapted.record == {"shapes": 12}
    assert loaded.adapted.ood.threshold == -1
    assert np.array_equal(loaded.adapted.ood.centroids, models[name].adapted.ood.centroids)
    assert loaded.adapted.head.options == models[name].adapted.head.options
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"config.json", "model.safetensors"}
    again, first = loaded.classify(files[0], up="y"), models[name].classify(files[0], up="y")
    assert again.guesses == first.guesses
    save_adapted(tmp_path / "mine", loaded)
    assert clip2point.load(tmp_path / "mine", dtype="fp32").classify(files[0], up="y").guesses == first.guesses


def test_the_head_answers_among_its_classes_with_calibrated_confidence(models, files):
    model = models["nearest-mean"]
    answers = list(model.classify_many([*files, "nowhere.off"], up="y"))
    assert isinstance(answers.pop(), Failure)
    for answer, path in zip(answers, files, strict=True):
        assert isinstance(answer, Classification)
        assert {guess.label for guess in answer.guesses} == set(CLASSES)
        assert sum(guess.confidence for guess in answer.guesses) == pytest.approx(1)
        assert [guess.score for guess in answer.guesses] == sorted((g.score for g in answer.guesses), reverse=True)
        assert all(guess.view_scores == () for guess in answer.guesses)
        assert json.loads(json.dumps(answer.to_dict())) == answer.to_dict()
        logits = torch.tensor([guess.score for guess in answer.guesses], dtype=torch.float64) / 0.5
        assert answer.confidence == pytest.approx(float(logits.softmax(0)[0]), abs=1e-6)
        alone = model.classify(path, up="y")
        assert alone.label == answer.label
        assert alone.confidence == pytest.approx(answer.confidence, abs=1e-5)


def test_unknown_shapes(models, base, files):
    model = models["nearest-mean"]  # of noise, so it is sure of nothing
    answer = model.classify(files[0], up="y")
    assert answer.unknown
    assert answer.confidence < 0.9
    assert answer.verdict == f"unknown ({answer.label}?)"
    assert answer.to_dict()["unknown"] is True
    assert not model.classify(files[0], up="y", unknown_below=0).unknown
    assert not model.classify(files[0], ["chair", "table"], up="y").unknown  # the threshold is not theirs
    assert model.classify(files[0], ["chair", "table"], up="y", unknown_below=1).unknown
    assert not base.classify(files[0], CLASSES, up="y").unknown
    assert base.classify(files[0], CLASSES, up="y", unknown_below=1).unknown
    assert next(base.classify_many(files, CLASSES, up="y", unknown_below=1)).unknown
    with pytest.raises(OptionError, match="unknown below 1.5: expected a confidence from 0 to 1"):
        base.classify(files[0], CLASSES, unknown_below=1.5)


def test_shapes_out_of_distribution(models, files, tmp_path):
    vectors = torch.from_numpy(models["gdpa"].embed(files, up="y"))
    scores = models["gdpa"].adapted.ood.score(vectors).tolist()
    model = with_ood_threshold(models["gdpa"], sorted(scores)[1] - 1e-4)  # all but one reach it
    expected = [value >= sorted(scores)[1] for value in scores]
    answers = list(model.classify_many(files, up="y"))
    assert [answer.in_distribution for answer in answers] == [not answer.unknown for answer in answers] == expected
    assert [answer.to_dict()["familiar"] for answer in answers] == expected
    assert [answer.to_dict()["in_distribution"] for answer in answers] == expected
    with pytest.warns(DeprecationWarning, match="is now in_distribution"):
        assert [answer.familiar for answer in answers] == expected
    assert [answer.verdict for answer in answers] == [
        answer.label if known else f"out of distribution ({answer.label}?)"
        for answer, known in zip(answers, expected, strict=True)
    ]
    assert not any(answer.unknown for answer in model.classify_many(files, up="y", unknown_below=0))
    assert not any(answer.unknown for answer in model.classify_many(files, ["stool", "chair"], up="y"))
    save_adapted(tmp_path / "mine", model)
    loaded = clip2point.load(tmp_path / "mine", dtype="fp32")
    assert [answer.in_distribution for answer in loaded.classify_many(files, up="y")] == expected


def test_the_heads_own_classes_keep_both_thresholds_in_any_order(models, files):
    model = models["nearest-mean"]  # of noise, so it is sure of nothing
    assert model.classify(files[0], CLASSES[::-1], up="y").unknown
    model = with_ood_threshold(model, 1.0)
    assert not model.classify(files[0], CLASSES[::-1], up="y").in_distribution
    assert model.classify(files[0], CLASSES[:2], up="y").in_distribution


def test_a_confidence_at_the_threshold_is_known(models, files):
    model = models["nearest-mean"]
    confidence = model.classify(files[0], up="y").confidence
    for threshold, unknown in ((confidence, False), (np.nextafter(confidence, 1), True)):
        assert model.classify(files[0], up="y", unknown_below=threshold).unknown == unknown
        same = model.with_head(replace(model.adapted, threshold=threshold))
        assert same.classify(files[0], up="y").unknown == unknown


def test_folders_of_release_0_1_are_loaded(models, folder, tmp_path, files):
    def rename(tensors, config):
        tensors["familiar_classes"] = tensors.pop("ood_centroids")
        config["head"]["least_familiarity"] = config["head"].pop("ood_threshold")

    rewrite(folder, rename)
    model = clip2point.load(folder)
    assert model.adapted.ood.threshold == -1
    assert np.array_equal(model.adapted.ood.centroids, models["nearest-mean"].adapted.ood.centroids)
    rewrite(folder, lambda tensors, config: (tensors.pop("familiar_classes"), config["head"].pop("least_familiarity")))
    model = clip2point.load(folder)
    assert model.adapted.ood is None
    assert model.classify(files[0], up="y").in_distribution


@pytest.mark.parametrize("name", [*TEXT_HEADS, *EXAMPLE_HEADS])
def test_some_of_the_classes_can_be_offered_in_any_order(models, files, name):
    whole = {guess.label: guess.score for guess in models[name].classify(files[0], up="y").guesses}
    some = models[name].classify(files[0], ["lamp", "chair"], up="y").guesses
    assert {guess.label: guess.score for guess in some} == {name: whole[name] for name in ("lamp", "chair")}
    assert sum(guess.confidence for guess in some) == pytest.approx(1)


def test_other_words_are_for_heads_that_take_words(models, files):
    for name in TEXT_HEADS:
        answer = models[name].classify(files[0], ["depth map", "night stand", "chair"], up="y")
        assert {guess.label for guess in answer.guesses} == {"depth map", "night stand", "chair"}
    for name in EXAMPLE_HEADS:
        with pytest.raises(OptionError, match=f"the label 'depth map': the head '{name}' knows only the classes"):
            models[name].classify(files[0], ["chair", "depth map"])
        with pytest.raises(OptionError, match="chair, table, lamp"):
            next(models[name].classify_many(files, ["depth map"]))


def test_an_unknown_up_axis_is_tried_both_ways(models, files):
    for name in ("gdpa", "nearest-mean"):
        guessed = models[name].classify(files[0])
        both = [models[name].classify(files[0], up=up) for up in ("y", "z")]
        best = max(both, key=lambda answer: answer.confidence)
        assert (guessed.up_from, guessed.up, guessed.label) == ("guessed", best.up, best.label)
        assert guessed.confidence == pytest.approx(best.confidence, abs=1e-5)


def test_embeddings_and_other_settings(models, base, files):
    model = models["gdpa"]
    np.testing.assert_array_equal(model.embed(files, up="y"), base.embed(files, up="y"))
    assert model.without_head().adapted is None
    assert model.without_head().settings == SETTINGS
    denser = model.with_settings(clip2point.Settings(views="ring-2", points=128, radius=0.08))
    assert denser.classify(files[0], up="y").points == 128
    with pytest.raises(OptionError, match="views ring-3: the head of .* was fitted on ring-2"):
        model.with_settings(clip2point.Settings(views="ring-3"))


def test_arrays_are_recognised(models, files):
    points = sample_points(load_shape(files[1]), 64, 0)
    assert models["linear"].classify(points, up="y").label in CLASSES


def test_a_relative_base_moves_with_the_folder(tiny_clip, files, tmp_path, monkeypatch):
    shutil.copytree(tiny_clip, tmp_path / "old" / "towers")
    monkeypatch.chdir(tmp_path / "old")
    model = head_on(clip2point.load("towers", dtype="fp32").with_settings(SETTINGS), "nearest-mean")
    save_adapted(tmp_path / "old" / "mine", model)
    assert json.loads((tmp_path / "old" / "mine" / "config.json").read_text())["base"] == "../towers"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    loaded = clip2point.load(tmp_path / "new" / "mine", dtype="fp32")
    assert loaded.classify(files[0], up="y").guesses == model.classify(files[0], up="y").guesses


def test_towers_that_no_other_folder_has_are_kept_in_the_folder(base, files, tmp_path):
    tower = base.backbone.depth_tower()
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter *= 1.05
    tuned = clip2point.Recogniser(base.backbone.with_depth_tower(tower), SETTINGS, base.name)
    model = head_on(tuned, "nearest-mean")
    save_adapted(tmp_path / "old", model)
    assert json.loads((tmp_path / "old" / "config.json").read_text())["base"] == "./base"
    (tmp_path / "old").rename(tmp_path / "new")
    loaded = clip2point.load(tmp_path / "new", dtype="fp32")
    assert loaded.backbone.fingerprint() == tuned.backbone.fingerprint() != base.backbone.fingerprint()
    assert loaded.classify(files[0], up="y").guesses == model.classify(files[0], up="y").guesses
    save_adapted(tmp_path / "new", loaded)  # the base is not to be written over
    assert json.loads((tmp_path / "new" / "config.json").read_text())["base"] == "./base"
    shutil.rmtree(tmp_path / "new" / "base")
    with pytest.raises(ModelError, match=r"new/base: missing; .*new builds on this model: copy it there"):
        clip2point.load(tmp_path / "new")


def test_another_number_format_has_the_same_base(folder, files):
    loaded = clip2point.load(folder, dtype="bf16")
    assert loaded.backbone.dtype == "bfloat16"
    assert loaded.classify(files[0], up="y").label in CLASSES


def rewrite(folder, change):
    checkpoint = read_checkpoint(folder)
    tensors, config = dict(checkpoint.tensors), dict(checkpoint.config)
    change(tensors, config)
    write_checkpoint(folder, tensors, config)


def set_head(**entries):
    return lambda tensors, config: config.update(head={**config["head"], **entries})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, c: t.pop("head.means"), "missing"),
        (lambda t, c: t.pop("ood_centroids"), "both .*ood_threshold.* and the tensor 'ood_centroids'"),
        (set_head(ood_threshold=None), "both .*ood_threshold.* and the tensor 'ood_centroids'"),
        (set_head(ood_threshold=2), "an OOD threshold of 2.0: expected a cosine"),
        (set_head(ood_threshold="low"), 'a number as "ood_threshold"'),
        (lambda t, c: t.update(ood_centroids=torch.eye(3)), r"OOD centroids are \[3, 3\]: expected \[3, 24\]"),
        (lambda t, c: t.update({"head.foot": torch.ones(1)}), "foot"),
        (lambda t, c: t.update({"foot": torch.ones(1)}), "the tensor 'foot' is not part of a head"),
        (lambda t, c: t.update({"head.means": t["head.means"][..., :-1]}), "does not read features"),
        (lambda t, c: t.update({name: np.full_like(values, np.nan) for name, values in t.items()}), "not finite"),
        (lambda t, c: c.update(classes=["chair", "table"]), "for 2 classes"),
        (lambda t, c: c.update(classes=["chair", "chair", "lamp"]), "repeated labels: chair"),
        (lambda t, c: c.update(classes=["chair", " table", "lamp"]), "names without blanks around them"),
        (lambda t, c: c.update(classes=[1, 2, 3]), "names without blanks around them"),
        (lambda t, c: c.pop("classes"), 'should have a list as "classes", not None'),
        (lambda t, c: c.pop("head"), 'should have an object as "head", not None'),
        (set_head(kind="oracle"), "oracle"),
        (set_head(kind=7), 'should have a text as "kind", not 7'),
        (set_head(options={"colour": 1}), "colour"),
        (set_head(temperature=0), "temperature 0.0"),
        (set_head(temperature=None), 'a number as "temperature" of the head, not None'),
        (set_head(threshold=2), "threshold 2.0: expected"),
        (set_head(threshold="low"), 'a number as "threshold"'),
        (lambda t, c: c.pop("base"), 'should have a text as "base", not None'),
        (lambda t, c: c.update(base="../nowhere"), "nowhere: missing; .*builds on this model"),
        (lambda t, c: c.update(base="nowhere"), " builds on another model: unknown model 'nowhere'"),
        (lambda t, c: c.update(base="."), "has a head itself"),
        (lambda t, c: c.pop("record"), 'should have an object as "record", not None'),
        (lambda t, c: c.pop("base_dtype"), '"base_dtype" and "base_fingerprint"'),
        (lambda t, c: c.update(base_fingerprint={"depth": "0"}), "fitted on another model than"),
        (lambda t, c: c.pop("radius"), 'should have "radius", which the head was fitted under'),
        (lambda t, c: c.update(radius="wide"), "invalid settings"),
        (lambda t, c: c.update(views="ring-5"), "does not read features of 2 paths, 5 views and width 24"),
    ],
)
@pytest.mark.slow
def test_incomplete_folders_are_refused(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ModelError, match=f"{folder}.*?{message}"):
        clip2point.load(folder)


def test_damaged_tensors_and_another_base_are_refused(folder, tiny_siglip):
    rewrite(folder, lambda tensors, config: config.update(base=str(tiny_siglip)))
    with pytest.raises(ModelError, match='fitted on another model than .*; correct "base" in config.json'):
        clip2point.load(folder)
    (folder / "model.safetensors").write_bytes(b"0" * 64)
    with pytest.raises(ModelError, match="its sha256 is"):
        clip2point.load(folder)


def test_where_a_model_may_not_be_written(models, base, tiny_clip, tmp_path):
    with pytest.raises(OptionError, match="is the folder of the model to learn with"):
        save_adapted(tiny_clip, models["linear"])
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(OptionError, match="holds something else already; choose a new folder"):
        save_adapted(tmp_path, models["linear"])
    with pytest.raises(OptionError, match="has no head that learned from examples"):
        save_adapted(tmp_path / "new", base)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json"}


def test_there_is_nothing_to_convert(folder, tmp_path):
    with pytest.raises(ModelError, match="is a few-shot model in clip2point's own format already"):
        convert(folder, tmp_path / "out")
