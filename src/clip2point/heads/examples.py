"""Labelled examples for heads: the view features of shapes and of their augmented views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip2point.core.errors import OptionError


@dataclass(frozen=True, eq=False)
class Examples:
    """View features of N shapes with their classes.

    Attributes:
        features: [K, N, P, V, D] floating point, any length: K augmented views of each shape, of which the first is
            the shape itself; P paths in the order of ``PATHS``; V camera views.
        labels: [N] int64 class numbers, from 0.

    Raises:
        OptionError: If features and labels do not belong together.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.randn(3, 10, 2, 6, 8), torch.arange(10) % 2)
        >>> len(examples), examples.augmentations, list(examples.unaugmented.shape)
        (10, 3, [10, 2, 6, 8])
        >>> len(examples.take(examples.labels == 1))
        5
    """

    features: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.features.ndim != 5 or not self.features.is_floating_point() or len(self.features) < 1:
            raise OptionError(
                "expected features [K, N, P, V, D] of at least one augmented view, floating point, got "
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
    def augmentations(self) -> int:
        """Number K of augmented views of each shape, the shape itself among them."""
        return len(self.features)

    @property
    def unaugmented(self) -> Tensor:
        """Features [N, P, V, D] of the shapes themselves."""
        return self.features[0]

    def take(self, rows: Tensor) -> Examples:
        """Select shapes with all their augmented views.

        Args:
            rows: Shape numbers [M] int64, or a mask [N] bool.
        """
        return Examples(self.features[:, rows], self.labels[rows])


def join(first: Examples, second: Examples) -> Examples:
    """Concatenate two sets of examples.

    Raises:
        OptionError: If they differ in augmented views, paths, camera views or dimensions.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.randn(1, 4, 2, 6, 8), torch.arange(4))
        >>> join(examples, examples).labels
        tensor([0, 1, 2, 3, 0, 1, 2, 3])
    """
    for what, axes in (("augmented views", slice(0, 1)), ("paths, views and dimensions", slice(2, 5))):
        one, other = (list(examples.features.shape[axes]) for examples in (first, second))
        if one != other:
            raise OptionError(f"examples of {one} and {other} {what} cannot be joined: expected the same of both")
    return Examples(
        torch.cat([first.features, second.features], dim=1),
        torch.cat([first.labels, second.labels]),
    )
