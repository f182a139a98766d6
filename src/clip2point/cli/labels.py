"""``clip2point labels``: presets of class names, and what a model makes of a list."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "labels",
        help="list presets of class names, and check lists of your own",
        description="Without LIST, list the presets that --labels takes. With LIST, print its class names one a line, "
        "and with --check or --model say which of them the model cannot tell apart or may not know.",
    )
    parser.add_argument("list", nargs="?", metavar="LIST", help="@PRESET, names parted by commas, or a file of names")
    parser.add_argument(
        "--check", action="store_true", help="check the names with the model; exit status 1 if it doubts"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options.add_model(parser)
    parser.set_defaults(run=run, model=None)


def run(arguments: argparse.Namespace) -> int:
    """List presets, or the names of a list."""
    from clip2point.core.labels import ENDINGS, PRESETS, check_labels, read_labels, split_labels

    if arguments.list is None:
        rows = [(f"@{name}", f"{len(names):,}", summary) for name, (names, summary) in PRESETS.items()]
        if arguments.json:
            output.print_json(
                {"presets": [{"name": n, "labels": list(PRESETS[n[1:]][0]), "summary": s} for n, _, s in rows]}
            )
        else:
            output.print_table(("labels", "names", "what they are"), rows, right=("names",))
        return 0
    path = Path(arguments.list)
    named = path.is_file() or (path.suffix.lower() in ENDINGS and "," not in arguments.list)
    labels = check_labels(read_labels(path) if named else split_labels(arguments.list))
    notes: tuple[str, ...] = ()
    if arguments.check or arguments.model is not None:
        arguments.model = arguments.model or "pocket"
        notes = options.load_model(arguments).note_labels(labels)
    if arguments.json:
        output.print_json({"labels": labels, "notes": list(notes)})
    else:
        print("\n".join(labels))
        for note in notes:
            output.remark(note)
    return 1 if notes else 0
