"""``clip2point index``: bring a library of shapes up to date."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.model import Recogniser
    from clip2point.search.indexing import Embedder, IndexReport
    from clip2point.search.library import Library

_DESCRIPTION = """Embed all meshes and clouds in some folders and their sub-folders, and keep the vectors with labels,
sizes and thumbnails in a library that 'clip2point search' and others look things up in. Run it again whenever files
have changed: only new and changed ones are embedded, moved ones are recognised, and those that are gone are dropped.
A run that was stopped goes on where it was."""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser("index", help="add shapes to a search library", description=_DESCRIPTION)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders with shape files")
    parser.add_argument("--db", type=Path, required=True, metavar="DB", help="folder of the library; made if need be")
    parser.add_argument(
        "--up",
        choices=options.UP_CHOICES,
        default="auto",
        help="the axis that points up; write --up=-z for a negative one. 'auto' (the default) goes by the file format "
        "and where that does not say tries y and z; files that are in the library keep theirs",
    )
    parser.add_argument("--seed", type=options.natural, default=0, help="of the point sampling (default 0)")
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument(
        "--labels",
        metavar="A,B,C",
        help="names that the entries' labels are chosen from, when the library is made (default: ModelNet40's)",
    )
    labels.add_argument("--labels-file", type=Path, metavar="F", help="text file with one such name a line")
    parser.add_argument("--retry-failed", action="store_true", help="try files that could not be read before again")
    parser.add_argument(
        "--workers", type=options.positive, metavar="N", help="processes that read files (default: one a core)"
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="have a Ray cluster embed: HOST:PORT of its head, 'auto' for the one that this machine belongs to, or "
        "'local'; its machines see the folders under the same paths (needs the extra 'ray'; --workers is then batches "
        "at a time)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Index the folders."""
    from clip2point.core.labels import check_labels
    from clip2point.core.machine import available_cores
    from clip2point.search.indexing import index_shapes
    from clip2point.search.library import Library

    # What can be wrong is found before the model is loaded and a library made.
    for folder in arguments.folders:
        if not folder.is_dir():
            raise OptionError(f"{folder}: no such folder: expected one with shape files; check the path")
    labels = options.read_labels(arguments)
    if labels is not None:
        check_labels(labels)
    model = options.load_model(arguments)
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
    return 1 if report.failed else 0


def _cluster(arguments: argparse.Namespace, model: Recogniser) -> Embedder:
    """A cluster in place of this process."""
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
    """Print the report as asked for."""
    if arguments.json:
        output.print_json(report.to_dict())
        return
    counts = {name: value for name, value in report.to_dict().items() if name not in ("failed", "seconds")}
    output.print_table((*counts, "failed"), [[f"{value:,}" for value in (*counts.values(), len(report.failed))]])
    print(f"{len(library):,} shapes in {library.path}, embedded by {library.model_name}; {report.seconds:,.1f} s")
