"""The global-view aggregator: one feature of a shape from the features of all its views."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clip2point.core.errors import OptionError

DROPOUT = 0.075
_RATIO = 0.5


class GlobalView(nn.Module):
    """Aggregator with the structure of the public code: view features [B, V, D] to a global feature [B, D].

    Every view is weighted by a learned ratio; the features are batch-normalised over shapes and views and concatenated;
    two linear layers turn them into one feature.

    Args:
        views: Number of views V.
        dim: Feature width D.

    Examples:
        >>> import torch
        >>> list(GlobalView(6, 8).eval()(torch.randn(3, 6, 8)).shape)
        [3, 8]
    """

    def __init__(self, views: int, dim: int) -> None:
        super().__init__()
        check_size(views, dim)
        self.views, self.dim = views, dim
        self.ratio = nn.Parameter(torch.full((views,), _RATIO))
        self.view_norm = nn.BatchNorm1d(dim)
        self.mix = nn.Linear(views * dim, dim)
        self.mix_norm = nn.BatchNorm1d(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, view_features: Tensor) -> Tensor:
        """Return the global feature [B, D] of view features [B, V, D]; neither is normalised.

        Raises:
            OptionError: If the features have another shape, or a batch for training holds one shape only.
        """
        check_views(view_features, self.views, self.dim)
        if self.training and len(view_features) < 2:
            raise OptionError("a batch of one shape: expected at least 2 for training, as batch norm needs")
        weighted = view_features * self.ratio[:, None]
        normed = self.view_norm(weighted.flatten(0, 1)).unflatten(0, weighted.shape[:2])
        mixed = self.mix_norm(self.mix(self.dropout(normed).flatten(1)))
        return self.out(self.dropout(mixed.relu()))


def check_size(views: int, dim: int) -> None:
    """Raise OptionError unless there can be an adapter of this size."""
    if views < 1 or dim < 1:
        raise OptionError(f"an adapter of {views} views of {dim} dimensions: expected at least 1 of each")


def check_views(view_features: Tensor, views: int, dim: int) -> None:
    """Raise OptionError unless view features are [B, V, D] as an adapter expects them."""
    if view_features.ndim != 3 or tuple(view_features.shape[1:]) != (views, dim):
        raise OptionError(f"expected view features [B, {views}, {dim}], got {list(view_features.shape)}")


def check_pair(depth_features: Tensor, clip_features: Tensor) -> None:
    """Raise OptionError unless the features of both paths have one shape."""
    if depth_features.shape != clip_features.shape:
        raise OptionError(
            "expected the same shapes on both paths, got view features "
            f"{list(depth_features.shape)} and {list(clip_features.shape)}"
        )
