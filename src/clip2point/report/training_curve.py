"""Training curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clip2point.report.plots import BLUE, FAINT, GREEN, INK, new_figure, open_frame, to_png

_SMOOTHED = 200  # as many points as a curve has room for


def plot_training(metrics: Sequence[dict[str, float | None]]) -> bytes:
    """Plot loss, validation accuracy and learning rate by epoch.

    Args:
        metrics: Metrics of each step, at least one, as ``read_metrics`` returns them.

    Returns:
        Content of a PNG file.
    """
    epochs = _column(metrics, "epoch")
    accuracy = _column(metrics, "accuracy")
    figure = new_figure(6.4, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot(*_smooth(epochs, _column(metrics, "loss")), color=BLUE)
    upper.set_ylabel("loss", color=FAINT)
    validated = np.isfinite(accuracy)
    if validated.any():
        right = upper.twinx()
        right.plot(epochs[validated], accuracy[validated], color=GREEN, marker=".")
        right.set_ylabel(f"validation accuracy (best {accuracy[validated].max():.1%})", color=GREEN)
        right.spines[["top"]].set_visible(False)
        right.tick_params(labelsize=8)
    lower.plot(epochs, _column(metrics, "lr"), color=INK, linewidth=1)
    lower.set_ylabel("learning rate", color=FAINT)
    lower.set_xlabel("epoch", color=FAINT)
    open_frame(upper, lower)
    return to_png(figure)


def _column(metrics: Sequence[dict[str, float | None]], name: str) -> NDArray[np.float64]:
    values = [row.get(name) for row in metrics]
    return np.array([np.nan if value is None else value for value in values])


def _smooth(epochs: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return means over runs of consecutive steps."""
    parts = min(_SMOOTHED, len(values))
    return tuple(np.array([part.mean() for part in np.array_split(row, parts)]) for row in (epochs, values))
