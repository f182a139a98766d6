"""Labelled shapes to learn from: a data set, its name, or shapes with their labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import ArrayLike, NDArray

from clip2point.core.errors import OptionError, ShapeError
from clip2point.data import Dataset, open_dataset
from clip2point.data.given_shapes import HELD, WHOLE_NUMBERS, kind_of_labels, label_shapes, read_labels
from clip2point.model.results import Failure
from clip2point.shapes import ShapeLike, as_shape

#: A data set, its name as for ``open_training``, or shapes and their labels.
Labelled: TypeAlias = Dataset | str | tuple[Sequence[ShapeLike], ArrayLike]


class Opened(NamedTuple):
    """Labelled shapes that were opened.

    Attributes:
        dataset: Data set.
        up: Axis that points up in shapes of the same origin; "auto" where each shape or format says it for itself.
        record: Facts about the labels, for the model's folder.
        complete: True if no shape may be missing, because each was given by hand.
    """

    dataset: Dataset
    up: str
    record: dict[str, Any]
    complete: bool


def open_labelled(labelled: Labelled, up: str = "auto") -> Opened:
    """Open labelled shapes.

    Args:
        labelled: Data set, its name, or shapes and their labels.
        up: Axis that points up in all shapes; "auto" for what the data set, shapes or formats declare.

    Raises:
        OptionError: There is no such data set, or it does not say which way is up.
        DataError: The data set is missing or broken.
        ShapeError: A file among given shapes is missing.

    Examples:
        >>> import numpy as np
        >>> cloud = np.random.default_rng(0).normal(size=(100, 3))
        >>> open_labelled(([cloud, cloud * [1, 5, 1]], [0, 1]), up="y").record
        {'labels': 'whole numbers'}
    """
    record, complete = {}, isinstance(labelled, tuple)
    if isinstance(labelled, tuple):
        shapes, labels = labelled
        dataset = label_shapes(shapes, labels, up)
        if kind_of_labels(read_labels(labels, None)) == WHOLE_NUMBERS:
            record = {"labels": WHOLE_NUMBERS}
    elif isinstance(labelled, str):
        dataset = open_training(labelled, up=None if up == "auto" else up)
    else:
        dataset = labelled
    if up != "auto":
        dataset = replace(dataset, up=up)
    dataset.require_up()
    return Opened(dataset, up if complete else dataset.up, record, complete)


def leave_out_broken(
    shapes: Sequence[ShapeLike], labels: ArrayLike
) -> tuple[list[ShapeLike], NDArray[Any], list[Failure]]:
    """Return the shapes that can be read with their labels, and what is wrong with the others.

    Raises:
        OptionError: If shapes and labels do not belong together.
        ShapeError: If none can be read.
    """
    given = read_labels(labels, shapes)
    found: list[ShapeLike] = []
    rows, skipped = [], []
    for row, shape in enumerate(shapes):
        source = str(shape) if isinstance(shape, str | os.PathLike) else f"shape {row}"
        try:
            read = as_shape(shape)
        except ShapeError as error:
            skipped.append(Failure(source, str(error)))
        else:
            found.append(shape if isinstance(shape, HELD) else read)
            rows.append(row)
    if not found:
        raise ShapeError(f"none of {len(skipped):,} shapes can be read: the first is {skipped[0].error}")
    return found, given[rows], skipped


def open_training(name: str, *, root: Path | None = None, split: str | None = None, up: str | None = None) -> Dataset:
    """Open the shapes of a data set to learn from: a split, or by default "train" where there is one, else all.

    Args:
        name: Name of the data set, as for ``open_dataset``.
        root: Folder of a benchmark.
        split: Name of the split.
        up: Axis that points up in all shapes, where the data set does not declare it.

    Raises:
        OptionError: There is no such data set or split, or it does not say which way is up.
        DataError: The data set is missing or broken.
    """
    try:
        dataset = open_dataset(name, root=root, split=split or "train", up=up)
    except OptionError as error:
        if split is not None:
            raise
        try:
            dataset = open_dataset(name, root=root, split="all", up=up)
        except OptionError:  # it has splits and none to learn from
            raise error from None
    dataset.require_up()
    return dataset
