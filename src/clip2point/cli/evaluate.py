"""``clip2point evaluate``: measure a model on a data set."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output
from clip2point.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.data import Dataset
    from clip2point.evaluation.metrics import Metrics, Summary
    from clip2point.evaluation.zero_shot import Run
    from clip2point.models import Recogniser

#: Settings that a sweep may vary, and how their values are read.
_SWEPT = {"views": str, "style": str, "points": int, "radius": float, "prompts": str, "model": str}


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a model on a data set",
        description="Measure a model on one of the field's benchmarks or on your own labelled shapes.",
        epilog="Data sets: modelnet10, modelnet40, scanobjectnn-obj-only, scanobjectnn-obj-bg, scanobjectnn-pb-t50-rs, "
        "shapenet55, folder:PATH (a sub-folder for each class), npz:PATH (points, labels, classes).",
    )
    parser.add_argument("dataset", metavar="DATASET", help="name, folder:PATH or npz:PATH")
    parser.add_argument("--root", type=Path, metavar="DIR", help="where the data set lies")
    parser.add_argument("--split", help="test, train, validation, ... (default: test where there is one)")
    parser.add_argument(
        "--up", choices=options.UP_CHOICES[1:], help="the axis that points up, if the data set does not declare it"
    )
    parser.add_argument("--protocol", choices=("zero-shot",), default="zero-shot")
    parser.add_argument("--seeds", type=options.positive, default=1, metavar="N", help="samplings (default 1)")
    parser.add_argument(
        "--limit", type=options.positive, metavar="N", help="measure only N shapes, spread over the set"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page with plots to DIR")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--compare", action="store_true", help="show what papers state for the same data and protocol")
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=A,B,C",
        help=f"measure every value (of several: every combination); keys: {', '.join(_SWEPT)}",
    )
    options.add_prompts(parser)
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure."""
    from clip2point.data import open_dataset

    grid = _grid(arguments.sweep)
    if grid and arguments.report:
        raise OptionError("--report shows one measurement; leave out --sweep or --report")
    if arguments.report:
        from clip2point.report.plots import require_matplotlib

        require_matplotlib()
    dataset = open_dataset(
        arguments.dataset, root=arguments.root, split=arguments.split, up=arguments.up, limit=arguments.limit
    )
    if grid:
        return _sweep(arguments, dataset, grid)
    model = options.load_model(arguments)
    runs, metrics, summary = _measure(arguments, model, dataset)
    report = _report(arguments, model, dataset, runs, metrics, summary)
    if arguments.report:
        from clip2point.report.evaluation_page import write_evaluation_page

        output.remark(f"Report: {write_evaluation_page(arguments.report, report)}")
    if arguments.json:
        output.print_json(_record(arguments, model, dataset, runs, metrics, summary))
    else:
        _print(arguments, model, dataset, runs, metrics, summary)
    output.list_failures(list(runs[0].sampled.failures), len(dataset))
    return 1 if runs[0].sampled.failures else 0


def _measure(
    arguments: argparse.Namespace, model: Recogniser, dataset: Dataset
) -> tuple[list[Run], list[Metrics], Summary]:
    """Runs and their metrics, one a seed, and what they have in common."""
    from clip2point.evaluation.metrics import measure_predictions, summarise
    from clip2point.evaluation.zero_shot import run_zero_shot

    def progress(items: Iterable[Any], total: int) -> Iterable[Any]:
        return output.progress(items, f"{dataset.name}, seed {seed}", total)

    runs = []
    for seed in range(arguments.seeds):
        runs.append(run_zero_shot(model, dataset, seed, progress))
    metrics = [measure_predictions(run.probabilities, run.sampled.labels, dataset.classes) for run in runs]
    return runs, metrics, summarise(metrics)


def _record(
    arguments: argparse.Namespace,
    model: Recogniser,
    dataset: Dataset,
    runs: list[Run],
    metrics: list[Metrics],
    summary: Summary,
) -> dict[str, Any]:
    """Everything as JSON types: the metrics of the first seed, and mean and deviation over all."""
    from clip2point.evaluation.published import published_rows
    from clip2point.report.evaluation_page import current_versions

    record = {
        **metrics[0].to_dict(),
        "model": model.name,
        "dataset": dataset.name,
        "split": dataset.split,
        "note": dataset.note,
        "protocol": arguments.protocol,
        "seeds": [run.seed for run in runs],
        "over_seeds": summary.to_dict(),
        "settings": {**model.settings.to_dict(), "up": dataset.up, "dtype": str(model.backbone.dtype)},
        "failures": [{"source": name, "error": error} for name, error in runs[0].sampled.failures],
        "command": _command(),
        "versions": current_versions(),
        "hashes": _hashes(model, dataset),
    }
    if arguments.compare:
        rows = published_rows(dataset.name, arguments.protocol)
        record["quoted_not_measured"] = [row.to_dict() for row in rows]
    return record


def _report(
    arguments: argparse.Namespace,
    model: Recogniser,
    dataset: Dataset,
    runs: list[Run],
    metrics: list[Metrics],
    summary: Summary,
) -> Any:
    """What the HTML page shows."""
    from clip2point.evaluation.features import depth_maps
    from clip2point.evaluation.published import published_rows
    from clip2point.report.contact_sheet import view_headings
    from clip2point.report.evaluation_page import EvaluationReport, current_versions
    from clip2point.report.pictures import to_pixels

    first = runs[0]
    return EvaluationReport(
        title=f"{model.name} on {dataset.name}, {dataset.split}",
        model=model.name,
        dataset=dataset.name,
        split=dataset.split,
        protocol=arguments.protocol,
        command=_command(),
        settings={**model.settings.to_dict(), "up": dataset.up, "dtype": str(model.backbone.dtype)},
        versions=current_versions(),
        hashes=_hashes(model, dataset),
        seeds=[run.seed for run in runs],
        metrics=metrics,
        summary=summary,
        probabilities=first.probabilities,
        labels=first.sampled.labels,
        names=first.sampled.names,
        classes=dataset.classes,
        failures=list(first.sampled.failures),
        remarks=[dataset.note] if dataset.note else [],
        published=published_rows(dataset.name, arguments.protocol) if arguments.compare else (),
        view_names=view_headings(model.views.angles),
        pictures=lambda indices: [
            list(views) for views in to_pixels(depth_maps(model, first.sampled, indices).cpu().numpy())
        ],
    )


def _print(
    arguments: argparse.Namespace,
    model: Recogniser,
    dataset: Dataset,
    runs: list[Run],
    metrics: list[Metrics],
    summary: Summary,
) -> None:
    """Tables: each class, then the whole."""
    output.print_table(
        ("class", "accuracy", "shapes"),
        (
            (name, f"{entry['accuracy']:.1%}" if entry["samples"] else "–", entry["samples"])
            for name, entry in metrics[0].per_class.items()
        ),
        right=("accuracy", "shapes"),
    )
    print(
        f"{model.name} on {dataset.name} ({dataset.split}, {metrics[0].samples} shapes), {arguments.protocol}, "
        f"{len(runs)} sampling{'s' if len(runs) > 1 else ''}:"
    )
    if dataset.note:
        print(f"  {dataset.note}")
    for name, value in _figures(summary).items():
        print(f"  {name:<22}{value}")
    low, high = metrics[0].accuracy_interval
    print(f"  {'95 % of resamples':<22}{low:.1%} to {high:.1%}")
    if arguments.compare:
        _print_published(dataset.name, arguments.protocol)


def _print_published(dataset: str, protocol: str) -> None:
    """Figures of the papers, marked as such."""
    from clip2point.evaluation.published import published_rows

    rows = published_rows(dataset, protocol)
    if not rows:
        print(f"\nThe papers in our list state nothing for {dataset}, {protocol}.")
        return
    print("\nQuoted from the papers, not measured here:")
    output.print_table(
        ("system", "accuracy", "backbone", "source", "note"),
        ((row.system, f"{row.accuracy:g}%", row.backbone, row.source, row.note) for row in rows),
        right=("accuracy",),
    )


def _figures(summary: Summary) -> dict[str, str]:
    """Mean, and deviation where there are several seeds, in words."""
    figures = {}
    for name, key in (
        ("accuracy", "accuracy"),
        ("mean class accuracy", "mean_class_accuracy"),
        ("top 3", "top3"),
        ("top 5", "top5"),
        ("calibration error", "calibration_error"),
    ):
        entry = summary.to_dict()[key]
        spread = "" if entry["deviation"] is None else f" ± {100 * entry['deviation']:.1f}"
        figures[name] = f"{entry['mean']:.1%}{spread}"
    return figures


def _sweep(arguments: argparse.Namespace, dataset: Dataset, grid: dict[str, list[Any]]) -> int:
    """One measurement for each combination of values, in one table."""
    from clip2point.models import Recogniser

    if dataset.split == "test":
        output.remark(
            "Whoever chooses settings by this table has tuned them on the test split; use --split validation."
        )
    rows, records = [], []
    base = None if "model" in grid else options.load_model(arguments)
    for values in product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        model = base or options.load_model(argparse.Namespace(**{**vars(arguments), "model": chosen["model"]}))
        changes = {key: value for key, value in chosen.items() if key not in ("model", "prompts")}
        if "prompts" in chosen:
            changes["templates"] = (chosen["prompts"],)
        varied = Recogniser(model.backbone, replace(model.settings, **changes), model.name)
        _, _, summary = _measure(arguments, varied, dataset)
        rows.append((*map(str, values), *_figures(summary).values()))
        records.append({**chosen, **summary.to_dict()})
    if arguments.json:
        output.print_json({"dataset": dataset.name, "split": dataset.split, "command": _command(), "rows": records})
    else:
        headings = ("accuracy", "mean class", "top 3", "top 5", "calibration error")
        output.print_table((*grid, *headings), rows, right=headings)
    return 0


def _grid(sweeps: list[str]) -> dict[str, list[Any]]:
    """Values by key from ``KEY=A,B,C`` words."""
    grid: dict[str, list[Any]] = {}
    for word in sweeps:
        key, _, values = word.partition("=")
        if key not in _SWEPT or not values or key in grid:
            raise OptionError(f"--sweep {word}: expected KEY=A,B,C, each key once, of {', '.join(_SWEPT)}")
        try:
            grid[key] = [_SWEPT[key](value) for value in values.split(",")]
        except ValueError as error:
            raise OptionError(f"--sweep {word}: expected numbers for {key}") from error
    return grid


def _hashes(model: Recogniser, dataset: Dataset) -> dict[str, str]:
    """What pins the model and the data."""
    return {"model": model.backbone.fingerprint(), "dataset": dataset.fingerprint}


def _command() -> str:
    """The command line that was given."""
    return shlex.join(["clip2point", *sys.argv[1:]])
