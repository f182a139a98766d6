"""``clip2point classify``: shapes by class names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.model import Classification, Failure

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "classify",
        help="classify shapes by class names of your choice",
        description="Classify shapes: print the class names that fit each file best.",
    )
    options.add_files(parser)
    options.add_labels(parser, "class names to choose from (default: those that the model learned, or ModelNet40's)")
    options.add_prompts(parser)
    parser.add_argument(
        "--top", type=options.positive, default=5, metavar="N", help="number of class names to show (default 5)"
    )
    parser.add_argument(
        "--unknown-below",
        type=options.fraction,
        metavar="C",
        help="confidence, 0 to 1, below which a shape is called unknown (default: the thresholds of confidence and of "
        "the OOD score that 'clip2point adapt' found for the model; else 0)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--save-views", type=Path, metavar="DIR", help="folder for the depth maps that the model sees")
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Classify the files."""
    from clip2point.model import Failure
    from clip2point.report.view_folder import ViewFolder
    from clip2point.shapes import expand_folders

    labels = options.get_labels(arguments)
    files = expand_folders(arguments.files)
    model = options.load_model(arguments)
    folder = ViewFolder(arguments.save_views, model.views) if arguments.save_views else None
    if labels is None and model.adapted is None:
        output.remark("No --labels given: choosing among the 40 class names of ModelNet40.")
    answers = model.classify_many(
        files,
        labels,
        up=arguments.up,
        top=arguments.top,
        seed=arguments.seed,
        unknown_below=arguments.unknown_below,
        keep_views=folder is not None,
    )
    results: list[Classification] = []
    failures: list[Failure] = []
    for answer in output.progress(answers, "Classifying", len(files)):
        if isinstance(answer, Failure):
            failures.append(answer)
            continue
        if folder is not None and answer.depth is not None:
            folder.add(Path(answer.source), answer.depth, f"{answer.verdict} {answer.confidence:.0%}")
        results.append(answer)
    _print(results, failures, arguments)
    if folder is not None and results:
        output.remark(f"Depth maps: {folder.finish()}")
    output.list_failures([(failure.source, failure.error) for failure in failures], len(files))
    return 1 if failures else 0


def _print(results: list[Classification], failures: list[Failure], arguments: argparse.Namespace) -> None:
    """Print answers as a table or as JSON."""
    if arguments.json:
        output.print_json(
            {
                "results": [result.to_dict() for result in results],
                "failures": [failure.to_dict() for failure in failures],
            }
        )
    elif results:
        output.print_table(
            ("file", "label", "confidence", "also", "up"),
            (
                (
                    result.source,
                    result.verdict,
                    f"{result.confidence:.0%}",
                    ", ".join(f"{guess.label} {guess.confidence:.0%}" for guess in result.guesses[1:]),
                    result.up + ("?" if result.up_from == "guessed" else ""),
                )
                for result in results
            ),
            right=("confidence",),
        )
        # A guessed up-axis has its mark in the table.
        output.list_notes(
            (result.source, note)
            for result in results
            for note in (result.notes[:-1] if result.up_from == "guessed" else result.notes)
        )
