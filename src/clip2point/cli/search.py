"""``clip2point search``: find shapes by words, photos and other shapes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.search import Hit

_DESCRIPTION = """Find the shapes of a library that are most similar to phrases, photos and other shapes, all of which
may be combined: clip2point search --db DB "a low round table" wooden --not desk --image photo.jpg --shape table.obj"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "search", help="find shapes by words, photos and other shapes", description=_DESCRIPTION
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="phrases, each in quotes, before or between options")
    libraries.add_library(parser)
    for flag, name, metavar, text in (
        ("--not", "without", "TEXT", "excluded phrase, one for each --not"),
        ("--image", "images", "FILE", "photo, one for each --image"),
        ("--shape", "shapes", "FILE", "shape file, one for each --shape"),
        ("--label", "labels", "NAME", "only shapes with this best label; of several --label, one is enough"),
    ):
        parser.add_argument(flag, dest=name, action="append", default=[], metavar=metavar, help=text)
    options.add_up(parser)
    options.add_seed(parser, "the point sampling of --shape")
    parser.add_argument("--top", type=options.positive, default=10, metavar="N", help="number of hits (default 10)")
    parser.add_argument(
        "--where",
        metavar="SQL",
        help="only shapes that meet a condition, for example \"bytes < 1000000 and path like '%%chairs%%'\"; columns: "
        "path, root, bytes, vertices, faces, points, extent_x, extent_y, extent_z, labels, label_scores, up, hash, ...",
    )
    libraries.add_output(parser, "the hits")
    libraries.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search the library."""
    from clip2point.search import Library, Query, search
    from clip2point.search.queries import restrict_to_labels

    query = Query(*(tuple(getattr(arguments, name)) for name in ("texts", "without", "images", "shapes")))
    library = Library.open(arguments.db)
    where = restrict_to_labels(library, arguments.labels, arguments.where)
    model = libraries.load_model(library, arguments)
    hits = search(library, model, query, top=arguments.top, where=where, up=arguments.up, seed=arguments.seed)
    if arguments.json:
        output.print_json({"hits": [hit.to_dict() for hit in hits]})
    elif hits:
        output.print_table(
            ("", "score", "label", "also", "file"),
            ((number, f"{hit.score:.3f}", *_labels(hit), hit.entry.path) for number, hit in enumerate(hits, 1)),
            right=("", "score"),
        )
    if not hits:
        output.remark(f"No shape of {library.path} meets the condition {where}.")
    if arguments.html:
        from clip2point.report.library_pages import write_hits_page

        command = figures.command_line(arguments)
        write_hits_page(arguments.html, library, query, hits, where=where, command=command)
        output.remark(f"Page: {arguments.html}")
    return 0


def _labels(hit: Hit) -> tuple[str, str]:
    """Return the best label and the next two, with their confidences."""
    words = [f"{name} {score:.0%}" for name, score in zip(hit.entry.labels, hit.entry.label_scores, strict=True)]
    return "".join(words[:1]), ", ".join(words[1:3])
