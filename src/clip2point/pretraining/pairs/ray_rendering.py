"""The shards of a ``PairFolder``, rendered by many machines: a Ray Data pipeline.

Needs the extra: ``pip install 'clip2point[ray]'``. A row of the pipeline is the number of a shard. The machine that
gets it lists the source itself, renders the shard as one machine alone would, and writes it to the folder, so that
neither models nor pictures travel through Ray. The process that started the pipeline keeps the index.

All machines must see the source and the folder under the same paths, on a file system that they share, and have the
same version of this package.
"""

from __future__ import annotations

import json
import pickle
import platform
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from clip2point.core.errors import Clip2PointError, DataError, reason
from clip2point.core.ray_cluster import LOCAL, connect, map_rows
from clip2point.data.pairs import PairIndex, ShardEntry
from clip2point.pretraining.pairs.pair_folder import PairFolder, PairSettings
from clip2point.pretraining.pairs.sources import Source

#: Seconds until a file that one machine wrote must be seen by another: NFS may remember for a minute what it knew.
_PATIENCE = 90.0


@dataclass(frozen=True)
class _Job:
    """What a machine needs to make any shard.

    Attributes:
        path: Path of the folder, absolute.
        reopen: Function that lists the source.
        settings: Settings of the folder.
        recipe: Recipe of the folder, which the machine's own must equal.
    """

    path: Path
    reopen: Callable[[], Source]
    settings: PairSettings
    recipe: dict[str, Any]


class RayPairFolder(PairFolder):
    """A folder of pairs that a Ray cluster fills; it has the same bytes as one that was filled by this machine.

    Either kind of folder goes on with what the other began.
    """

    def __init__(
        self,
        path: str | Path,
        source: Source,
        reopen: Callable[[], Source],
        settings: PairSettings | None = None,
        *,
        address: str = LOCAL,
        retry_failed: bool = False,
    ) -> None:
        """Open a folder, or begin a new one; nothing is written and no cluster called yet.

        Args:
            path: Path of the folder.
            source: Models to make pairs of.
            reopen: Function that lists the same source on another machine; it can be pickled and holds no relative
                path (see ``absolute_spec``).
            settings: See ``PairFolder``; one processor renders a shard.
            address: Address of the cluster: HOST:PORT of its head, "auto" for the one that this machine belongs to, or
                "local". If this program is connected to a cluster already, that one is used.
            retry_failed: Make shards with broken models again.

        Raises:
            OptionError: If the folder holds pairs of another source or made with other settings.
            DataError: If its index is damaged.
        """
        super().__init__(path, source, settings, retry_failed=retry_failed)
        self._address = address
        self._reopen = reopen

    def render(self, workers: int | None = None) -> Iterator[str]:
        """Render what remains.

        Args:
            workers: Shards at a time; as many as the cluster has processors if not given.

        Yields:
            The keys of a shard's models once it is written and listed in the index; shards come as they finish.

        Raises:
            OptionError: If Ray is not installed or there is no such cluster.
            DataError: If a machine sees another source or another folder or cannot write, or the cluster breaks down.
                The loss of a machine is no error: its shards begin again on another.
            OSError: If the folder cannot be written to.
        """
        missing = self._missing()
        if not missing:
            return
        with connect(self._address, workers):
            self._prepare()
            job = pickle.dumps(_Job(self.path.absolute(), self._reopen, self._settings, self._recipe))
            with closing(_make_shards(job, missing, workers)) as rows:
                for row in rows:
                    self._list(row)
                    yield from (model.key for model in self._shards[row["shard"]])

    def _list(self, row: dict[str, Any]) -> None:
        """List a shard in the index once it is seen here."""
        if row["error"]:
            raise DataError(row["error"])
        entry = ShardEntry.from_dict(json.loads(row["entry"]))
        deadline = time.monotonic() + _PATIENCE
        while not entry.is_whole(self.path):
            if time.monotonic() > deadline:
                raise DataError(
                    f"{self.path / entry.file}: {row['machine']} wrote it, but it is not here: expected a folder "
                    "that all machines share"
                )
            time.sleep(0.2)
        self._index.shards[row["shard"]] = entry
        self._save_index()


class _SharedFolder(PairFolder):
    """The folder in the hands of one of many machines: it writes shards and leaves the index alone."""

    def make(self, number: int) -> ShardEntry:
        """Render and write a shard, and return its entry in the index."""
        # Not in this process, for a model may end the one that renders it.
        with closing(self._map(self._shards[number], 1)) as results:
            for _ in self._write(number, results):
                pass
        return self._index.shards[number]

    def check(self, recipe: dict[str, Any]) -> None:
        """Raise DataError if shards made here would not be what the recipe says."""
        differing = [name for name in recipe if recipe[name] != self._recipe.get(name)]
        if differing:
            raise DataError(
                f"{platform.node()} differs in {', '.join(differing)} from the machine that started this run: expected "
                "the same source under the same path and the same version of clip2point"
            )

    def _open_index(self, retry_failed: bool) -> PairIndex:
        return PairIndex(self._recipe)

    def _save_index(self) -> None:
        pass


def _make_shards(job: bytes, missing: list[int], workers: int | None) -> Generator[dict[str, Any], None, None]:
    """The pipeline: numbers of shards in, a row for each that is written out, in the order of their ends."""
    yield from map_rows(partial(_make, job), [{"shard": number} for number in missing], workers)


def _make(job: bytes, row: dict[str, Any]) -> dict[str, Any]:
    """Make a shard on the machine where this runs."""
    answer = {"shard": row["shard"], "machine": platform.node(), "entry": "", "error": ""}
    try:
        # As JSON, because a table has no columns for names that differ from row to row.
        return {**answer, "entry": json.dumps(_open_folder(job).make(row["shard"]).to_dict())}
    except (Clip2PointError, OSError) as error:
        return {**answer, "error": f"{platform.node()}: {error}"}
    except Exception as error:  # Ray would wrap it in pages of its own
        return {**answer, "error": f"{platform.node()}: {type(error).__name__} ({reason(error)})"}


@lru_cache(maxsize=1)
def _open_folder(job: bytes) -> _SharedFolder:
    """The folder as this process sees it, kept from shard to shard because sources can be slow to list."""
    wanted: _Job = pickle.loads(job)
    folder = _SharedFolder(wanted.path, wanted.reopen(), wanted.settings)
    folder.check(wanted.recipe)
    return folder
