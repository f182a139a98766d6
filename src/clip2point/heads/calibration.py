"""Calibration: the temperature of scores, and the confidence threshold below which an answer is "unknown".

Both are found on labelled shapes that the scores were not learned from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip2point.core.arrays import softmax, to_array
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

#: Smallest and largest temperature, as multiples of the standard deviation of the scores of a shape: at the one, the
#: best class nearly always has all the confidence, at the other, every class has about the same.
_LOWEST, _HIGHEST = 0.05, 20.0
_HALVINGS = 30  # bisection steps of the temperature's logarithm, far below the resolution of float32 scores

Float64 = NDArray[np.float64]


def fit_temperature(scores: Array, labels: Array) -> float:
    """Find the temperature T for which softmax(scores / T) has the least cross-entropy.

    The labels of N shapes are smoothed to a probability of (N + 1) / (N + 2) for the true class (Laplace's rule of
    succession, as in Platt scaling), so that a few shapes, all of them correct, do not make a model that is always
    certain. For many shapes it makes no difference. T is within 0.05 and 20 times the standard deviation of the scores
    of a shape, averaged over the shapes, and 1 if all classes have the same score.

    Args:
        scores: [N, C] class scores of N shapes, at least one; an array or a tensor.
        labels: [N] int64 true classes, likewise.

    Returns:
        T, above 0; the same each time.

    Raises:
        OptionError: If there are no shapes, or scores and labels are not as above.

    Examples:
        >>> scores = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
        >>> round(fit_temperature(scores, np.array([0, 1, 0])), 2), round(
        ...     fit_temperature(scores, np.array([0, 1, 1])), 2
        ... )
        (1.44, 4.93)
    """
    return float(_find_temperatures(*_check_scores(scores, labels)))


def rate_scores(scores: Array, labels: Array) -> tuple[Float64, Float64]:
    """Accuracy and temperature-scaled cross-entropy of scores; accuracy ranks first.

    Args:
        scores: [..., N, C] class scores of N shapes by any number of models; an array or a tensor.
        labels: [N] int64 true classes, likewise.

    Returns:
        Accuracies [...] in [0, 1], and cross-entropies [...] in nats at the best temperature, both float64.

    Raises:
        OptionError: If there are no shapes, or scores and labels are not as above.

    Examples:
        >>> accuracy, loss = rate_scores(np.eye(2), np.array([0, 0]))
        >>> float(accuracy), round(float(loss), 3)
        (0.5, 0.694)
    """
    values, truth = _check_scores(scores, labels)
    logarithms = log_softmax(values / _find_temperatures(values, truth)[..., None, None])
    of_truth = logarithms[..., np.arange(len(truth)), truth]
    return (values.argmax(-1) == truth).mean(-1), -of_truth.mean(-1)


def log_softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the logarithms of the softmax of scores [..., C] over the classes, in the scores' own precision.

    Examples:
        >>> np.exp(log_softmax(np.zeros(2))).tolist()
        [0.5, 0.5]
    """
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def choose_threshold(confidence: ArrayLike, correct: ArrayLike, target: float = 0.95) -> float | None:
    """Choose the smallest confidence such that the answers of at least that confidence reach an accuracy.

    Args:
        confidence: [N] confidences of the answers.
        correct: [N] bool, true for correct answers.
        target: Accuracy in [0, 1] to reach.

    Returns:
        One of the confidences, or None if none reaches the target, or there is no answer at all.

    Raises:
        OptionError: If the target or the answers are not as above.

    Examples:
        >>> choose_threshold([0.9, 0.8, 0.6, 0.3], [True, True, False, False], target=0.6)
        0.6
    """
    if not 0 <= target <= 1:
        raise OptionError(f"a target of {target}: expected an accuracy from 0 to 1")
    ordered, accuracy = _accumulate_accuracy(confidence, correct)
    # Of answers with the same confidence, all or none are given.
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]
    enough = np.flatnonzero(last & (accuracy >= target))
    return float(ordered[enough[-1]]) if len(enough) else None


def coverage_curve(confidence: ArrayLike, correct: ArrayLike) -> tuple[Float64, Float64]:
    """Accuracy of the most confident answers as a function of coverage.

    Args:
        confidence: [N] confidences of the answers.
        correct: [N] bool, true for correct answers.

    Returns:
        Coverages [N], fractions of the answers that are given, from 1 / N to 1, and the accuracies [N] among them.

    Raises:
        OptionError: If the answers are not as above.

    Examples:
        >>> coverage_curve([0.9, 0.2], [True, False])
        (array([0.5, 1. ]), array([1. , 0.5]))
    """
    _, accuracy = _accumulate_accuracy(confidence, correct)
    return np.arange(1, len(accuracy) + 1) / max(1, len(accuracy)), accuracy


def _find_temperatures(scores: Float64, labels: NDArray[np.int64]) -> Float64:
    """Return the best temperatures [...] of scores [..., N, C]."""
    count, classes = scores.shape[-2:]
    truth = np.full((count, classes), 1 / (max(1, classes - 1) * (count + 2)))
    truth[np.arange(count), labels] = (count + 1) / (count + 2)
    target = (truth * scores).sum(-1).mean(-1)
    spread = scores.std(-1).mean(-1)
    spread = np.where(spread > 0, spread, 1.0)
    low, high = (np.full_like(spread, np.log(bound)) for bound in (_LOWEST, _HIGHEST))
    # Cross-entropy is convex in 1 / T; its slope there is the mean score by the softmax minus that by the truth.
    for _ in range(_HALVINGS):
        center = (low + high) / 2
        probabilities = softmax(scores / (np.exp(center) * spread)[..., None, None])
        too_sharp = (probabilities * scores).sum(-1).mean(-1) > target
        low, high = np.where(too_sharp, center, low), np.where(too_sharp, high, center)
    flat = (scores == scores[..., :1]).all((-2, -1))
    return np.where(flat, 1.0, np.exp((low + high) / 2) * spread)


def _accumulate_accuracy(confidence: ArrayLike, correct: ArrayLike) -> tuple[Float64, Float64]:
    """Return confidences [N], the largest first, and the accuracies [N] among the answers up to each."""
    values, hits = np.asarray(confidence, dtype=np.float64), np.asarray(correct)
    if values.ndim != 1 or values.shape != hits.shape or hits.dtype != np.bool_ or not np.isfinite(values).all():
        raise OptionError(
            f"expected finite confidences [N] and a mask [N] of the correct answers, got {list(values.shape)} and "
            f"{list(hits.shape)} of {hits.dtype}"
        )
    order = np.argsort(-values, kind="stable")
    return values[order], hits[order].cumsum() / np.arange(1, len(values) + 1)


def _check_scores(scores: Array, labels: Array) -> tuple[Float64, NDArray[np.int64]]:
    """Return scores in double precision, and the labels; OptionError unless they belong together."""
    values, truth = to_array(scores), to_array(labels)
    if values.ndim < 2 or 0 in values.shape or truth.shape != values.shape[-2:-1] or truth.dtype != np.int64:
        raise OptionError(
            f"expected scores [N, C] of at least one shape and labels [N] of type int64, got {list(values.shape)} and "
            f"{list(truth.shape)} of {truth.dtype}"
        )
    if truth.min() < 0 or truth.max() >= values.shape[-1]:
        raise OptionError(f"labels from {truth.min()} to {truth.max()}: expected 0 to {values.shape[-1] - 1}")
    if not np.isfinite(values).all():
        raise OptionError("scores have values that are not finite")
    return values.astype(np.float64), truth
