"""``clip2point pairs``: image-depth pairs for pre-training."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options, output
from clip2point.core.errors import OptionError
from clip2point.core.registries import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clip2point.cli.classify import Subparsers
    from clip2point.pretraining.pairs import PairFolder, Source

_DESCRIPTION = """Render shaded colour images of ten views of each model of a source, draw 8,192 points of its surface,
and write both as WebDataset shards with captions and licences. A stopped run goes on where it was when it is started
again. SOURCE is the path of ShapeNetCore.v2 or of any other folder of meshes, or one of: {sources}; or KIND:TEXT for a
kind that an installed package adds (recipes/pocket: furniture catalogues, manifests of packages to download)."""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    sources = ", ".join(f"{name} ({entry.summary})" for name, entry in SOURCES.built_in.items())
    parser = commands.add_parser(
        "pairs",
        help="render image-depth pairs for pre-training",
        description=_DESCRIPTION.format(sources=sources),
    )
    parser.add_argument("source", metavar="SOURCE", help="source of the models")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the shards")
    parser.add_argument("--dry-run", action="store_true", help="count the models; render and write nothing")
    parser.add_argument(
        "--workers", type=options.positive, metavar="N", help="number of processes (default: one per core)"
    )
    parser.add_argument(
        "--shard-size", type=options.positive, default=256, metavar="N", help="models per shard (default 256)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the points and of the shapes of samples:N (default 0)"
    )
    parser.add_argument(
        "--up", choices=options.UP_CHOICES, help="axis that points up in a folder of meshes (default: auto)"
    )
    parser.add_argument(
        "--excluded", type=Path, metavar="FILE", help="text file with one model id per line, of models to leave out"
    )
    parser.add_argument(
        "--limit", type=options.positive, metavar="N", help="only N models, spread over the source, for a trial"
    )
    parser.add_argument("--retry-failed", action="store_true", help="render models again that were broken before")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="address of a Ray cluster that renders: HOST:PORT of its head, 'auto' for the one that this machine "
        "belongs to, or 'local'; its machines share SOURCE and DIR (needs the extra 'ray'; --workers is then the "
        "number of shards at a time)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the pairs."""
    from clip2point.pretraining.pairs import open_source
    from clip2point.pretraining.pairs.sources import absolute_spec

    excluded = _read_ids(arguments.excluded) if arguments.excluded else set()
    spec = absolute_spec(arguments.source) if arguments.ray else arguments.source
    reopen = partial(open_source, spec, up=arguments.up, excluded=excluded, seed=arguments.seed, limit=arguments.limit)
    source = reopen()
    if arguments.excluded:
        output.remark(f"{arguments.excluded}: {source.excluded} models left out, {len(excluded)} ids given.")
    if arguments.dry_run:
        _count(source)
        return 0
    folder, steps = _prepare(arguments, source, reopen)
    total, remaining = len(source.models), folder.remaining
    if remaining < total:
        output.remark(f"{total - remaining:,} of {total:,} models are done already.")
    for _ in output.progress(steps, "Rendering pairs", remaining):
        pass
    failures = folder.failures
    print(f"{total - len(failures):,} pairs of {total:,} models: {arguments.out}")
    output.list_failures(failures, total)
    output.tell_passed_over([arguments.source])
    return 1 if failures else 0


def _prepare(
    arguments: argparse.Namespace, source: Source, reopen: Callable[[], Source]
) -> tuple[PairFolder, Iterator[str]]:
    """Return the folder, and the steps that fill it, here or on a cluster."""
    from clip2point.core.machine import available_cores
    from clip2point.pretraining.pairs import PairFolder, PairSettings

    settings = PairSettings(arguments.seed, arguments.shard_size)
    if arguments.ray:
        from clip2point.pretraining.pairs.ray_rendering import RayPairFolder

        cluster = RayPairFolder(
            arguments.out, source, reopen, settings, address=arguments.ray, retry_failed=arguments.retry_failed
        )
        return cluster, cluster.render(arguments.workers)
    folder = PairFolder(arguments.out, source, settings, retry_failed=arguments.retry_failed)
    return folder, folder.render(arguments.workers or available_cores())


def _read_ids(path: Path) -> set[str]:
    """Read model ids, one per line; names of point files, as lists of ShapeNet-55 have them, will do."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OptionError(f"{path}: cannot read model ids ({why}); expected a text file with one per line") from error
    return {line.strip().removesuffix(".npy") for line in lines if line.strip() and not line.startswith("#")}


def _count(source: Source) -> None:
    """Print how many models there are, by category and by licence."""
    from collections import Counter

    from clip2point.data.shapenet import SIZE
    from clip2point.pretraining.pairs.mesh_sources import SHAPENET

    for heading, counts in (
        ("category", Counter(model.info.category or "(none)" for model in source.models)),
        ("licence", Counter(model.info.licence or "(not stated)" for model in source.models)),
    ):
        output.print_table((heading, "models"), counts.most_common(), right=("models",))
    total = len(source.models)
    print(f"{total:,} models of {source.kind}")
    if source.kind == SHAPENET:
        print(f"This is the paper's number, {SIZE:,}." if total == SIZE else f"The paper has {SIZE:,}.")
