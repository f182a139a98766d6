"""GDPA, the gated dual-path adapter of the paper, as reconstructed by this project."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clip2point.heads.aggregator import GlobalView, check_pair
from clip2point.heads.head_options import GDPASettings


class GDPA(nn.Module):
    """A global-view aggregator on each path, fused by gates.

    This is a reconstruction: the paper names the parts (a global-view aggregator on each path, gated fusion), but no
    code of them was ever published. The aggregators are those of ``DPA``; all gates are 1/2 before training, so
    that training starts from the mean of the paths.

    Args:
        views: Number of views V.
        dim: Feature width D.
        settings: Options that the paper leaves open.

    Examples:
        >>> import torch
        >>> adapter = GDPA(views=6, dim=8).eval()
        >>> features, gates = adapter(torch.randn(3, 6, 8), torch.randn(3, 6, 8), return_gates=True)
        >>> list(features.shape), gates[0].tolist()
        ([3, 8], [0.5, 0.5])
    """

    def __init__(self, views: int, dim: int, settings: GDPASettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or GDPASettings()
        self.depth = GlobalView(views, dim)
        self.clip = None if settings.shared else GlobalView(views, dim)
        self.gate = Gate(dim, settings)

    def forward(
        self, depth_features: Tensor, clip_features: Tensor, *, return_gates: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the features of shapes.

        Args:
            depth_features: [B, V, D] features of the pre-trained depth tower, not normalised.
            clip_features: [B, V, D] features of CLIP's own image tower for the same depth maps.
            return_gates: Return the weights of the paths as well.

        Returns:
            [B, D] unit features. For gates on logits they are the directions whose cosines with texts are proportional
            to the logits of a shape. With ``return_gates`` also the gates, [B, 2] or per channel [B, D, 2]; the last
            axis is (depth, CLIP) and sums to one.

        Raises:
            OptionError: If features have another shape, or a batch for training holds one shape only.
        """
        paths, gates = self._gate_paths(depth_features, clip_features)
        features = normalize((gates * paths).sum(-1), dim=-1)
        return (features, gates.squeeze(1) if self.settings.gate == "scalar" else gates) if return_gates else features

    def logits(self, depth_features: Tensor, clip_features: Tensor, text_features: Tensor) -> Tensor:
        """Return class scores [B, C] in [-1, 1] for text features [C, D] of any length; otherwise as ``forward``.

        With gates on features they are the cosines of the fused feature; with gates on logits, the gated sum of the
        cosines of both paths.
        """
        return self.all_logits(depth_features, clip_features, text_features)[:, 0]

    def all_logits(self, depth_features: Tensor, clip_features: Tensor, text_features: Tensor) -> Tensor:
        """Return class scores [B, 3, C]: those of ``logits``, and the cosines of the depth and of the CLIP path."""
        paths, gates = self._gate_paths(depth_features, clip_features)
        fused = (gates * paths).sum(-1, keepdim=True)
        if self.settings.on == "features":
            fused, paths = normalize(fused, dim=1), normalize(paths, dim=1)
        features = torch.cat([fused, paths], dim=-1)
        return (normalize(text_features, dim=-1) @ features).transpose(1, 2)

    def _gate_paths(self, depth_features: Tensor, clip_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs of the weighted sum [B, D, 2], and the weights [B, D, 2] or [B, 1, 2]."""
        check_pair(depth_features, clip_features)
        paths = torch.stack(self._aggregate(depth_features, clip_features), dim=-1)
        gates = self.gate(paths)
        return (normalize(paths, dim=1) if self.settings.on == "logits" else paths), gates

    def _aggregate(self, depth_features: Tensor, clip_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the global features [B, D] of both paths."""
        if self.clip is not None:
            return self.depth(depth_features), self.clip(clip_features)
        # Together, so that batch norm sees both paths in training as it does afterwards.
        both = self.depth(torch.cat([depth_features, clip_features]))
        return both[: len(depth_features)], both[len(depth_features) :]


class Gate(nn.Module):
    """Weights of two paths that sum to one: 1/2 each before training without a lean.

    Args:
        dim: Feature width D.
        settings: Options of the gates.
    """

    def __init__(self, dim: int, settings: GDPASettings) -> None:
        super().__init__()
        channels = dim if settings.gate == "channel" else 1
        self.lean = settings.lean
        self.bias = nn.Parameter(torch.zeros(channels, 2))
        self.weight = nn.Parameter(torch.zeros(channels, 2, 2 * dim)) if settings.source == "input" else None

    def forward(self, paths: Tensor) -> Tensor:
        """Return weights [B, D, 2], or [B, 1, 2] for all channels, of global features [B, D, 2] of the paths."""
        scores = (self.bias + self.bias.new_tensor([self.lean, 0.0])).expand(len(paths), -1, -1)
        if self.weight is not None:
            scores = scores + torch.einsum("bi,kpi->bkp", paths.flatten(1), self.weight)
        return scores.softmax(-1)
