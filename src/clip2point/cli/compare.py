"""``clip2point evaluate`` with ``--protocol few-shot`` or ``supervised``: a comparison of heads."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import data_sets, options, output, tuning_options
from clip2point.cli.figures import command_line, percent, percent_spread, print_published
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.evaluation.comparison import Cell, Comparison

#: In ``--heads``, all that learn from view features.
_ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the protocols that learn; None where not given."""
    group = parser.add_argument_group("learning (--protocol few-shot and supervised)")
    group.add_argument(
        "--shots",
        metavar="N,N,...",
        help="few-shot: numbers of examples of each class (default 1,2,4,8,16, as far as there are enough)",
    )
    group.add_argument(
        "--heads",
        metavar="A,B,...",
        help="names of heads (default all, the built-in ones), in supervised also classifiers of points, as in "
        "all,pointnet,dgcnn; colons fix options that validation would choose, as in gdpa:gate=channel",
    )
    group.add_argument(
        "--augmented-views",
        type=options.positive,
        metavar="K",
        help="views of each example, the first unchanged and the others augmented (default 2)",
    )
    options.add_former_name(group, "--copies", "--augmented-views", type=options.positive, dest="augmented_views")
    group.add_argument(
        "--validation-shots",
        type=options.positive,
        metavar="N",
        help="few-shot: number of validation shapes of each class (default: as many as shots, at most 4)",
    )
    tuning_options.add_options(group)


def run(arguments: argparse.Namespace) -> int:
    """Compare heads, and print the figures."""
    tuning = tuning_options.read_settings(arguments)
    from clip2point.cli.training_console import TrainingConsole
    from clip2point.data.parts import open_parts
    from clip2point.evaluation.protocol_settings import ProtocolSettings
    from clip2point.evaluation.protocols import compare_few_shot, compare_supervised

    given = {name: getattr(arguments, name) for name in ("seeds", "augmented_views", "validation_shots")}
    settings = ProtocolSettings(
        heads=_parse_heads(arguments.heads),
        shots=_parse_shots(arguments.shots),
        **{name: value for name, value in given.items() if value is not None},
        **tuning,
    )
    name, root = data_sets.find_name(arguments)
    parts = open_parts(name, root=root, up=arguments.up, limit=arguments.limit)
    data_sets.announce(parts.test)
    if parts.note:
        output.remark(f"Note: {parts.note}.")
    arguments = argparse.Namespace(**{**vars(arguments), "dtype": settings.choose_dtype(arguments.dtype)})
    found = (compare_supervised if arguments.protocol == "supervised" else compare_few_shot)(
        options.load_model(arguments).without_head(),
        parts,
        settings,
        command=command_line(arguments),
        watch=TrainingConsole,
        progress=output.progress_of(parts.test.name),
    )
    if arguments.report:
        from clip2point.report.comparison_page import write_comparison_page

        output.remark(f"Report: {write_comparison_page(arguments.report, found, compare=arguments.compare)}")
    if arguments.json:
        quoted = {"quoted_not_measured": [row.to_dict() for row in found.find_published()]} if arguments.compare else {}
        output.print_json({**found.to_dict(), **quoted})
    else:
        _print(found)
        if arguments.compare:
            print_published(found.find_published(), parts.test.name, found.protocol)
    output.list_failures(list(found.failures), len(parts.train) + len(parts.validation) + len(parts.test))
    return 1 if found.failures else 0


def _parse_heads(text: str | None) -> tuple[str, ...]:
    """Parse names of heads from ``A,B,...``, where "all" stands for all that learn from view features."""
    from clip2point.evaluation.protocols import list_feature_heads

    names = (text or _ALL).split(",")
    return tuple(head for name in names for head in (list_feature_heads() if name == _ALL else (name,)))


def _parse_shots(text: str | None) -> tuple[int, ...]:
    """Parse integers from ``N,N,...``."""
    words = text.split(",") if text is not None else []
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise OptionError(f"--shots {text}: expected integers from 1 separated by commas, as in 1,2,4,8,16")
    return tuple(int(word) for word in words)


def _print(found: Comparison) -> None:
    """Print accuracies by head and number of shots, other metrics at the largest number, then times."""
    test, last = found.parts.test, found.shots[-1]
    best = {shots: found.best(shots) for shots in found.shots}
    columns = [_shots_name(shots) for shots in found.shots]
    print(
        f"{found.model.name} on {test.name} ({test.split}, {len(found.zero_shot.labels)} shapes), {found.protocol}, "
        f"{len(found.seeds)} seed{'s' if len(found.seeds) > 1 else ''}: accuracy"
    )
    for remark in found.remarks:
        print(f"  {remark}")
    rows = [(found.zero_shot.head, *[percent(found.zero_shot.metrics.accuracy)] * len(columns))]
    rows += [(head, *(_mark_best(cell, best) for cell in found.row(head))) for head in found.heads]
    output.print_table(("head", *columns), rows, right=columns)
    print("* best on validation; the test split has no part in this choice.\n")
    print(f"At {_shots_name(last)}, means over the seeds:")
    details = ("mean class", "calibration error", "validation", "coverage", "accuracy at coverage")
    output.print_table(
        ("head", *details), [(head, *_details(found.cell(head, last))) for head in found.heads], right=details
    )
    print("Coverage: fraction whose confidence reaches the threshold for an accuracy of 95 % on validation.\n")
    print("Seconds to choose and to fit:")
    times = [(head, *(f"{cell.mean('seconds'):.2f}" for cell in found.row(head))) for head in found.heads]
    output.print_table(("head", *columns), times, right=columns)


def _mark_best(cell: Cell, best: dict[int | None, str]) -> str:
    """Format the accuracy, with a star before that of the best head on validation."""
    return ("* " if best[cell.shots] == cell.head else "") + percent_spread(cell.summary.accuracy)


def _details(cell: Cell) -> tuple[str, ...]:
    """Format the other metrics of a head."""
    summary = cell.summary
    return (
        percent_spread(summary.mean_class_accuracy),
        percent_spread(summary.calibration_error),
        *(percent(cell.mean(name)) for name in ("validation_accuracy", "coverage", "accuracy_at_coverage")),
    )


def _shots_name(shots: int | None) -> str:
    """Return the heading of a column."""
    return "all of train" if shots is None else f"{shots} shot{'s' if shots > 1 else ''}"
