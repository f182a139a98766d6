"""Sweeps: a zero-shot measurement for each combination of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from clip2point.core.progress import Progress
from clip2point.data import Dataset
from clip2point.evaluation.measurement import evaluate
from clip2point.heads.metrics import Summary
from clip2point.model import Recogniser


@dataclass(frozen=True, eq=False)
class SweepRow:
    """One measurement of a sweep.

    Attributes:
        chosen: Values of the settings by key.
        summary: Mean and standard deviation of the metrics over the seeds.
    """

    chosen: dict[str, Any]
    summary: Summary

    def to_dict(self) -> dict[str, Any]:
        """Return settings and figures as JSON types."""
        return {**self.chosen, **self.summary.to_dict()}


def sweep(
    dataset: Dataset,
    grid: Mapping[str, Sequence[Any]],
    load_model: Callable[[str | None], Recogniser],
    seeds: int = 1,
    progress: Progress | None = None,
    labels: Sequence[str] | None = None,
) -> list[SweepRow]:
    """Measure every combination of settings by the zero-shot protocol.

    Args:
        dataset: Split with a declared up-axis.
        grid: Values by key: fields of the model's settings, "prompts" (one template each) or "model" (names).
        load_model: Loader of the model of a name, or of the usual one for None.
        seeds: Number of point samplings, with seeds 0, 1, ...
        progress: Progress callback.
        labels: Other words for the classes, as for ``evaluate``.

    Raises:
        OptionError: A value makes no sense, or the data set does not say which way is up.
        DataError: No shape can be read.
    """
    rows = []
    base = None if "model" in grid else load_model(None)
    for values in product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        changes = {key: value for key, value in chosen.items() if key not in ("model", "prompts")}
        if "prompts" in chosen:
            changes["templates"] = (chosen["prompts"],)
        model = base or load_model(chosen["model"])
        varied = model.with_settings(replace(model.settings, **changes))
        rows.append(SweepRow(chosen, evaluate(varied, dataset, seeds, labels=labels, progress=progress).summary))
    return rows
