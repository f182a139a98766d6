"""Fitting a head to labelled examples: choice on held-out examples, calibration, and a last fit on all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.adaptation.adapt_settings import AUTO, AdaptSettings
from clip2point.core.arrays import softmax, to_array
from clip2point.core.errors import DataError, OptionError
from clip2point.core.registries import HEADS
from clip2point.core.version import __version__
from clip2point.data.splits import draw_fifth
from clip2point.heads.calibration import log_softmax
from clip2point.heads.examples import Examples
from clip2point.heads.metrics import Metrics, measure_predictions
from clip2point.heads.ood import fit_ood_detector
from clip2point.heads.selection import FitSettings, FittedHead, adapt_best, adapt_head, refit_head
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.recogniser import Recogniser

#: Distributions that a fitted head depends on.
_PACKAGES = ("torch", "numpy", "scikit-learn")


@dataclass(frozen=True, eq=False)
class HeadValidation:
    """Quality of a head on the held-out examples, which it had not seen.

    Attributes:
        metrics: Metrics of the calibrated confidences.
        cross_entropy: Cross-entropy of the confidences, in nats.
        coverage: Fraction of the examples whose confidence reaches the threshold, in [0, 1]; 1 without a threshold.
        accuracy_at_coverage: Accuracy on these, in [0, 1]; None if there are none.
    """

    metrics: Metrics
    cross_entropy: float
    coverage: float
    accuracy_at_coverage: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {
            "accuracy": self.metrics.accuracy,
            "samples": self.metrics.samples,
            "cross_entropy": self.cross_entropy,
            "answered": self.coverage,
            "answered_accuracy": self.accuracy_at_coverage,
            "per_class": dict(self.metrics.per_class),
        }


@dataclass(frozen=True, eq=False)
class LearnedHead:
    """A head that was fitted to examples.

    Attributes:
        adapted: Head with its classes, temperature and thresholds.
        validation: Quality of the head before its last fit; None if no example was held out.
        trials: Heads and options that were compared, with their figures on the held-out examples.
    """

    adapted: AdaptedHead
    validation: HeadValidation | None
    trials: list[dict[str, Any]]


def hold_out(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Choose examples for validation: a fifth of each class, at least one of a class with two or more.

    Args:
        labels: [N] classes.
        seed: Seed of the choice.

    Returns:
        [N], true for examples to hold out; false everywhere if no class has two examples.

    Examples:
        >>> int(hold_out(np.repeat([0, 1], [10, 1]), seed=0).sum())
        2
    """
    rng = np.random.default_rng((seed, len(labels)))
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[draw_fifth(np.flatnonzero(labels == label), rng)] = True
    return chosen


def fit_head(
    model: Recogniser,
    examples: Examples,
    classes: Sequence[str],
    held_out: NDArray[np.bool_],
    settings: AdaptSettings,
    record: Mapping[str, Any] | None = None,
) -> LearnedHead:
    """Fit a head to examples.

    Options, temperature, threshold and OOD threshold are chosen on the held-out examples; then the head is fitted once
    more on all.

    Args:
        model: Model that made the features of the examples; a head of its own plays no part.
        examples: Features and labels of N shapes.
        classes: Names of the C classes.
        held_out: [N], true for examples that are for validation; see ``hold_out``. If none is, the head has its
            default options and is not calibrated.
        settings: Head, options, seed and target.
        record: Facts about the examples, as JSON types.

    Raises:
        OptionError: The head cannot be chosen or fitted.
        DataError: A class has no example to learn from.
    """
    _check(examples, classes, held_out, settings.head)
    base = model.without_head()
    text = to_array(base.class_features(classes))
    fit = FitSettings(base.backbone.logit_scale, settings.seed, settings.target)
    train = examples.take(np.flatnonzero(~held_out))
    validation = examples.take(np.flatnonzero(held_out)) if held_out.any() else None
    if settings.head == AUTO and validation is not None:
        found = adapt_best(list(HEADS.built_in), train, validation, text, fit)
    else:
        found = adapt_head(settings.head, train, validation, text, fit, settings.options)
    measured = detector = None
    if validation is not None:
        measured = _measure(found, validation, classes)
        detector = fit_ood_detector(train, validation, text)
        found = refit_head(found, examples, text, fit)
    facts = {
        "seed": settings.seed,
        "target": settings.target,
        "validation": measured and measured.to_dict(),
        "versions": {"clip2point": __version__, **_list_versions()},
    }
    adapted = AdaptedHead(
        *(found.head, tuple(classes), found.temperature, found.threshold, base.name),
        record={**(record or {}), **facts},
        ood=detector,
    )
    return LearnedHead(adapted, measured, [{"head": settings.head, **trial} for trial in found.trials])


def _list_versions() -> dict[str, str]:
    """Return the versions of the distributions that are installed."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _check(examples: Examples, classes: Sequence[str], held_out: NDArray[np.bool_], head: str) -> None:
    """Make sure that every class can be learned and, if the head is to be chosen, validated."""
    counts = np.bincount(to_array(examples.labels)[~held_out], minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"the class {classes[int(counts.argmin())]!r} has no example that can be learned from: add some, or remove "
            "the class"
        )
    if held_out.any():
        return
    if head == AUTO:
        raise OptionError("the head can only be chosen by validation: give two examples of a class at least, or a head")
    warnings.warn(
        "no class has two examples, so none can be held out for validation: the confidences are not calibrated, and no "
        "shape will be called unknown",
        stacklevel=4,
    )


def _measure(found: FittedHead, examples: Examples, classes: Sequence[str]) -> HeadValidation:
    """Measure a head on examples that it has not seen."""
    labels = to_array(examples.labels)
    scores = found.head.scores(to_array(examples.unaugmented)).astype(np.float64) / found.temperature
    probabilities = softmax(scores)
    covered = probabilities.max(-1) >= (found.threshold or 0.0)
    correct = (probabilities.argmax(-1) == labels)[covered]
    return HeadValidation(
        metrics=measure_predictions(probabilities, labels, classes),
        cross_entropy=float(-log_softmax(scores)[np.arange(len(labels)), labels].mean()),
        coverage=float(covered.mean()),
        accuracy_at_coverage=float(correct.mean()) if covered.any() else None,
    )
