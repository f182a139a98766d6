"""Plots of a comparison of heads, encoded as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.heads.metrics import Spread
from clip2point.report.plots import FAINT, new_figure, open_frame, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours that colour-blind eyes keep apart (after Okabe and Ito). Each serves one head with a full line and one with a
#: broken line; together with the markers no two look alike, in grayscale either.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444")
_MARKERS = "osD^vPX<>hpd8*"
_LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)))
#: Fractions of a doubling of shots by which the heads are set apart, one from the next and all together, so that their
#: bars do not cover each other.
_STEP, _SPREAD = 0.06, 0.5
#: Least coverage of a point of a coverage curve; fewer shapes are mere noise.
_LEAST_COVERAGE = 0.05


@dataclass(frozen=True)
class Line:
    """Accuracy of one head.

    Attributes:
        head: Name of the head.
        spreads: Mean and standard deviation in [0, 1] for each number of shots.
    """

    head: str
    spreads: Sequence[Spread]


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy of one head against coverage.

    Attributes:
        head: Name of the head.
        coverage: [N] fractions of the shapes, ascending.
        accuracy: [N] accuracies at these coverages.
        chosen: Coverage and accuracy at the threshold chosen on validation; the accuracy is None at coverage 0.
    """

    head: str
    coverage: NDArray[np.floating[Any]]
    accuracy: NDArray[np.floating[Any]]
    chosen: tuple[float, float | None]


def plot_shots(shots: Sequence[int], lines: Sequence[Line], zero_shot: float) -> bytes:
    """Plot accuracy against the number of shots, with the standard deviation over the seeds as error bars.

    Args:
        shots: Two or more numbers of shots, ascending.
        lines: Accuracies of each head.
        zero_shot: Accuracy without examples, in [0, 1].

    Returns:
        Content of a PNG file.
    """
    figure = new_figure(8.8, 5.6)
    axes = figure.subplots()
    styles = _styles([line.head for line in lines])
    offsets = (np.arange(len(lines)) - (len(lines) - 1) / 2) * min(_STEP, _SPREAD / len(lines))
    drawn = {}
    for line, offset in zip(lines, offsets, strict=True):
        means = [100 * spread.mean for spread in line.spreads]
        bars = [100 * (spread.deviation or 0) for spread in line.spreads]
        drawn[line.head] = axes.errorbar(
            np.array(shots) * 2**offset, means, bars, elinewidth=1, capsize=2, **styles[line.head]
        )
    floor = axes.axhline(100 * zero_shot, color=FAINT, linewidth=1.6, linestyle=(0, (1, 1.5)), zorder=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks(shots, [str(count) for count in shots])
    axes.minorticks_off()
    axes.set_xlabel("shots: examples of each class", color=FAINT)
    axes.set_ylabel("accuracy on test, %", color=FAINT)
    axes.grid(axis="y", color="#e9edf1", linewidth=0.8)
    ranked = sorted(lines, key=lambda line: -line.spreads[-1].mean)
    words = [f"{line.head}  {100 * line.spreads[-1].mean:.1f}" for line in ranked]
    _legend(
        axes,
        [*(drawn[line.head] for line in ranked), floor],
        [*words, f"zero-shot  {100 * zero_shot:.1f}"],
        f"at {shots[-1]} shots, %",
    )
    open_frame(axes)
    return to_png(figure)


def plot_heads(lines: Sequence[Line], zero_shot: float) -> bytes:
    """Plot the accuracy of heads at one number of shots, best at the top, with error bars over the seeds.

    Args:
        lines: Accuracy of each head, with one spread each.
        zero_shot: Accuracy without examples, in [0, 1].

    Returns:
        Content of a PNG file.
    """
    ranked = sorted(lines, key=lambda line: -line.spreads[0].mean)
    figure = new_figure(7, 0.3 * len(ranked) + 1.1)
    axes = figure.subplots()
    styles = _styles([line.head for line in lines])
    for place, line in enumerate(ranked):
        spread = line.spreads[0]
        bar = 100 * (spread.deviation or 0)
        axes.errorbar(100 * spread.mean, place, xerr=bar, elinewidth=1.2, capsize=3, **styles[line.head])
        words = f"{100 * spread.mean:.1f}" + (f" ± {bar:.1f}" if spread.deviation is not None else "")
        axes.annotate(
            words, (100 * spread.mean + bar, place), (7, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.axvline(100 * zero_shot, color=FAINT, linewidth=1.6, linestyle=(0, (1, 1.5)), zorder=1)
    axes.set_yticks(range(len(ranked)), [line.head for line in ranked], parse_math=False)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.margins(x=0.16)
    axes.set_xlabel(f"accuracy on test, % (dotted: zero-shot, {100 * zero_shot:.1f})", color=FAINT)
    axes.grid(axis="x", color="#e9edf1", linewidth=0.8)
    open_frame(axes)
    return to_png(figure)


def plot_coverage(curves: Sequence[Curve], target: float) -> bytes:
    """Plot accuracy against coverage.

    Args:
        curves: Curve of each head.
        target: Accuracy that thresholds were chosen for, in [0, 1].

    Returns:
        Content of a PNG file.
    """
    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    styles = _styles([curve.head for curve in curves])
    drawn = {}
    for curve in curves:
        style = styles[curve.head]
        shown = curve.coverage >= _LEAST_COVERAGE
        axes.plot(100 * curve.coverage[shown], 100 * curve.accuracy[shown], **{**style, "marker": None})
        (drawn[curve.head],) = axes.plot([], [], **style)
        coverage, accuracy = curve.chosen
        if accuracy is not None:
            point = {**style, "linestyle": "none", "markeredgecolor": "white", "markersize": 8, "zorder": 4}
            axes.plot(100 * coverage, 100 * accuracy, **point)
    axes.axhline(100 * target, color=FAINT, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1)
    axes.set_xlim(0, 101)
    axes.set_xlabel("coverage: fraction of the shapes, most confident first, %", color=FAINT)
    axes.set_ylabel("accuracy of these answers, %", color=FAINT)
    axes.grid(color="#e9edf1", linewidth=0.8)
    _legend(axes, list(drawn.values()), list(drawn), "")
    open_frame(axes)
    return to_png(figure)


def _styles(heads: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """Return colour, marker and line style of each head."""
    return {
        head: {
            "color": _COLOURS[place % len(_COLOURS)],
            "marker": _MARKERS[place % len(_MARKERS)],
            "linestyle": _LINES[place // len(_COLOURS) % len(_LINES)],
            "linewidth": 1.6,
            "markersize": 5.5,
        }
        for place, head in enumerate(heads)
    }


def _legend(axes: Axes, handles: Sequence[Any], words: Sequence[str], title: str) -> None:
    """Draw the legend beside the plot, where it covers no line."""
    legend = axes.legend(
        handles, words, title=title, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9
    )
    legend.get_title().set(color=FAINT, fontsize=8)
