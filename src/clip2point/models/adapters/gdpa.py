"""GDPA, the gated dual-path adapter of the paper, as this project reconstructs it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clip2point.errors import OptionError
from clip2point.models.adapters.aggregator import GlobalView, check_pair

_FIXED_SCALE = 100.0
_FIRST_SCALE = 1 / 0.07  # of a learned scale: where CLIP's own training starts


@dataclass(frozen=True)
class GDPASettings:
    """What the paper's text leaves open.

    Attributes:
        on: "features": the gates weigh the global features of the paths, whose lengths count; "logits": they weigh
            unit features, and by that the cosines of each path.
        gate: "scalar": one pair of weights for a shape; "channel": one for each of the D channels.
        source: "input": the gates depend on the shape; "free": they are parameters, the same for all shapes.
        shared: whether one aggregator serves both paths.
        scale: factor on the logits: "off" for 1, "fixed" for 100, "learned".
    """

    on: Literal["features", "logits"] = "features"
    gate: Literal["scalar", "channel"] = "scalar"
    source: Literal["input", "free"] = "input"
    shared: bool = False
    scale: Literal["off", "fixed", "learned"] = "off"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value, allowed = getattr(self, name), get_args(hint) or (True, False)
            if type(value) is not type(allowed[0]) or value not in allowed:
                raise OptionError(f"{name} is {value!r}: expected one of {', '.join(map(repr, allowed))}")


class GDPA(nn.Module):
    """A global view on each path, fused by gates.

    This is a reconstruction: the paper names the parts (a global-view aggregator on each path, gated fusion), but no
    code of them was ever published. The aggregators are those of :class:`DPA`; all gates are 1/2 before training, so
    that training starts from the fusion of DPA.

    Args:
        views: V.
        dim: D.
        settings: what the paper leaves open.
    """

    def __init__(self, views: int, dim: int, settings: GDPASettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or GDPASettings()
        self.depth = GlobalView(views, dim)
        self.clip = None if settings.shared else GlobalView(views, dim)
        self.gate = Gate(dim, settings)
        learned = settings.scale == "learned"
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE))) if learned else None

    def forward(
        self, depth_features: Tensor, clip_features: Tensor, *, return_gates: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The features of shapes.

        Args:
            depth_features: [B, V, D] of the pre-trained depth tower, as it gives them.
            clip_features: [B, V, D] of CLIP's own image tower for the same depth maps.
            return_gates: whether to give the weights of the paths as well.

        Returns:
            [B, D], unit length. For gates on logits it is the direction whose cosines with texts are proportional to
            the logits of a shape. With ``return_gates`` also the gates, [B, 2] or per channel [B, D, 2]; the last axis
            is (depth, CLIP) and sums to one.

        Raises:
            OptionError: if features have another shape, or a batch for training holds one shape only.
        """
        fused, gates = self._fused(depth_features, clip_features)
        features = normalize(fused, dim=-1)
        return (features, gates) if return_gates else features

    def logits(self, depth_features: Tensor, clip_features: Tensor, text_features: Tensor) -> Tensor:
        """Class scores [B, C], for text features [C, D] of any length; otherwise as :meth:`forward`.

        With gates on features they are scaled cosines of the fused feature; with gates on logits, the gated sum of the
        scaled cosines of both paths.
        """
        fused, _ = self._fused(depth_features, clip_features)
        if self.settings.on == "features":
            fused = normalize(fused, dim=-1)
        return self._scale() * fused @ normalize(text_features, dim=-1).T

    def _fused(self, depth_features: Tensor, clip_features: Tensor) -> tuple[Tensor, Tensor]:
        """The gated sum [B, D] of the paths, and the gates."""
        check_pair(depth_features, clip_features)
        paths = torch.stack(self._aggregated(depth_features, clip_features), dim=-1)
        gates = self.gate(paths)
        if self.settings.on == "logits":
            paths = normalize(paths, dim=1)
        return (gates * paths).sum(-1), gates.squeeze(1) if self.settings.gate == "scalar" else gates

    def _aggregated(self, depth_features: Tensor, clip_features: Tensor) -> tuple[Tensor, Tensor]:
        """The global features [B, D] of both paths."""
        if self.clip is not None:
            return self.depth(depth_features), self.clip(clip_features)
        # Together, so that batch norm sees both paths in training as it does afterwards.
        both = self.depth(torch.cat([depth_features, clip_features]))
        return both[: len(depth_features)], both[len(depth_features) :]

    def _scale(self) -> Tensor | float:
        """Factor on the cosines."""
        if self.log_scale is not None:
            return self.log_scale.exp()
        return _FIXED_SCALE if self.settings.scale == "fixed" else 1.0


class Gate(nn.Module):
    """Weights of two paths that sum to one: 1/2 each before training.

    Args:
        dim: D.
        settings: whether the weights are per channel, and whether they depend on the input.
    """

    def __init__(self, dim: int, settings: GDPASettings) -> None:
        super().__init__()
        channels = dim if settings.gate == "channel" else 1
        self.bias = nn.Parameter(torch.zeros(channels, 2))
        self.weight = nn.Parameter(torch.zeros(channels, 2, 2 * dim)) if settings.source == "input" else None

    def forward(self, paths: Tensor) -> Tensor:
        """Weights [B, D, 2], or [B, 1, 2] for all channels, of global features [B, D, 2] of the paths."""
        scores = self.bias.expand(len(paths), -1, -1)
        if self.weight is not None:
            scores = scores + torch.einsum("bi,kpi->bkp", paths.flatten(1), self.weight)
        return scores.softmax(-1)
