"""The report of a comparison of heads: an HTML page, its numbers as JSON, its plots as PNG files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clip2point.evaluation.comparison import Cell, Comparison
from clip2point.heads.calibration import coverage_curve
from clip2point.heads.metrics import Spread, reliability
from clip2point.rendering.image_files import write_bytes
from clip2point.report.comparison_plots import Curve, Line, plot_coverage, plot_heads, plot_shots
from clip2point.report.html import embed_plots, write_html
from clip2point.report.plots import plot_confusion, plot_reliability, require_matplotlib

_FAILURES_SHOWN = 20


def write_comparison_page(folder: Path, found: Comparison, *, compare: bool = False) -> Path:
    """Write ``report.html``, ``report.json`` and the plots of the page as PNG files.

    The page holds its plots and fetches nothing. Files of an earlier report in the folder are replaced.

    Args:
        folder: Output folder, created if need be.
        found: Comparison to show.
        compare: True to show the papers' figures beside the measured ones.

    Returns:
        Path of the page.

    Raises:
        OptionError: matplotlib is missing.
        OSError: The folder cannot be written to.
    """
    require_matplotlib()
    last = found.shots[-1]
    best = found.cell(found.best(last), last)
    shown = best.fits[0]
    plots = {
        "accuracy.png": _plot_accuracy(found),
        "coverage.png": plot_coverage(
            [_curve(found.cell(head, last)) for head in found.heads], found.settings["target"]
        ),
        "confusion_matrix.png": plot_confusion(shown.metrics),
        "reliability.png": plot_reliability(reliability(shown.probabilities, shown.labels)),
    }
    for name, content in plots.items():
        write_bytes(folder / name, content)
    quoted = found.find_published() if compare else ()
    record = {**found.to_dict(), "quoted_not_measured": [row.to_dict() for row in quoted]}
    write_bytes(
        folder / "report.json", (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    )
    page = folder / "report.html"
    write_html(
        page,
        "comparison.html",
        title=f"{found.model.name} on {found.parts.test.name}, {found.protocol}",
        command=found.command,
        found=found,
        record=record,
        columns=[_column(shots) for shots in found.shots],
        best=best,
        shown=shown,
        tiles=_tiles(found, best),
        accuracies=[_accuracies(found, head) for head in found.heads],
        rows=[_row(cell) for head in found.heads for cell in found.row(head)],
        settings=_flat(found.settings),
        quoted_rows=quoted,
        plots=embed_plots(plots),
        failures_shown=_FAILURES_SHOWN,
    )
    return page


def _plot_accuracy(found: Comparison) -> bytes:
    """Plot accuracy against the number of shots, or by head where there is only one number."""
    zero_shot = found.zero_shot.metrics.accuracy
    lines = [Line(head, [cell.summary.accuracy for cell in found.row(head)]) for head in found.heads]
    shots = [count for count in found.shots if count is not None]
    return plot_shots(shots, lines, zero_shot) if len(shots) > 1 else plot_heads(lines, zero_shot)


def _curve(cell: Cell) -> Curve:
    """Return a head's accuracy against coverage, means over the seeds."""
    curves = [coverage_curve(fit.confidence, fit.correct) for fit in cell.fits]
    return Curve(
        head=cell.head,
        coverage=curves[0][0],
        accuracy=np.mean([accuracy for _, accuracy in curves], axis=0),
        chosen=(cell.mean("coverage") or 0.0, cell.mean("accuracy_at_coverage")),
    )


def _tiles(found: Comparison, best: Cell) -> list[tuple[str, str]]:
    """Return captions and figures of the head that is best on validation."""
    return [
        ("accuracy", _spread(best.summary.accuracy)),
        ("mean class accuracy", _spread(best.summary.mean_class_accuracy)),
        ("calibration error", _spread(best.summary.calibration_error)),
        ("zero-shot accuracy", _percent(found.zero_shot.metrics.accuracy)),
    ]


def _accuracies(found: Comparison, head: str) -> dict[str, Any]:
    """Return a head's row of the table of accuracies."""
    return {
        "head": head,
        "cells": [(_spread(cell.summary.accuracy), found.best(cell.shots) == head) for cell in found.row(head)],
    }


def _row(cell: Cell) -> dict[str, Any]:
    """Return all figures of a head at one number of shots."""
    summary = cell.summary
    seconds = cell.mean("seconds") or 0.0
    return {
        "head": cell.head,
        "shots": _column(cell.shots),
        "spreads": [_spread(s) for s in (summary.accuracy, summary.mean_class_accuracy, summary.calibration_error)],
        "means": [_percent(cell.mean(name)) for name in ("validation_accuracy", "coverage", "accuracy_at_coverage")],
        "seconds": f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}",
        "chosen": [_options(options, count, len(cell.fits)) for options, count in cell.chosen],
    }


def _options(options: Mapping[str, Any], count: int, of: int) -> str:
    """Format the options of a head with the number of seeds for which validation chose them."""
    words = ", ".join(f"{name} {value}" for name, value in options.items()) or "none"
    return words if count == of else f"{words} ({count} of {of})"


def _column(shots: int | None) -> str:
    return "all" if shots is None else str(shots)


def _spread(spread: Spread) -> str:
    """Format mean and standard deviation in percent."""
    return _percent(spread.mean) + ("" if spread.deviation is None else f" ± {100 * spread.deviation:.1f}")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested settings for the page's table."""
    return {
        name: ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, Mapping) else value
        for name, value in settings.items()
    }
