"""``clip2point clusters``: groups of similar shapes in a library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import figures, libraries, options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers

_DESCRIPTION = """Group the similar shapes of a library, and suggest a name for each group from the library's labels."""
#: Names besides the first, and shapes, of a cluster in the table.
_NAMES, _CENTRAL = 2, 3


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("clusters", help="group the shapes of a library", description=_DESCRIPTION)
    libraries.add_library(parser)
    parser.add_argument(
        "--count",
        type=options.positive,
        metavar="K",
        help="number of clusters (default: the one with the best silhouette)",
    )
    options.add_seed(parser, "the clustering")
    libraries.add_output(parser, "the clusters")
    libraries.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Cluster the library."""
    from clip2point.search import Library
    from clip2point.search.clustering import cluster_shapes

    library = Library.open(arguments.db)
    clusters = cluster_shapes(library, libraries.load_model(library, arguments), arguments.count, seed=arguments.seed)
    if arguments.json:
        output.print_json({"clusters": [cluster.to_dict() for cluster in clusters]})
    else:
        output.print_table(
            ("name", "or", "shapes", "most central"),
            (
                (
                    cluster.name,
                    ", ".join(cluster.alternatives[:_NAMES]),
                    f"{len(cluster.paths):,}",
                    ", ".join(Path(path).name for path in cluster.paths[:_CENTRAL]),
                )
                for cluster in clusters
            ),
            right=("shapes",),
        )
    if arguments.html:
        from clip2point.report.library_pages import write_clusters_page

        write_clusters_page(arguments.html, library, clusters, command=figures.command_line(arguments))
        output.remark(f"Page: {arguments.html}")
    return 0
