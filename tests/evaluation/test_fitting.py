from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from clip2point.backbones import PATHS
from clip2point.data import SampledDataset
from clip2point.evaluation import fitting
from clip2point.evaluation.fitting import Draw, Task
from clip2point.features.view_features import ViewFeatures
from clip2point.heads import PointClassifier

CLASSES = ("chair", "lamp", "table")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))


def make_features(count, seed):
    """View features of so many shapes of each class, near a centroid of the class."""
    labels = np.repeat(np.arange(3), count)
    centroids = np.random.default_rng(0).normal(size=(3, 1, 8))
    draw = np.random.default_rng(seed)
    arrays = tuple((centroids[labels] + draw.normal(size=(3 * count, 4, 8))).astype(np.float32) for _ in PATHS)
    names = tuple(f"{seed}/{row}" for row in range(3 * count))
    points = np.zeros((3 * count, 1, 3), np.float32)
    sampled = SampledDataset("toys", "all", CLASSES, "y", points, labels, names, (), f"toys {seed}")
    return ViewFeatures(sampled, PATHS, (arrays,))


@pytest.fixture
def task():
    text = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    return Task(make_features(6, 1), make_features(4, 2), make_features(5, 3), text, 10.0, refit=False)


@pytest.fixture
def fits(monkeypatch):
    """Names of the heads that were fitted, as opposed to found."""
    calls = []
    original = fitting.adapt_head
    monkeypatch.setattr(fitting, "adapt_head", lambda name, *others: calls.append(name) or original(name, *others))
    return calls


def test_a_fit_is_found_the_second_time(task, fits):
    draw = Draw(2, 0, np.array([0, 1, 6, 7, 12, 13]), np.array([0, 4, 8]))
    first, second = (task.fit("linear", draw) for _ in range(2))
    assert fits == ["linear"]
    assert first.to_dict() == second.to_dict()
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


CHANGES = {
    "logit scale": lambda task, draw: (replace(task, logit_scale=50.0), draw, "nearest-mean"),
    "refit": lambda task, draw: (replace(task, refit=True), draw, "nearest-mean"),
    "names": lambda task, draw: (replace(task, text=task.text + 0.1), draw, "nearest-mean"),
    "train": lambda task, draw: (replace(task, train=make_features(6, 9)), draw, "nearest-mean"),
    "validation": lambda task, draw: (replace(task, validation=make_features(4, 9)), draw, "nearest-mean"),
    "test": lambda task, draw: (replace(task, test=make_features(5, 9)), draw, "nearest-mean"),
    "seed": lambda task, draw: (task, replace(draw, seed=1), "nearest-mean"),
    "rows": lambda task, draw: (task, replace(draw, train=np.arange(1, 18)), "nearest-mean"),
    "rows to choose by": lambda task, draw: (task, replace(draw, validation=np.arange(1, 12)), "nearest-mean"),
    "options": lambda task, draw: (task, draw, "nearest-mean:path=depth"),
    "head": lambda task, draw: (task, draw, "linear"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_inputs_never_find_an_old_fit(task, fits, change):
    draw = Draw(None, 0)
    task.fit("nearest-mean", draw)
    other, changed, head = CHANGES[change](task, draw)
    other.fit(head, changed)
    assert len(fits) == 2


class Coin(PointClassifier):
    """Gives each class the fraction of it that it learned from, whatever the points."""

    name = "coin"
    fits = 0

    def __init__(self, **options):
        self.options_given = options

    @property
    def options(self):
        return dict(self.options_given)

    def fit(self, train, validation, *, seed, progress=None):
        type(self).fits += 1
        self.fractions = np.bincount(train.labels, minlength=3) / len(train.labels)
        return True

    def probabilities(self, points, up):
        return np.tile(self.fractions, (len(points), 1))


@pytest.fixture
def coin(monkeypatch):
    monkeypatch.setattr(fitting, "parse_head", lambda head: (head, {}))
    monkeypatch.setattr(fitting, "make_point_classifier", lambda name, options: Coin(**options))
    monkeypatch.setattr(Coin, "fits", 0)
    return Coin


POINT_CHANGES = {
    "train": lambda task, patch: replace(task, train=make_features(6, 9)),
    "validation": lambda task, patch: replace(task, validation=make_features(4, 9)),
    "test": lambda task, patch: replace(task, test=make_features(5, 9)),
    "target": lambda task, patch: patch.setattr(fitting, "TARGET", 0.5) or task,
    "code": lambda task, patch: patch.setattr(fitting, "plugin_code", lambda plugin: "other code") or task,
}


def test_a_point_classifier_is_fitted_once(task, coin):
    first, second = (task.fit_point_classifier("coin", 0) for _ in range(2))
    assert coin.fits == 1
    assert first.reads_points
    assert first.to_dict() == second.to_dict()
    np.testing.assert_allclose(first.probabilities, 1 / 3)


@pytest.mark.parametrize("change", POINT_CHANGES)
def test_changed_inputs_never_find_an_old_point_classifier(task, coin, change, monkeypatch):
    task.fit_point_classifier("coin", 0)
    POINT_CHANGES[change](task, monkeypatch).fit_point_classifier("coin", 0)
    assert coin.fits == 2


def test_zero_shot_is_the_softmax_of_scaled_mean_cosines():
    found, text = make_features(4, 2), np.random.default_rng(5).normal(size=(3, 8)).astype(np.float32)
    backbone = SimpleNamespace(logit_scale=5.0)
    model = SimpleNamespace(backbone=backbone, class_features=lambda names: torch.from_numpy(text))
    fit = fitting.fit_zero_shot(model, found)
    views = np.asarray(found.arrays[0][PATHS.index("depth")], np.float64)
    cosines = np.einsum("nvd,cd->nvc", views, text) / np.linalg.norm(views, axis=-1)[..., None]
    logits = 5 * (cosines / np.linalg.norm(text, axis=1)).mean(1)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(fit.probabilities, expected, atol=1e-6)
    assert (fit.shots, fit.seed) == (0, 0)


def test_heads_with_the_same_options_have_fits_of_their_own(task, fits):
    for head in ("nearest-mean", "zero-shot"):
        task.fit(f"{head}:path=depth", Draw(None, 0))
    assert fits == ["nearest-mean", "zero-shot"]


def test_another_value_of_a_fixed_option_is_another_fit(task, fits):
    for path in ("depth", "image", "depth"):
        task.fit(f"nearest-mean:path={path}", Draw(None, 0))
    assert len(fits) == 2


def test_coverage_and_accuracy_are_those_of_the_threshold(task):
    fit = task.fit("linear", Draw(None, 0))
    covered = fit.probabilities.max(1) >= (fit.threshold or 0)
    assert fit.coverage == covered.mean()
    assert fit.accuracy_at_coverage == fit.correct[covered].mean()
    np.testing.assert_array_equal(fit.correct, fit.probabilities.argmax(1) == fit.labels)
    edge = replace(fit, threshold=float(fit.confidence.max()))
    assert edge.coverage > 0
    none = replace(fit, threshold=1.1)
    assert (none.coverage, none.accuracy_at_coverage) == (0, None)
