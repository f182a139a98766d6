"""Measuring a model on a data set: every seed, every number, and what is needed to do it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clip2point.core.progress import Progress
from clip2point.core.version import software_versions
from clip2point.data import Dataset
from clip2point.evaluation.published import Published, published_rows
from clip2point.evaluation.zero_shot_run import Run, run_zero_shot
from clip2point.heads.metrics import Metrics, Summary, measure_predictions, summarise
from clip2point.model import Recogniser

#: By which a model is measured, without a head that learned from examples and with one.
PROTOCOL, LEARNED = "zero-shot", "learned head"


@dataclass(frozen=True, eq=False)
class Measurement:
    """One model on one split of one data set.

    Attributes:
        model: with the settings that were measured.
        dataset: the split.
        runs: one for each seed.
        metrics: one for each seed.
        summary: mean and deviation over the seeds.
        command: the command line that makes it again, or what stands for it.
    """

    model: Recogniser
    dataset: Dataset
    runs: tuple[Run, ...]
    metrics: tuple[Metrics, ...]
    summary: Summary
    command: str

    @property
    def protocol(self) -> str:
        """By which the model was measured."""
        return PROTOCOL if self.model.adapted is None else LEARNED

    @property
    def seeds(self) -> list[int]:
        """Of the point sampling."""
        return [run.seed for run in self.runs]

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """Name and error of each shape that could not be read."""
        return self.runs[0].sampled.failures

    @property
    def settings(self) -> dict[str, Any]:
        """All that the figures depend on besides the model and the data."""
        return {
            **self.model.settings.to_dict(),
            "up": self.dataset.up,
            "dtype": str(self.model.backbone.dtype).removeprefix("torch."),
        }

    @property
    def hashes(self) -> dict[str, str]:
        """What pins the model and the data."""
        return {"model": self.model.backbone.fingerprint(), "dataset": self.dataset.fingerprint}

    def quoted(self) -> tuple[Published, ...]:
        """What papers state for the same data set and protocol."""
        return published_rows(self.dataset.name, self.protocol)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: the metrics of the first seed, and mean and deviation over all."""
        return {
            **self.metrics[0].to_dict(),
            "model": self.model.name,
            "dataset": self.dataset.name,
            "split": self.dataset.split,
            "note": self.dataset.note,
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
    model: Recogniser, dataset: Dataset, seeds: int = 1, *, command: str = "", progress: Progress | None = None
) -> Measurement:
    """Measure a model by the zero-shot protocol.

    Args:
        model: with the settings to be measured.
        dataset: one split, with a declared up-axis.
        seeds: how many samplings, seeds 0, 1, ...
        command: for the record.
        progress: wraps an iterable of a given length, to show how far it is.

    Raises:
        OptionError: if the data set does not say which way is up.
        DataError: if no shape of it can be read.
    """
    runs = tuple(run_zero_shot(model, dataset, seed, progress) for seed in range(seeds))
    metrics = tuple(measure_predictions(run.probabilities, run.sampled.labels, dataset.classes) for run in runs)
    return Measurement(model, dataset, runs, metrics, summarise(metrics), command)
