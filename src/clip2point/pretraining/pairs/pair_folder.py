"""A folder of pairs, filled step by step; what is done stays done, whenever it is stopped.

Shard i holds models i*n to (i+1)*n - 1 of the source, so the plan needs no book-keeping. A shard is written under a
temporary name and renamed when whole; then the index is replaced by one that lists it. What the index does not list
is made again, with the same bytes, so that a kill at any moment neither loses nor doubles a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clip2point.core.errors import OptionError
from clip2point.core.machine import available_cores
from clip2point.core.progress import Progress
from clip2point.core.version import __version__
from clip2point.core.workers import map_in_order
from clip2point.data.pairs import INDEX, PairIndex, ShardEntry, read_index, write_shard
from clip2point.data.pairs.shard_index import SHARDS, UNFINISHED, shard_name
from clip2point.pretraining.pairs.pair_rendering import (
    IMAGE_SIZE,
    POINTS,
    REVISION,
    VIEWS,
    RenderedPair,
    render_pair,
    report_crash,
)
from clip2point.pretraining.pairs.source_model import SourceModel
from clip2point.pretraining.pairs.sources import Source


@dataclass(frozen=True)
class PairSettings:
    """Settings of a folder of pairs.

    Attributes:
        seed: Seed of the points, at least 0.
        shard_size: Models in a shard, at least 1.
    """

    seed: int = 0
    shard_size: int = 256

    def __post_init__(self) -> None:
        if self.shard_size < 1 or self.seed < 0:
            raise OptionError(
                f"got shard_size={self.shard_size}, seed={self.seed}: expected shard_size >= 1 and seed >= 0"
            )


class PairFolder:
    """Shards of pairs of one source, with their index; one run at a time fills it.

    Attributes:
        path: Path of the folder.
        source: Models that the pairs are made of.
    """

    def __init__(
        self,
        path: str | Path,
        source: Source,
        settings: PairSettings | None = None,
        *,
        retry_failed: bool = False,
    ) -> None:
        """Open a folder, or begin a new one; nothing is written yet.

        Args:
            path: Path of the folder.
            source: Models to make pairs of.
            settings: Settings; if the folder has pairs, those that it was begun with.
            retry_failed: Make shards with broken models again.

        Raises:
            OptionError: If the folder holds pairs of another source or made with other settings.
            DataError: If its index is damaged.
        """
        self.path = Path(path)
        self.source = source
        self._settings = settings or PairSettings()
        size = self._settings.shard_size
        self._shards = [source.models[at : at + size] for at in range(0, len(source.models), size)]
        self._recipe = _recipe(source, self._settings)
        self._index = self._open_index(retry_failed)

    @property
    def remaining(self) -> int:
        """Number of models that are still to be rendered."""
        return sum(len(self._shards[number]) for number in self._missing())

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Key and error of each broken model among those done."""
        return [failure for _, entry in sorted(self._index.shards.items()) for failure in entry.failures.items()]

    def render(self, workers: int = 1) -> Iterator[str]:
        """Render what remains.

        The bytes of the shards do not depend on the number of workers. These are processes that begin by importing
        the main module, so a script that calls this needs ``if __name__ == "__main__":`` around it.

        Args:
            workers: Number of processes.

        Yields:
            The key of each model once it is rendered or has turned out broken.

        Raises:
            OSError: If the folder cannot be written to.
        """
        missing = self._missing()
        if not missing:
            return
        self._prepare()
        with closing(self._map([model for number in missing for model in self._shards[number]], workers)) as results:
            for number in missing:
                yield from self._write(number, results)

    def _map(self, models: Iterable[SourceModel], workers: int) -> Generator[RenderedPair, None, None]:
        """Render models in processes, in their order."""
        return map_in_order(partial(render_pair, seed=self._settings.seed), models, workers, report_crash)

    def _missing(self) -> list[int]:
        """Numbers of the shards that are still to be made."""
        return [number for number in range(len(self._shards)) if number not in self._index.shards]

    def _prepare(self) -> None:
        """Make the folder ready for shards."""
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob(UNFINISHED):
            leftover.unlink(missing_ok=True)
        self._save_index()

    def _write(self, number: int, results: Iterator[RenderedPair]) -> Iterator[str]:
        """Write a shard from the next results, then list it in the index."""
        path = self.path / shard_name(number)
        failures: dict[str, str] = {}
        with write_shard(path) as shard:
            for _ in self._shards[number]:
                result = next(results)
                if result.error:
                    failures[result.key] = result.error
                else:
                    shard.add(result.key, result.files)
                yield result.key
        self._index.shards[number] = ShardEntry(path.name, shard.size, shard.keys, failures)
        self._save_index()

    def _save_index(self) -> None:
        self._index.write(self.path)

    def _open_index(self, retry_failed: bool) -> PairIndex:
        """Index with the shards that are there as it says, less those that are to be made again."""
        try:
            found = read_index(self.path)
        except FileNotFoundError:
            if any(self.path.glob(SHARDS)):
                raise OptionError(
                    f"{self.path}: holds shards, but no {INDEX} that says what they are; choose another folder"
                ) from None
            return PairIndex(self._recipe)
        self._check(found.recipe)
        whole = {number: entry for number, entry in found.shards.items() if entry.is_whole(self.path)}
        return PairIndex(
            self._recipe, {n: entry for n, entry in whole.items() if not (retry_failed and entry.failures)}
        )

    def _check(self, recipe: Mapping[str, Any]) -> None:
        """Raise OptionError if the folder was begun with other settings; another version may go on."""
        begun = {"revision": 1, **recipe}
        differing = [name for name in self._recipe if name != "version" and begun.get(name) != self._recipe[name]]
        if not differing:
            return
        known = [name for name in differing if name != "models_sha256"]
        said = ", ".join(f"{name} {begun.get(name)} (now {self._recipe[name]})" for name in known)
        raise OptionError(
            f"{self.path}: holds pairs made of {said or 'other models'}: give the same source and settings to "
            "continue, or another folder to start again"
        )


def write_pairs(
    source: Source,
    out: str | Path,
    settings: PairSettings | None = None,
    *,
    retry_failed: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> PairFolder:
    """Render a source into a folder of pairs, or what an earlier run left of it.

    Args:
        source: Models to make pairs of.
        out: Path of the folder.
        settings: Settings; if the folder has pairs, those that it was begun with.
        retry_failed: Make shards with broken models again.
        workers: Number of processes; as many as there are cores if not given (see ``PairFolder.render``).
        progress: Wrapper of an iterable of a given length, to show how far rendering is.

    Returns:
        The folder, filled; its ``failures`` are the models that could not be rendered.

    Raises:
        OptionError: If the folder holds pairs of another source or made with other settings.
        DataError: If its index is damaged.
        OSError: If it cannot be written to.
    """
    folder = PairFolder(out, source, settings, retry_failed=retry_failed)
    steps = folder.render(workers or available_cores())
    for _ in steps if progress is None else progress(steps, folder.remaining):
        pass
    return folder


def _recipe(source: Source, settings: PairSettings) -> dict[str, Any]:
    """All that the pairs of a folder depend on, as its index tells it."""
    return {
        "source": source.kind,
        "models": len(source.models),
        "models_sha256": _fingerprint(source.models),
        "up": source.up,
        "shard_size": settings.shard_size,
        "seed": settings.seed,
        "points": POINTS,
        "views": VIEWS,
        "image_size": IMAGE_SIZE,
        "revision": REVISION,
        "version": __version__,
    }


def _fingerprint(models: Iterable[SourceModel]) -> str:
    digest = hashlib.sha256()
    for model in models:
        digest.update(json.dumps(model.info.to_dict(), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()
