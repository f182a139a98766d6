"""The three parts of a data set that learning needs: train, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clip2point.data.dataset import Dataset
from clip2point.data.opening import has_validation, open_dataset, thin_out
from clip2point.data.splits import WHOLE, carve


@dataclass(frozen=True, eq=False)
class Parts:
    """A data set in three parts that share no shape.

    Attributes:
        train: Shapes to learn from: the official train split less the validation split.
        validation: Shapes that every choice is made by.
        test: Shapes that figures are measured on.
        note: Peculiarity of the test split that a reader of the figures must know; empty if it is the official one.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    note: str = ""


def open_parts(name: str, *, root: Path | None = None, up: str | None = None, limit: int | None = None) -> Parts:
    """Open a data set in three parts.

    Of one without splits, a fifth of each class is held out as the test split. Of the train shapes, official or not,
    another fifth is the validation split, if the data set has none of its own. Both are chosen by name: the same
    shapes every time.

    Args:
        name: Name of the data set, see ``clip2point.data.open_dataset``.
        root: Folder of a benchmark, or the one above it.
        up: Axis that points up, if the data set declares none or a wrong one.
        limit: Largest number of shapes of the test split, spread evenly over its order.

    Raises:
        DataError: If it is missing, broken, or too small for three parts.
        OptionError: If an argument is out of range, or there is no such data set.
    """
    found, note = open_dataset(name, root=root, up=up), ""
    if found.split == WHOLE:
        test = replace(carve(found, "validation"), split="test")
        train = replace(carve(found, "train-minus-validation"), split="train")
        note = (
            f"{name} comes without splits: {len(test)} of its {len(found)} shapes, a fifth of each class, are held out "
            "as the test split, always the same ones; put shapes into train and test folders to choose them yourself"
        )
    else:
        test, train = found, open_dataset(name, root=root, split="train", up=up)
        if has_validation(name, root):
            validation = open_dataset(name, root=root, split="validation", up=up)
            return Parts(replace(train, split="train-minus-validation"), validation, thin_out(test, limit))
    return Parts(
        train=carve(train, "train-minus-validation"),
        validation=carve(train, "validation"),
        test=thin_out(test, limit),
        note=note,
    )
