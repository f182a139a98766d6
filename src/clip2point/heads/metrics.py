"""Metrics of predictions: accuracies, confusion matrix, confidence interval, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError

_RESAMPLES, _SEED = 2_000, 0
_BINS = 15
#: Half-precision probabilities of 40 classes add up to one within this.
_SUM_TOLERANCE = 0.02


class ClassAccuracy(TypedDict):
    """Accuracy on the samples of one class.

    Attributes:
        accuracy: Fraction of them that is classified correctly, in [0, 1]; None for a class that does not occur.
        samples: Number of them.
    """

    accuracy: float | None
    samples: int


@dataclass(frozen=True)
class Metrics:
    """Result of ``measure_predictions``; all rates are in [0, 1].

    Attributes:
        accuracy: Fraction of samples whose most probable class is the true one.
        mean_class_accuracy: Mean of the accuracies of the classes that occur.
        top3: Fraction of samples with the true class among the three most probable; 1 if there are at most three.
        top5: Fraction of samples with the true class among the five most probable.
        calibration_error: Expected calibration error of the most probable class, 15 bins of equal width.
        accuracy_interval: Ends of the 95 % bootstrap interval of ``accuracy`` over the samples.
        samples: Number of samples N.
        per_class: Accuracies by class name, in the order of the classes.
        confusion: Counts [C][C]; rows are the true classes, columns the answers.
    """

    accuracy: float
    mean_class_accuracy: float
    top3: float
    top5: float
    calibration_error: float
    accuracy_interval: tuple[float, float]
    samples: int
    per_class: dict[str, ClassAccuracy]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {**asdict(self), "accuracy_interval": list(self.accuracy_interval)}


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in bins of equal width of the confidence.

    Attributes:
        edges: Edges [K + 1] of the bins, from 0 to 1; a bin contains its upper edge.
        counts: Number of samples in each bin [K].
        confidence: Mean probability of the most probable class in each bin [K], NaN in an empty one.
        accuracy: Fraction of correct answers in each bin [K], NaN in an empty one.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def calibration_error(self) -> float:
        """Mean distance of accuracy from confidence, weighted by the counts."""
        gaps = np.where(self.counts > 0, np.abs(self.accuracy - self.confidence), 0)
        return float((self.counts * gaps).sum() / self.counts.sum())


@dataclass(frozen=True)
class Spread:
    """One figure over several runs.

    Attributes:
        mean: Mean over the runs.
        deviation: Sample standard deviation; None for a single run.
    """

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class Summary:
    """Result of ``summarise``.

    Attributes:
        runs: Number of runs.
        accuracy: Overall accuracy.
        mean_class_accuracy: Mean of the accuracies of the classes.
        top3: Fraction with the true class among the first three.
        top5: Fraction with the true class among the first five.
        calibration_error: Expected calibration error.
    """

    runs: int
    accuracy: Spread
    mean_class_accuracy: Spread
    top3: Spread
    top5: Spread
    calibration_error: Spread

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def measure_predictions(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], classes: Sequence[str]
) -> Metrics:
    """Compare predictions with the truth.

    Of classes with the very same probability the first is the answer.

    Args:
        probabilities: [N, C] probabilities after the softmax: each row adds up to 1.
        labels: [N] true classes, in 0 ... C - 1.
        classes: C different names.

    Returns:
        The metrics; the same, up to rounding, in whatever order the samples come.

    Raises:
        OptionError: If there are no samples, or shapes, probabilities, labels or names are not as above.

    Examples:
        >>> import numpy as np
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
        >>> metrics = measure_predictions(probabilities, np.array([0, 1, 1, 1]), ["chair", "table"])
        >>> metrics.accuracy, metrics.per_class["table"]["samples"], metrics.confusion
        (0.75, 3, [[1, 0], [1, 2]])
    """
    probabilities = _check_predictions(probabilities, labels, classes)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    accuracy = float(np.mean(order[:, 0] == labels))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, order[:, 0]), 1)
    per_class = {
        name: _class_accuracy(row, index) for index, (name, row) in enumerate(zip(classes, confusion, strict=True))
    }
    return Metrics(
        accuracy=accuracy,
        mean_class_accuracy=float(np.mean([c["accuracy"] for c in per_class.values() if c["accuracy"] is not None])),
        top3=_top_k_accuracy(order, labels, 3),
        top5=_top_k_accuracy(order, labels, 5),
        calibration_error=reliability(probabilities, labels).calibration_error,
        accuracy_interval=_bootstrap_interval(accuracy, len(labels)),
        samples=len(labels),
        per_class=per_class,
        confusion=confusion.tolist(),
    )


def reliability(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Reliability:
    """Bin predictions by confidence, for a reliability diagram.

    Args:
        probabilities: [N, C] class probabilities.
        labels: [N] true classes.

    Returns:
        Fifteen bins of equal width.

    Examples:
        >>> import numpy as np
        >>> bins = reliability(np.array([[0.95, 0.05], [0.97, 0.03]]), np.array([0, 1]))
        >>> int(bins.counts[-1]), float(bins.accuracy[-1]), round(bins.calibration_error, 2)
        (2, 0.5, 0.46)
    """
    edges = np.linspace(0, 1, _BINS + 1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    place = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(place, minlength=_BINS)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        return Reliability(
            edges,
            counts,
            np.bincount(place, confidence, minlength=_BINS) / counts,
            np.bincount(place, correct, minlength=_BINS) / counts,
        )


def summarise(metrics: Sequence[Metrics]) -> Summary:
    """Compute mean and standard deviation of the metrics of several runs, for example one for each seed.

    Args:
        metrics: Metrics of at least one run.

    Raises:
        OptionError: If there is none.
    """
    if not metrics:
        raise OptionError("no metrics to sum up: expected those of at least one run")
    names = ("accuracy", "mean_class_accuracy", "top3", "top5", "calibration_error")
    return Summary(len(metrics), **{name: _measure_spread([getattr(m, name) for m in metrics]) for name in names})


def _check_predictions(probabilities: Any, labels: Any, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the probabilities in double precision; OptionError unless all arguments fit together."""
    if len(set(classes)) != len(classes):
        twice = sorted({name for name in classes if list(classes).count(name) > 1})
        raise OptionError(f"class names occur twice: {', '.join(twice)}; expected different names")
    shape, count = np.shape(probabilities), len(classes)
    if len(shape) != 2 or shape[1] != count:
        raise OptionError(f"probabilities of shape {list(shape)}: expected [samples, {count}], a column for each class")
    if np.shape(labels) != shape[:1]:
        raise OptionError(f"labels of shape {list(np.shape(labels))} for {shape[0]} predictions: expected [{shape[0]}]")
    if shape[0] == 0 or count == 0:
        raise OptionError(f"{shape[0]} predictions of {count} classes: there is nothing to measure")
    if not np.issubdtype(np.asarray(labels).dtype, np.integer):
        raise OptionError(f"labels of type {np.asarray(labels).dtype}: expected integers")
    if labels.min() < 0 or labels.max() >= count:
        raise OptionError(f"labels from {labels.min()} to {labels.max()}: expected 0 to {count - 1}")
    values = np.asarray(probabilities, dtype=np.float64)
    sums = values.sum(axis=1)
    # "not all within" rather than "any outside": NaN is within nothing.
    if not (np.all(values >= 0) and np.all(np.abs(sums - 1) <= _SUM_TOLERANCE)):
        raise OptionError("scores are not probabilities: expected none below 0 and rows that add up to 1 (a softmax)")
    return values


def _class_accuracy(row: NDArray[np.int64], index: int) -> ClassAccuracy:
    """Return the accuracy on a class from its row of the confusion matrix."""
    samples = int(row.sum())
    return {"accuracy": float(row[index]) / samples if samples else None, "samples": samples}


def _top_k_accuracy(order: NDArray[np.intp], labels: NDArray[np.integer[Any]], k: int) -> float:
    """Return the fraction of samples with the true class among the first k.

    scikit-learn's top_k_accuracy_score refuses two classes, and breaks ties otherwise than argmax does.
    """
    return float(np.mean((order[:, :k] == np.asarray(labels)[:, None]).any(axis=1)))


def _bootstrap_interval(accuracy: float, samples: int) -> tuple[float, float]:
    """Return the ends of the 95 % percentile bootstrap interval.

    The number of correct answers among N draws with replacement is binomial, so the draws need not be made one by one.
    """
    correct = np.random.default_rng(_SEED).binomial(samples, accuracy, _RESAMPLES)
    low, high = np.percentile(correct / samples, (2.5, 97.5))
    return float(low), float(high)


def _measure_spread(values: Sequence[float]) -> Spread:
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)
