"""The pairs of one or more folders as arrays: points of models, and what is known of them.

Each shard is unpacked once and kept in the cache, so that training reads memory maps.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.cache import load_or_compute
from clip2point.core.errors import DataError
from clip2point.core.files import sha256
from clip2point.core.progress import Progress
from clip2point.data.pairs.pair_files import Float32, PairInfo
from clip2point.data.pairs.shard_files import read_shard
from clip2point.data.pairs.shard_index import PairIndex, read_index

#: To be raised whenever the arrays would come out differently.
_VERSION = 1


class PairSet:
    """The models of folders of pairs.

    Attributes:
        infos: Descriptions of the M models, in the order of folders, shards and keys.
        views: Name of the view set of the images.
        shards: Paths of the shards.
        places: Number of the shard of each model, in ``shards``, and the model's row there.
    """

    def __init__(
        self,
        folders: Sequence[str | Path],
        *,
        without: Sequence[str] = (),
        only: Sequence[str] = ("*",),
        progress: Progress | None = None,
    ) -> None:
        """Open folders that ``clip2point pairs`` filled; one that is not full yet gives a warning.

        Args:
            folders: Folders of pairs, at least one.
            without: Models to leave out, as patterns for SOURCE/CATEGORY/KEY: "sweethome3d:*", "*/vehicles/*".
            only: Models to take, likewise.
            progress: Wrapper of an iterable of a given length, to show how far it is.

        Raises:
            DataError: If a folder has no pairs or damaged ones, or folders differ in their views.
        """
        self.shards = [shard for folder in folders for shard in _find_shards(Path(folder))]
        watched = self.shards if progress is None else progress(self.shards, len(self.shards))
        self._points: list[NDArray[Any]] = []
        self._fingerprints: list[list[Any]] = []
        described: list[tuple[tuple[int, int], dict[str, Any]]] = []
        for number, shard in enumerate(watched):
            self._fingerprints.append(fingerprint_shard(shard))
            arrays = _unpack(shard, self._fingerprints[-1])
            self._points.append(arrays["points"])
            rows = json.loads(bytes(arrays["infos"]))
            described += [((number, row), values) for row, values in enumerate(rows)]
        self.views = _common_views(described)
        chosen = [
            (place, PairInfo.from_dict(values))
            for place, values in described
            if _matches(values, only) and not _matches(values, without)
        ]
        if not chosen:
            raise DataError(
                f"no model of the pairs is left (of {', '.join(only)}; without {', '.join(without) or 'none'}): "
                "expected patterns for SOURCE/CATEGORY/KEY that leave some"
            )
        self.places = [place for place, _ in chosen]
        self.infos = tuple(info for _, info in chosen)

    def __len__(self) -> int:
        """Number of models, M."""
        return len(self.infos)

    def points(self, model: int) -> Float32:
        """Return the points of a model, [P, 3] float32 in the unit sphere, y up, front towards -z."""
        shard, row = self.places[model]
        return np.asarray(self._points[shard][row])

    def fingerprint(self) -> list[list[Any]]:
        """Return name, size and sha256 of each shard, as they were when the set was opened."""
        return [list(fingerprint) for fingerprint in self._fingerprints]

    def hash_content(self) -> str:
        """Return a hash of the shards' names and sizes and of ``infos``: the same wherever the pairs lie."""
        shards = [fingerprint[:2] for fingerprint in self.fingerprint()]
        names = ("key", "captions", "source", "licence", "creator")
        infos = [{name: getattr(info, name) for name in names} for info in self.infos]
        return hashlib.sha256(json.dumps([shards, infos]).encode()).hexdigest()[:32]

    def licences(self) -> dict[str, dict[str, int]]:
        """Return how many models have which licence, by source."""
        counts: dict[str, Counter[str]] = {}
        for info in self.infos:
            counts.setdefault(info.source, Counter())[info.licence or "not stated"] += 1
        return {source: dict(sorted(counter.items())) for source, counter in sorted(counts.items())}


def fingerprint_shard(path: Path) -> list[Any]:
    """Return name, size and sha256 of a shard.

    Raises:
        DataError: If it is not there.
    """
    try:
        return [path.name, path.stat().st_size, sha256(path)]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): make the pairs again") from None


def _find_shards(folder: Path) -> list[Path]:
    """The shards of a folder that have pairs."""
    try:
        index = read_index(folder)
    except FileNotFoundError:
        raise DataError(f"{folder}: holds no pairs: expected a folder that 'clip2point pairs' filled") from None
    paths = [folder / entry.file for entry in index.shards.values() if entry.keys]
    if not paths:
        raise DataError(f"{folder}: holds no pairs yet: run 'clip2point pairs' until it is done")
    _warn_if_unfinished(folder, index)
    return paths


def _warn_if_unfinished(folder: Path, index: PairIndex) -> None:
    """Say that more pairs were to come."""
    if index.done < index.total:
        warnings.warn(
            f"{folder}: has {index.done:,} of {index.total:,} models, because 'clip2point pairs' was stopped; only "
            "these are used; run the same command again to render the others",
            stacklevel=1,
        )


def _common_views(described: Sequence[tuple[Any, dict[str, Any]]]) -> str:
    """The name of the view set that all pairs have."""
    views = {values["views"] for _, values in described}
    if len(views) != 1:
        raise DataError(
            f"the pairs show different views ({', '.join(sorted(views))}): expected the same; render them again"
        )
    return str(views.pop())


def _matches(values: dict[str, Any], patterns: Sequence[str]) -> bool:
    """Whether one of the patterns fits a description."""
    place = f"{values['source']}/{values['category']}/{values['key']}".lower()
    return any(fnmatchcase(place, pattern.lower()) for pattern in patterns)


def _unpack(path: Path, fingerprint: list[Any]) -> dict[str, NDArray[Any]]:
    """Points [M, P, 3] of a shard, and descriptions as JSON."""
    return load_or_compute("pairs", {"version": _VERSION, "shard": fingerprint}, lambda: _read_arrays(path))


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The same, read from the shard itself."""
    infos, clouds = [], []
    for pair in read_shard(path):
        info, views = pair.info()
        infos.append({**info.to_dict(), "views": views})
        clouds.append(pair.points())
        if clouds[-1].shape != clouds[0].shape:
            raise pair.damage(f"points {clouds[-1].shape} beside {clouds[0].shape}")
    text = np.frombuffer(json.dumps(infos).encode(), dtype=np.uint8)
    return {"points": np.stack(clouds), "infos": text}
