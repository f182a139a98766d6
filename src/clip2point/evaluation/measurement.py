"""Measurements of a model on a data set: every seed, every figure, and the record to repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clip2point.core.progress import Progress
from clip2point.core.version import software_versions
from clip2point.data import Dataset
from clip2point.evaluation.published import Published, find_published
from clip2point.evaluation.zero_shot_run import Run, run_zero_shot
from clip2point.heads.metrics import Metrics, Summary, measure_predictions, summarise
from clip2point.model import Recogniser

#: Protocols of a model without and with a head that learned from examples.
PROTOCOL, LEARNED = "zero-shot", "learned head"


@dataclass(frozen=True, eq=False)
class Measurement:
    """One model on one split of one data set.

    Attributes:
        model: Measured model with its settings.
        dataset: Split of the data set.
        runs: Run of each seed.
        metrics: Metrics of each seed.
        summary: Mean and standard deviation over the seeds.
        command: Command line that repeats the measurement, or "".
    """

    model: Recogniser
    dataset: Dataset
    runs: tuple[Run, ...]
    metrics: tuple[Metrics, ...]
    summary: Summary
    command: str

    @property
    def protocol(self) -> str:
        """Protocol: "zero-shot", or "learned head" for a model that learned from examples."""
        return PROTOCOL if self.model.adapted is None and self.model.adapter is None else LEARNED

    @property
    def label_notes(self) -> tuple[str, ...]:
        """Remarks on class names that the model cannot tell apart or may not know."""
        return self.model.note_labels(self.runs[0].labels) if self.model.adapted is None else ()

    @property
    def seeds(self) -> list[int]:
        """Seeds of the point sampling."""
        return [run.seed for run in self.runs]

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """Name and error of each shape that could not be read."""
        return self.runs[0].sampled.failures

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that the figures depend on beside the model and the data."""
        return {
            **self.model.settings.to_dict(),
            "up": self.dataset.up,
            "dtype": str(self.model.backbone.dtype).removeprefix("torch."),
        }

    @property
    def hashes(self) -> dict[str, str]:
        """Fingerprints of the model and the data."""
        return {"model": self.model.backbone.fingerprint(), "dataset": self.dataset.fingerprint}

    def find_published(self) -> tuple[Published, ...]:
        """Return the figures of papers for the same data set and protocol."""
        return find_published(self.dataset.name, self.protocol)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types: metrics of the first seed, mean and standard deviation over all."""
        return {
            **self.metrics[0].to_dict(),
            "model": self.model.name,
            "dataset": self.dataset.name,
            "split": self.dataset.split,
            "note": self.dataset.note,
            "notes": [*self.dataset.notes, *self.label_notes],
            "labels": list(self.runs[0].labels),
            "protocol": self.protocol,
            "seeds": self.seeds,
            "over_seeds": self.summary.to_dict(),
            "settings": self.settings,
            "failures": [{"source": name, "error": error} for name, error in self.failures],
            "command": self.command,
            "versions": software_versions(),
            "hashes": self.hashes,
        }


def evaluate(
    model: Recogniser,
    dataset: Dataset,
    seeds: int = 1,
    *,
    labels: Sequence[str] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Measurement:
    """Measure a model by the zero-shot protocol.

    Args:
        model: Model with the settings to measure.
        dataset: Split with a declared up-axis.
        seeds: Number of samplings, with seeds 0, 1, ...
        labels: Other words for the classes, each with the name of one among its synonyms.
        command: Command line for the record.
        progress: Wrapper of an iterable of a given length that shows its progress.

    Raises:
        OptionError: The data set declares no up-axis, or the labels are not those of its classes.
        DataError: No shape of it can be read.
    """
    runs = tuple(run_zero_shot(model, dataset, seed, progress, labels) for seed in range(seeds))
    metrics = tuple(measure_predictions(run.probabilities, run.sampled.labels, dataset.classes) for run in runs)
    return Measurement(model, dataset, runs, metrics, summarise(metrics), command)
