import numpy as np
import pytest
import torch

from clip2point.adaptation.adapt_settings import AdaptSettings
from clip2point.adaptation.head_fitting import fit_head, hold_out
from clip2point.core.errors import DataError, OptionError
from clip2point.heads import Examples, make_head
from clip2point.heads.ood import fit_ood_detector
from clip2point.heads.selection import FitSettings, adapt_head

CLASSES = ("chair", "lamp", "table")


class Model:
    """Names and towers of a model, as far as heads ask for them."""

    name = "model"

    class backbone:  # noqa: N801 - stands for an attribute
        logit_scale = 10.0

    def without_head(self):
        return self

    def class_features(self, classes):
        return torch.randn(len(classes), 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def examples():
    """Ten examples of each of three classes that overlap, in two augmented views."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(30) % 3
    centroids = torch.randn(3, 2, 4, 8, generator=generator)
    return Examples(centroids[labels] + 1.5 * torch.randn(2, 30, 2, 4, 8, generator=generator), labels)


@pytest.fixture
def held_out(examples):
    return hold_out(examples.labels.numpy(), 0)


def fit(examples, held_out, **changes):
    return fit_head(Model(), examples, CLASSES, held_out, AdaptSettings(**{"head": "linear", **changes}))


def split(examples, held_out):
    return tuple(examples.take(torch.from_numpy(np.flatnonzero(rows))) for rows in (~held_out, held_out))


def test_the_last_fit_learns_from_all_examples(examples, held_out):
    found = fit(examples, held_out, head="nearest-mean")
    text = Model().class_features(CLASSES)
    whole = make_head("nearest-mean", found.adapted.head.options).fit(examples, text, logit_scale=10.0)
    train, _ = split(examples, held_out)
    part = make_head("nearest-mean", found.adapted.head.options).fit(train, text, logit_scale=10.0)
    for name, tensor in whole.state.items():
        assert np.array_equal(found.adapted.head.state[name], tensor)
    assert any(not np.array_equal(tensor, part.state[name]) for name, tensor in whole.state.items())


def test_what_is_chosen_is_chosen_by_a_head_that_has_not_seen_the_held_out_examples(examples, held_out):
    found = fit(examples, held_out)
    train, validation = split(examples, held_out)
    text = Model().class_features(CLASSES)
    chosen = adapt_head("linear", train, validation, text, FitSettings(10.0))
    assert (found.adapted.temperature, found.adapted.threshold) == (chosen.temperature, chosen.threshold)
    assert found.adapted.head.options == chosen.options
    scores = chosen.head.scores(validation.unaugmented).double() / chosen.temperature
    answers = scores.argmax(1)
    assert found.validation.metrics.accuracy == (answers == validation.labels).double().mean()
    assert found.validation.cross_entropy == pytest.approx(
        torch.nn.functional.cross_entropy(scores, validation.labels).item()
    )


def test_the_ood_threshold_comes_from_the_held_out_examples(examples, held_out):
    train, validation = split(examples, held_out)
    text = Model().class_features(CLASSES)
    found = fit(examples, held_out).adapted.ood
    expected = fit_ood_detector(train, validation, text)
    assert found.threshold == expected.threshold
    assert np.array_equal(found.centroids, expected.centroids)
    assert found.threshold != fit_ood_detector(train, train, text).threshold


def test_coverage_counts_confidences_at_the_threshold_and_above(examples, held_out):
    for target in (0.5, 0.7, 0.9):
        found = fit(examples, held_out, target=target)
        train, validation = split(examples, held_out)
        text, settings = Model().class_features(CLASSES), FitSettings(10.0, target=target)
        chosen = adapt_head("linear", train, validation, text, settings)
        confidence, answers = (
            (chosen.head.scores(validation.unaugmented).double() / chosen.temperature).softmax(-1).max(-1)
        )
        threshold = found.adapted.threshold
        # A threshold is the confidence of an example, which it covers.
        assert threshold in confidence.tolist()
        covered = confidence >= threshold
        assert found.validation.coverage == covered.double().mean()
        assert found.validation.accuracy_at_coverage == (answers == validation.labels)[covered].double().mean()
        assert found.validation.accuracy_at_coverage >= target


def test_the_best_of_all_heads(examples, held_out, monkeypatch):
    from clip2point.core.registries import HEADS

    monkeypatch.setattr(HEADS, "built_in", {name: HEADS.built_in[name] for name in ("zero-shot", "linear")})
    found = fit(examples, held_out, head="auto")
    assert {trial["head"] for trial in found.trials} == {"zero-shot", "linear"}
    best = max(found.trials, key=lambda trial: (trial["validation_accuracy"], -trial["cross_entropy"]))
    assert found.adapted.head.name == best["head"]
    with pytest.raises(OptionError, match="the head can only be chosen by validation"):
        fit(examples, np.zeros(30, bool), head="auto")


def test_without_held_out_examples_nothing_is_calibrated(examples):
    with pytest.warns(UserWarning, match="no class has two examples, so none can be held out"):
        found = fit(examples, np.zeros(30, bool))
    assert found.validation is found.adapted.threshold is found.adapted.ood is None
    assert found.adapted.temperature == 1
    assert found.adapted.record["validation"] is None


def test_a_class_without_examples_is_said(examples):
    held_out = (examples.labels == 1).numpy()
    with pytest.raises(DataError, match="the class 'lamp' has no example that can be learned from"):
        fit(examples, held_out)
    with pytest.raises(DataError, match="the class 'table' has no example that can be learned from"):
        fit(examples, (examples.labels == 2).numpy())


def test_the_record_has_the_facts(examples, held_out):
    settings = AdaptSettings(head="linear", seed=2, target=0.8)
    found = fit_head(Model(), examples, CLASSES, held_out, settings, {"shapes": 30})
    record = found.adapted.record
    assert (record["shapes"], record["seed"], record["target"]) == (30, 2, 0.8)
    assert record["validation"] == found.validation.to_dict()
    assert record["validation"]["answered"] == found.validation.coverage
    assert record["versions"].keys() == {"clip2point", "torch", "numpy", "scikit-learn"}
    assert found.adapted.base == "model"


def test_a_fifth_of_each_class_is_held_out():
    labels = np.repeat([0, 1, 2, 3], [1, 2, 10, 15])
    chosen = hold_out(labels, 0)
    assert np.bincount(labels[chosen], minlength=4).tolist() == [0, 1, 2, 3]
    # Every adapted model depends on which these are.
    assert np.flatnonzero(chosen).tolist() == [1, 6, 11, 16, 18, 24]
    assert np.flatnonzero(hold_out(labels, 1)).tolist() == [2, 3, 8, 16, 17, 22]
    assert not hold_out(np.arange(3), 0).any()
