"""Adaptation of a model to labelled shapes: the one procedure behind the command, Python and ``FewShotClassifier``.

Shots are drawn, a fifth of the shapes is held out, the depth tower is tuned where that is asked for, views of each
shape are augmented, and a head is chosen, calibrated and fitted. The same settings, model and data give the same
adapted model, bit for bit, whichever way they come.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clip2point.adaptation.adapt_settings import AdaptSettings
from clip2point.adaptation.fine_tuning_settings import FineTuningRun
from clip2point.adaptation.head_fitting import HeadValidation, LearnedHead, fit_head, hold_out
from clip2point.adaptation.labelled import Labelled, open_labelled
from clip2point.adaptation.tower_tuning import tune_tower
from clip2point.core.errors import ShapeError
from clip2point.core.progress import Progress
from clip2point.core.strict_config import to_plain
from clip2point.data import Dataset, SampledDataset, sample_dataset
from clip2point.data.shots import draw_shots
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import extract_features
from clip2point.model import Recogniser, load
from clip2point.model.adapted_folder import save_adapted
from clip2point.model.adapted_head import AdaptedHead


@dataclass(frozen=True, eq=False)
class AdaptationResult:
    """A model that learned from labelled shapes.

    Attributes:
        model: Model with the head, for ``classify``.
        settings: Settings of the adaptation.
        sampled: Points, labels and names of the shapes, and those that could not be read.
        fitted: Head, its quality on the held-out shapes, and what it was compared with.
        seconds: Time of each part of the work.
    """

    model: Recogniser
    settings: AdaptSettings
    sampled: SampledDataset
    fitted: LearnedHead
    seconds: dict[str, float]

    @property
    def head(self) -> AdaptedHead:
        """Head with its classes, temperature and thresholds."""
        return self.fitted.adapted

    @property
    def validation(self) -> HeadValidation | None:
        """Quality on the held-out shapes; None if none were held out."""
        return self.fitted.validation

    @property
    def counts(self) -> dict[str, int]:
        """Number of shapes of each class."""
        labels = self.sampled.labels.tolist()
        return {name: labels.count(label) for label, name in enumerate(self.sampled.classes)}

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder, which ``clip2point.load`` and ``--model`` take.

        Raises:
            OptionError: The folder holds something else.
            ModelError: The towers can neither be named nor written.
        """
        save_adapted(Path(folder), self.model)

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types."""
        head = self.head
        return {
            "base": head.base,
            "head": head.head.name,
            "options": head.head.options,
            "classes": self.counts,
            "copies": AugmentedViewSettings.of(self.settings.augmented_views).count,
            "validation": head.record["validation"],
            "temperature": head.temperature,
            "threshold": head.threshold,
            "least_familiarity": head.ood and head.ood.threshold,
            "trials": self.fitted.trials,
            "seconds": self.seconds,
            "notes": list(self.sampled.notes),
            "failures": [{"source": name, "error": error} for name, error in self.sampled.failures],
        }


def adapt(
    dataset: Labelled,
    model: str | Path | Recogniser = "pocket",
    settings: AdaptSettings | None = None,
    *,
    run: FineTuningRun | None = None,
    progress: Progress | None = None,
) -> AdaptationResult:
    """Adapt a model to labelled shapes.

    A fifth of the shapes of each class is held out to choose the head's options, to calibrate its confidence and to
    find the thresholds of "unknown"; then the head is fitted once more on all. With one shape of each class nothing
    can be held out: a warning says so, and no shape is called unknown.

    Args:
        dataset: Data set; its name ("folder:parts/", of which the train split is used where there is one); or a pair
            of N files, Shapes or arrays and their N labels.
        model: Name or folder of the model to start from, or a loaded model; a head of its own plays no part.
        settings: Head, shots, augmented views, tuning of the tower and seed; by default a GDPA head on all shapes.
        run: Folder, devices and callbacks of the training of a tower.
        progress: Progress callback.

    Returns:
        The adapted model, with its figures on the held-out shapes. Shapes of a data set that cannot be read are left
        out and listed.

    Raises:
        OptionError: An argument makes no sense, or the shapes do not say which way is up.
        DataError: A class has too few shapes, or the data set is missing or broken.
        ShapeError: One of the shapes that were given in a pair cannot be read.
        ModelError: There is no such model.
        InterruptedTrainingError: The training of a tower was interrupted.

    Examples:
        >>> import clip2point
        >>> from clip2point.adaptation.adapt_settings import AdaptSettings
        >>> found = clip2point.adapt("folder:parts/", "pocket", AdaptSettings(head="linear"))  # doctest: +SKIP
        >>> found.save("my_parts")  # doctest: +SKIP
    """
    settings, clock = settings or AdaptSettings(), _Clock()
    shapes, up, record, complete = open_labelled(dataset, settings.up)
    if settings.shots is not None:
        shapes = shapes.take(draw_shots(shapes, settings.shots, settings.seed))
    base = load_base(model, settings)
    sampled = sample_dataset(shapes, base.settings.points, settings.seed, progress=progress)
    if complete and sampled.failures:
        raise ShapeError(sampled.failures[0][1])
    held_out = hold_out(sampled.labels, settings.seed)
    clock.stop("points")
    if settings.unfreeze is not None:
        base = _tune(base, shapes.select(sampled.names), held_out, settings, run)
        clock.stop("fine_tuning")
    found = extract_features(base, shapes, settings.augmented_views, seed=settings.seed, progress=progress)
    clock.stop("features")
    record = {**_describe(settings, shapes, up, len(sampled)), **record}
    fitted = fit_head(base, found.examples, shapes.classes, held_out, settings, record)
    clock.stop("fitting")
    return AdaptationResult(base.with_head(fitted.adapted), settings, sampled, fitted, clock.seconds)


def load_base(model: str | Path | Recogniser, settings: AdaptSettings) -> Recogniser:
    """Return the model to start from: loaded if need be, and without a head."""
    if isinstance(model, Recogniser):
        return model.without_head()
    return load(model, dtype=settings.choose_dtype()).without_head()


def _tune(
    model: Recogniser,
    shapes: Dataset,
    held_out: np.ndarray[Any, np.dtype[np.bool_]],
    settings: AdaptSettings,
    run: FineTuningRun | None,
) -> Recogniser:
    """The model with a depth tower that was tuned on the shapes which are not held out."""
    train = shapes.take(np.flatnonzero(~held_out))
    validation = shapes.take(np.flatnonzero(held_out)) if held_out.any() else None
    return tune_tower(model, train, validation, settings, settings.seed, run)


def _describe(settings: AdaptSettings, dataset: Dataset, up: str, shapes: int) -> Mapping[str, Any]:
    """Facts for the model's folder: the data, and the settings that ``FewShotClassifier.load`` restores."""
    return {
        "data": {"dataset": dataset.name, "split": dataset.split, "up": dataset.up, "fingerprint": dataset.fingerprint},
        "shots": settings.shots or "all",
        "fine_tuned": settings.unfreeze,
        "shapes": shapes,
        "parameters": {
            "augmented_views": to_plain(settings.augmented_views),
            "up": up,
            "seed": settings.seed,
            "target": settings.target,
        },
        **({"tuning": settings.tuning} if settings.unfreeze is not None else {}),
    }


class _Clock:
    """Seconds that each part of the work took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, part: str) -> None:
        """End a part of the work."""
        now = time.perf_counter()
        self.seconds[part], self._last = now - self._last, now
