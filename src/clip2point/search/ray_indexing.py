"""Embedding on many machines: a Ray Data pipeline in place of ``embed_files``.

Needs the extra: ``pip install 'clip2point[ray]'``. A row of the pipeline is a group of files. The machine that gets
it reads and embeds them as a single machine would and sends the entries back; the process that started the pipeline
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
from clip2point.search.identity import fingerprint_embedding, make_absolute

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.model.settings import Settings

#: Most files in a row: enough to make the start of their reader negligible, few enough to repeat a lost row.
_FILES = 64


@dataclass(frozen=True)
class _Task:
    """Settings with which a machine embeds files.

    Attributes:
        model: Name of the model, device and number format.
        settings: Settings of the model.
        fingerprint: Required fingerprint of its embedding.
        labels: Vocabulary of the labels.
    """

    model: tuple[str, str, str]
    settings: Settings
    fingerprint: str
    labels: tuple[str, ...]


class RayEmbedder:
    """``Embedder`` on a Ray cluster."""

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
        """Store the settings, without a connection.

        Args:
            model: Model of the embedding.
            name: Name under which the machines ``clip2point.load`` the model.
            address: Address of the head (HOST:PORT), "auto" for the cluster of this machine, or "local". An existing
                connection of this program takes precedence.
            device: Device of each machine.
            dtype: Number format of the vision towers.
            workers: Number of rows at a time; None for one per processor of the cluster.
        """
        self._model, self._settings = (make_absolute(name), device, dtype), model.settings
        self._fingerprint = fingerprint_embedding(model)
        self._address, self._workers = address, workers

    def __call__(self, jobs: Sequence[Job], labels: Sequence[str]) -> Iterator[Entry | Unreadable]:
        """Embed files.

        Yields:
            Outcome of each file, in the order of completion.

        Raises:
            OptionError: Ray is not installed, or there is no such cluster.
            DataError: A machine has another model, or the cluster breaks down. The loss of a machine is no error: its
                rows start again on another.
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
    """Run the pipeline: files in, a row per embedded group out, in the order of completion."""
    import ray

    workers = workers or int(ray.cluster_resources().get("CPU", 1))
    size = min(_FILES, -(-len(jobs) // workers))
    parts = [{"jobs": pickle.dumps(jobs[start : start + size])} for start in range(0, len(jobs), size)]
    yield from map_rows(partial(_embed, task), parts, min(workers, len(parts)))


def _embed(task: bytes, row: dict[str, Any]) -> dict[str, Any]:
    """Embed files on the machine where this runs."""
    try:
        model, labels = _open_task(task)
        # In a child process, because a file may crash its reader.
        outcomes = list(embed_files(model, pickle.loads(row["jobs"]), labels, workers=1))
        return {"outcomes": pickle.dumps(outcomes), "error": ""}
    except (Clip2PointError, OSError) as error:
        return {"outcomes": b"", "error": f"{platform.node()}: {error}"}
    except Exception as error:  # Ray would wrap it in pages of its own
        return {"outcomes": b"", "error": f"{platform.node()}: {type(error).__name__} ({reason(error)})"}


@lru_cache(maxsize=1)
def _open_task(task: bytes) -> tuple[Recogniser, tuple[str, ...]]:
    """Return the model, kept from row to row, and the vocabulary."""
    from clip2point.model import load

    wanted: _Task = pickle.loads(task)
    name, device, dtype = wanted.model
    model = load(name, device=device, dtype=dtype).without_head().with_settings(wanted.settings)
    if fingerprint_embedding(model) != wanted.fingerprint:
        raise DataError(
            f"has another model {name} than the machine that started this run: install the same one on both"
        )
    return model, wanted.labels
