"""Points of a whole data set, drawn once, in parallel, and kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.cache import key_of, load_arrays, store_arrays
from clip2point.core.cache_contents import limit_cache
from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.core.machine import available_cores
from clip2point.core.progress import Progress
from clip2point.core.safe_path import spawn_safely
from clip2point.data.dataset import POINTS, Dataset, FileItems, item_seed
from clip2point.shapes import load_shape, sample_points

#: To be raised whenever reading or sampling gives other points than before.
_VERSION = 1
#: Processes take about half a second each to start, the time of some dozens of files.
_FILES_PER_PROCESS = 128
_CHUNK = 8

#: Points of one shape, or the error of one that cannot be read.
Drawn = NDArray[np.float32] | str


@dataclass(frozen=True, eq=False)
class SampledDataset:
    """Data set of which every shape that can be read has the same number of points.

    Attributes:
        name: Name of the data set.
        split: Name of the split.
        classes: Names of the C classes.
        up: Up-axis that the data set declares, or "auto".
        points: Points of each shape, [N, P, 3] float32, memory-mapped and read-only, in the files' frame and unit.
        labels: Class of each shape as an index into ``classes``, [N] int64.
        names: Name of each shape.
        failures: Name and error of each shape that is left out because it cannot be read.
        fingerprint: Hash of everything that the points depend on. The up-axis has no part in it.
        notes: Sentences on what was assumed about the files of the data set, and on what was passed over.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    up: str
    points: NDArray[np.float32] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    failures: tuple[tuple[str, str], ...]
    fingerprint: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of shapes, N."""
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], int, str]]:
        return zip(self.points, self.labels.tolist(), self.names, strict=True)


def sample_dataset(
    dataset: Dataset,
    points: int = POINTS,
    seed: int = 0,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> SampledDataset:
    """Draw points from every shape of a data set, or find those of an earlier call in the cache.

    Args:
        dataset: Data set to draw from.
        points: Number of points of each shape, drawn as ``Dataset.sample`` does.
        seed: Seed of the draws. The points of a shape depend on the seed and its name alone, not on the split or the
            workers.
        workers: Number of processes that read files (threads, for clouds of an array); by default one per processor,
            as far as there is work for them. A script that uses several needs ``if __name__ == "__main__":``.
        progress: Wrapper of an iterable of a given length, to show how far it is.

    Returns:
        The points; shapes that cannot be read are in ``failures``.

    Raises:
        DataError: If no shape can be read, a file changes while it is read, or a worker dies.
        OptionError: If an argument is out of range.
    """
    if points < 1 or seed < 0 or (workers is not None and workers < 1):
        raise OptionError(f"got points={points}, seed={seed}, workers={workers}: expected at least 1, 0 and 1")
    parts = {"data": dataset.fingerprint, "points": points, "seed": seed, "method": "auto", "version": _VERSION}
    found = load_arrays("points", parts)
    if found is None:
        drawn = _draw_all(dataset, points, seed, workers, progress)
        if isinstance(dataset.items, FileItems):
            dataset.items.check_unchanged()
        clouds, kept, errors = _part_outcomes(dataset, drawn)
        found = store_arrays("points", parts, {"points": clouds, "kept": kept})
        limit_cache()
    else:
        found, errors = _try_again(dataset, found, points, seed)
    kept = found["kept"]
    return SampledDataset(
        name=dataset.name,
        split=dataset.split,
        classes=dataset.classes,
        up=dataset.up,
        points=found["points"],
        labels=dataset.labels[kept],
        names=tuple(dataset.names[row] for row in kept),
        failures=tuple((dataset.names[row], error) for row, error in errors.items()),
        fingerprint=key_of({**parts, "failed": list(errors)}),
        notes=dataset.notes,
    )


def _part_outcomes(
    dataset: Dataset, drawn: list[Drawn]
) -> tuple[NDArray[np.float32], NDArray[np.int64], dict[int, str]]:
    """Return the clouds that there are, [N, P, 3], their rows, [N], and the errors of the others by row."""
    errors = {row: outcome for row, outcome in enumerate(drawn) if isinstance(outcome, str)}
    clouds = [outcome for outcome in drawn if not isinstance(outcome, str)]
    if not clouds:
        raise DataError(f"{dataset.name}: none of its {len(drawn)} shapes can be read; the first: {errors[0]}")
    kept = np.array([row for row in range(len(drawn)) if row not in errors], dtype=np.int64)
    return np.stack(clouds), kept, errors


def _try_again(
    dataset: Dataset, found: dict[str, NDArray[Any]], points: int, seed: int
) -> tuple[dict[str, NDArray[Any]], dict[int, str]]:
    """Read what could not be read before: permissions or a disk that was away leave no trace in the fingerprint."""
    missing = sorted(set(range(len(dataset))) - set(found["kept"].tolist()))
    drawn = {row: _attempt(dataset, points, seed, row) for row in missing}
    errors = {row: outcome for row, outcome in drawn.items() if isinstance(outcome, str)}
    if len(errors) == len(missing):
        return found, errors
    back = [row for row in missing if row not in errors]
    kept = np.concatenate([found["kept"], np.array(back, dtype=np.int64)])
    clouds = np.concatenate([found["points"], np.stack([np.asarray(drawn[row]) for row in back])])
    order = np.argsort(kept)
    return {"points": clouds[order], "kept": kept[order]}, errors


def _draw_all(dataset: Dataset, points: int, seed: int, workers: int | None, progress: Progress | None) -> list[Drawn]:
    """Return points or an error for each shape, in order."""
    rows = range(len(dataset))
    workers = workers or max(1, min(available_cores(), len(dataset) // _FILES_PER_PROCESS))
    progress = progress or (lambda outcomes, total: outcomes)
    attempt = partial(_attempt, dataset, points, seed)
    if workers == 1:
        return list(progress(map(attempt, rows), len(rows)))
    if not (isinstance(dataset.items, FileItems) and dataset.items.readable_by_workers):
        with _cancel_rest(ThreadPoolExecutor(workers)) as pool:
            return list(progress(pool.map(attempt, rows), len(rows)))
    seeds = [item_seed(seed, name) for name in dataset.names]
    try:
        with _cancel_rest(ProcessPoolExecutor(workers, spawn_safely())) as pool:
            outcomes = pool.map(partial(_attempt_file, points), dataset.items.paths, seeds, chunksize=_CHUNK)
            return list(progress(outcomes, len(rows)))
    except BrokenProcessPool:
        raise DataError(
            f"{dataset.name}: a process that read its files died, for lack of memory or because the script has no "
            "'if __name__ == \"__main__\":': give fewer workers, or workers=1"
        ) from None


@contextmanager
def _cancel_rest(pool: Executor) -> Iterator[Executor]:
    """Give a pool that drops what it has not begun when the block is left by an error."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(dataset: Dataset, points: int, seed: int, row: int) -> Drawn:
    try:
        return dataset.sample(row, points, seed)
    except ShapeError as error:
        return str(error)


def _attempt_file(points: int, path: Path, seed: int) -> Drawn:
    """Do the same as ``_attempt`` with arguments that can be sent to another process."""
    try:
        return sample_points(load_shape(path), points, seed)
    except ShapeError as error:
        return str(error)
