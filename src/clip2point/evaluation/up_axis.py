"""A check of declared up-axes: under the right one a model is most confident."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clip2point.core.progress import Progress
from clip2point.data import Dataset
from clip2point.evaluation.zero_shot_run import Run, run_zero_shot
from clip2point.model import Recogniser
from clip2point.model.recogniser import GUESSED_UP

#: Most shapes that are rendered once more (a matter of seconds), and fewest that a doubt can rest on.
_SHAPES, _LEAST = 24, 10
#: Thresholds of a doubt: fraction of the shapes that are recognised more confidently under another axis, and ratio of
#: the mean confidences. In 20,000 draws of 24 from 48 shapes of ModelNet10 and of ShapeNet55 the right axis was never
#: doubted; the wrong one of y and z was noticed in all draws of the former and 88 % of those of the latter.
_SHARE, _RATIO = 0.6, 1.25


@dataclass(frozen=True)
class Doubt:
    """Doubt about a declared up-axis.

    Attributes:
        declared: Declared axis.
        other: Axis under which the model is more confident.
        surer: Number of shapes that are recognised more confidently under the other axis.
        shapes: Number of shapes compared.
    """

    declared: str
    other: str
    surer: int
    shapes: int


def doubt_up(model: Recogniser, dataset: Dataset, run: Run, progress: Progress | None = None) -> Doubt | None:
    """Test if y or z suits a data set clearly better than its declared up-axis.

    Labels play no part in it, only the confidence of the answers.

    Args:
        model: Model of the run.
        dataset: Data set of the run.
        run: Run under the declared axis.
        progress: Progress callback, as for ``run_zero_shot``.

    Returns:
        The axis of the highest confidence, or None without clear evidence or with too few shapes.
    """
    count = min(_SHAPES, len(run.sampled))
    if count < _LEAST:
        return None
    chosen = np.linspace(0, len(run.sampled) - 1, count).round().astype(np.int64)
    rows = {name: row for row, name in enumerate(dataset.names)}
    some = dataset.take([rows[run.sampled.names[row]] for row in chosen])
    declared = run.probabilities[chosen].max(1)
    labels = None if run.labels == tuple(dataset.classes) else run.labels
    tried = {
        up: run_zero_shot(model, replace(some, up=up), run.seed, progress, labels).probabilities.max(1)
        for up in GUESSED_UP
        if up != dataset.up
    }
    other = max(tried, key=lambda up: float(tried[up].mean()))
    surer = int((tried[other] > declared).sum())
    if surer < _SHARE * count or tried[other].mean() < _RATIO * declared.mean():
        return None
    return Doubt(dataset.up, other, surer, count)
