"""The inter-view adapter of PointCLIP (Zhang et al., CVPR 2022, section 3.3), written from the paper's description."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clip2point.heads.aggregator import check_size, check_views
from clip2point.heads.network_arrays import REDUCTION


class InterView(nn.Module):
    """Adapter that adds a global feature of all views, passed through a bottleneck, to every view.

    Unlike the adapters of CLIP2Point it works on one path, keeps the features of the tower as a residual and gives
    every view a feature of its own; only their weighted sum is one for the shape.

    Args:
        views: Number of views V.
        dim: Feature width D.

    Examples:
        >>> import torch
        >>> list(InterView(views=6, dim=8)(torch.randn(3, 6, 8)).shape)
        [3, 8]
    """

    def __init__(self, views: int, dim: int) -> None:
        super().__init__()
        check_size(views, dim)
        self.views, self.dim = views, dim
        width = max(1, dim // REDUCTION)
        self.squeeze = nn.Linear(views * dim, width)
        self.expand = nn.Linear(width, dim)
        self.to_views = nn.Linear(dim, views * dim)
        self.view_weights = nn.Parameter(torch.full((views,), 1 / views))

    def adapt_views(self, view_features: Tensor) -> Tensor:
        """Return adapted view features [B, V, D] of view features [B, V, D] of any length.

        Raises:
            OptionError: If the features have another shape.
        """
        check_views(view_features, self.views, self.dim)
        unit = normalize(view_features, dim=-1)
        global_feature = self.expand(self.squeeze(unit.flatten(1)).relu())
        return unit + self.to_views(global_feature).relu().unflatten(1, (self.views, self.dim))

    def forward(self, view_features: Tensor) -> Tensor:
        """Return the features of shapes: sums of the adapted views, by learned weights as those of the paper's logits.

        Args:
            view_features: [B, V, D] features of one tower, any length.

        Returns:
            [B, D] unit features.

        Raises:
            OptionError: If the features have another shape.
        """
        unit = normalize(self.adapt_views(view_features), dim=-1)
        return normalize(torch.einsum("bvd,v->bd", unit, self.view_weights), dim=-1)
