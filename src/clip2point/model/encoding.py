"""Features of depth maps by both paths: the depth tower's and the image tower's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from clip2point.backbones import PATHS, Backbone, DepthPath
from clip2point.core.arrays import Float32, to_array

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def encode_paths(backbone: Backbone, depth: Array, paths: Iterable[DepthPath] = PATHS) -> Float32:
    """Encode depth maps by several paths.

    Args:
        backbone: Towers to encode with.
        depth: [N, V, S, S] depth maps in [0, 1], an array or a tensor.
        paths: P of ``PATHS``.

    Returns:
        [N, P, V, D] float32 features, not normalised.
    """
    found: Float32 = np.stack([to_array(backbone.encode_depth(depth, path)) for path in paths], axis=1)
    return found.astype(np.float32, copy=False)
