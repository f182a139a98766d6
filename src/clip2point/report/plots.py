"""Plots of an evaluation, drawn by matplotlib without a display and encoded as PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.core.errors import OptionError
from clip2point.heads.metrics import Metrics, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, BLUE, GREEN = "#1b1f24", "#667788", "#8aa4c8", "#3aa564"
_DPI = 150
#: Pixels of a plot for one pixel of a page, on which an inch has 96.
SHARPNESS = _DPI / 96
#: Beyond as many classes, counts or names of a plot could not be read any more.
_MOST_COUNTS, _MOST_NAMES = 60, 120
_LONGEST_NAME = 24  # letters


def require_matplotlib() -> None:
    """Check for matplotlib before long work whose result could not be shown.

    Raises:
        OptionError: matplotlib is not installed; the message says how to install it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise OptionError("a report with plots needs matplotlib: pip install 'clip2point[report]'") from error


def plot_confusion(metrics: Metrics) -> bytes:
    """Plot the confusion matrix: truth downwards, answers to the right, shaded by the fraction of the true class.

    Args:
        metrics: Metrics of C classes.

    Returns:
        Content of a PNG file.
    """
    counts = np.array(metrics.confusion)
    total = len(counts)
    side = float(np.clip(0.28 * total, 4.5, 14))
    figure = new_figure(side + 1.4, side + 1.2)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = float(np.clip(72 * side / total * 0.36, 4.5, 9))
    if total <= _MOST_COUNTS:
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=size, color=color)
    if total <= _MOST_NAMES:
        style: dict[str, Any] = {"fontsize": max(size, 6), "parse_math": False}
        names = _shorten(metrics.per_class)
        axes.set_xticks(range(total), names, rotation=90, **style)
        axes.set_yticks(range(total), names, **style)
        # Faint lines between the cells lead the eye from a name to its cell.
        axes.set_xticks(np.arange(total - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(total - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="#e9edf1", linewidth=0.5)
        axes.tick_params(which="both", length=0)
    axes.set_xlabel("answer", color=FAINT)
    axes.set_ylabel("truth", color=FAINT)
    return to_png(figure)


def plot_class_accuracy(metrics: Metrics) -> bytes:
    """Plot the accuracy of each class that occurs as a bar, best at the top, with its count.

    Args:
        metrics: Metrics of C classes.

    Returns:
        Content of a PNG file.
    """
    classes = {name: entry for name, entry in metrics.per_class.items() if entry["samples"]}
    rates = np.array([entry["accuracy"] for entry in classes.values()], dtype=np.float64)
    samples = np.array([entry["samples"] for entry in classes.values()])
    order = np.argsort(-rates, kind="stable")
    figure = new_figure(7, float(np.clip(0.2 * len(order) + 0.8, 2, 16)))
    axes = figure.subplots()
    axes.barh(range(len(order)), rates[order], color=BLUE, height=0.75)
    axes.axvline(metrics.mean_class_accuracy, color=INK, linewidth=1, linestyle="--", zorder=0)
    blank = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # keeps the dashed line off the counts
    if len(order) <= _MOST_NAMES:
        names = np.array(_shorten(classes))
        axes.set_yticks(range(len(order)), list(names[order]), fontsize=8, parse_math=False)
        for place, index in enumerate(order):
            right = round(rates[index] * samples[index])
            words, x = f"{right}/{samples[index]}", rates[index] + 0.01
            axes.text(x, place, words, va="center", fontsize=7, color=FAINT, bbox=blank)
    else:
        axes.set_yticks([])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 1.09)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel(f"accuracy (dashed: mean over the classes, {metrics.mean_class_accuracy:.1%})", color=FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def plot_reliability(bins: Reliability) -> bytes:
    """Plot a reliability diagram: accuracy against confidence above, number of samples below.

    Args:
        bins: Bins of the confidence.

    Returns:
        Content of a PNG file.
    """
    figure = new_figure(5.2, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    middles, widths = (bins.edges[:-1] + bins.edges[1:]) / 2, 0.92 * np.diff(bins.edges)
    upper.bar(middles, np.nan_to_num(bins.accuracy), widths, color=BLUE, label="accuracy in the bin")
    upper.plot(
        bins.confidence, bins.confidence, "_", color="#a33333", markersize=11, label="mean confidence in the bin"
    )
    upper.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    upper.set_ylabel("accuracy", color=FAINT)
    upper.set_ylim(0, 1)
    upper.legend(loc="upper left", frameon=False, fontsize=8)
    lower.bar(middles, bins.counts, widths, color=BLUE)
    for middle, count in zip(middles, bins.counts, strict=True):
        if count:
            lower.text(middle, count, count, ha="center", va="bottom", fontsize=6.5, color=FAINT)
    lower.margins(y=0.18)
    lower.set_xlim(0, 1)
    lower.set_ylabel("samples", color=FAINT)
    lower.set_xlabel(f"confidence (expected calibration error {bins.calibration_error:.3f})", color=FAINT)
    open_frame(upper, lower)
    return to_png(figure)


def plot_seeds(seeds: Sequence[int], metrics: Sequence[Metrics]) -> bytes:
    """Plot the accuracy of each seed with its 95 % interval, and their mean.

    Args:
        seeds: Seed of each run.
        metrics: Metrics of each run.

    Returns:
        Content of a PNG file.
    """
    rates = np.array([m.accuracy for m in metrics])
    intervals = np.array([m.accuracy_interval for m in metrics])
    figure = new_figure(5.2, 3)
    axes = figure.subplots()
    reach = np.maximum(np.abs(intervals.T - rates), 0)
    axes.errorbar(range(len(seeds)), rates, reach, fmt="o", color=GREEN, ecolor=BLUE, capsize=4)
    axes.axhline(rates.mean(), color=INK, linewidth=1, linestyle="--")
    axes.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    axes.set_xlim(-0.5, len(seeds) - 0.5)
    axes.set_xlabel(f"seed (dashed: mean {rates.mean():.1%})", color=FAINT)
    axes.set_ylabel("accuracy, 95 % interval", color=FAINT)
    open_frame(axes)
    return to_png(figure)


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure, in inches, without pyplot, which would keep it and choose a display."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_png(figure: Figure) -> bytes:
    """Encode a figure as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in a script that the font lacks; the page's table has it
        figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def open_frame(*panels: Axes) -> None:
    """Hide the top and right spines of each panel."""
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)


def _shorten(names: Sequence[str] | dict[str, Any]) -> list[str]:
    """Shorten names to leave room for the plot."""
    return [name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…" for name in names]
