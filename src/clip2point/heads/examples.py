"""Labelled examples for heads: the view features of shapes and of their augmented views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.core.arrays import match_container, to_array
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


@dataclass(frozen=True, eq=False)
class Examples:
    """View features of N shapes with their classes, as arrays or as tensors.

    Attributes:
        features: [K, N, P, V, D] floating point, any length: K augmented views of each shape, of which the first is
            the shape itself; P paths in the order of ``PATHS``; V camera views.
        labels: [N] int64 class numbers, from 0.

    Raises:
        OptionError: If features and labels do not belong together.

    Examples:
        >>> examples = Examples(np.ones((3, 10, 2, 6, 8)), np.arange(10) % 2)
        >>> len(examples), examples.augmentations, examples.unaugmented.shape
        (10, 3, (10, 2, 6, 8))
        >>> len(examples.take(examples.labels == 1))
        5
    """

    features: Array
    labels: Array

    def __post_init__(self) -> None:
        if self.features.ndim != 5 or "float" not in str(self.features.dtype) or len(self.features) < 1:
            raise OptionError(
                "expected features [K, N, P, V, D] of at least one augmented view, floating point, got "
                f"{list(self.features.shape)} of {self.features.dtype}"
            )
        if self.labels.shape != self.features.shape[1:2] or str(self.labels.dtype) not in ("int64", "torch.int64"):
            raise OptionError(
                f"expected {self.features.shape[1]} labels of type int64, got {list(self.labels.shape)} of "
                f"{self.labels.dtype}"
            )

    def __len__(self) -> int:
        return self.features.shape[1]

    @property
    def augmentations(self) -> int:
        """Number K of augmented views of each shape, the shape itself among them."""
        return len(self.features)

    @property
    def unaugmented(self) -> Array:
        """Features [N, P, V, D] of the shapes themselves."""
        return self.features[0]

    def take(self, rows: Array) -> Examples:
        """Select shapes with all their augmented views.

        Args:
            rows: Shape numbers [M] int64, or a mask [N] bool.
        """
        like: Any = self.labels
        chosen = match_container(to_array(rows), like)
        return Examples(self.features[:, chosen], self.labels[chosen])

    def to_arrays(self) -> Examples:
        """Return the same examples as arrays."""
        return Examples(to_array(self.features), to_array(self.labels))


def join(first: Examples, second: Examples) -> Examples:
    """Concatenate two sets of examples.

    Raises:
        OptionError: If they differ in augmented views, paths, camera views or dimensions.

    Examples:
        >>> examples = Examples(np.ones((1, 4, 2, 6, 8)), np.arange(4))
        >>> join(examples, examples).labels.tolist()
        [0, 1, 2, 3, 0, 1, 2, 3]
    """
    for what, axes in (("augmented views", slice(0, 1)), ("paths, views and dimensions", slice(2, 5))):
        one, other = (list(examples.features.shape[axes]) for examples in (first, second))
        if one != other:
            raise OptionError(f"examples of {one} and {other} {what} cannot be joined: expected the same of both")
    return Examples(
        _concatenate(first.features, second.features, axis=1),
        _concatenate(first.labels, second.labels, axis=0),
    )


def _concatenate(one: Any, other: Any, axis: int) -> Any:
    return match_container(np.concatenate([to_array(one), to_array(other)], axis), one)
