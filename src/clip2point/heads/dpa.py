"""DPA, the dual-path adapter of CLIP2Point's public code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from clip2point.backbones.depth_tensors import check_tensors
from clip2point.core.errors import ModelError
from clip2point.heads.aggregator import GlobalView, check_pair

#: The authors' names of our modules, and of the two paths.
_AUTHORS_MODULES = {
    "view_norm": "global_f.0.bn",
    "mix": "global_f.3",
    "mix_norm": "global_f.4",
    "out": "global_f.7",
}
_AUTHORS_PATHS = {"depth": "adapter1", "clip": "adapter2"}


class DPA(nn.Module):
    """One global-view aggregator on each path; the mean of both is the feature of the shape.

    Args:
        views: Number of views V.
        dim: Feature width D.

    Attributes:
        view_set: Name of the views that it was trained on; None if that is not known.

    Examples:
        >>> import torch
        >>> adapter = DPA(views=6, dim=8).eval()
        >>> features = adapter(torch.randn(3, 6, 8), torch.randn(3, 6, 8))
        >>> list(features.shape), bool(features.norm(dim=1).allclose(torch.ones(3)))
        ([3, 8], True)
    """

    def __init__(self, views: int, dim: int) -> None:
        super().__init__()
        self.depth = GlobalView(views, dim)
        self.clip = GlobalView(views, dim)
        self.view_set: str | None = None

    def forward(self, depth_features: Tensor, clip_features: Tensor) -> Tensor:
        """Return the features of shapes; the public code compares them with unit text features, without a logit scale.

        Args:
            depth_features: [B, V, D] features of the pre-trained depth tower, not normalised.
            clip_features: [B, V, D] features of CLIP's own image tower for the same depth maps.

        Returns:
            [B, D] unit features.

        Raises:
            OptionError: If features have another shape, or a batch for training holds one shape only.
        """
        check_pair(depth_features, clip_features)
        return normalize((self.depth(depth_features) + self.clip(clip_features)) / 2, dim=-1)

    def load_authors_state(self, state: Mapping[str, Tensor | NDArray[Any]]) -> DPA:
        """Take over the adapters of a checkpoint of the authors.

        Args:
            state: Tensors (or arrays) ``adapter1.*`` (depth path) and ``adapter2.*`` (CLIP path), and no others.

        Returns:
            This module.

        Raises:
            ModelError: If a tensor is missing, unexpected, misshapen or not finite; it is named.
        """
        own = self.state_dict()
        given = {name: _as_tensor(name, value) for name, value in state.items()}
        check_tensors(given, {_authors_name(name): tuple(tensor.shape) for name, tensor in own.items()}, "DPA")
        self.load_state_dict({name: given[_authors_name(name)] for name in own})
        return self


def _authors_name(name: str) -> str:
    """Return the authors' name of a tensor of ours, such as ``adapter1.global_f.3.weight`` for ``depth.mix.weight``."""
    path, module, *rest = name.split(".")
    if module == "ratio":
        return f"{_AUTHORS_PATHS[path]}.fusion_ratio"
    return ".".join([_AUTHORS_PATHS[path], _AUTHORS_MODULES[module], *rest])


def _as_tensor(name: str, value: object) -> Tensor:
    """Return a value of a state as a tensor."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"DPA: {name!r} is no tensor but a {type(value).__name__}") from error
