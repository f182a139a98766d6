"""``clip2point clusters``: what is in a library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.search import Library
    from clip2point.search.clustering import Cluster

_DESCRIPTION = """Group the shapes of a library by their looks, and suggest a name for each group from the library's
labels."""
_FILES, _CARDS = 3, 8  # the most central shapes of a cluster in the table and on the page


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("clusters", help="group the shapes of a library", description=_DESCRIPTION)
    libraries.add_library(parser)
    parser.add_argument(
        "--count", type=options.positive, metavar="K", help="clusters (default: as many as the silhouette suggests)"
    )
    parser.add_argument("--seed", type=options.natural, default=0, help="of the clustering (default 0)")
    libraries.add_output(parser, "the clusters")
    libraries.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Cluster the library."""
    from clip2point.search import Library
    from clip2point.search.clustering import cluster_shapes

    library = Library.open(arguments.db)
    found = cluster_shapes(library, libraries.load_model(library, arguments), arguments.count, seed=arguments.seed)
    if arguments.json:
        output.print_json({"clusters": [cluster.to_dict() for cluster in found]})
    else:
        output.print_table(
            ("name", "or", "shapes", "most central"),
            (
                (
                    cluster.name,
                    ", ".join(cluster.alternatives[:2]),
                    f"{len(cluster.paths):,}",
                    ", ".join(Path(path).name for path in cluster.paths[:_FILES]),
                )
                for cluster in found
            ),
            right=("shapes",),
        )
    if arguments.html:
        _write_page(arguments, library, found)
        output.remark(f"Page: {arguments.html}")
    return 0


def _write_page(arguments: argparse.Namespace, library: Library, found: list[Cluster]) -> None:
    from clip2point.report.gallery_page import Card, Section, write_gallery

    sections = []
    for cluster in found:
        central = zip(cluster.paths[:_CARDS], cluster.centrality, strict=False)
        cards = [Card(entry, f"{share:.3f}") for each, share in central if (entry := library.get(each)) is not None]
        names = ", ".join(name.replace("_", " ") for name in cluster.alternatives)
        sections.append(Section(cluster.name.replace("_", " "), f"{len(cluster.paths):,} shapes; or: {names}", cards))
    write_gallery(
        arguments.html,
        sections,
        title="clip2point: clusters",
        summary=f"{len(library):,} shapes in {len(found)} clusters.",
        remarks=[f"The {_CARDS} most central shapes of each, with the cosine to its middle."],
        command=figures.command_line(arguments),
    )
