"""The disc rasteriser in NumPy, for a few images: the same values as ``discs_numba``, without half a second of start.

Importing numba and loading its kernels takes longer than drawing a dozen images here.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

#: Pixels that discs may reach, in all images of this process, until the compiled rasteriser has paid for its start.
_BUDGET = 4_000_000
_spent = 0


def is_cheaper(images: int, points: int, size: int, radius: float) -> bool:
    """Tell whether images are drawn here sooner than numba has started, and count them as drawn if so.

    Args:
        images: Number of images.
        points: Number of points in each.
        size: Side S of the images in pixels.
        radius: Radius of the discs in half image widths.
    """
    global _spent
    reached = images * points * (2 * _find_reach(size, radius) + 1) ** 2
    if "numba" in sys.modules or _spent + reached > _BUDGET:
        return False
    _spent += reached
    return True


def rasterize(
    points: Float32,
    rotation: Float32,
    translation: Float32,
    zoom: Float32,
    centers: Float32,
    radius: float,
    grey: bool,
) -> Float32:
    """Draw each point as a disc; the nearest wins. Arguments and result are those of ``discs_numba.rasterize``."""
    (objects, views), size = zoom.shape, len(centers)
    images = np.empty((objects, views, size, size), np.float32)
    for place in np.ndindex(objects, views):
        left_up_depth = _project(points[place[0]], rotation[place], translation[place], zoom[place])
        image = _splat(left_up_depth, centers, np.float32(radius))
        images[place] = _to_grey(image) if grey else np.where(image == np.inf, np.float32(-1), image)
    return images


def _find_reach(size: int, radius: float) -> int:
    """Return how many pixels a disc can reach from the one that holds its centre; the small excess covers rounding."""
    return math.ceil(np.float32(radius) * np.float32(size) * np.float32(0.5) - np.float32(0.5) + np.float32(1e-3))


def _project(points: Float32, r: Float32, t: Float32, zoom: Float32) -> Float32:
    """Return points [N, 3] as left, up and depth [3, N], rounded as by fused multiply-adds (see ``discs_numba``)."""
    x, y, z = (points * zoom).T.astype(np.float64)
    rows = []
    for axis in range(3):
        a, b, c = r[:, axis].astype(np.float64)
        wide = y * b + (x * a).astype(np.float32)
        rows.append((z * c + wide.astype(np.float32)).astype(np.float32) + t[axis])
    return np.stack(rows)


def _splat(view_points: Float32, centers: Float32, radius: np.float32) -> Float32:
    """Return the z-buffer [S, S], infinity on the background, of points [3, N] in view coordinates."""
    size, outside = len(centers), np.float32(1) + radius
    half = np.float32(size) * np.float32(0.5)
    px, py, depth = view_points
    px, py, depth = view_points[:, (depth >= 0) & (np.abs(px) < outside) & (np.abs(py) < outside)]
    reach = _find_reach(size, float(radius))
    # With a border as wide as the largest disc, no test for the inside of the image is needed.
    border = 2 * reach + 2
    offsets = np.arange(-reach, reach + 1) + border
    columns = np.floor((1 - px) * half).astype(np.int64)[:, None] + offsets
    rows = np.floor((1 - py) * half).astype(np.int64)[:, None] + offsets
    padded = np.pad(centers, border)
    dx, dy = padded[columns] - px[:, None], padded[rows] - py[:, None]
    hit = (dx * dx)[:, None, :] + (dy * dy)[:, :, None] < radius * radius  # [N, K (rows), K (columns)]
    width = size + 2 * border
    pixels = (rows * width)[:, :, None] + columns[:, None, :]
    image = np.full(width * width, np.inf, np.float32)
    np.minimum.at(image, pixels[hit], np.broadcast_to(depth[:, None, None], hit.shape)[hit])
    return image.reshape(width, width)[border:-border, border:-border]


def _to_grey(image: Float32) -> Float32:
    """Return the gray levels of a z-buffer [S, S]; ``depth`` states the rule."""
    hit = (image > 0) & (image < np.inf)
    nearest = np.min(image, initial=np.float32(1), where=hit)
    farthest = np.max(image, initial=np.float32(0), where=hit)
    levels = np.ones_like(image)
    levels[hit] = (image[hit] - nearest) / farthest * np.float32(200) / np.float32(255)
    return levels
