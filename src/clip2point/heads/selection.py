"""Selection: heads fitted on examples, with options, temperature and threshold chosen on validation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clip2point.core.arrays import softmax, to_array
from clip2point.core.errors import OptionError
from clip2point.heads.base import Head
from clip2point.heads.calibration import choose_threshold, fit_temperature, rate_scores
from clip2point.heads.examples import Examples
from clip2point.heads.head_registry import grid, make_head

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit that all heads share.

    Attributes:
        logit_scale: Factor on cosines before a softmax, above 0; the backbone's own.
        seed: Seed of everything random.
        target: Accuracy in [0, 1] that the confidence threshold is chosen for.
    """

    logit_scale: float
    seed: int = 0
    target: float = 0.95


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A fitted head with its calibration and the trials that it was chosen from.

    Attributes:
        head: The head.
        options: All its options, those that validation chose among them.
        temperature: Softmax temperature of the scores, above 0; 1 without validation.
        threshold: Smallest confidence at which answers reach the target accuracy on validation; None if there is none,
            or no validation.
        trials: Options that were tried: ``options``, ``validation_accuracy`` in [0, 1] and ``cross_entropy`` in nats at
            the best temperature; both None without validation.
        seconds: Duration of the selection.
        validation_accuracy: Accuracy of the chosen options, fitted without the validation examples; None if there are
            none.
    """

    head: Head
    options: dict[str, Any]
    temperature: float
    threshold: float | None
    trials: list[dict[str, Any]]
    seconds: float
    validation_accuracy: float | None


def adapt_head(
    name: str,
    train: Examples,
    validation: Examples | None,
    text_features: Array,
    settings: FitSettings,
    options: Mapping[str, Any] | None = None,
) -> FittedHead:
    """Fit a head, with the options that are best on validation: accuracy, then cross-entropy.

    Args:
        name: Name of the head.
        train: Examples to learn from.
        validation: Unaugmented examples to choose options, temperature and threshold by. Without them the options have
            their defaults, and nothing is calibrated.
        text_features: [C, D] features of the class names, any length.
        settings: Settings of the fit.
        options: Fixed options; validation still chooses the others.

    Raises:
        OptionError: If there is no such head or option, or the examples do not fit.

    Examples:
        >>> import numpy as np
        >>> features = np.broadcast_to(np.eye(4)[None, :, None, None], (1, 4, 2, 6, 4))
        >>> examples = Examples(features, np.array([0, 0, 1, 1]))
        >>> found = adapt_head("nearest-mean", examples, examples, np.eye(2, 4), FitSettings(logit_scale=10.0))
        >>> found.options, found.validation_accuracy, len(found.trials)
        ({'path': 'both'}, 1.0, 3)
    """
    start = time.perf_counter()
    fixed = dict(options or {})
    heads = [make_head(name, choice) for choice in _list_choices(name, fixed, validation is not None)]
    for head in heads:
        head.fit(train, text_features, logit_scale=settings.logit_scale, seed=settings.seed)
    if validation is None:
        head = heads[0]
        trial = {"options": head.options, "validation_accuracy": None, "cross_entropy": None}
        return FittedHead(head, head.options, 1.0, None, [trial], time.perf_counter() - start, None)
    heads = [head.tune(validation, fixed) for head in heads]
    trials = [_try_head(head, validation) for head in heads]
    best = min(range(len(trials)), key=lambda index: _rank_trial(trials[index]))
    temperature, threshold = _calibrate(heads[best], validation, settings.target)
    seconds, accuracy = time.perf_counter() - start, trials[best]["validation_accuracy"]
    return FittedHead(heads[best], heads[best].options, temperature, threshold, trials, seconds, accuracy)


def adapt_best(
    names: Sequence[str], train: Examples, validation: Examples, text_features: Array, settings: FitSettings
) -> FittedHead:
    """Fit the head, of several, that is best on validation; the first of those that are equal.

    Args:
        names: Names of the heads.
        train: Examples to learn from.
        validation: Unaugmented examples to choose by.
        text_features: [C, D] features of the class names, any length.
        settings: Settings of the fit.

    Returns:
        The best, with the trials of all heads; each has the name of its ``head``.

    Raises:
        OptionError: If there is no head to choose from or no such head, or the examples do not fit.
    """
    start = time.perf_counter()
    if not names:
        raise OptionError("no head to choose from: expected at least one")
    found = [adapt_head(name, train, validation, text_features, settings) for name in names]
    best = min(found, key=lambda fitted: min(map(_rank_trial, fitted.trials)))
    trials = [{"head": fitted.head.name, **trial} for fitted in found for trial in fitted.trials]
    return replace(best, trials=trials, seconds=time.perf_counter() - start)


def refit_head(found: FittedHead, examples: Examples, text_features: Array, settings: FitSettings) -> FittedHead:
    """Fit the chosen options once more on other examples, usually on train and validation together.

    Temperature and threshold stay those of the head that had not seen the validation examples.
    """
    start = time.perf_counter()
    head = make_head(found.head.name, found.options)
    head.fit(examples, text_features, logit_scale=settings.logit_scale, seed=settings.seed)
    return replace(found, head=head, seconds=found.seconds + time.perf_counter() - start)


def _list_choices(name: str, fixed: Mapping[str, Any], choose: bool) -> list[dict[str, Any]]:
    """Return the options to try, each once: those of the grid, except for fixed ones."""
    choices: list[dict[str, Any]] = []
    for choice in grid(name):
        if (merged := {**choice, **fixed}) not in choices:
            choices.append(merged)
    return choices if choose else choices[:1]


def _try_head(head: Head, validation: Examples) -> dict[str, Any]:
    """Return the options of a head with its accuracy and cross-entropy on validation."""
    accuracy, loss = rate_scores(head.scores(to_array(validation.unaugmented)), validation.labels)
    return {"options": head.options, "validation_accuracy": accuracy.item(), "cross_entropy": loss.item()}


def _rank_trial(trial: Mapping[str, Any]) -> tuple[float, float]:
    """Return the sort key of a trial; the smallest is the best."""
    return -trial["validation_accuracy"], trial["cross_entropy"]


def _calibrate(head: Head, validation: Examples, target: float) -> tuple[float, float | None]:
    """Find temperature and confidence threshold of a head."""
    scores, labels = head.scores(to_array(validation.unaugmented)), to_array(validation.labels)
    temperature = fit_temperature(scores, labels)
    probabilities = softmax(scores.astype("float64") / temperature)
    correct = probabilities.argmax(-1) == labels
    return temperature, choose_threshold(probabilities.max(-1), correct, target)
