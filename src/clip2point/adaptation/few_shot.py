"""From labelled examples to a model with a head: choice on held-out examples, calibration, and a last fit on all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from clip2point.core.errors import DataError, OptionError
from clip2point.core.registries import HEADS
from clip2point.core.version import __version__
from clip2point.data.splits import draw_fifth
from clip2point.heads.examples import Examples
from clip2point.heads.head_registry import make_head
from clip2point.heads.metrics import Metrics, measure_predictions
from clip2point.heads.ood import fit_ood_detector
from clip2point.heads.selection import FitSettings, FittedHead, adapt_best, adapt_head, refit_head
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.recogniser import Recogniser

#: Stands for whichever head is best on validation.
AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Validation:
    """How good a head was on the held-out examples, which it had not seen.

    Attributes:
        metrics: of its calibrated confidences.
        cross_entropy: of these.
        answered: share of the examples whose confidence reaches the threshold, in [0, 1]; 1 if there is no threshold.
        answered_accuracy: share of the answered ones that are right, in [0, 1]; None if none is answered.
    """

    metrics: Metrics
    cross_entropy: float
    answered: float
    answered_accuracy: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "accuracy": self.metrics.accuracy,
            "samples": self.metrics.samples,
            "cross_entropy": self.cross_entropy,
            "answered": self.answered,
            "answered_accuracy": self.answered_accuracy,
            "per_class": dict(self.metrics.per_class),
        }


@dataclass(frozen=True, eq=False)
class Learned:
    """A model that learned from examples.

    Attributes:
        model: with the head.
        adapted: the head, with its classes, temperature and threshold.
        validation: of the same head before it saw the held-out examples; None if there were none.
        trials: what validation chose between: head, options and how good they were.
    """

    model: Recogniser
    adapted: AdaptedHead
    validation: Validation | None
    trials: list[dict[str, Any]]


def hold_out(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Choose examples for validation: a fifth of each class, at least one of a class with two or more.

    Args:
        labels: [N] numbers of classes.
        seed: of the choice.

    Returns:
        [N], true for those to be held out; none if no class has two examples.
    """
    rng = np.random.default_rng((seed, len(labels)))
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[draw_fifth(np.flatnonzero(labels == label), rng)] = True
    return chosen


def learn(
    model: Recogniser,
    examples: Examples,
    classes: Sequence[str],
    held_out: NDArray[np.bool_],
    *,
    head: str = "gdpa",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    target: float = 0.95,
    record: Mapping[str, Any] | None = None,
) -> Learned:
    """Fit a head on examples.

    Options, temperature and both thresholds are chosen on the held-out examples; then the head is fitted
    once more on all.

    Args:
        model: whose features the examples are; of one that has a head already, only the towers are used.
        examples: of N shapes.
        classes: names of the C classes that the labels of the examples number.
        held_out: [N], which examples are for validation; see ``hold_out``. If none is, the head has the default
            options and is not calibrated.
        head: name of a head, or ``AUTO`` for the one that is best on validation.
        options: of the head, instead of those that validation would choose between.
        seed: of the training.
        target: share of answers that is to be right among those whose confidence reaches the threshold.
        record: what else is to be known of the examples, as JSON types.

    Raises:
        OptionError: if an argument makes no sense.
        DataError: if a class has no example.
    """
    check_head(head, options)
    _check(examples, classes, held_out, head)
    base = model.without_head()
    text, settings = base.class_features(classes).cpu(), FitSettings(base.backbone.logit_scale, seed, target)
    train = examples.take(torch.from_numpy(np.flatnonzero(~held_out)))
    validation = examples.take(torch.from_numpy(np.flatnonzero(held_out))) if held_out.any() else None
    if head == AUTO and validation is not None:
        found = adapt_best(list(HEADS.built_in), train, validation, text, settings)
    else:
        found = adapt_head(head, train, validation, text, settings, options)
    measured = detector = None
    if validation is not None:
        measured = _validated(found, validation, classes)
        detector = fit_ood_detector(train, validation, text)
        found = refit_head(found, examples, text, settings)
    facts = {"seed": seed, "target": target, "validation": measured and measured.to_dict(), "versions": _versions()}
    adapted = AdaptedHead(
        *(found.head, tuple(classes), found.temperature, found.threshold, base.name),
        record={**(record or {}), **facts},
        ood=detector,
    )
    return Learned(base.with_head(adapted), adapted, measured, [{"head": head, **trial} for trial in found.trials])


def check_head(head: str, options: Mapping[str, Any] | None) -> None:
    """Make sure, before features are computed for it, that there is such a head.

    Raises:
        OptionError: if there is none, or it has no such options.
    """
    if head != AUTO:
        make_head(head, options)
    elif options:
        raise OptionError("options belong to one head: give its name instead of 'auto', or leave the options away")


def _check(examples: Examples, classes: Sequence[str], held_out: NDArray[np.bool_], head: str) -> None:
    """Make sure that every class can be learned and, if the head is to be chosen, validated."""
    counts = np.bincount(examples.labels.numpy()[~held_out], minlength=len(classes))
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
        stacklevel=3,
    )


def _validated(found: FittedHead, examples: Examples, classes: Sequence[str]) -> Validation:
    """Measure a head on examples that it has not seen."""
    labels = examples.labels
    scores = found.head.scores(examples.unaugmented).double() / found.temperature
    confidence, answer = scores.softmax(-1).max(-1)
    answered = confidence >= (found.threshold or 0.0)
    return Validation(
        metrics=measure_predictions(scores.softmax(-1).numpy(), labels.numpy(), classes),
        cross_entropy=cross_entropy(scores, labels).item(),
        answered=answered.double().mean().item(),
        answered_accuracy=(answer == labels)[answered].double().mean().item() if answered.any() else None,
    )


def _versions() -> dict[str, str]:
    """Of what a head depends on."""
    return {"clip2point": __version__, **{name: version(name) for name in ("torch", "numpy", "scikit-learn")}}
