"""``clip2point evaluate``: measure a model on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import compare, data_sets, options, output
from clip2point.cli.figures import command_line, percent, percent_spread, print_published
from clip2point.core.errors import OptionError
from clip2point.core.registries import DATASETS

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.data import Dataset
    from clip2point.evaluation.measurement import Measurement
    from clip2point.heads.metrics import Summary
    from clip2point.model import Recogniser

#: Settings that a sweep may vary, and how their values are read.
_SWEPT = {"views": str, "style": str, "points": int, "radius": float, "prompts": str, "model": str}

_PROTOCOLS = ("zero-shot", "few-shot", "supervised", "scene")
#: Options that only some protocols have, with these protocols.
_FITTING = {
    "split": ("zero-shot",),  # the others learn from train and measure on test
    "sweep": ("zero-shot",),
    "labels_file": ("zero-shot",),
    "shots": ("few-shot",),
    "validation_shots": ("few-shot",),
    "heads": ("few-shot", "supervised"),
    "augmented_views": ("few-shot", "supervised"),
    "unfreeze": ("few-shot", "supervised"),
    "epochs": ("few-shot", "supervised"),
    "wise_ft_alpha": ("few-shot", "supervised"),
    "precision": ("few-shot", "supervised"),
}


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a model on a data set",
        description="Measure a model on one of the field's benchmarks or on your own labelled shapes.",
        epilog=f"{options.describe(DATASETS, 'Data sets')} Without train and test splits, few-shot and "
        "supervised measure on a fifth of each class, always the same shapes, and learn from the rest.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="name, folder:PATH, manifest:PATH or npz:PATH")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the data set")
    data_sets.add_manifest(parser)
    parser.add_argument("--split", help="test, train, validation, ... (default: test where there is one)")
    parser.add_argument(
        "--up", choices=options.UP_CHOICES[1:], help="axis that points up, if the data set does not declare it"
    )
    parser.add_argument(
        "--protocol",
        choices=_PROTOCOLS,
        default="zero-shot",
        help="zero-shot (default): by the class names alone; few-shot: from a few examples of each class; "
        "supervised: from the whole train split; scene: .npz files with points and instances, split and named",
    )
    parser.add_argument(
        "--seeds",
        type=options.positive,
        metavar="N",
        help="number of seeds: of the point sampling in zero-shot (default 1), of the draw of examples in few-shot "
        "(default 5), of the training in supervised (default 1)",
    )
    parser.add_argument(
        "--limit", type=options.positive, metavar="N", help="measure only N shapes, spread over the split"
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write an HTML page with plots to DIR")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--compare", action="store_true", help="quote results of papers for the same data and protocol")
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=A,B,C",
        help=f"measure each value, and of several --sweep each combination; keys: {', '.join(_SWEPT)}",
    )
    parser.add_argument(
        "--labels-file",
        type=Path,
        metavar="FILE",
        help="file of other words for the classes, one class a line with its name among them: sofa|couch",
    )
    compare.add_arguments(parser)
    options.add_prompts(parser)
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure by the protocol that was chosen."""
    for name, protocols in _FITTING.items():
        if getattr(arguments, name) not in (None, []) and arguments.protocol not in protocols:
            raise OptionError(
                f"--{name.replace('_', '-')} cannot be used with --protocol {arguments.protocol}, only with "
                f"{' and '.join(protocols)}: leave it out, or choose another protocol"
            )
    if arguments.report:
        from clip2point.report.plots import require_matplotlib

        require_matplotlib()
    if arguments.protocol == "scene":
        return _run_scenes(arguments)
    return _run_zero_shot(arguments) if arguments.protocol == "zero-shot" else compare.run(arguments)


def _run_scenes(arguments: argparse.Namespace) -> int:
    """Split scans and hold them against their true instances."""
    from clip2point.evaluation.scene_files import list_scenes
    from clip2point.evaluation.scene_protocol import evaluate_scenes

    for name in ("report", "compare", "seeds", "root"):
        if getattr(arguments, name):
            raise OptionError(f"--{name} cannot be used with --protocol scene: leave it out")
    measured = evaluate_scenes(
        list_scenes(arguments.dataset)[: arguments.limit],
        options.load_model(arguments),
        up=arguments.up,
        command=command_line(arguments),
        progress=output.progress_of("Splitting"),
    )
    if arguments.json:
        output.print_json(measured.to_dict())
    else:
        output.print_table(
            ("scene", "objects", "parts", "mean best IoU"),
            (
                (score.source, len(score.best), score.found, f"{sum(score.best) / max(len(score.best), 1):.3f}")
                for score in measured.scores
            ),
            right=("objects", "parts", "mean best IoU"),
        )
        for name, value in measured.figures().items():
            print(f"  {name.replace('_', ' '):<34}{'–' if value is None else f'{value:.3f}'}")
    output.list_failures(list(measured.failures), len(measured.scores) + len(measured.failures))
    return 1 if measured.failures else 0


def _run_zero_shot(arguments: argparse.Namespace) -> int:
    """Measure by the class names alone."""
    from clip2point.core.labels import check_labels, read_labels
    from clip2point.data import open_dataset
    from clip2point.evaluation.measurement import evaluate

    grid = _parse_grid(arguments.sweep)
    if grid and arguments.report:
        raise OptionError("--report shows one measurement; leave out --sweep or --report")
    name, root = data_sets.find_name(arguments)
    dataset = open_dataset(name, root=root, split=arguments.split, up=arguments.up, limit=arguments.limit)
    data_sets.announce(dataset)
    labels = None if arguments.labels_file is None else check_labels(read_labels(arguments.labels_file))
    if grid:
        return _sweep(arguments, dataset, grid, labels)
    measured = evaluate(
        options.load_model(arguments),
        dataset,
        arguments.seeds or 1,
        labels=labels,
        command=command_line(arguments),
        progress=output.progress_of(dataset.name),
    )
    for note in measured.label_notes:
        output.remark(f"note: {note}")
    _remark_on_up(measured)
    if arguments.report:
        from clip2point.report.evaluation_page import describe_measurement, write_evaluation_page

        page = write_evaluation_page(arguments.report, describe_measurement(measured, compare=arguments.compare))
        output.remark(f"Report: {page}")
    if arguments.json:
        quoted = (
            {"quoted_not_measured": [row.to_dict() for row in measured.find_published()]} if arguments.compare else {}
        )
        output.print_json({**measured.to_dict(), **quoted})
    else:
        _print(measured)
        if arguments.compare:
            print_published(measured.find_published(), dataset.name, measured.protocol)
    output.list_failures(list(measured.failures), len(dataset))
    return 1 if measured.failures else 0


def _remark_on_up(measured: Measurement) -> None:
    """Print a remark if the up-axis of the data set seems wrong."""
    from clip2point.evaluation.up_axis import doubt_up

    dataset = measured.dataset
    doubt = doubt_up(measured.model, dataset, measured.runs[0], output.progress_of(f"{dataset.name}, another up-axis"))
    if doubt:
        output.remark(
            f"Note: with --up {doubt.other} {doubt.surer} of {doubt.shapes} sampled shapes are recognised more "
            f"confidently than with the declared {doubt.declared}."
        )


def _print(measured: Measurement) -> None:
    """Print a table of the classes, then the metrics over all."""
    metrics = measured.metrics[0]
    output.print_table(
        ("class", "accuracy", "shapes"),
        ((name, percent(entry["accuracy"]), entry["samples"]) for name, entry in metrics.per_class.items()),
        right=("accuracy", "shapes"),
    )
    dataset, count = measured.dataset, len(measured.seeds)
    print(
        f"{measured.model.name} on {dataset.name} ({dataset.split}, {metrics.samples} shapes), {measured.protocol}, "
        f"{count} sampling{'s' if count > 1 else ''}:"
    )
    if dataset.note:
        print(f"  {dataset.note}")
    for name, value in _figures(measured.summary).items():
        print(f"  {name:<22}{value}")
    low, high = metrics.accuracy_interval
    print(f"  {'95 % interval':<22}{low:.1%} to {high:.1%}")


def _figures(summary: Summary) -> dict[str, str]:
    """Format the metrics, each with its deviation if there are several seeds."""
    return {
        "accuracy": percent_spread(summary.accuracy),
        "mean class accuracy": percent_spread(summary.mean_class_accuracy),
        "top 3": percent_spread(summary.top3),
        "top 5": percent_spread(summary.top5),
        "calibration error": percent_spread(summary.calibration_error),
    }


def _sweep(
    arguments: argparse.Namespace, dataset: Dataset, grid: dict[str, list[Any]], labels: list[str] | None
) -> int:
    """Measure each combination of values; print one table."""
    from clip2point.evaluation.sweep import sweep

    def load_model(name: str | None) -> Recogniser:
        named = arguments if name is None else argparse.Namespace(**{**vars(arguments), "model": name})
        return options.load_model(named)

    if dataset.split == "test":
        output.remark("Settings chosen by this table are tuned on the test split: use --split validation to choose.")
    rows = sweep(dataset, grid, load_model, arguments.seeds or 1, output.progress_of(dataset.name), labels)
    if arguments.json:
        records = [row.to_dict() for row in rows]
        output.print_json(
            {"dataset": dataset.name, "split": dataset.split, "command": command_line(arguments), "rows": records}
        )
    else:
        headings = ("accuracy", "mean class", "top 3", "top 5", "calibration error")
        cells = [(*map(str, row.chosen.values()), *_figures(row.summary).values()) for row in rows]
        output.print_table((*grid, *headings), cells, right=headings)
    return 0


def _parse_grid(sweeps: list[str]) -> dict[str, list[Any]]:
    """Parse ``KEY=A,B,C`` words into values by key."""
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
