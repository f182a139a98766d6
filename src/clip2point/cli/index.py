"""``clip2point index``: bring a library of shapes up to date."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.model import Recogniser
    from clip2point.search.indexing import Embedder, IndexReport
    from clip2point.search.library import Library

_DESCRIPTION = """Embed all meshes and point clouds in folders and their sub-folders, and store the vectors with labels,
sizes and thumbnails in a library for 'clip2point search' and others. Run it again when files have changed: only new and
changed ones are embedded, moved ones are recognised, and missing ones are removed. A stopped run continues where it
was."""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("index", help="add shapes to a search library", description=_DESCRIPTION)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders with shape files")
    parser.add_argument(
        "--db", type=Path, required=True, metavar="DB", help="folder of the library, created if missing"
    )
    options.add_up(parser)
    options.add_seed(parser, "the point sampling")
    options.add_labels(parser, "vocabulary of the labels of a new library (default: @everyday)")
    parser.add_argument("--retry-failed", action="store_true", help="try files again that could not be read before")
    parser.add_argument(
        "--workers",
        type=options.positive,
        metavar="N",
        help="number of processes that read files (default: one per core)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="address of a Ray cluster that embeds: HOST:PORT of its head, 'auto' for the one that this machine "
        "belongs to, or 'local'; its machines see the folders under the same paths (needs the extra 'ray'; --workers "
        "is then the number of batches at a time)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Index the folders."""
    from clip2point.core.machine import available_cores
    from clip2point.search.indexing import index_shapes
    from clip2point.search.library import Library
    from clip2point.shapes import check_folder

    # Mistakes are found before the model is loaded and a library created.
    for folder in arguments.folders:
        check_folder(folder)
    labels = options.get_labels(arguments)
    model = options.load_model(arguments)
    options.tell_labels(model, labels)
    library = Library.open_or_create(arguments.db, model)
    report = index_shapes(
        library,
        model,
        arguments.folders,
        up=arguments.up,
        seed=arguments.seed,
        labels=labels,
        retry_failed=arguments.retry_failed,
        workers=arguments.workers or available_cores(),
        embedder=_cluster(arguments, model) if arguments.ray else None,
        progress=output.progress,
    )
    _print(report, library, arguments)
    output.list_failures(report.failed, report.files)
    output.tell_passed_over(arguments.folders)
    return 1 if report.failed else 0


def _cluster(arguments: argparse.Namespace, model: Recogniser) -> Embedder:
    """Return the cluster that embeds in place of this process."""
    from clip2point.search.ray_indexing import RayEmbedder

    return RayEmbedder(
        model,
        arguments.model,
        address=arguments.ray,
        device=arguments.device,
        dtype=arguments.dtype,
        workers=arguments.workers,
    )


def _print(report: IndexReport, library: Library, arguments: argparse.Namespace) -> None:
    """Print the report as a table or as JSON."""
    if arguments.json:
        output.print_json(report.to_dict())
        return
    counts = {name: value for name, value in report.to_dict().items() if name not in ("failed", "seconds")}
    output.print_table((*counts, "failed"), [[f"{value:,}" for value in (*counts.values(), len(report.failed))]])
    print(f"{len(library):,} shapes in {library.path}, embedded by {library.model_name}; {report.seconds:,.1f} s")
