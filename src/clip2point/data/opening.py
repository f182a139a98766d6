"""Data sets, opened by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from clip2point.core.errors import DataError, OptionError, PluginError
from clip2point.core.plugin_code import plugin_code
from clip2point.core.registries import DATASETS
from clip2point.data.dataset import Dataset
from clip2point.data.folder_names import printable
from clip2point.data.splits import carve, choose_split
from clip2point.shapes import check_up

#: Reads what follows the colon of a name, or the root folder, or None if neither is given, into data sets by split:
#: "train" and "test", or "all" alone. Shapes are read later, one by one. DataError says what is missing or broken.
DatasetReader = Callable[[Path | None], Mapping[str, Dataset]]


def register_dataset(name: str, read: DatasetReader) -> None:
    """Have ``open_dataset`` and all that is built on it know another data set, for the rest of this process.

    It is opened as ``NAME:PATH``, or as ``NAME`` with a root folder. Packages use the entry points
    ``clip2point.datasets`` instead, which name the reader.

    Args:
        name: Name without a colon.
        read: Reader of all splits.

    Raises:
        OptionError: If the name has a colon or is built in.

    Examples:
        >>> import numpy as np
        >>> from clip2point.data import ArrayItems, Dataset, open_dataset, register_dataset
        >>> clouds = np.random.default_rng(0).random((4, 32, 3))
        >>> def read(path):
        ...     items = ArrayItems(lambda: clouds, np.arange(4), fingerprint="version 1")
        ...     labels, names = np.array([0, 0, 1, 1]), ("a", "b", "c", "d")
        ...     return {"all": Dataset("noise", "all", ("wide", "tall"), "y", labels, names, items)}
        >>> register_dataset("noise", read)
        >>> len(open_dataset("noise"))
        4
    """
    if ":" in name or f"{name}:PATH" in DATASETS.built_in:
        raise OptionError(f"{name!r} is no name for a data set: expected one without a colon that is not built in")
    DATASETS.register(name, read)


def open_dataset(
    name: str, *, root: Path | None = None, split: str | None = None, up: str | None = None, limit: int | None = None
) -> Dataset:
    """Open one split of a data set; shapes are read later, one by one.

    Args:
        name: A benchmark; ``folder:PATH``, a folder with a sub-folder of shape files for each class, or these below
            or above folders for splits; ``manifest:PATH``, a list of files with columns file,label[,split];
            ``npz:PATH``, an archive with ``points`` [N, P, 3], ``labels`` [N], ``classes`` [C] and optionally
            ``split`` ("train", "val" or "test") [N], ``names`` [N] and ``up``; or the name of a plug-in's data set,
            with or without ``:PATH``.
        root: Folder of a benchmark, or the one above it; of a manifest, the folder that its files are named from.
        split: One of ``SPLITS``, or "all" for a data set without splits. Validation shapes come from train, if there
            is no such split. If not given, "test", or "all" where that is all there is.
        up: Axis that points up, if the data set declares none or a wrong one.
        limit: Largest number of shapes, spread evenly over the split's order.

    Returns:
        The data set.

    Raises:
        DataError: If it is missing or broken; the message says what was looked for, where, and where to get it.
        OptionError: If an argument is out of range, or there is no such data set or split.
    """
    if up is not None:
        check_up(up, auto=True)
    dataset = _open(name, root, split)
    if not len(dataset):
        raise DataError(f"{name}: the split {dataset.split!r} has no shapes: expected at least one")
    dataset = thin_out(dataset, limit)
    return dataset if up is None else replace(dataset, up=up)


def thin_out(dataset: Dataset, limit: int | None) -> Dataset:
    """Return at most so many shapes of a data set, spread evenly over its order; all of them without a limit.

    Raises:
        OptionError: If the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise OptionError(f"limit {limit}: expected at least 1 shape")
    if limit is None or limit >= len(dataset):
        return dataset
    return dataset.take(np.arange(limit) * len(dataset) // limit)


def _open(name: str, root: Path | None, split: str | None) -> Dataset:
    """Open the whole split."""
    root = None if root is None else Path(root)
    if name in DATASETS.built_in:
        wanted, part = choose_split(name, split, ("train", "test"))
        dataset: Dataset = DATASETS.load(name)(name, root, part)
    else:
        parts = _read_parts(name, root)
        wanted, part = choose_split(name, split, parts)
        dataset = parts[part]
        if wanted == "train-minus-validation" and "validation" in parts:
            return replace(dataset, split=wanted)
    return dataset if wanted == part else carve(dataset, wanted)


def has_validation(name: str, root: Path | None = None) -> bool:
    """Tell whether a data set comes with a validation split; none of the benchmarks does."""
    return name not in DATASETS.built_in and "validation" in _read_parts(name, root)


def _read_parts(name: str, root: Path | None) -> dict[str, Dataset]:
    """Read the splits of a data set that is no benchmark."""
    kind, colon, path = name.partition(":")
    layout = f"{kind}:PATH" if path else kind
    if layout not in DATASETS.built_in and kind not in DATASETS:
        raise OptionError(DATASETS.explain_unknown(name))
    if root is not None and path and kind != "manifest":
        raise OptionError(f"{name}: holds its own path: leave out the root {root}")
    read: DatasetReader = DATASETS.load(layout if layout in DATASETS.built_in else kind)
    given = Path(path).expanduser() if colon else root
    parts = partial(DATASETS.load(layout), base=root)(given) if layout == "manifest:PATH" else read(given)
    if not isinstance(parts, Mapping) or not all(isinstance(found, Dataset) for found in parts.values()):
        raise PluginError(f"{name}: its reader gives {type(parts).__name__}: expected Datasets by split")
    code = plugin_code(read) or ""
    return {part: replace(found, name=printable(name), code=code) for part, found in parts.items()}
