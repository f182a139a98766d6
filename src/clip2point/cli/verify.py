"""``clip2point verify``: a model compared with its record."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.evaluation.verification import Verification


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="check a model on the demo shapes",
        description="Classify the demo shapes, and compare every stage with the record that the model carries.",
    )
    options.add_model(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Verify the model."""
    from clip2point.evaluation.verification import verify_model

    found = verify_model(arguments.model, device=arguments.device, dtype=arguments.dtype)
    if found.below_head:
        output.remark(f"{arguments.model}: its head is intact. Checking the model below it, {found.model}:")
    if arguments.json:
        output.print_json(found.to_dict())
    else:
        _print(found)
    if found.checks is None:
        output.remark("This model carries no record of expected results, so nothing could be compared.")
    if found.failed:
        output.remark(f"VERIFICATION FAILED, first at: {found.failed.name}. {found.advice}")
    return 1 if found.failed else 0


def _print(found: Verification) -> None:
    """Print the checks, or the accuracy of a model without a record."""
    if found.checks is None:
        print(f"{found.model}: {found.accuracy:.1%} of {found.samples} demo shapes correct.")
        return
    output.print_table(
        ("check", "expected", "found", ""),
        ((check.name, check.expected, check.got, "ok" if check.passed else "WRONG") for check in found.checks),
    )
