import json
import shutil

import numpy as np
import pytest

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import DataError, InterruptedTrainingError, OptionError
from clip2point.core.registries import HEADS
from clip2point.data.parts import open_parts
from clip2point.evaluation import fitting, protocols
from clip2point.evaluation.protocol_settings import SHOTS, ProtocolSettings
from clip2point.evaluation.protocols import list_feature_heads
from clip2point.evaluation.zero_shot_run import run_zero_shot
from clip2point.model import Recogniser
from clip2point.model.settings import Settings
from clip2point.shapes import Shape, sample_points
from clip2point_shapes import generate, write_mesh

pytestmark = pytest.mark.slow

CLASSES = ("chair", "table", "lamp")
COMPARED = ("nearest-mean", "linear")
TRAIN, TEST = 10, 3


@pytest.fixture(scope="module")
def clouds():
    """Generated clouds of 64 points, those of a class one after another."""
    meshes = [generate(name, seed=seed) for name in CLASSES for seed in range(TRAIN + TEST)]
    return np.stack([sample_points(Shape(mesh.vertices, mesh), 64) for mesh in meshes])


@pytest.fixture(scope="module")
def write(tmp_path_factory, clouds):
    """Writes the data set, with test labels turned by so many classes."""
    folder = tmp_path_factory.mktemp("sets")

    def written(turn=0, **changes):
        split = np.array((["train"] * TRAIN + ["test"] * TEST) * 3)
        labels = np.repeat(np.arange(3), TRAIN + TEST)
        labels = np.where(split == "test", (labels + turn) % 3, labels)
        names = np.array([f"shape {index}" for index in range(len(labels))])
        arrays = {"points": clouds, "labels": labels, "split": split, "names": names, "classes": np.array(CLASSES)}
        path = folder / f"{len(list(folder.iterdir()))}.npz"
        np.savez(path, **{**arrays, "up": "y", **changes})
        return open_parts(f"npz:{path}")

    return written


@pytest.fixture(scope="module")
def model(tiny_clip):
    settings = Settings(points=64, radius=0.1, views="ring-2")
    return Recogniser(load_transformers_backbone(tiny_clip, dtype="fp32"), settings, "tiny")


@pytest.fixture(scope="module")
def parts(write):
    return write()


@pytest.fixture(scope="module")
def computed(tmp_path_factory, model, parts):
    """A comparison, and the folder of the cache that it filled."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIP2POINT_CACHE", str(folder))
        return few(model, parts), folder


@pytest.fixture
def found(computed):
    return computed[0]


@pytest.fixture(autouse=True)
def cache(computed, tmp_path, monkeypatch):
    """A cache of its own for each test: with features, without fits."""
    shutil.copytree(computed[1], tmp_path / "cache", ignore=shutil.ignore_patterns("fits"))
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def adapted(monkeypatch):
    """Calls of ``adapt_head``: name, examples, validation examples and settings."""
    calls = []
    original = fitting.adapt_head

    def adapt(name, train, validation, text, settings, options=None):
        calls.append((name, train, validation, settings))
        return original(name, train, validation, text, settings, options)

    monkeypatch.setattr(fitting, "adapt_head", adapt)
    return calls


@pytest.fixture
def refitted_on(monkeypatch):
    """Number of examples of every call of ``refit_head``."""
    counts = []
    original = fitting.refit_head

    def refit(found, examples, text, settings):
        counts.append(len(examples))
        return original(found, examples, text, settings)

    monkeypatch.setattr(fitting, "refit_head", refit)
    return counts


def few(model, parts, heads=COMPARED, **changes):
    return protocols.compare_few_shot(
        model, parts, ProtocolSettings(heads=heads, **{"shots": (1, 2), "seeds": 2, **changes})
    )


def compare_supervised(model, parts, heads, **changes):
    return protocols.compare_supervised(model, parts, ProtocolSettings(heads=heads, **changes))


def figures(comparison):
    """All but the times."""
    record = comparison.to_dict()
    for fit in (*record["fits"], *record["over_seeds"], record["zero_shot"]):
        del fit["seconds"]
    return record


def test_every_head_number_and_seed_is_measured(found):
    assert found.protocol == "few-shot"
    assert (found.heads, found.shots, found.seeds) == (COMPARED, (1, 2), (0, 1))
    assert {(fit.head, fit.shots, fit.seed) for fit in found.fits} == {
        (head, shots, seed) for head in COMPARED for shots in (1, 2) for seed in (0, 1)
    }
    for fit in found.fits:
        assert fit.probabilities.shape == (9, 3)
        np.testing.assert_allclose(fit.probabilities.sum(1), 1, atol=1e-5)
        assert fit.metrics.accuracy == (fit.probabilities.argmax(1) == fit.labels).mean()
        assert fit.temperature > 0
        assert fit.seconds > 0
    cell = found.cell("linear", 2)
    assert cell.summary.accuracy.mean == pytest.approx(np.mean([fit.metrics.accuracy for fit in cell.fits]))
    record = found.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert len(record["fits"]) == 8
    assert record["hashes"].keys() == {"depth path", "image path", "train", "validation", "test"}


def test_the_zero_shot_line_is_that_of_the_zero_shot_protocol(found, model, parts):
    run = run_zero_shot(model, parts.test, 0)
    np.testing.assert_allclose(found.zero_shot.probabilities, run.probabilities, atol=1e-6)
    assert found.zero_shot.shots == 0
    assert found.zero_shot.coverage == 1


def test_heads_see_the_same_nested_shots_and_others_for_each_seed(model, parts, adapted, refitted_on):
    few(model, parts)
    examples = {}
    assert not refitted_on
    for name, train, validation, settings in adapted:
        shots = len(train) // 3
        assert np.bincount(train.labels).tolist() == [shots] * 3
        assert np.bincount(validation.labels).tolist() == [shots] * 3
        assert len(train.features) == 2
        examples[name, shots, settings.seed] = train.features
    for shots in (1, 2):
        for seed in (0, 1):
            assert np.array_equal(examples["linear", shots, seed], examples["nearest-mean", shots, seed])
            assert np.array_equal(examples["linear", 2, seed][:, :3], examples["linear", 1, seed])
    assert not np.array_equal(examples["linear", 2, 0], examples["linear", 2, 1])


def test_validation_shapes_are_as_many_as_asked_for(model, parts, adapted):
    few(model, parts, shots=(1,), seeds=1, validation_shots=5)
    assert [np.bincount(validation.labels).tolist() for _, _, validation, _ in adapted] == [[2, 2, 2]] * 2


def test_only_drawn_shapes_are_looked_at(model, parts, monkeypatch):
    sizes = {}
    original = protocols.extract_features

    def extract(model, dataset, *arguments, **keywords):
        sizes[dataset.split] = len(dataset)
        return original(model, dataset, *arguments, **keywords)

    monkeypatch.setattr(protocols, "extract_features", extract)
    few(model, parts, COMPARED[:1], shots=(1,))
    assert sizes["test"] == 9
    assert sizes["train-minus-validation"] <= 6
    assert sizes["validation"] <= 6


def test_nothing_is_chosen_by_the_test_split(found, model, write):
    turned = few(model, write(turn=1))
    for one, other in zip(found.fits, turned.fits, strict=True):
        assert (one.options, one.temperature, one.threshold) == (other.options, other.temperature, other.threshold)
        assert one.validation_accuracy == other.validation_accuracy
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert [found.best(shots) for shots in (1, 2)] == [turned.best(shots) for shots in (1, 2)]


def test_the_best_head_is_that_of_validation(found):
    best = found.cell(found.best(2), 2).mean("validation_accuracy")
    assert best == max(found.cell(head, 2).mean("validation_accuracy") for head in COMPARED)


def test_a_run_that_was_stopped_goes_on_where_it_was(model, parts, adapted, monkeypatch):
    working = fitting.adapt_head

    def stopped(*arguments):
        if len(adapted) == 3:
            raise KeyboardInterrupt
        return working(*arguments)

    monkeypatch.setattr(fitting, "adapt_head", stopped)
    with pytest.raises(KeyboardInterrupt):
        few(model, parts)
    monkeypatch.setattr(fitting, "adapt_head", working)
    adapted.clear()
    first = few(model, parts)
    assert len(adapted) == 8 - 3
    adapted.clear()
    assert few(model, parts).to_dict() == first.to_dict()
    assert not adapted


def test_the_same_figures_every_time(found, model, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "empty"))
    assert figures(few(model, parts)) == figures(found)


def test_supervised_learns_from_all_of_train(model, parts, adapted, refitted_on):
    found = compare_supervised(model, parts, COMPARED, seeds=2, augmented_views=2)
    assert (found.protocol, found.shots, found.seeds) == ("supervised", (None,), (0, 1))
    assert len(adapted) == len(found.fits) == 4
    assert refitted_on == [24 + 6] * 4
    for _, train, validation, _ in adapted:
        assert (len(train), len(validation)) == (24, 6)
        assert len(train.features) == len(validation.features) == 2


@pytest.fixture
def tunings(model, monkeypatch):
    """Arguments of every training of a tower; another tower stands for what it would give."""
    calls = []
    tower = {name: tensor + 0.05 for name, tensor in model.backbone.depth_tower().state_dict().items()}

    def tune(given, train, validation, settings, seed, run):
        assert given is model
        calls.append((train, validation, seed))
        return Recogniser(model.backbone.with_depth_tower(tower, image_size=32), model.settings, model.name)

    monkeypatch.setattr(protocols, "tune_tower_once", tune)
    return calls


def test_a_tuned_tower_is_read_by_the_heads_alone(model, parts, tunings):
    plain = compare_supervised(model, parts, ("nearest-mean",), augmented_views=1)
    tuned = compare_supervised(model, parts, ("nearest-mean",), augmented_views=1, unfreeze="last-1")
    np.testing.assert_array_equal(plain.zero_shot.probabilities, tuned.zero_shot.probabilities)
    assert not np.array_equal(plain.fits[0].probabilities, tuned.fits[0].probabilities)
    assert tuned.model.name == "tiny, tuned (last-1)"
    assert tunings == [(parts.train, parts.validation, 0)]


def test_a_tower_learns_from_the_shots_of_each_draw_alone(model, parts, tunings, found, adapted):
    tuned = few(model, parts, unfreeze="last-1")
    assert [len(train) for train, _, _ in tunings] == [3, 3, 6, 6]
    assert [(validation, seed) for _, validation, seed in tunings] == [(None, 0), (None, 1)] * 2
    one, _, two, _ = (set(train.names) for train, _, _ in tunings)
    assert one < two <= set(parts.train.names)
    assert [len(train) for _, train, _, _ in adapted] == [3, 3, 3, 3, 6, 6, 6, 6]
    np.testing.assert_array_equal(tuned.zero_shot.probabilities, found.zero_shot.probabilities)
    assert [(fit.head, fit.shots, fit.seed) for fit in tuned.fits] == [
        (head, shots, seed) for shots in (1, 2) for seed in (0, 1) for head in COMPARED
    ]


def test_what_no_training_changed_gives_the_same_figures(model, parts, found, monkeypatch):
    monkeypatch.setattr(protocols, "tune_tower_once", lambda given, *_: given)
    assert figures(few(model, parts, unfreeze="last-1")) == figures(found)


def test_shots_by_default_are_those_that_there_are(model, parts):
    assert few(model, parts, COMPARED[:1], shots=(), seeds=1).shots == (1, 2, 4, 8)
    assert SHOTS == (1, 2, 4, 8, 16)


def test_too_few_shapes_are_said_before_anything_is_done(model, parts, monkeypatch):
    monkeypatch.setattr(protocols, "extract_features", lambda *arguments, **keywords: pytest.fail("computed"))
    with pytest.raises(DataError, match="the class 'chair' has 8 in train-minus-validation: ask for at most 8"):
        few(model, parts, shots=(16,))


COIN = """
import numpy as np

from clip2point.heads import PointClassifier


class Coin(PointClassifier):
    name = "coin"

    def __init__(self, weight=1.0):
        self.weight = weight

    @property
    def options(self):
        return {"weight": self.weight}

    def fit(self, train, validation, *, seed, progress=None):
        self.classes = len(train.classes)
        return self.weight > 0

    def probabilities(self, points, up):
        drawn = np.random.default_rng(0).random((len(points), self.classes)) ** (self.weight * POWER)
        return drawn / drawn.sum(1, keepdims=True)
"""


def offer_coin(plugins, power=1):
    plugins.install(COIN.replace("POWER", str(power)), "[clip2point.heads]\ncoin = MODULE:Coin\n", package="coin")


def test_classifiers_of_points_belong_to_the_supervised_protocol(model, parts, plugins, monkeypatch):
    offer_coin(plugins)
    heads = ("coin:weight=2", "nearest-mean")
    found = compare_supervised(model, parts, heads, augmented_views=1)
    assert found.heads == ("nearest-mean", "coin:weight=2")
    (fit,) = found.cell("coin:weight=2", None).fits
    assert fit.options == {"weight": 2}
    np.testing.assert_allclose(fit.probabilities.sum(1), 1, atol=1e-5)
    assert "coin:weight=2: trained from scratch on points" in " ".join(found.remarks)
    monkeypatch.setattr(fitting, "fit_temperature", lambda *arguments: pytest.fail("measured again"))
    assert compare_supervised(model, parts, heads, augmented_views=1).to_dict() == found.to_dict()
    with pytest.raises(OptionError, match="coin learns from whole train splits only"):
        few(model, parts, heads=("coin",))


def test_an_edited_classifier_is_not_answered_with_old_figures(model, parts, plugins):
    figures = []
    for power in (1, 3):
        offer_coin(plugins, power)
        (fit,) = compare_supervised(model, parts, ("coin",), augmented_views=1).fits
        figures.append(fit.temperature)
        plugins.uninstall()
    assert figures[0] != figures[1]


def test_what_was_not_trained_to_its_end_is_not_measured(model, parts, plugins):
    offer_coin(plugins)
    with pytest.raises(InterruptedTrainingError, match="coin: nothing half-trained"):
        compare_supervised(model, parts, ("coin:weight=0",), augmented_views=1)


def test_baselines_that_are_not_installed_say_how(model, parts, monkeypatch):
    monkeypatch.setattr(HEADS, "_offered", {})
    with pytest.raises(OptionError, match=r"'pointnet' is not installed: .* pip install ./benchmarks/baselines"):
        compare_supervised(model, parts, ("pointnet",))


def test_unknown_heads_and_up_axes_are_refused(model, parts, write):
    with pytest.raises(OptionError, match="unknown head 'oracle': expected one of"):
        few(model, parts, ("oracle",))
    with pytest.raises(OptionError, match="does not say which axis points up"):
        few(model, write(up="auto"))
    assert "zero-shot" not in list_feature_heads()


def test_shapes_that_cannot_be_read_are_replaced(model, tmp_path):
    for name in CLASSES:
        for part, count in (("train", 5), ("test", 1)):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for seed in range(count):
                write_mesh(generate(name, seed=seed), tmp_path / "set" / part / name / f"{seed}.off")
    whole = open_parts(f"folder:{tmp_path / 'set'}", up="y")
    drawn = protocols.draw_shots(whole.train, 1, 0)
    broken = whole.train.names[drawn[0]]
    (tmp_path / "set" / broken).write_text("nothing")
    found = few(model, open_parts(f"folder:{tmp_path / 'set'}", up="y"), COMPARED[:1], shots=(1, 2), seeds=1)
    assert [name for name, _ in found.failures] == [broken]
    assert {fit.shots for fit in found.fits} == {1, 2}
