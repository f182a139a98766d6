"""View features of a data set under one model: computed once, then found in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clip2point.backbones import PATHS, DepthPath, shapes_per_batch
from clip2point.core.cache import load_or_compute
from clip2point.core.progress import Progress
from clip2point.data import SampledDataset
from clip2point.model.encoding import encode_paths
from clip2point.model.recogniser import Recogniser
from clip2point.shapes import place_points

Float32 = NDArray[np.float32]

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
    parts = feature_parts(model, sampled)
    return load_or_compute("features", parts, lambda: {"features": encode_views(model, sampled, progress)})["features"]


def feature_parts(model: Recogniser, sampled: SampledDataset, path: DepthPath = "depth") -> dict[str, Any]:
    """All that the features of a path depend on, as JSON types: the key of their cache entry."""
    return {
        "version": _VERSION,
        "points": sampled.fingerprint,
        "up": sampled.up,
        "tower": model.backbone.fingerprint(path),
        "views": [list(angles) for angles in model.views.angles],
        "image_size": model.backbone.image_size,
        "radius": model.settings.radius,
        "style": model.settings.style,
    }


def encode_views(model: Recogniser, sampled: SampledDataset, progress: Progress | None = None) -> Float32:
    """Features [N, V, D] as ``view_features`` gives them, computed anew and kept nowhere."""
    rows = range(len(sampled.labels))
    return encode_rows(lambda chosen: depth_maps(model, sampled, chosen), rows, model, ("depth",), progress)[:, 0]


def encode_rows(
    draw: Callable[[range], Tensor],
    rows: range,
    model: Recogniser,
    paths: Iterable[DepthPath] = PATHS,
    progress: Progress | None = None,
) -> Float32:
    """Features of many shapes, a few of which are ever in memory as pictures.

    Args:
        draw: gives the depth maps [B, V, S, S] of some of the rows.
        rows: N of them.
        model: whose towers are used.
        paths: P of ``PATHS``.
        progress: see ``view_features``.

    Returns:
        [N, P, V, D] float32.
    """
    size, paths = shapes_per_batch(len(model.views)), tuple(paths)
    starts: Iterable[int] = range(0, len(rows), size)
    if progress is not None:
        starts = progress(starts, len(range(0, len(rows), size)))
    blocks = [encode_paths(model.backbone, draw(rows[start : start + size]), paths).numpy() for start in starts]
    return (
        np.concatenate(blocks)
        if blocks
        else np.empty((0, len(paths), len(model.views), model.backbone.dim), np.float32)
    )


def depth_maps(model: Recogniser, sampled: SampledDataset, indices: Iterable[int]) -> Tensor:
    """Depth maps [B, V, S, S] of some of the shapes, as the model sees them."""
    return model.depth_maps(place_points(np.asarray(sampled.points[list(indices)]), sampled.up))
