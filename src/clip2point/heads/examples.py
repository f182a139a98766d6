"""Labelled examples as heads learn from them: the view features of shapes and of augmented copies of these."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip2point.core.errors import OptionError


@dataclass(frozen=True, eq=False)
class Examples:
    """View features of N shapes with their classes.

    Attributes:
        features: [K, N, P, V, D] floating point, any length: K copies of each shape, of which the first is the shape
            as it is measured; P paths in the order (depth, image).
        labels: [N] int64, numbers of classes from 0 on.

    Raises:
        OptionError: if these do not belong together.
    """

    features: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.features.ndim != 5 or not self.features.is_floating_point() or len(self.features) < 1:
            raise OptionError(
                "expected features [K, N, P, V, D] of at least one copy, floating point, got "
                f"{list(self.features.shape)} of {self.features.dtype}"
            )
        if self.labels.shape != self.features.shape[1:2] or self.labels.dtype != torch.int64:
            raise OptionError(
                f"expected {self.features.shape[1]} labels of type int64, got {list(self.labels.shape)} of "
                f"{self.labels.dtype}"
            )

    def __len__(self) -> int:
        return self.features.shape[1]

    @property
    def copies(self) -> int:
        """K, how many copies there are of each shape."""
        return len(self.features)

    @property
    def measured(self) -> Tensor:
        """Features [N, P, V, D] of the shapes as they are measured."""
        return self.features[0]

    def take(self, rows: Tensor) -> Examples:
        """Some of the shapes, with all their copies.

        Args:
            rows: [M] int64 numbers of shapes, or [N] bool.
        """
        return Examples(self.features[:, rows], self.labels[rows])


def join(first: Examples, second: Examples) -> Examples:
    """The examples of two sets, one after the other.

    Raises:
        OptionError: if they differ in copies, paths, views or dimensions.
    """
    for what, axes in (("copies", slice(0, 1)), ("paths, views and dimensions", slice(2, 5))):
        one, other = (list(examples.features.shape[axes]) for examples in (first, second))
        if one != other:
            raise OptionError(f"examples of {one} and {other} {what} cannot be joined: expected the same of both")
    return Examples(
        torch.cat([first.features, second.features], dim=1),
        torch.cat([first.labels, second.labels]),
    )
