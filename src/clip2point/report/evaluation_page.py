"""The report of an evaluation: an HTML page, its figures as JSON, its images as PNG files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import to_array
from clip2point.core.errors import OptionError
from clip2point.core.version import software_versions
from clip2point.evaluation.measurement import Measurement
from clip2point.evaluation.published import Published
from clip2point.features.view_features import render_views
from clip2point.heads.metrics import Metrics, Summary, reliability
from clip2point.rendering.image_files import png_bytes, to_pixels, write_bytes
from clip2point.report.contact_sheet import Row, contact_sheet, view_headings
from clip2point.report.html import data_url, embed_plots, write_html
from clip2point.report.plots import (
    plot_class_accuracy,
    plot_confusion,
    plot_reliability,
    plot_seeds,
    require_matplotlib,
)

_CONFUSIONS, _EXAMPLES = 8, 3
_FAILURES_SHOWN = 20
_FIGURES = {
    "accuracy": "accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "top3": "top-3 accuracy",
    "top5": "top-5 accuracy",
    "calibration_error": "calibration error",
}


@dataclass(frozen=True)
class EvaluationReport:
    """Record of an evaluation of N samples of C classes, with one run per seed.

    Attributes:
        title: Heading.
        model: Name of the model.
        dataset: Name of the data set.
        split: Split of the data set.
        protocol: "zero-shot", "16-shot" or "supervised".
        command: Exact command line.
        settings: Settings of the model and the run, as JSON types.
        versions: Versions of the software, by name.
        hashes: Hashes of weights and data, by name.
        seeds: Seed of each run.
        metrics: Metrics of each run.
        summary: Mean and standard deviation over the runs.
        probabilities: [N, C] of the first run.
        labels: [N] true classes.
        names: [N] names of the samples, for example their files.
        classes: C names.
        failures: Names and errors of samples that could not be read and are not among the N.
        remarks: Paragraphs below the heading.
        published: Figures of papers to show beside the measured ones.
        view_names: Headings of the views in the contact sheets.
        pictures: Function from indices of samples to the views [H, W] or [H, W, 3], uint8, that the model saw.
    """

    title: str
    model: str
    dataset: str
    split: str
    protocol: str
    command: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    hashes: Mapping[str, str]
    seeds: Sequence[int]
    metrics: Sequence[Metrics]
    summary: Summary
    probabilities: NDArray[np.floating[Any]]
    labels: NDArray[np.integer[Any]]
    names: Sequence[str]
    classes: Sequence[str]
    failures: Sequence[tuple[str, str]]
    remarks: Sequence[str]
    published: tuple[Published, ...]
    view_names: Sequence[str]
    pictures: Callable[[Sequence[int]], Sequence[Sequence[NDArray[np.uint8]]]]

    def __post_init__(self) -> None:
        if not self.metrics or len(self.metrics) != len(self.seeds):
            raise OptionError(
                f"{len(self.metrics)} metrics of {len(self.seeds)} seeds: expected one for each, at least one"
            )
        sizes = {len(self.labels), len(self.names), len(self.probabilities), self.metrics[0].samples}
        if len(sizes) != 1:
            raise OptionError("labels, names, probabilities and metrics are not of the same samples")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but predictions and images, as JSON types."""
        return {
            **{name: getattr(self, name) for name in ("title", "model", "dataset", "split", "protocol", "command")},
            **{name: dict(getattr(self, name)) for name in ("settings", "versions", "hashes")},
            "seeds": list(self.seeds),
            "samples": len(self.names),
            "classes": list(self.classes),
            "summary": self.summary.to_dict(),
            "metrics": [metrics.to_dict() for metrics in self.metrics],
            "confusions": [confusion.to_dict(self.names) for confusion in _worst_confusions(self)],
            "failures": [{"source": source, "error": error} for source, error in self.failures],
            "remarks": list(self.remarks),
            "quoted_not_measured": [row.to_dict() for row in self.published],
        }


@dataclass(frozen=True)
class _Confusion:
    """Samples of one class that were recognised as another.

    Attributes:
        truth: True class.
        answer: Predicted class.
        count: Number of these samples.
        of: Number of samples of the true class.
        examples: Indices of a few, the most confident first.
    """

    truth: str
    answer: str
    count: int
    of: int
    examples: list[int]

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        examples = [names[index] for index in self.examples]
        return {"truth": self.truth, "answer": self.answer, "count": self.count, "of": self.of, "examples": examples}


def describe_measurement(measurement: Measurement, *, compare: bool = False) -> EvaluationReport:
    """Collect what the page shows of a measurement.

    Args:
        measurement: Model, data and figures.
        compare: True to show the papers' figures beside the measured ones.

    Returns:
        The report, which renders depth maps only for the samples that the page shows.
    """
    model, dataset, sampled = measurement.model, measurement.dataset, measurement.runs[0].sampled

    def render_pictures(indices: Sequence[int]) -> list[list[Any]]:
        return [list(views) for views in to_pixels(to_array(render_views(model, sampled, indices)))]

    return EvaluationReport(
        title=f"{model.name} on {dataset.name}, {dataset.split}",
        model=model.name,
        dataset=dataset.name,
        split=dataset.split,
        protocol=measurement.protocol,
        command=measurement.command,
        settings=measurement.settings,
        versions=software_versions(),
        hashes=measurement.hashes,
        seeds=measurement.seeds,
        metrics=list(measurement.metrics),
        summary=measurement.summary,
        probabilities=measurement.runs[0].probabilities,
        labels=sampled.labels,
        names=sampled.names,
        classes=dataset.classes,
        failures=list(measurement.failures),
        remarks=[dataset.note] if dataset.note else [],
        published=measurement.find_published() if compare else (),
        view_names=view_headings(model.views.angles),
        pictures=render_pictures,
    )


def write_evaluation_page(folder: Path, report: EvaluationReport) -> Path:
    """Write ``report.html``, ``report.json`` and the images of the page as PNG files.

    The page embeds its images and fetches nothing. Files of an earlier report in the folder are replaced.

    Args:
        folder: Output folder, created if need be.
        report: Record of the evaluation.

    Returns:
        Path of the page.

    Raises:
        OptionError: matplotlib is missing.
        OSError: The folder cannot be written to.
    """
    require_matplotlib()
    confusions = _worst_confusions(report)
    plots = {
        "confusion_matrix.png": plot_confusion(report.metrics[0]),
        "class_accuracy.png": plot_class_accuracy(report.metrics[0]),
        "reliability.png": plot_reliability(reliability(report.probabilities, report.labels)),
    }
    if len(report.seeds) > 1:
        plots["seeds.png"] = plot_seeds(report.seeds, report.metrics)
    sheets = {_sheet_name(number): sheet for number, sheet in enumerate(_sheets(report, confusions), 1)}

    for name, content in {**plots, **sheets}.items():
        write_bytes(folder / name, content)
    for name in {"seeds.png", *map(_sheet_name, range(1, _CONFUSIONS + 1))} - plots.keys() - sheets.keys():
        (folder / name).unlink(missing_ok=True)  # of an earlier report
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(folder / "report.json", text.encode())
    page = folder / "report.html"
    write_html(
        page,
        "evaluation.html",
        title=report.title,
        command=report.command,
        report=report,
        first=report.metrics[0],
        figures=_figures(report.summary),
        classes=_class_rows(report),
        plots=embed_plots(plots),
        confusions=list(zip(confusions, map(data_url, sheets.values()), strict=True)),
        failures_shown=_FAILURES_SHOWN,
    )
    return page


def _worst_confusions(report: EvaluationReport) -> list[_Confusion]:
    """Return the most frequent pairs of truth and wrong answer in the first run, most frequent first."""
    counts = np.array(report.metrics[0].confusion)
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    answers, confidence = report.probabilities.argmax(axis=1), report.probabilities.max(axis=1)
    found = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]:
        truth, answer = divmod(int(place), len(counts))
        if wrong[truth, answer] == 0:
            break
        members = np.flatnonzero((report.labels == truth) & (answers == answer))
        examples = members[np.argsort(-confidence[members], kind="stable")][:_EXAMPLES]
        found.append(
            _Confusion(
                truth=report.classes[truth],
                answer=report.classes[answer],
                count=int(wrong[truth, answer]),
                of=int(counts[truth].sum()),
                examples=examples.tolist(),
            )
        )
    return found


def _sheets(report: EvaluationReport, confusions: Sequence[_Confusion]) -> list[bytes]:
    """Draw for each confusion a contact sheet of its examples."""
    indices = [index for confusion in confusions for index in confusion.examples]
    views = dict(zip(indices, report.pictures(indices), strict=True)) if indices else {}
    sheets = []
    for confusion in confusions:
        rows = [
            Row(Path(report.names[index]).name, _odds(report, index, confusion), list(views[index]))
            for index in confusion.examples
        ]
        sheets.append(png_bytes(contact_sheet(rows, report.view_names)))
    return sheets


def _odds(report: EvaluationReport, index: int, confusion: _Confusion) -> str:
    """Format the probabilities of the answer and of the truth for one sample."""
    row = report.probabilities[index]
    return f"{confusion.answer} {row.max():.0%}\n{confusion.truth} {row[report.labels[index]]:.0%} (truth)"


def _figures(summary: Summary) -> list[tuple[str, str, str]]:
    """Return name, mean and, over several runs, standard deviation of each overall figure."""
    found = []
    for key, words in _FIGURES.items():
        spread = getattr(summary, key)
        deviation = "" if spread.deviation is None else f"± {100 * spread.deviation:.1f}"
        found.append((words, f"{100 * spread.mean:.1f}", deviation))
    return found


def _class_rows(report: EvaluationReport) -> list[dict[str, Any]]:
    """Return each class with its accuracy in the first run and its most frequent wrong answer."""
    rows = []
    for index, (name, entry) in enumerate(report.metrics[0].per_class.items()):
        counts = np.array(report.metrics[0].confusion[index])
        counts[index] = 0
        most = int(counts.argmax())
        taken = f"{report.classes[most]} ({counts[most]})" if counts[most] else ""
        rows.append({"name": name, **entry, "taken": taken})
    return rows


def _sheet_name(number: int) -> str:
    return f"worst_confusion_{number}.png"
