"""``clip2point demo``: the demo shapes, classified."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help="classify demo shapes; start here",
        description="Classify sixteen everyday shapes, and write them, a contact sheet and an HTML report to a folder.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="output folder (default demo)")
    options.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Classify the demo shapes."""
    from clip2point.report.demo_page import make_demo

    demo = make_demo(options.load_model(arguments), arguments.out, progress=output.progress_of("Classifying"))
    output.print_table(
        ("file", "class", "prediction", "confidence", ""),
        (
            (
                Path(entry.result.source).name,
                entry.truth,
                entry.result.label,
                f"{entry.result.confidence:.0%}",
                "correct" if entry.correct else "",
            )
            for entry in demo.entries
        ),
        right=("confidence",),
    )
    print(f"{demo.summary}\n{demo.caveat}".rstrip())
    print(f"Shapes:        {demo.shapes}")
    print(f"Contact sheet: {demo.contact_sheet}")
    print(f"Report:        {demo.page}")
    print(f"Your own:      clip2point classify FILE --labels {','.join(entry.truth for entry in demo.entries[:3])},...")
    return 0
