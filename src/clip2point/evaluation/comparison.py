"""Results of a comparison of heads: every fit, the means over the seeds, and the record to repeat them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.version import software_versions
from clip2point.data.parts import Parts
from clip2point.evaluation.published import Published, find_published
from clip2point.heads.metrics import Metrics, Summary, summarise
from clip2point.model import Recogniser

#: Head that every other one is compared with; it sees no example.
ZERO_SHOT = "zero-shot"
#: Metrics of every fit beside the accuracy, and of several fits their mean and deviation.
_AVERAGED = ("mean_class_accuracy", "calibration_error")
#: Measures that decide between heads, the first before the second.
_CHOSEN_BY = ("validation_accuracy", "validation_cross_entropy")


@dataclass(frozen=True, eq=False)
class Fit:
    """One head, fitted on one draw of examples and measured on the test split.

    Attributes:
        head: Name of the head.
        shots: Number of examples of each class that it learned from; None for the whole train split.
        seed: Seed of the draw and of the training.
        options: Options of the head, as chosen by validation.
        temperature: Softmax temperature of the scores (> 0).
        threshold: Confidence below which a shape counts as unknown; None if validation found none that would help.
        validation_accuracy: Accuracy on validation, in [0, 1]; None if nothing was chosen.
        validation_cross_entropy: Cross-entropy of the calibrated confidences on validation, in nats, or None.
        seconds: Time that choosing and fitting took.
        probabilities: [N, C] calibrated confidences of the test shapes.
        labels: [N] true classes of the test shapes.
        metrics: Metrics of the probabilities.
        reads_points: Flag of a classifier of points, which has not learned from the validation shapes.
    """

    head: str
    shots: int | None
    seed: int
    options: dict[str, Any]
    temperature: float
    threshold: float | None
    validation_accuracy: float | None
    validation_cross_entropy: float | None
    seconds: float
    probabilities: NDArray[np.floating[Any]] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    metrics: Metrics = field(repr=False)
    reads_points: bool = False

    @property
    def confidence(self) -> NDArray[np.floating[Any]]:
        """[N] probability of each answer."""
        return self.probabilities.max(axis=1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """[N], true for each answer that is the true class."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def coverage(self) -> float:
        """Fraction of the test shapes whose confidence reaches the threshold, in [0, 1]; 1 without a threshold."""
        return float(self._covered.mean())

    @property
    def accuracy_at_coverage(self) -> float | None:
        """Accuracy on these, in [0, 1]; None if there are none."""
        return float(self.correct[self._covered].mean()) if self._covered.any() else None

    @property
    def _covered(self) -> NDArray[np.bool_]:
        """[N], true for each confidence that reaches the threshold."""
        return self.confidence >= (self.threshold or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the predictions as JSON types."""
        names = ("head", "shots", "seed", "options", "temperature", "threshold", *_CHOSEN_BY, "seconds")
        metrics = self.metrics.to_dict()
        return {
            **{name: getattr(self, name) for name in names},
            **{name: metrics[name] for name in ("accuracy", "accuracy_interval", *_AVERAGED)},
            "answered": self.coverage,
            "answered_accuracy": self.accuracy_at_coverage,
        }


@dataclass(frozen=True, eq=False)
class Cell:
    """One head at one number of shots, over the seeds.

    Attributes:
        head: Name of the head.
        shots: Number of examples of each class; None for the whole train split.
        fits: Fit of each seed.
    """

    head: str
    shots: int | None
    fits: tuple[Fit, ...]

    @cached_property
    def summary(self) -> Summary:
        """Mean and standard deviation of the metrics."""
        return summarise([fit.metrics for fit in self.fits])

    def mean(self, name: str) -> float | None:
        """Return the mean of an attribute of the fits, over those that have it; None if none has."""
        values = [value for fit in self.fits if (value := getattr(fit, name)) is not None]
        return float(np.mean(values)) if values else None

    @property
    def chosen(self) -> list[tuple[dict[str, Any], int]]:
        """Options that validation chose, each with its number of seeds, most frequent first."""
        words = [json.dumps(fit.options, sort_keys=True) for fit in self.fits]
        counts = {word: words.count(word) for word in words}
        return [(json.loads(word), count) for word, count in sorted(counts.items(), key=lambda item: -item[1])]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types."""
        summary = self.summary.to_dict()
        return {
            "head": self.head,
            "shots": self.shots,
            **{name: summary[name] for name in ("runs", "accuracy", *_AVERAGED)},
            **{name: self.mean(name) for name in _CHOSEN_BY},
            "answered": self.mean("coverage"),
            "answered_accuracy": self.mean("accuracy_at_coverage"),
            "seconds": self.mean("seconds"),
            "chosen": [{"options": options, "seeds": count} for options, count in self.chosen],
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """Heads on one data set, all fitted to the same examples.

    Attributes:
        model: Model whose features the heads read.
        parts: Data set.
        protocol: Name of the protocol, "few-shot" or "supervised".
        zero_shot: Class names alone, on the same test features.
        fits: Fit of each number of shots, seed and head.
        settings: Everything that the figures depend on besides the model and the data, as JSON types.
        failures: Name and error of each shape that could not be read.
        command: Command line that repeats the comparison, or "".
    """

    model: Recogniser
    parts: Parts
    protocol: str
    zero_shot: Fit
    fits: tuple[Fit, ...]
    settings: dict[str, Any]
    failures: tuple[tuple[str, str], ...]
    command: str

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, without zero-shot, in the order of the settings."""
        return _unique(fit.head for fit in self.fits)

    @cached_property
    def shots(self) -> tuple[int | None, ...]:
        """Numbers of shots, ascending; None alone for the whole train split."""
        return _unique(fit.shots for fit in self.fits)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the draws and of the training."""
        return _unique(fit.seed for fit in self.fits)

    def cell(self, head: str, shots: int | None) -> Cell:
        """Return the fits of one head at one number of shots."""
        return Cell(head, shots, tuple(fit for fit in self.fits if (fit.head, fit.shots) == (head, shots)))

    def row(self, head: str) -> list[Cell]:
        """Return the fits of one head at each number of shots."""
        return [self.cell(head, shots) for shots in self.shots]

    def best(self, shots: int | None) -> str:
        """Return the head that is best on validation, never on test: by accuracy, then by cross-entropy."""

        def rank(head: str) -> tuple[float, float]:
            accuracy, loss = (self.cell(head, shots).mean(name) for name in _CHOSEN_BY)
            return -(accuracy or 0.0), loss or 0.0

        return min(self.heads, key=rank)

    @property
    def hashes(self) -> dict[str, str]:
        """Fingerprints of the model and the data."""
        towers = {f"{path} path": self.model.backbone.fingerprint(path) for path in ("depth", "image")}
        parts = ("train", "validation", "test")
        return {**towers, **{part: getattr(self.parts, part).fingerprint for part in parts}}

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the software that the figures depend on."""
        return software_versions("scikit-learn")

    @property
    def remarks(self) -> list[str]:
        """Remarks on the data, and on what classifiers of points learned from."""
        networks = ", ".join(_unique(fit.head for fit in self.fits if fit.reads_points))
        learned = (
            f"{networks}: trained from scratch on points, without the validation shapes, which choose the epoch; the "
            "heads learn from these too once they have chosen"
        )
        return [note for note in (self.parts.test.note, self.parts.note, learned if networks else "") if note]

    def find_published(self) -> tuple[Published, ...]:
        """Return the figures of papers for the same data set and protocol."""
        protocols = ["supervised" if shots is None else f"{shots}-shot" for shots in self.shots]
        return tuple(row for protocol in protocols for row in find_published(self.parts.test.name, protocol))

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types."""
        return {
            "model": self.model.name,
            "dataset": self.parts.test.name,
            "split": self.parts.test.split,
            "note": " ".join(self.remarks),
            "notes": list(self.parts.test.notes),
            "protocol": self.protocol,
            "samples": len(self.zero_shot.labels),
            "classes": list(self.parts.test.classes),
            "shots": list(self.shots),
            "seeds": list(self.seeds),
            "heads": list(self.heads),
            "best_on_validation": [{"shots": shots, "head": self.best(shots)} for shots in self.shots],
            "zero_shot": self.zero_shot.to_dict(),
            "over_seeds": [cell.to_dict() for head in self.heads for cell in self.row(head)],
            "fits": [fit.to_dict() for fit in self.fits],
            "settings": self.settings,
            "failures": [{"source": name, "error": error} for name, error in self.failures],
            "command": self.command,
            "versions": self.versions,
            "hashes": self.hashes,
        }


def _unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once, in the order of first appearance."""
    return tuple(dict.fromkeys(values))
