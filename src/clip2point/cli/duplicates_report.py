"""``clip2point duplicates-report``: shapes of a library that are there more than once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.search import Library
    from clip2point.search.duplicates import DuplicateGroup

_DESCRIPTION = """List the shapes of a library that look alike and have the same proportions, whatever their format,
size, colours and number of triangles, and the files that are exact copies of each other."""
#: Groups and members on the page; all are in the JSON.
_GROUPS, _MEMBERS = 200, 12


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("duplicates-report", help="list near-duplicates and copies", description=_DESCRIPTION)
    libraries.add_library(parser)
    parser.add_argument(
        "--threshold",
        type=options.share,
        metavar="C",
        help="cosine, up to 1, from which shapes count as near-duplicates (default 0.95; lower finds more, rightly and "
        "wrongly)",
    )
    parser.add_argument(
        "--proportions",
        type=options.share,
        metavar="P",
        help="most that the proportions of their bounding boxes differ by (default 0.01; 1 to leave them out)",
    )
    libraries.add_output(parser, "the groups")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find and list the groups."""
    from clip2point.search import Library
    from clip2point.search.duplicates import PROPORTIONS, THRESHOLD, find_duplicates

    library = Library.open(arguments.db)
    threshold = THRESHOLD if arguments.threshold is None else arguments.threshold
    groups = find_duplicates(
        library,
        threshold,
        proportions=PROPORTIONS if arguments.proportions is None else arguments.proportions,
        progress=lambda blocks, total: output.progress(blocks, "Comparing", total),
    )
    if arguments.json:
        output.print_json({"threshold": threshold, "groups": [group.to_dict() for group in groups]})
    else:
        _print(groups)
    summary = _summary(groups, len(library))
    output.remark(summary)
    if arguments.html:
        _write_page(arguments, library, groups, summary)
        output.remark(f"Page: {arguments.html}")
    return 0


def _print(groups: list[DuplicateGroup]) -> None:
    """A table with a row for each member."""
    if groups:
        output.print_table(
            ("group", "alike", "label", "bytes", "file"),
            (
                (
                    number if first else "",
                    _alike(group) if first else "",
                    entry.labels[0] if entry.labels else "",
                    f"{entry.bytes:,}",
                    entry.path,
                )
                for number, group in enumerate(groups, 1)
                for first, entry in zip([True] + [False] * len(group.entries), group.entries, strict=False)
            ),
            right=("group", "bytes"),
        )


def _alike(group: DuplicateGroup) -> str:
    """How alike the members of a group are, in words."""
    if group.exact:
        return "copies"
    copies = sum(map(len, group.copies))
    return f"from {group.lowest:.3f}" + (f", {copies} are copies" if copies else "")


def _summary(groups: list[DuplicateGroup], total: int) -> str:
    shapes = sum(len(group.entries) for group in groups)
    spare = sum(entry.bytes for group in groups for entry in group.entries) - sum(
        max(entry.bytes for entry in group.entries) for group in groups
    )
    copies = sum(len(paths) for group in groups for paths in group.copies)
    return (
        f"{shapes:,} of {total:,} shapes are in {len(groups):,} groups of near-duplicates, {copies:,} of them exact "
        f"copies of others; all but the largest file of each group take {spare / 1e6:,.1f} MB."
    )


def _write_page(arguments: argparse.Namespace, library: Library, groups: list[DuplicateGroup], summary: str) -> None:
    from clip2point.report.gallery_page import Card, Section, write_gallery

    sections = []
    for number, group in enumerate(groups[:_GROUPS], 1):
        copies = {copy: letter for letter, paths in enumerate(group.copies, 1) for copy in paths}
        cards = [
            Card(entry, note=f"copies {copies[entry.path]}" if entry.path in copies else "")
            for member in group.entries[:_MEMBERS]
            if (entry := library.get(member.path)) is not None
        ]
        sections.append(Section(f"Group {number}", f"{len(group.entries)} shapes, {_alike(group)}", cards))
    shown = [f"The page shows {_GROUPS} of them, and at most {_MEMBERS} shapes of each; --json prints all."]
    write_gallery(
        arguments.html,
        sections,
        title="clip2point: near-duplicates",
        summary=summary,
        remarks=shown if len(groups) > _GROUPS or any(len(group.entries) > _MEMBERS for group in groups) else [],
        command=figures.command_line(arguments),
    )
