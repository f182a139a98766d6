"""Adaptation: a head fitted on examples, with options, temperature and threshold chosen on validation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from clip2point.core.errors import OptionError
from clip2point.heads.base import Head
from clip2point.heads.calibration import choose_threshold, fit_temperature, rate_scores
from clip2point.heads.examples import Examples, join
from clip2point.heads.registry import grid, make_head


@dataclass(frozen=True, eq=False)
class Adaptation:
    """A fitted head with what validation says about it.

    Attributes:
        head: the head.
        options: all its options, those that validation chose among them.
        temperature: of the scores, above 0; 1 without validation.
        threshold: the confidence at and above which answers are right as often as wanted, on validation; None if there
            is none, or no validation.
        trials: what was tried: ``options``, ``validation_accuracy`` in [0, 1] and ``cross_entropy`` in nats at the best
            temperature; both None without validation.
        seconds: all that took.
        validation_accuracy: of the chosen options, fitted without the validation examples; None if there are none.
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
    text_features: Tensor,
    *,
    logit_scale: float,
    seed: int = 0,
    refit: bool = False,
    options: Mapping[str, Any] | None = None,
    target: float = 0.95,
) -> Adaptation:
    """Fit a head, with the options that are best on validation: by accuracy, then by cross-entropy.

    Args:
        name: of the head.
        train: examples to learn from.
        validation: examples to choose options, temperature and threshold by, as they are measured. Without them the
            options have their defaults, and nothing is calibrated.
        text_features: [C, D] of the names of the classes, any length.
        logit_scale: factor on cosines before a softmax; the backbone's own.
        seed: of everything random.
        refit: whether to fit the chosen options once more on train and validation together; temperature and threshold
            stay those of the head that had not seen the validation examples.
        options: that are not to be chosen; validation still chooses the others.
        target: share of right answers that the threshold is chosen for.

    Raises:
        OptionError: if there is no such head or option, or the examples do not fit.
    """
    start = time.perf_counter()
    fixed = dict(options or {})
    fits = [make_head(name, choice) for choice in _choices(name, fixed, validation is not None)]
    for head in fits:
        head.fit(train, text_features, logit_scale=logit_scale, seed=seed)
    if validation is None:
        head = fits[0]
        trial = {"options": head.options, "validation_accuracy": None, "cross_entropy": None}
        return Adaptation(head, head.options, 1.0, None, [trial], time.perf_counter() - start, None)
    tuned = [head.tuned(validation, fixed) for head in fits]
    trials = [_trial(head, validation) for head in tuned]
    best = min(range(len(trials)), key=lambda index: _rank(trials[index]))
    found = _calibrated(tuned[best], validation, target, trials, trials[best])
    if refit:
        found = refitted(found, join(train, validation), text_features, logit_scale=logit_scale, seed=seed)
    return replace(found, seconds=time.perf_counter() - start)


def adapt_best(
    names: Sequence[str],
    train: Examples,
    validation: Examples,
    text_features: Tensor,
    *,
    logit_scale: float,
    seed: int = 0,
    target: float = 0.95,
) -> Adaptation:
    """Fit the head, of several, that is best on validation; the first of those that are equal.

    Args:
        names: of the heads.
        train: as in ``adapt_head``, and so are all others.
        validation: examples to choose by.
        text_features: [C, D].
        logit_scale: factor on cosines.
        seed: of everything random.
        target: share of right answers that the threshold is chosen for.

    Returns:
        The best, with the trials of all heads; each has the name of its ``head``.

    Raises:
        OptionError: if there is no head to choose from or no such head, or the examples do not fit.
    """
    start = time.perf_counter()
    if not names:
        raise OptionError("no head to choose from: expected at least one")
    found = [
        adapt_head(name, train, validation, text_features, logit_scale=logit_scale, seed=seed, target=target)
        for name in names
    ]
    best = min(found, key=lambda adaptation: min(map(_rank, adaptation.trials)))
    trials = [{"head": adaptation.head.name, **trial} for adaptation in found for trial in adaptation.trials]
    return replace(best, trials=trials, seconds=time.perf_counter() - start)


def refitted(
    found: Adaptation, examples: Examples, text_features: Tensor, *, logit_scale: float, seed: int
) -> Adaptation:
    """The same choices, temperature and threshold among them, with the head fitted once more on all examples."""
    head = make_head(found.head.name, found.options)
    return replace(found, head=head.fit(examples, text_features, logit_scale=logit_scale, seed=seed))


def _choices(name: str, fixed: Mapping[str, Any], choose: bool) -> list[dict[str, Any]]:
    """The options to try, each once: those of the grid, but for what is fixed."""
    found: list[dict[str, Any]] = []
    for choice in grid(name):
        if (merged := {**choice, **fixed}) not in found:
            found.append(merged)
    return found if choose else found[:1]


def _trial(head: Head, validation: Examples) -> dict[str, Any]:
    """How good a head is on validation."""
    accuracy, loss = rate_scores(head.scores(validation.measured), validation.labels)
    return {"options": head.options, "validation_accuracy": accuracy.item(), "cross_entropy": loss.item()}


def _rank(trial: Mapping[str, Any]) -> tuple[float, float]:
    """What the better of two trials has less of."""
    return -trial["validation_accuracy"], trial["cross_entropy"]


def _calibrated(
    head: Head, validation: Examples, target: float, trials: list[dict[str, Any]], trial: Mapping[str, Any]
) -> Adaptation:
    """A head with its temperature and threshold."""
    scores = head.scores(validation.measured).double()
    temperature = fit_temperature(scores, validation.labels)
    confidence, answers = (scores / temperature).softmax(-1).max(-1)
    threshold = choose_threshold(confidence.numpy(), (answers == validation.labels).numpy(), target)
    return Adaptation(head, head.options, temperature, threshold, trials, 0.0, trial["validation_accuracy"])
