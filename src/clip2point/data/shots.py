"""Shots: the few labelled examples of each class that few-shot recognition learns from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError, OptionError
from clip2point.data.dataset import item_seed


class Labelled(Protocol):
    """Data set, sampled or not, that shots can be drawn from."""

    @property
    def name(self) -> str:
        """Name of the data set."""
        ...

    @property
    def split(self) -> str:
        """Name of the split."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C classes."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each shape as an index into the classes, [N]."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the N shapes, all different."""
        ...


def draw_shots(dataset: Labelled, shots: int, seed: int, *, fewer: bool = False) -> NDArray[np.int64]:
    """Draw the same number of shapes of each class.

    Each seed puts the names in an order of its own, which is that of a hash, and takes the first of each class. So
    the shots of a seed are nested (its 4 are the first 4 of its 16), and neither the place of a shape in its file nor
    the presence of other shapes changes its place in that order.

    Args:
        dataset: Data set of N shapes of C classes.
        shots: Number of shapes of each class.
        seed: Seed of the order.
        fewer: Take all shapes of a class that has fewer, instead of an error.

    Returns:
        Rows of the data set: the first shot of every class in turn, then the second, and so on.

    Raises:
        OptionError: If ``shots`` is not at least 1.
        DataError: If a class has too few shapes.
    """
    if shots < 1:
        raise OptionError(f"{shots} shots: expected at least 1 of each class")
    counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
    if not fewer and counts.min(initial=shots) < shots:
        label = int(counts.argmin())
        raise DataError(
            f"{dataset.name}: {shots} shots of each class are wanted, but the class {dataset.classes[label]!r} has "
            f"{counts[label]} in {dataset.split}: ask for at most {counts[label]}, or add shapes"
            if counts[label]
            else f"{dataset.name}: the class {dataset.classes[label]!r} has no shape in {dataset.split}: expected at "
            "least one of each class to learn from"
        )
    place = {row: item_seed(seed, f"shot/{name}") for row, name in enumerate(dataset.names)}
    drawn = []
    for label in range(len(dataset.classes)):
        rows = sorted(np.flatnonzero(dataset.labels == label).tolist(), key=place.__getitem__)
        drawn += [(number, label, row) for number, row in enumerate(rows[:shots])]
    return np.array([row for _, _, row in sorted(drawn)], dtype=np.int64)
