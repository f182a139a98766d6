"""Embedding by many machines: a Ray Data pipeline in place of ``embed_files``.

Needs the extra: ``pip install 'clip2point[ray]'``. A row of the pipeline is some files. The machine that gets it reads
them and embeds them as one machine alone would, and sends the entries back; the process that started the pipeline
writes them to the library, which therefore need not be shared. All machines must see the files under the same paths and
have the same version of this package and the same model.
"""

from __future__ import annotations

import pickle
import platform
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from clip2point.core.errors import Clip2PointError, DataError, reason
from clip2point.core.ray_cluster import LOCAL, connect, map_rows
from clip2point.search.embedding import Job, Unreadable, embed_files
from clip2point.search.entry import Entry
from clip2point.search.identity import embedding_fingerprint, lasting_name

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.model.settings import Settings

#: Files in a row at most: starting their reader should not matter, nor that a lost row begins again.
_FILES = 64


@dataclass(frozen=True)
class _Task:
    """What a machine needs to embed any files.

    Attributes:
        model: what to load, with its device and number format.
        settings: of the model.
        fingerprint: that its embedding must have.
        labels: the vocabulary.
    """

    model: tuple[str, str, str]
    settings: Settings
    fingerprint: str
    labels: tuple[str, ...]


class RayEmbedder:
    """Embeds files on a Ray cluster; an ``Embedder``."""

    def __init__(
        self,
        model: Recogniser,
        name: str,
        *,
        address: str = LOCAL,
        device: str = "cpu",
        dtype: str = "auto",
        workers: int | None = None,
    ) -> None:
        """Say how; no cluster is called yet.

        Args:
            model: whose embedding is wanted.
            name: by which the machines ``clip2point.load`` it.
            address: of the cluster: HOST:PORT of its head, "auto" for the one that this machine belongs to, or
                "local". If this program is connected to a cluster already, that one is used.
            device: on which each machine computes.
            dtype: of the vision towers.
            workers: how many rows at a time; as many as the cluster has processors if not given.
        """
        self._model, self._settings = (lasting_name(name), device, dtype), model.settings
        self._fingerprint = embedding_fingerprint(model)
        self._address, self._workers = address, workers

    def __call__(self, jobs: Sequence[Job], labels: Sequence[str]) -> Iterator[Entry | Unreadable]:
        """Embed files.

        Yields:
            The outcome of each, as rows come back.

        Raises:
            OptionError: if Ray is not installed or there is no such cluster.
            DataError: if a machine has another model, or the cluster breaks down. The loss of a machine is no error:
                its rows begin again on another.
        """
        if not jobs:
            return
        task = pickle.dumps(_Task(self._model, self._settings, self._fingerprint, tuple(labels)))
        with connect(self._address, self._workers), closing(_rows(task, jobs, self._workers)) as rows:
            for row in rows:
                if row["error"]:
                    raise DataError(row["error"])
                yield from pickle.loads(row["outcomes"])


def _rows(task: bytes, jobs: Sequence[Job], workers: int | None) -> Generator[dict[str, Any], None, None]:
    """The pipeline: files in, a row for each part of them that is embedded, in the order of their ends."""
    import ray

    workers = workers or int(ray.cluster_resources().get("CPU", 1))
    size = min(_FILES, -(-len(jobs) // workers))
    parts = [{"jobs": pickle.dumps(jobs[start : start + size])} for start in range(0, len(jobs), size)]
    yield from map_rows(partial(_embed, task), parts, min(workers, len(parts)))


def _embed(task: bytes, row: dict[str, Any]) -> dict[str, Any]:
    """Embed files on the machine where this runs."""
    try:
        model, labels = _opened(task)
        # Not in this process, for a file may end the one that reads it.
        outcomes = list(embed_files(model, pickle.loads(row["jobs"]), labels, workers=1))
        return {"outcomes": pickle.dumps(outcomes), "error": ""}
    except (Clip2PointError, OSError) as error:
        return {"outcomes": b"", "error": f"{platform.node()}: {error}"}
    except Exception as error:  # Ray would wrap it in pages of its own
        return {"outcomes": b"", "error": f"{platform.node()}: {type(error).__name__} ({reason(error)})"}


@lru_cache(maxsize=1)
def _opened(task: bytes) -> tuple[Recogniser, tuple[str, ...]]:
    """The model as this process has it, kept from row to row, and the vocabulary."""
    from clip2point.model import load

    wanted: _Task = pickle.loads(task)
    name, device, dtype = wanted.model
    model = load(name, device=device, dtype=dtype).without_head().with_settings(wanted.settings)
    if embedding_fingerprint(model) != wanted.fingerprint:
        raise DataError(f"has another model {name} than the machine that asked for vectors: make them alike")
    return model, wanted.labels
