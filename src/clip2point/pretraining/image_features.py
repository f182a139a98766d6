"""What the frozen image tower says of the images of pairs.

The images of each shard are encoded once and kept in the cache, so that the image tower does not run in training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clip2point.backbones import Backbone
from clip2point.core.arrays import to_array
from clip2point.core.cache import load_or_compute
from clip2point.core.progress import Progress
from clip2point.data.pairs import PairSet, read_shard
from clip2point.data.pairs.pair_files import Float32
from clip2point.rendering import view_set

#: To be raised whenever the features would come out differently.
_VERSION = 1


class ImageFeatures:
    """Features of the images of a ``PairSet``."""

    def __init__(self, shards: list[Float32], places: list[tuple[int, int]]) -> None:
        self._shards, self._places = shards, places

    def __call__(self, model: int, view: int) -> Float32:
        """Return the feature of a model's image of a view, [D] float32."""
        shard, row = self._places[model]
        return np.asarray(self._shards[shard][row, view])


def encode_images(pairs: PairSet, backbone: Backbone, progress: Progress | None = None) -> ImageFeatures:
    """Encode all images of pairs with the image tower of a backbone; done once, then found in the cache.

    Args:
        pairs: The pairs.
        backbone: Towers, of which the image tower is used.
        progress: Wrapper of an iterable of a given length, to show how far it is.

    Raises:
        DataError: If an image is missing or damaged.
        OptionError: If the pairs have views that are not known here.
    """
    shards = list(zip(pairs.shards, pairs.fingerprint(), strict=True))
    views = len(view_set(pairs.views))
    watched = shards if progress is None else progress(shards, len(shards))
    return ImageFeatures(
        [_encode_shard(path, fingerprint, views, backbone) for path, fingerprint in watched], pairs.places
    )


def _encode_shard(path: Path, fingerprint: list[Any], views: int, backbone: Backbone) -> Float32:
    """Features [M, V, D] of a shard's images."""

    def encode() -> dict[str, Float32]:
        features = []
        for pair in read_shard(path):
            images = pair.images(views).transpose(0, 3, 1, 2).astype(np.float32) / 255
            features.append(to_array(backbone.encode_image(images)))
        return {"features": np.stack(features)}

    parts = {"version": _VERSION, "shard": fingerprint, "tower": backbone.fingerprint("image")}
    return load_or_compute("image-features", parts, encode)["features"]
