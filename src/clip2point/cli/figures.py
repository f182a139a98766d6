"""Figures of evaluations in words: percentages, deviations, quoted results, and the command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clip2point.cli import output

if TYPE_CHECKING:
    from clip2point.evaluation.published import Published
    from clip2point.heads.metrics import Spread


def percent(value: float | None) -> str:
    """Format a fraction in percent, None as a dash."""
    return "–" if value is None else f"{value:.1%}"


def percent_spread(spread: Spread) -> str:
    """Format the mean in percent, with the standard deviation if there are several runs."""
    return percent(spread.mean) + ("" if spread.deviation is None else f" ± {100 * spread.deviation:.1f}")


def print_published(rows: Sequence[Published], dataset: str, protocol: str) -> None:
    """Print results of papers, marked as quoted.

    Args:
        rows: Results for the data set and the protocol.
        dataset: Name of the data set.
        protocol: Name of the protocol.
    """
    if not rows:
        print(f"\nNo results of papers are known for {dataset}, {protocol}.")
        return
    print("\nQuoted from the papers, not measured here:")
    output.print_table(
        ("system", "protocol", "accuracy", "backbone", "source", "note"),
        ((row.system, row.protocol, f"{row.accuracy:g}%", row.backbone, row.source, row.note) for row in rows),
        right=("accuracy",),
    )


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command line of parsed arguments, for records of results."""
    return shlex.join(["clip2point", *arguments.words])
