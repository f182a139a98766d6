"""Features of depth maps by both paths: the depth tower's and the image tower's."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clip2point.backbones import PATHS, Backbone, DepthPath


def encode_paths(backbone: Backbone, depth: Tensor, paths: Iterable[DepthPath] = PATHS) -> Tensor:
    """Encode depth maps by several paths.

    Args:
        backbone: Towers to encode with.
        depth: [N, V, S, S] depth maps in [0, 1].
        paths: P of ``PATHS``.

    Returns:
        [N, P, V, D] float32 features on the CPU, not normalised.
    """
    with torch.inference_mode():
        return torch.stack([backbone.encode_depth(depth, path).float().cpu() for path in paths], dim=1)
