import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

import clip2point
from clip2point import FewShotClassifier
from clip2point.core.errors import ModelError, OptionError, ShapeError
from clip2point_shapes import generate, write_mesh

CLASSES = ("table", "chair", "lamp")
COUNT = 4


@pytest.fixture(scope="module")
def model(tiny_clip):
    settings = clip2point.Settings(views="ring-2", points=256, radius=0.08)
    return clip2point.load(tiny_clip, dtype="fp32").with_settings(settings)


@pytest.fixture(scope="module")
def shapes():
    meshes = [generate(name, seed=seed) for name in CLASSES for seed in range(COUNT)]
    return [clip2point.Shape(mesh.vertices, mesh) for mesh in meshes]


@pytest.fixture(scope="module")
def labels():
    return [name for name in CLASSES for _ in range(COUNT)]


@pytest.fixture(scope="module")
def fitted(model, shapes, labels):
    return FewShotClassifier(model, head="nearest-mean", augmented_views=2).fit(shapes, labels)


@pytest.mark.slow
def test_it_learns_in_scikit_learns_manner(fitted, shapes, labels):
    assert fitted.classes_.tolist() == ["chair", "lamp", "table"]
    answers, probabilities = fitted.predict(shapes), fitted.predict_proba(shapes)
    assert answers.shape == (12,)
    assert probabilities.shape == (12, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(answers, fitted.classes_[probabilities.argmax(1)])
    assert fitted.score(shapes, labels) == np.mean(answers == np.array(labels)) > 0.6
    assert fitted.validation_["samples"] == 3
    assert json.loads(json.dumps(fitted.recogniser_.adapted.record)) == fitted.recogniser_.adapted.record


def test_the_same_seed_gives_the_same_bits(model, shapes, labels, fitted):
    again = clone(fitted).fit(shapes, labels)
    np.testing.assert_array_equal(again.predict_proba(shapes), fitted.predict_proba(shapes))


@pytest.mark.slow
def test_labels_may_be_numbers(model, shapes, tmp_path):
    numbers = np.repeat([10, 9, 2], COUNT)
    found = FewShotClassifier(model, head="linear", augmented_views=1).fit(shapes, numbers)
    assert found.classes_.tolist() == [2, 9, 10]
    assert found.predict(shapes).dtype.kind == "i"
    found.save(tmp_path)
    loaded = FewShotClassifier.load(tmp_path, dtype="fp32")
    assert loaded.classes_.tolist() == [2, 9, 10]
    np.testing.assert_array_equal(loaded.predict(shapes), found.predict(shapes))


def test_parameters_are_scikit_learns(model):
    found = FewShotClassifier(model, head="linear", options={"c": 1.0}, augmented_views=2, up="z", seed=3, target=0.9)
    names = {"model", "head", "options", "augmented_views", "up", "seed", "target"}
    names |= {"unfreeze", "epochs", "wise_ft_alpha", "precision", "copies"}
    assert found.get_params().keys() == names
    copied = clone(found)
    assert copied.model is model
    assert {name: copied.get_params()[name] for name in names - {"model"}} == {
        name: found.get_params()[name] for name in names - {"model"}
    }
    assert found.set_params(head="gdpa").head == "gdpa"
    assert isinstance(pickle.loads(pickle.dumps(FewShotClassifier("pocket", head="linear"))), FewShotClassifier)


def test_cross_validation_and_search(model, shapes, labels):
    scores = cross_val_score(FewShotClassifier(model, head="linear", augmented_views=1), shapes, labels, cv=2)
    assert ((scores >= 0) & (scores <= 1)).all()
    search = GridSearchCV(FewShotClassifier(model, augmented_views=1), {"head": ["zero-shot", "nearest-mean"]}, cv=2)
    search.fit(shapes, np.array(labels))
    assert search.best_params_["head"] in ("zero-shot", "nearest-mean")
    assert set(search.predict(shapes[:2])) <= set(labels)


@pytest.mark.parametrize("head", ["gdpa", "tip-adapter", "linear", "zero-shot"])
def test_one_example_of_each_class_is_enough(model, shapes, labels, head):
    options = {"epochs": 2} if head == "gdpa" else None
    found = FewShotClassifier(model, head=head, options=options, augmented_views=2)
    with pytest.warns(UserWarning, match="no class has two examples, so none can be held out"):
        found.fit(shapes[::COUNT], labels[::COUNT])
    assert found.recogniser_.adapted.threshold is found.recogniser_.adapted.ood is None
    assert found.validation_ is None
    assert not any(answer.unknown for answer in found.recognise(shapes))
    with pytest.raises(OptionError, match="the head can only be chosen by validation"):
        found.set_params(head="auto", options=None).fit(shapes[::COUNT], labels[::COUNT])


def test_unknown_answers(fitted, shapes):
    assert all(answer.unknown for answer in fitted.recognise(shapes, unknown_below=1))
    assert not any(answer.unknown for answer in fitted.recognise(shapes, unknown_below=0))
    answers = fitted.recognise(shapes, top=1)
    assert [len(answer.guesses) for answer in answers] == [1] * 12
    threshold = fitted.recogniser_.adapted.threshold or 0
    unknown = [answer.confidence < threshold or not answer.in_distribution for answer in answers]
    assert [answer.unknown for answer in answers] == unknown


def test_a_strange_shape_is_out_of_distribution(fitted, shapes):
    needle = np.zeros((64, 3), np.float32)
    needle[:, 1] = np.linspace(-1, 1, 64)
    assert not fitted.recognise([needle])[0].in_distribution
    assert sum(answer.in_distribution for answer in fitted.recognise(shapes)) >= len(shapes) - 3


def test_files_and_arrays_do_as_well(fitted, shapes, labels, tmp_path):
    path = tmp_path / "chair.glb"  # a format that says which way is up
    write_mesh(generate("chair"), path)
    assert fitted.predict([path, str(path)]).shape == (2,)
    clouds = np.stack([clip2point.sample_points(shape, 64, 0) for shape in shapes])
    found = FewShotClassifier(fitted.model, head="nearest-mean", augmented_views=1, up="y").fit(clouds, labels)
    assert found.predict(clouds[:3]).shape == (3,)


def test_what_is_saved_is_loaded(fitted, shapes, tmp_path):
    fitted.save(tmp_path / "mine")
    loaded = FewShotClassifier.load(tmp_path / "mine", dtype="fp32")
    np.testing.assert_array_equal(loaded.predict_proba(shapes), fitted.predict_proba(shapes))
    assert loaded.validation_ == fitted.validation_
    for name in ("head", "augmented_views", "up", "seed", "target"):
        assert loaded.get_params()[name] == fitted.get_params()[name]
    loaded.fit(shapes[:8], ["a"] * 4 + ["b"] * 4)
    assert loaded.classes_.tolist() == ["a", "b"]


def test_a_model_without_a_head_is_no_classifier(tiny_clip):
    with pytest.raises(ModelError, match="a model without a head: expected one that learned from examples"):
        FewShotClassifier.load(tiny_clip)


def test_a_senseless_record_is_said(fitted, tmp_path):
    fitted.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for parameters in ({"colour": 1}, {"augmented_views": {"count": 0}}, [1]):
        config["record"]["parameters"] = parameters
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match='config.json has an invalid "record"'):
            FewShotClassifier.load(tmp_path)


def test_fitted_ones_are_not_pickled(fitted):
    with pytest.raises(OptionError, match=r"write it with save\(folder\)"):
        pickle.dumps(fitted)
    with pytest.raises(OptionError, match=r"save\(folder\)"):
        copy.deepcopy(fitted)


@pytest.mark.parametrize("head", ["nearest-mean", "gdpa", "zero-shot"])
def test_classes_can_be_added(model, shapes, labels, head, tmp_path):
    options = {"epochs": 2} if head == "gdpa" else None
    found = FewShotClassifier(model, head=head, options=options, augmented_views=2).fit(shapes[:8], labels[:8])
    before = [{guess.label: guess.score for guess in answer.guesses} for answer in found.recognise(shapes)]
    found.add_classes(shapes[8:], labels[8:])
    assert found.classes_.tolist() == ["chair", "lamp", "table"]
    after = [{guess.label: guess.score for guess in answer.guesses} for answer in found.recognise(shapes)]
    for old, new in zip(before, after, strict=True):
        assert {name: new[name] for name in old} == pytest.approx(old, abs=1e-5)
    assert found.predict_proba(shapes).shape == (12, 3)
    found.save(tmp_path)
    loaded = FewShotClassifier.load(tmp_path, dtype="fp32")
    np.testing.assert_array_equal(loaded.predict_proba(shapes), found.predict_proba(shapes))
    assert loaded.recogniser_.adapted.record["classes_added"] == ["lamp"]


def test_words_alone_add_a_class_where_the_head_goes_by_words(model, shapes, labels):
    found = (
        FewShotClassifier(model, head="zero-shot", augmented_views=1)
        .fit(shapes, labels)
        .add_classes(None, ["night stand"])
    )
    assert "night stand" in found.classes_
    example_head = FewShotClassifier(model, head="nearest-mean", augmented_views=1).fit(shapes, labels)
    with pytest.raises(OptionError):
        example_head.add_classes(None, ["night stand"])


def test_what_cannot_be_added_is_said(fitted, model, shapes, labels):
    with pytest.raises(OptionError, match="the class 'chair' is known already"):
        copied(fitted).add_classes(shapes[:2], ["chair", "depth"])
    with pytest.raises(OptionError, match="labels whole numbers: expected strings"):
        copied(fitted).add_classes(shapes[:2], [1, 2])
    linear = FewShotClassifier(model, head="linear", augmented_views=1).fit(shapes, labels)
    with pytest.raises(OptionError, match="fit"):
        linear.add_classes(shapes[:2], ["depth", "map"])


def copied(fitted):
    """Another classifier with the same state, to be changed."""
    found = clone(fitted)
    found.classes_, found.recogniser_ = fitted.classes_, fitted.recogniser_
    return found


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s, n: (s, n[:-1]), OptionError, "12 shapes and 11 labels"),
        (lambda s, n: (s, [[name] for name in n]), OptionError, r"labels \[12, 1\]"),
        (lambda s, n: (s, [0.5] * 12), OptionError, "expected .N. strings or integers"),
        (lambda s, n: ([], []), OptionError, "labels"),
        (lambda s, n: ("chair.off", n), OptionError, "chair.off: expected a list of shapes"),
        (lambda s, n: (["nowhere.off", *s[1:]], n), ShapeError, "nowhere.off"),
        (lambda s, n: (s, [" ", *n[1:]]), OptionError, "an empty label"),
    ],
)
def test_senseless_examples_are_refused(model, shapes, labels, change, error, message):
    with pytest.raises(error, match=message):
        FewShotClassifier(model, head="zero-shot", augmented_views=1).fit(*change(shapes, labels))


def test_the_former_name_of_augmented_views_works_and_warns(model, shapes, labels):
    one = FewShotClassifier(model, head="nearest-mean", copies=1)
    with pytest.warns(DeprecationWarning, match="is called augmented_views now"):
        one.fit(shapes, labels)
    other = FewShotClassifier(model, head="nearest-mean", augmented_views=1).fit(shapes, labels)
    np.testing.assert_array_equal(one.predict_proba(shapes), other.predict_proba(shapes))


def test_shapes_without_labels_are_refused(model, shapes):
    with pytest.raises(OptionError, match="no labels: expected one for each shape, or a data set instead"):
        FewShotClassifier(model).fit(shapes)


def test_a_tuned_tower_is_where_a_loaded_classifier_begins(model, shapes, labels, tmp_path):
    pytest.importorskip("lightning_fabric")
    found = FewShotClassifier(model, head="nearest-mean", unfreeze="last-1", epochs=1).fit(shapes, labels)
    before, after = (tuned.backbone.fingerprint() for tuned in (model, found.recogniser_))
    assert before != after
    found.save(tmp_path)
    loaded = FewShotClassifier.load(tmp_path, dtype="fp32")
    assert loaded.recogniser_.backbone.fingerprint() == after
    assert loaded.unfreeze is None
    assert loaded.fit(shapes, labels).recogniser_.backbone.fingerprint() == after


def test_senseless_options_are_refused(model, shapes, labels):
    with pytest.raises(OptionError, match="oracle"):
        FewShotClassifier(model, head="oracle").fit(shapes, labels)
    with pytest.raises(OptionError, match="colour"):
        FewShotClassifier(model, head="linear", options={"colour": 1}).fit(shapes, labels)
    with pytest.raises(ModelError, match="unknown model 'poket'"):
        FewShotClassifier("poket").fit(shapes, labels)
    with pytest.raises(NotFittedError):
        FewShotClassifier(model).predict(shapes)


def test_shapes_that_do_not_say_which_way_is_up(model, labels, tmp_path):
    path = tmp_path / "chair.off"
    write_mesh(generate("chair"), path)
    with pytest.raises(OptionError, match=r"chair.off: does not say which axis points up; give up='y' or up='z'"):
        FewShotClassifier(model, augmented_views=1).fit([path] * 12, labels)


def test_the_name_is_public_and_importing_it_late():
    code = "import clip2point, sys; print('sklearn' in sys.modules, 'FewShotClassifier' in dir(clip2point))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["False", "True"]


def test_broken_shapes_are_skipped_when_asked(tmp_path):
    clouds = [np.random.default_rng(i).normal(size=(300, 3)) * ([1, 1, 1] if i % 2 else [1, 5, 1]) for i in range(8)]
    labels = ["ball", "column"] * 4
    shapes = [tmp_path / "missing.off", *clouds, clouds[0].T]
    classifier = FewShotClassifier(head="nearest-mean", up="y")
    with pytest.raises((ShapeError, OptionError)):
        classifier.fit(shapes, ["ball", *labels, "ball"])
    classifier.fit(shapes, ["ball", *labels, "ball"], on_error="skip")
    missing, transposed = classifier.skipped_
    assert missing.source == str(tmp_path / "missing.off")
    assert transposed.source == "shape 9"
    assert "looks transposed" in transposed.error
    plain = FewShotClassifier(head="nearest-mean", up="y").fit(clouds, labels)
    assert plain.skipped_ == []
    np.testing.assert_array_equal(plain.predict_proba(clouds), classifier.predict_proba(clouds))
    with pytest.raises(ShapeError, match="none of 2 shapes can be read: the first is"):
        classifier.fit([clouds[0].T, clouds[1].T], ["a", "b"], on_error="skip")
    with pytest.raises(OptionError, match=r"expected clouds \[B, N, 3\]; give shapes\.transpose\(0, 2, 1\)"):
        classifier.fit(np.stack([cloud.T for cloud in clouds]), labels)
    with pytest.raises(OptionError, match="on_error 'ignore'"):
        classifier.fit(clouds, labels, on_error="ignore")
