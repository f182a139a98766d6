"""Opening a data set by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip2point.core.errors import DataError, OptionError
from clip2point.data.dataset import Dataset
from clip2point.data.folder import read_folder
from clip2point.data.modelnet import open_modelnet
from clip2point.data.npz import read_npz
from clip2point.data.scanobjectnn import open_scanobjectnn
from clip2point.data.shapenet import open_shapenet55
from clip2point.data.splits import carve, choose_split
from clip2point.shapes import check_up

#: Each opens the official "train" or "test" split of a benchmark below a root folder.
_BENCHMARKS: dict[str, Callable[[str, Path | None, str], Dataset]] = {
    "modelnet10": open_modelnet,
    "modelnet40": open_modelnet,
    "scanobjectnn-obj-only": open_scanobjectnn,
    "scanobjectnn-obj-bg": open_scanobjectnn,
    "scanobjectnn-pb-t50-rs": open_scanobjectnn,
    "shapenet55": open_shapenet55,
}
#: Each reads all the splits that a user's own data set has.
_OWN: dict[str, Callable[[Path], dict[str, Dataset]]] = {"folder": read_folder, "npz": read_npz}

#: Names of the benchmarks; ``folder:PATH`` and ``npz:PATH`` are data sets too.
DATASETS: tuple[str, ...] = tuple(_BENCHMARKS)


def open_dataset(
    name: str, *, root: Path | None = None, split: str | None = None, up: str | None = None, limit: int | None = None
) -> Dataset:
    """Open one split of a data set; shapes are read later, one by one.

    Args:
        name: one of ``DATASETS``; ``folder:PATH``, a folder with one sub-folder of shape files a class, or these below
            or above folders "train" and "test"; or ``npz:PATH``, an archive with ``points`` [N, P, 3], ``labels`` [N],
            ``classes`` [C] and optionally ``split`` ("train" or "test") [N], ``names`` [N] and ``up``.
        root: where a benchmark lies: its folder or the one above.
        split: one of ``SPLITS``, or "all" for a data set without splits. Validation shapes come from train. If not
            given, "test", or "all" where that is all there is.
        up: the axis that points up, if the data set declares none or a wrong one.
        limit: at most this many shapes, spread evenly over the split's order.

    Returns:
        The data set.

    Raises:
        DataError: if it is missing or broken; the message says what was looked for, where, and where to get it.
        OptionError: if an argument makes no sense.
    """
    if up is not None:
        check_up(up, auto=True)
    dataset = _open(name, root, split)
    if not len(dataset):
        raise DataError(f"{name}: the split {dataset.split!r} has no shapes: expected at least one")
    dataset = thin_out(dataset, limit)
    return dataset if up is None else replace(dataset, up=up)


def thin_out(dataset: Dataset, limit: int | None) -> Dataset:
    """At most so many shapes of a data set, spread evenly over its order; all of them if there is no limit.

    Raises:
        OptionError: if the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise OptionError(f"limit {limit}: expected at least 1 shape")
    if limit is None or limit >= len(dataset):
        return dataset
    return dataset.take(np.arange(limit) * len(dataset) // limit)


def _open(name: str, root: Path | None, split: str | None) -> Dataset:
    """The whole split."""
    kind, _, path = name.partition(":")
    if kind in _OWN and path:
        if root is not None:
            raise OptionError(f"{name}: holds its own path: leave the root {root} away")
        parts = _OWN[kind](Path(path).expanduser())
        wanted, part = choose_split(name, split, parts)
        dataset = replace(parts[part], name=name)
    elif name in _BENCHMARKS:
        wanted, part = choose_split(name, split, ("train", "test"))
        dataset = _BENCHMARKS[name](name, None if root is None else Path(root), part)
    else:
        raise OptionError(f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}, folder:PATH or npz:PATH")
    return dataset if wanted == part else carve(dataset, wanted)
