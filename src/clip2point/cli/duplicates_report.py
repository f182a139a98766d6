"""``clip2point duplicates-report``: near-duplicates and exact copies in a library."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.search.duplicates import DuplicateGroup

_DESCRIPTION = """List the shapes of a library that look alike and have the same proportions, whatever their format,
size, colours and number of triangles, and the files that are exact copies of each other."""
#: Spelt out here because the parser must not import NumPy; the tests hold them against the library.
THRESHOLD, PROPORTIONS = 0.95, 0.01


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "duplicates-report", help="list near-duplicates and exact copies", description=_DESCRIPTION
    )
    libraries.add_library(parser)
    parser.add_argument(
        "--threshold",
        type=options.fraction,
        default=THRESHOLD,
        metavar="C",
        help=f"least cosine of near-duplicates, up to 1 (default {THRESHOLD}); a lower one finds more, and more false "
        "ones",
    )
    parser.add_argument(
        "--proportions",
        type=options.fraction,
        default=PROPORTIONS,
        metavar="P",
        help=f"largest difference of the proportions of their bounding boxes (default {PROPORTIONS}; 1 ignores them)",
    )
    libraries.add_output(parser, "the groups")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find and list the groups."""
    from clip2point.search import Library
    from clip2point.search.duplicates import find_duplicates, summarise

    library = Library.open(arguments.db)
    groups = find_duplicates(
        library, arguments.threshold, proportions=arguments.proportions, progress=output.progress_of("Comparing")
    )
    if arguments.json:
        output.print_json({"threshold": arguments.threshold, "groups": [group.to_dict() for group in groups]})
    else:
        _print(groups)
    output.remark(summarise(groups, len(library)))
    if arguments.html:
        from clip2point.report.library_pages import write_duplicates_page

        write_duplicates_page(arguments.html, library, groups, command=figures.command_line(arguments))
        output.remark(f"Page: {arguments.html}")
    return 0


def _print(groups: list[DuplicateGroup]) -> None:
    """Print a row for each member, with the number and similarity of its group in the first."""
    if groups:
        output.print_table(
            ("group", "similarity", "label", "bytes", "file"),
            (
                (
                    "" if index else number,
                    "" if index else group.similarity,
                    entry.labels[0] if entry.labels else "",
                    f"{entry.bytes:,}",
                    entry.path,
                )
                for number, group in enumerate(groups, 1)
                for index, entry in enumerate(group.entries)
            ),
            right=("group", "bytes"),
        )
