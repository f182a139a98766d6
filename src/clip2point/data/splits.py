"""Splits: the official ones, and a validation split carved from train for every choice that is made."""

from __future__ import annotations

import zlib
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError, OptionError
from clip2point.data.dataset import Dataset
from clip2point.data.folder_names import find_split

#: "train-minus-validation" and "validation" are the two parts of "train".
SPLITS: tuple[str, ...] = ("train", "test", "validation", "train-minus-validation")
#: The only split of a data set that has none.
WHOLE = "all"

#: Official splits that a split is, or is carved from, the first that there is.
_SOURCES = {
    "train": ("train",),
    "test": ("test",),
    "validation": ("validation", "train"),
    "train-minus-validation": ("train",),
    WHOLE: (WHOLE,),
}
_FRACTION = 0.2
_SEED = 0


def choose_split(name: str, split: str | None, official: Collection[str]) -> tuple[str, str]:
    """Find the official split to read.

    Args:
        name: Name of the data set, for messages.
        split: Split to read: one of ``SPLITS`` in any spelling ("val"), "all" for a data set without splits, or None
            for "test" or "all".
        official: Splits that the data set comes with.

    Returns:
        The wanted split, and the official one that it is or is carved from.

    Raises:
        OptionError: If there is no such split.

    Examples:
        >>> choose_split("modelnet40", "validation", ("train", "test"))
        ('validation', 'train')
        >>> choose_split("folder:mine", "val", ("train", "validation"))
        ('validation', 'validation')
    """
    wanted = split or (WHOLE if WHOLE in official else "test")
    if wanted not in _SOURCES:
        wanted = find_split(wanted) or wanted
    part = next((source for source in _SOURCES.get(wanted, ()) if source in official), None)
    if part is None:
        possible = [known for known, sources in _SOURCES.items() if set(sources) & set(official)]
        raise OptionError(f"{name}: has no split {wanted!r}: expected one of {', '.join(possible)}")
    return wanted, part


def carve(train: Dataset, split: str) -> Dataset:
    """Cut the validation split, or the rest, from a train split.

    A fifth of each class, at least one shape of a class with two or more, chosen by a fixed seed among the sorted
    names: the same shapes on every machine, whatever the order of the files.

    Args:
        train: Official train split.
        split: Part to return, "validation" or "train-minus-validation".

    Raises:
        DataError: If no class has two shapes.
    """
    chosen = np.zeros(len(train), dtype=bool)
    for label, name in enumerate(train.classes):
        chosen[_draw_rows(train, label, name)] = True
    if not chosen.any():
        raise DataError(f"{train.name}: no class has two train shapes: expected some to split off a validation set")
    return train.take(np.flatnonzero(chosen == (split == "validation")), split=split)


def _draw_rows(train: Dataset, label: int, class_name: str) -> NDArray[np.int64]:
    """Draw the rows of one class for validation."""
    rows = np.array(sorted(np.flatnonzero(train.labels == label), key=lambda row: train.names[row]), dtype=np.int64)
    return draw_fifth(rows, np.random.default_rng((_SEED, zlib.crc32(class_name.encode()))))


def draw_fifth(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the rows that are held out of one class: a fifth, at least one of two or more, and none of fewer.

    Examples:
        >>> len(draw_fifth(np.arange(20), np.random.default_rng(0)))
        4
    """
    return rng.permutation(rows)[: max(1, round(_FRACTION * len(rows)))] if len(rows) > 1 else rows[:0]
