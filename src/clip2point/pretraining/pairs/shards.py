"""A folder of WebDataset shards, filled step by step; what is done stays done, whenever it is stopped.

Shard i holds models i*n to (i+1)*n - 1 of the source, so the plan needs no book-keeping. A shard is written under a
temporary name and renamed when whole; then the index is replaced by one that lists it. What the index does not list
is made again, with the same bytes, so that a kill at any moment neither loses nor doubles a model.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from clip2point.core.errors import DataError, OptionError
from clip2point.core.files import replacing
from clip2point.core.version import __version__
from clip2point.core.workers import map_in_order
from clip2point.pretraining.pairs.rendering import IMAGE_SIZE, POINTS, VIEWS, Rendered, render_pair
from clip2point.pretraining.pairs.source_model import Model
from clip2point.pretraining.pairs.sources import Source

INDEX = "index.json"
_FORMAT = "clip2point-pairs-1"


class PairFolder:
    """Shards of pairs of one source, with their index; one run at a time fills it.

    Attributes:
        path: the folder.
        source: what the pairs are made of.
    """

    def __init__(
        self,
        path: str | Path,
        source: Source,
        *,
        seed: int = 0,
        shard_size: int = 256,
        retry_failed: bool = False,
    ) -> None:
        """Open a folder, or begin a new one; nothing is written yet.

        Args:
            path: the folder.
            source: the models.
            seed: of the points.
            shard_size: models in a shard.
            retry_failed: have shards with broken models made again.

        Raises:
            OptionError: if the folder holds pairs of another source or made with other settings.
            DataError: if its index is damaged.
        """
        if shard_size < 1 or seed < 0:
            raise OptionError(f"got shard_size={shard_size}, seed={seed}: expected shard_size >= 1 and seed >= 0")
        self.path = Path(path)
        self.source = source
        self._seed = seed
        self._shards = [source.models[at : at + shard_size] for at in range(0, len(source.models), shard_size)]
        self._recipe = {
            "source": source.kind,
            "models": len(source.models),
            "models_sha256": _fingerprint(source.models),
            "up": source.up,
            "shard_size": shard_size,
            "seed": seed,
            "points": POINTS,
            "views": VIEWS,
            "image_size": IMAGE_SIZE,
            "version": __version__,
        }
        self._done = self._read_index()
        if retry_failed:
            self._done = {number: entry for number, entry in self._done.items() if not entry["failures"]}

    @property
    def remaining(self) -> int:
        """How many models are still to be rendered."""
        return sum(len(models) for number, models in enumerate(self._shards) if number not in self._done)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Key and error of the broken models among those done."""
        return [failure for _, entry in sorted(self._done.items()) for failure in entry["failures"].items()]

    def render(self, workers: int = 1) -> Iterator[str]:
        """Render what remains.

        The bytes of the shards do not depend on the number of workers. These are processes that begin by importing
        the main module, so a script that calls this needs ``if __name__ == "__main__":`` around it.

        Args:
            workers: how many processes.

        Yields:
            The key of each model once it is rendered or has turned out broken.

        Raises:
            OSError: if the folder cannot be written to.
        """
        todo = self._todo()
        if not todo:
            return
        self._begin()
        models = (model for number in todo for model in self._shards[number])
        with closing(map_in_order(partial(render_pair, seed=self._seed), models, workers, died)) as results:
            for number in todo:
                yield from self._write(number, results)

    def _todo(self) -> list[int]:
        """Numbers of the shards that are still to be made."""
        return [number for number in range(len(self._shards)) if number not in self._done]

    def _begin(self) -> None:
        """Make the folder ready for shards."""
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob(".pairs-*.part"):
            leftover.unlink(missing_ok=True)
        self._write_index()

    def _write(self, number: int, results: Iterator[Rendered]) -> Iterator[str]:
        """Write a shard from the next results, then list it in the index."""
        path = self.path / f"pairs-{number:06d}.tar"
        keys: list[str] = []
        failures: dict[str, str] = {}
        with replacing(path) as unfinished:
            with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
                for _ in self._shards[number]:
                    result = next(results)
                    if result.error:
                        failures[result.key] = result.error
                    else:
                        keys.append(result.key)
                    for ending, data in result.files.items():
                        tar.addfile(_header(f"{result.key}.{ending}", len(data)), io.BytesIO(data))
                    yield result.key
            size = unfinished.stat().st_size
        self._done[number] = {"file": path.name, "bytes": size, "keys": keys, "failures": failures}
        self._write_index()

    def _write_index(self) -> None:
        shards = [entry for _, entry in sorted(self._done.items())]
        text = json.dumps({"format": _FORMAT, "recipe": self._recipe, "shards": shards}, ensure_ascii=False, indent=1)
        with replacing(self.path / INDEX) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

    def _read_index(self) -> dict[int, dict[str, Any]]:
        """Entries of the shards that are there as the index says, by number."""
        path = self.path / INDEX
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            kind, recipe = index["format"], dict(index["recipe"])
            entries = {int(entry["file"][6:-4]): entry for entry in index["shards"]}
            whole = {number: entry for number, entry in entries.items() if self._is_whole(entry)}
        except FileNotFoundError:
            if any(self.path.glob("pairs-*.tar")):
                raise OptionError(
                    f"{self.path}: holds shards, but no {INDEX} that says what they are; choose another folder"
                ) from None
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: is damaged ({error}): choose another folder or remove this one") from None
        if kind != _FORMAT:
            raise OptionError(f"{path}: is of format {kind!r}: expected {_FORMAT!r}; choose another folder")
        self._check(recipe)
        return whole

    def _is_whole(self, entry: dict[str, Any]) -> bool:
        path = self.path / entry["file"]
        return path.is_file() and path.stat().st_size == entry["bytes"] and isinstance(entry["failures"], dict)

    def _check(self, recipe: dict[str, Any]) -> None:
        """Raise OptionError if the folder was begun with other settings; another version may go on."""
        differing = [name for name in self._recipe if name != "version" and recipe.get(name) != self._recipe[name]]
        if not differing:
            return
        known = [name for name in differing if name != "models_sha256"]
        said = ", ".join(f"{name} {recipe.get(name)} (now {self._recipe[name]})" for name in known)
        raise OptionError(
            f"{self.path}: holds pairs made of {said or 'other models'}: give the same source and settings to go on, "
            "or another folder to begin anew"
        )


def _fingerprint(models: tuple[Model, ...]) -> str:
    digest = hashlib.sha256()
    for model in models:
        digest.update(json.dumps(model.info(), sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def died(model: Model) -> Rendered:
    """What is left of a model that ended the process which rendered it."""
    return Rendered(
        model.key, error=f"{model.key}: ended the process that rendered it, perhaps for want of memory; simplify it"
    )


def _header(name: str, size: int) -> tarfile.TarInfo:
    """The header of a member: no time and no owner, so that the same pairs give the same bytes."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o644
    return header
