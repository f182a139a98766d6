"""View features of a data set under one model: computed once, then found in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip2point.backbones import MAX_BATCH
from clip2point.cache import load_arrays, store_arrays
from clip2point.data import SampledDataset
from clip2point.models import Recogniser
from clip2point.shapes import to_unit_sphere, to_y_up

Float32 = NDArray[np.float32]
Progress = Callable[[Iterable[Any], int], Iterable[Any]]

#: To be raised whenever the code between points and features changes its values.
_VERSION = 1


def view_features(model: Recogniser, sampled: SampledDataset, progress: Progress | None = None) -> Float32:
    """Features of every view of every shape.

    Args:
        model: whose depth tower and rendering settings are used.
        sampled: N shapes, P points each, with their declared up-axis.
        progress: wraps an iterable of a given length, to show how far it is.

    Returns:
        [N, V, D] float32, not normalised, memory-mapped.

    Raises:
        CacheError: if the cache cannot be written to.
    """
    parts = {
        "version": _VERSION,
        "points": sampled.fingerprint,
        "up": sampled.up,
        "tower": model.backbone.fingerprint(),
        "views": [list(angles) for angles in model.views.angles],
        "image_size": model.backbone.image_size,
        "radius": model.settings.radius,
        "style": model.settings.style,
    }
    if (found := load_arrays("features", parts)) is not None:
        return found["features"]
    return store_arrays("features", parts, {"features": encode_views(model, sampled, progress)})["features"]


def encode_views(model: Recogniser, sampled: SampledDataset, progress: Progress | None = None) -> Float32:
    """Features [N, V, D] as :func:`view_features` gives them, computed anew and kept nowhere."""
    size = max(1, MAX_BATCH // len(model.views))
    starts: Iterable[int] = range(0, len(sampled.labels), size)
    if progress is not None:
        starts = progress(starts, len(range(0, len(sampled.labels), size)))
    blocks = []
    for start in starts:
        with torch.inference_mode():
            depth = depth_maps(model, sampled, range(start, min(start + size, len(sampled.labels))))
            blocks.append(model.backbone.encode_depth(depth).cpu().numpy())
    return np.concatenate(blocks) if blocks else np.empty((0, len(model.views), model.backbone.dim), np.float32)


def depth_maps(model: Recogniser, sampled: SampledDataset, indices: Iterable[int]) -> torch.Tensor:
    """Depth maps [B, V, S, S] of some of the shapes, as the model sees them."""
    return model.depth_maps(to_y_up(to_unit_sphere(np.asarray(sampled.points[list(indices)])), sampled.up))
