"""``clip2point search``: find shapes by words, photos and other shapes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.search import Hit, Library, Query

_DESCRIPTION = """Find the shapes of a library that are most like phrases, photos and other shapes, all of which may be
combined: clip2point search --db DB "a low round table" wooden --not desk --image photo.jpg --shape table.obj"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("search", help="find shapes by words, photos, shapes", description=_DESCRIPTION)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="phrases, in quotes, one after the other")
    libraries.add_library(parser)
    parser.add_argument(
        "--not", dest="without", action="append", default=[], metavar="TEXT", help="what is not wanted; may be repeated"
    )
    parser.add_argument(
        "--image", dest="images", action="append", default=[], type=Path, metavar="F", help="a photo; may be repeated"
    )
    parser.add_argument(
        "--shape", dest="shapes", action="append", default=[], type=Path, metavar="F", help="a shape; may be repeated"
    )
    parser.add_argument(
        "--up",
        choices=options.UP_CHOICES,
        default="auto",
        help="the axis that points up in the files of --shape; write --up=-z for a negative one (default: guessed as "
        "for the library)",
    )
    parser.add_argument("--seed", type=options.natural, default=0, help="of the point sampling of --shape (default 0)")
    parser.add_argument("--top", type=options.positive, default=10, help="how many to show (default 10)")
    parser.add_argument(
        "--label",
        dest="labels",
        action="append",
        default=[],
        metavar="NAME",
        help="only shapes whose best label is NAME; may be repeated for one of several",
    )
    parser.add_argument(
        "--where",
        metavar="SQL",
        help="only shapes for which this is true, for example \"bytes < 1000000 and path like '%%chairs%%'\"; columns: "
        "path, root, bytes, vertices, faces, points, extent_x, extent_y, extent_z, labels, label_scores, up, hash, ...",
    )
    libraries.add_output(parser, "what was found")
    libraries.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search the library."""
    from clip2point.search import Library, Query, search

    query = Query(*(tuple(map(str, getattr(arguments, name))) for name in ("texts", "without", "images", "shapes")))
    library = Library.open(arguments.db)
    where = _condition(library, arguments.where, arguments.labels)
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
        output.remark(f"No shape of {library.path} fits the condition {where}.")
    if arguments.html:
        _write_page(arguments, library, query, hits, where)
        output.remark(f"Page: {arguments.html}")
    return 0


def _condition(library: Library, where: str | None, labels: list[str]) -> str | None:
    """What ``--where`` and ``--label`` say, in SQL."""
    known = {label.replace("_", " "): label for label in library.labels}
    if unknown := [label for label in labels if label.replace("_", " ") not in known]:
        raise OptionError(
            f"no shape of {library.path} can have the label {unknown[0]!r}: expected one of {', '.join(library.labels)}"
        )
    if not labels:
        return where
    names = ", ".join("'" + known[label.replace("_", " ")].replace("'", "''") + "'" for label in labels)
    condition = f"labels[1] in ({names})"
    return f"({where}) and {condition}" if where else condition


def _labels(hit: Hit) -> tuple[str, str]:
    """The best label with its confidence, and the others."""
    words = [f"{name} {score:.0%}" for name, score in zip(hit.entry.labels, hit.entry.label_scores, strict=True)]
    return "".join(words[:1]), ", ".join(words[1:3])


def _write_page(
    arguments: argparse.Namespace, library: Library, query: Query, hits: list[Hit], where: str | None
) -> None:
    from clip2point.report.gallery_page import Card, Section, write_gallery

    cards = [Card(hit.entry, f"{number}. {hit.score:.3f}") for number, hit in enumerate(hits, 1)]
    write_gallery(
        arguments.html,
        [Section("", "", cards)],
        title="clip2point: search",
        summary=f"The {len(hits)} most alike of {len(library):,} shapes.",
        command=figures.command_line(arguments),
        remarks=[f"Only where {where}"] if where else [],
        query=query,
    )
