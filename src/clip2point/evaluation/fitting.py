"""Fitting one head and measuring it, once: the cache has the figures of earlier runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import PATHS
from clip2point.backbones.fingerprints import hash_tensors
from clip2point.core.arrays import softmax, to_array
from clip2point.core.cache import load_or_compute
from clip2point.core.errors import InterruptedTrainingError
from clip2point.core.plugin_code import plugin_code
from clip2point.core.progress import Progress
from clip2point.data import SampledDataset
from clip2point.evaluation.comparison import ZERO_SHOT, Fit
from clip2point.features.view_features import ViewFeatures
from clip2point.heads.base import Head
from clip2point.heads.calibration import choose_threshold, fit_temperature, rate_scores
from clip2point.heads.examples import Examples, join
from clip2point.heads.head_registry import grid, make_head, make_point_classifier, parse_head
from clip2point.heads.metrics import measure_predictions
from clip2point.heads.point_classifier import PointClassifier
from clip2point.heads.selection import FitSettings, adapt_head, refit_head
from clip2point.model import Recogniser, view_cosines

#: Number to raise whenever fitting or measuring gives other figures than before.
_VERSION = 2
#: Accuracy among the shapes that are not called unknown that the threshold is chosen for.
TARGET = 0.95
_LEAST = 1e-30  # confidence whose logarithm is taken

Float32 = NDArray[np.float32]
#: Confidences [N, C], and everything else about a fit, as JSON types.
Found = tuple[Float32, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Draw:
    """Examples that every head is fitted on.

    Attributes:
        shots: Number of examples of each class; None for all.
        seed: Seed of the draw, and of the training.
        train: Rows of the train examples; None for all.
        validation: Rows of the validation examples; None for all.
    """

    shots: int | None
    seed: int
    train: NDArray[np.int64] | None = None
    validation: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """Examples that heads are fitted to, and shapes that they are measured on.

    Attributes:
        train: Examples to learn from.
        validation: Examples to choose options, temperature and threshold by.
        test: Shapes to measure on, without augmented views.
        text: [C, D] features of the class names.
        logit_scale: Factor on cosines before a softmax.
        refit: True to learn from train and validation together once the choices are made.
    """

    train: ViewFeatures
    validation: ViewFeatures
    test: ViewFeatures
    text: Float32
    logit_scale: float
    refit: bool

    def fit(self, head: str, draw: Draw) -> Fit:
        """Fit a head and measure it, or find the figures of an earlier run.

        Args:
            head: Name of the head, with the options that are not to be chosen, as for ``parse_head``.
            draw: Examples to fit it to.

        Raises:
            OptionError: The head cannot learn from these examples.
        """
        name, fixed = parse_head(head)
        rows = {"train": _to_list(draw.train), "validation": _to_list(draw.validation)}
        parts = {
            "head": name,
            "options": [make_head(name, {**choice, **fixed}).options for choice in grid(name)],
            **({"fixed": sorted(fixed)} if fixed else {}),
            "rows": rows,
            "seed": draw.seed,
            "refit": self.refit,
            "target": TARGET,
            "logit_scale": self.logit_scale,
            **self._hashes,
            **_code(make_head(name)),
        }
        return _load_or_fit(head, draw, parts, self.test.sampled, lambda: self._fit_and_score(head, draw))

    def _fit_and_score(self, head: str, draw: Draw) -> Found:
        """Choose the options of a head, fit it and score the test shapes."""
        name, fixed = parse_head(head)
        train, validation = _take(self.train, draw.train), _take(self.validation, draw.validation)
        settings = FitSettings(self.logit_scale, draw.seed, TARGET)
        found = adapt_head(name, train, validation, self.text, settings, fixed)
        if self.refit:
            found = refit_head(found, join(train, validation), self.text, settings)
        scores = _score(found.head, self.test.examples)
        accuracy, loss = min((-trial["validation_accuracy"], trial["cross_entropy"]) for trial in found.trials)
        record = {
            "options": found.options,
            "temperature": found.temperature,
            "threshold": found.threshold,
            "validation_accuracy": -accuracy,
            "validation_cross_entropy": loss,
            "seconds": found.seconds,
        }
        return _to_confidences(scores, found.temperature), record

    def fit_point_classifier(self, head: str, seed: int, progress: Progress | None = None) -> Fit:
        """Train a classifier of points from scratch on the points of all train examples and measure it, or find it.

        Validation chooses what it has to choose, temperature and threshold; it does not learn from these examples.

        Args:
            head: Name of the classifier, with the options that differ from its own, as for ``parse_head``.
            seed: Seed of the training.
            progress: Progress callback.

        Raises:
            DataError: The shapes are too few.
        """
        name, options = parse_head(head)
        classifier = make_point_classifier(name, options)
        sets = {"train": self.train, "validation": self.validation, "test": self.test}
        parts = {
            "head": name,
            "options": classifier.options,
            "seed": seed,
            "target": TARGET,
            "up": self.test.sampled.up,
            "points": {part: found.sampled.fingerprint for part, found in sets.items()},
            "classes": list(self.test.sampled.classes),
            **_code(classifier),
        }
        return _load_or_fit(
            head, Draw(None, seed), parts, self.test.sampled, lambda: self._measure_points(classifier, seed, progress)
        )

    def _measure_points(self, classifier: PointClassifier, seed: int, progress: Progress | None) -> Found:
        """Train a classifier of points, calibrate it as heads are, and classify the test shapes."""
        validation, test, start = self.validation.sampled, self.test.sampled, time.perf_counter()
        if not classifier.fit(self.train.sampled, validation, seed=seed, progress=progress):
            raise InterruptedTrainingError(f"{classifier.name}: nothing half-trained is measured or stored")
        seconds = time.perf_counter() - start
        known, scores = (
            np.log(np.maximum(classifier.probabilities(shapes.points, shapes.up), _LEAST))
            for shapes in (validation, test)
        )
        labels = validation.labels
        accuracy, loss = rate_scores(known, labels)
        temperature = fit_temperature(known, labels)
        confidences = softmax(known / temperature)
        record = {
            "options": classifier.options,
            "temperature": temperature,
            "threshold": choose_threshold(confidences.max(-1), confidences.argmax(-1) == labels, TARGET),
            "validation_accuracy": accuracy.item(),
            "validation_cross_entropy": loss.item(),
            "seconds": seconds,
            "reads_points": True,
        }
        return _to_confidences(scores, temperature), record

    @cached_property
    def _hashes(self) -> dict[str, str]:
        """Hashes of everything that heads read."""
        sets = {"train": self.train, "validation": self.validation, "test": self.test}
        hashes = {
            name: hash_tensors([("features", found.examples.features), ("labels", found.examples.labels)])
            for name, found in sets.items()
        }
        return {**hashes, "text": hash_tensors([("text", self.text)])}


def fit_zero_shot(model: Recogniser, test: ViewFeatures) -> Fit:
    """Measure the class names alone: no example, no choice.

    Args:
        model: Model of the features.
        test: Shapes to measure on.
    """
    text = model.class_features(test.sampled.classes)
    views = to_array(test.examples.unaugmented)[:, PATHS.index("depth")]
    cosines = view_cosines(views, text).mean(1).astype(np.float64)
    record = {
        "options": {},
        "temperature": 1.0,
        "threshold": None,
        "validation_accuracy": None,
        "validation_cross_entropy": None,
        "seconds": 0.0,
    }
    found = _to_confidences(cosines * model.backbone.logit_scale, 1.0)
    return _make_fit(ZERO_SHOT, Draw(shots=0, seed=0), record, found, test.sampled)


def _code(head: Head | PointClassifier) -> dict[str, str]:
    """Return the hash of a plug-in's code as an entry for a key; nothing for heads of clip2point's own."""
    code = plugin_code(head)
    return {"code": code} if code else {}


def _load_or_fit(
    head: str, draw: Draw, parts: Mapping[str, Any], test: SampledDataset, compute: Callable[[], Found]
) -> Fit:
    """A fit, from the cache if it is there."""

    def arrays() -> dict[str, NDArray[Any]]:
        probabilities, record = compute()
        return {"probabilities": probabilities, "record": np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)}

    found = load_or_compute("fits", {"version": _VERSION, **parts}, arrays)
    return _make_fit(head, draw, json.loads(found["record"].tobytes()), np.array(found["probabilities"]), test)


def _make_fit(head: str, draw: Draw, record: dict[str, Any], probabilities: Float32, test: SampledDataset) -> Fit:
    """A fit with its metrics."""
    metrics = measure_predictions(probabilities, test.labels, test.classes)
    return Fit(head, draw.shots, draw.seed, **record, probabilities=probabilities, labels=test.labels, metrics=metrics)


def _score(head: Head, examples: Examples) -> Float32:
    """Scores [N, C] of the unaugmented shapes."""
    return head.scores(to_array(examples.unaugmented))


def _to_confidences(scores: NDArray[Any], temperature: float) -> Float32:
    """Confidence [N, C] in each class."""
    return softmax(scores / temperature).astype(np.float32)


def _take(found: ViewFeatures, rows: NDArray[np.int64] | None) -> Examples:
    """Some of the examples, or all of them."""
    return found.examples if rows is None else found.examples.take(rows)


def _to_list(rows: NDArray[np.int64] | None) -> list[int] | None:
    """Rows as JSON types."""
    return None if rows is None else rows.tolist()
