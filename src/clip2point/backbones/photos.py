"""Photos in the size that a tower takes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from clip2point.core.arrays import Float32


def resize_images(images: Float32, size: int) -> Float32:
    """Resize images bicubically, with smoothing where they shrink, as PyTorch's antialiased interpolation does.

    Args:
        images: [B, C, H, W] in [0, 1].
        size: Side S of the results in pixels.

    Returns:
        [B, C, S, S] float32, cut to [0, 1] where they were resized.

    Examples:
        >>> resize_images(np.full((1, 3, 4, 8), 0.5, np.float32), 2).round(3).tolist()[0][0]
        [[0.5, 0.5], [0.5, 0.5]]
    """
    images = images.astype(np.float32, copy=False)
    if images.shape[-2:] == (size, size) or not len(images):
        return images if len(images) else np.empty((0, images.shape[1], size, size), np.float32)
    planes = [
        np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC))
        for plane in images.reshape(-1, *images.shape[-2:])
    ]
    return np.stack(planes).reshape(*images.shape[:2], size, size).clip(0, 1)
