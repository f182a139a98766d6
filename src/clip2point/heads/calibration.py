"""Confidences that can be believed: a temperature for scores, and a threshold below which an answer is "unknown".

Both are found on labelled shapes that the scores were not learned from.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from clip2point.core.errors import OptionError

#: Smallest and largest temperature, as multiples of the deviation of the scores of a shape: at the one the best class
#: all but always has all the confidence, at the other every class has about the same.
_LOWEST, _HIGHEST = 0.05, 20.0
_HALVINGS = 30  # of the range of the temperature's logarithm: far below what float32 scores can tell apart

Float64 = NDArray[np.float64]


def fit_temperature(scores: Tensor, labels: Tensor) -> float:
    """The temperature T for which softmax(scores / T) has the least cross-entropy.

    The truth of N shapes is taken as one that is right N + 1 times out of N + 2 (Laplace's rule of succession, as in
    Platt scaling), so that a few shapes, all of them right, do not make a model that is always certain. For many shapes
    it makes no difference. T is within 0.05 and 20 times the deviation of the scores of a shape, in the mean over the
    shapes, and 1 if all classes have the same score.

    Args:
        scores: [N, C] of N shapes, at least one.
        labels: [N] int64, their true classes.

    Returns:
        T, above 0; the same each time.

    Raises:
        OptionError: if there are no shapes, or scores and labels are not as above.
    """
    _check_scores(scores, labels)
    return _temperatures(scores.double(), labels).item()


@torch.no_grad()
def rate_scores(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How good scores are, whatever their scale: what is chosen by on validation, the first before the second.

    Args:
        scores: [..., N, C] of N shapes by any number of models.
        labels: [N] int64, the true classes.

    Returns:
        Accuracies [...] in [0, 1], and cross-entropies [...] in nats at the best temperature, both float64.

    Raises:
        OptionError: if there are no shapes, or scores and labels are not as above.
    """
    _check_scores(scores, labels)
    scores = scores.double()
    log_probabilities = (scores / _temperatures(scores, labels)[..., None, None]).log_softmax(-1)
    truth = labels.expand(scores.shape[:-1])[..., None]
    right = (scores.argmax(-1) == labels).double()
    return right.mean(-1), -log_probabilities.gather(-1, truth).mean((-2, -1))


def choose_threshold(confidence: ArrayLike, right: ArrayLike, target: float = 0.95) -> float | None:
    """The smallest confidence such that the answers of at least that confidence are right often enough.

    Args:
        confidence: [N] of the answers.
        right: [N] bool, whether they were right.
        target: share of right answers in [0, 1] that is wanted.

    Returns:
        One of the confidences, or None if there is none such, or no answer at all.

    Raises:
        OptionError: if the target or the answers are not as above.
    """
    if not 0 <= target <= 1:
        raise OptionError(f"a target of {target}: expected a share of right answers from 0 to 1")
    ordered, accuracy = _accuracy_above(confidence, right)
    # Of answers that are equally sure, all or none are given.
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    enough = np.flatnonzero(last & (accuracy >= target))
    return float(ordered[enough[-1]]) if len(enough) else None


def coverage_accuracy(confidence: ArrayLike, right: ArrayLike) -> tuple[Float64, Float64]:
    """Accuracy among the most confident answers, for every number of these.

    Args:
        confidence: [N] of the answers.
        right: [N] bool, whether they were right.

    Returns:
        Shares [N] of the answers that are given, from 1 / N to 1, and the accuracies [N] among them.

    Raises:
        OptionError: if the answers are not as above.
    """
    _, accuracy = _accuracy_above(confidence, right)
    return np.arange(1, len(accuracy) + 1) / max(1, len(accuracy)), accuracy


@torch.no_grad()
def _temperatures(scores: Tensor, labels: Tensor) -> Tensor:
    """Temperatures [...] of scores [..., N, C] in double precision."""
    count, classes = scores.shape[-2:]
    truth = one_hot(labels, classes).double()
    truth = (truth * (count + 1) + (1 - truth) / max(1, classes - 1)) / (count + 2)
    wanted = (truth * scores).sum(-1).mean(-1)
    spread = scores.std(-1, correction=0).mean(-1)
    spread = torch.where(spread > 0, spread, 1.0)
    low, high = (torch.full_like(spread, bound).log() for bound in (_LOWEST, _HIGHEST))
    # Cross-entropy is convex in 1 / T; its slope there is the mean score by the softmax minus that by the truth.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        probabilities = (scores / (middle.exp() * spread)[..., None, None]).softmax(-1)
        too_sharp = (probabilities * scores).sum(-1).mean(-1) > wanted
        low, high = torch.where(too_sharp, middle, low), torch.where(too_sharp, high, middle)
    flat = (scores == scores[..., :1]).flatten(-2).all(-1)
    return torch.where(flat, 1.0, ((low + high) / 2).exp() * spread)


def _accuracy_above(confidence: ArrayLike, right: ArrayLike) -> tuple[Float64, Float64]:
    """Confidences [N], the largest first, and the accuracies [N] among the answers up to each."""
    sure, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right)
    if sure.ndim != 1 or sure.shape != correct.shape or correct.dtype != np.bool_ or not np.isfinite(sure).all():
        raise OptionError(
            f"expected finite confidences [N] and for each whether it was right, got {list(sure.shape)} and "
            f"{list(correct.shape)} of {correct.dtype}"
        )
    order = np.argsort(-sure, kind="stable")
    return sure[order], correct[order].cumsum() / np.arange(1, len(sure) + 1)


def _check_scores(scores: Tensor, labels: Tensor) -> None:
    """Make sure that there are scores, and labels that belong to them.

    Raises:
        OptionError: if not.
    """
    if scores.ndim < 2 or 0 in scores.shape or labels.shape != scores.shape[-2:-1] or labels.dtype != torch.int64:
        raise OptionError(
            f"expected scores [N, C] of at least one shape and labels [N] of type int64, got {list(scores.shape)} and "
            f"{list(labels.shape)} of {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= scores.shape[-1]:
        raise OptionError(f"labels from {labels.min()} to {labels.max()}: expected 0 to {scores.shape[-1] - 1}")
    if not scores.isfinite().all():
        raise OptionError("scores have values that are not finite")
