"""Figures of evaluations in words: shares, deviations, what papers state, and the command that was given."""

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
    """A share in percent, or a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def percent_spread(spread: Spread) -> str:
    """The mean in percent, with the deviation where there are several runs."""
    return percent(spread.mean) + ("" if spread.deviation is None else f" ± {100 * spread.deviation:.1f}")


def print_published(rows: Sequence[Published], dataset: str, protocol: str) -> None:
    """Print figures of the papers, marked as such.

    Args:
        rows: what there is.
        dataset: that was asked for.
        protocol: that was asked for.
    """
    if not rows:
        print(f"\nThe papers in our list state nothing for {dataset}, {protocol}.")
        return
    print("\nQuoted from the papers, not measured here:")
    output.print_table(
        ("system", "protocol", "accuracy", "backbone", "source", "note"),
        ((row.system, row.protocol, f"{row.accuracy:g}%", row.backbone, row.source, row.note) for row in rows),
        right=("accuracy",),
    )


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command line of these arguments, to be repeated in results."""
    return shlex.join(["clip2point", *arguments.words])
