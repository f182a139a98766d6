"""The disc rasteriser on the CPU: projection, splatting and gray levels of every image in one parallel pass.

The arithmetic is float32 with one rounding an operation, and no fast-math: the z-buffers equal those of PyTorch3D's CPU
rasteriser to the last bit. The only fused multiply-adds are those of the projection (a matrix product in the public
code); they are taken through float64, in which the product of two float32 is exact, so that they come out the same
on processors without such an instruction.
"""

from __future__ import annotations

import threading

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.rendering.threads import share_threads

Float32 = NDArray[np.float32]

#: Numba's simplest threading layer, the only one on some machines, ends the process when two threads enter it.
_ONE_AT_A_TIME = threading.Lock()

_HALF, _ONE = np.float32(0.5), np.float32(1)
_NEAR, _FAR = np.float32(200), np.float32(255)
_ONE_BITS = np.float32(1).view(np.int32)
_INFINITY_BITS = np.float32(np.inf).view(np.int32)


def rasterize(
    points: Float32,
    rotation: Float32,
    translation: Float32,
    zoom: Float32,
    centers: Float32,
    radius: float,
    grey: bool,
) -> Float32:
    """Draw each point as a disc; the nearest wins.

    Args:
        points: [B, N, 3].
        rotation: [B, V, 3, 3].
        translation: [B, V, 3].
        zoom: [B, V] factors (1 / distance) on the points.
        centers: [S] pixel centres in NDC, from +1 (left, top) to -1.
        radius: Radius of the discs, in NDC.
        grey: True for gray levels (near 0, background 1), False for the z-buffer (background -1).

    Returns:
        [B, V, S, S] float32.
    """
    # NumPy asks for huge pages, numba would not: fresh memory is a third of the time otherwise.
    images = np.empty((*zoom.shape, len(centers), len(centers)), dtype=np.float32)
    with _ONE_AT_A_TIME, share_threads():
        _draw(images, points, rotation, translation, zoom, centers, np.float32(radius), grey)
    return images


@numba.njit(parallel=True, cache=True)
def _draw(
    images: Float32,
    points: Float32,
    rotation: Float32,
    translation: Float32,
    zoom: Float32,
    centers: Float32,
    radius: float,
    grey: bool,
) -> None:
    """Fill the images [B, V, S, S], one per iteration."""
    views = images.shape[1]
    for index in numba.prange(images.shape[0] * views):
        b, v = index // views, index % views
        image = images[b, v]
        image[:] = np.inf
        _splat(image, points[b], rotation[b, v], translation[b, v], zoom[b, v], centers, radius)
        if grey:
            _to_grey(image)
        else:
            _mark_background(image)


@numba.njit(cache=True)
def _splat(
    image: Float32, points: Float32, r: Float32, t: Float32, zoom: float, centers: Float32, radius: float
) -> None:
    """Draw the points [N, 3] of one view into a z-buffer [S, S], infinity on the background."""
    size = centers.shape[0]
    half = np.float32(size) * _HALF
    squared_radius = radius * radius
    # How many pixels a disc can reach from the one that holds its centre; the small excess covers rounding.
    reach = int(np.ceil(radius * half - _HALF + np.float32(1e-3)))
    outside = _ONE + radius
    for n in range(points.shape[0]):
        x, y, z = points[n, 0] * zoom, points[n, 1] * zoom, points[n, 2] * zoom
        px = _dot(x, y, z, r[0, 0], r[1, 0], r[2, 0]) + t[0]
        py = _dot(x, y, z, r[0, 1], r[1, 1], r[2, 1]) + t[1]
        depth = _dot(x, y, z, r[0, 2], r[1, 2], r[2, 2]) + t[2]
        if not (depth >= 0 and abs(px) < outside and abs(py) < outside):
            continue
        column, row = int(np.floor((_ONE - px) * half)), int(np.floor((_ONE - py) * half))
        first, last = max(column - reach, 0), min(column + reach + 1, size)
        for j in range(max(row - reach, 0), min(row + reach + 1, size)):
            dy = centers[j] - py
            dy2 = dy * dy
            if dy2 >= squared_radius:
                continue
            line = image[j]
            for i in range(first, last):
                dx = centers[i] - px
                present = line[i]
                # No branch: its outcome would be unpredictable.
                line[i] = depth if (dx * dx + dy2 < squared_radius) & (depth < present) else present


@numba.njit(cache=True, inline="always")
def _dot(x: float, y: float, z: float, a: float, b: float, c: float) -> np.float32:
    """Return ``x a + y b + z c`` in float32 with fused multiply-adds, as a matrix product rounds it."""
    wide = np.float64(y) * np.float64(b) + np.float64(x * a)
    return np.float32(np.float64(z) * np.float64(c) + np.float64(np.float32(wide)))


@numba.njit(cache=True)
def _to_grey(image: Float32) -> None:
    """Convert a z-buffer into gray levels in place, by the rule of the public code (see ``depth``)."""
    # Floats above zero are ordered as their bits are, and least and greatest integers are found many at a time.
    lowest, highest = _INFINITY_BITS, np.int32(0)
    for bits in image.view(np.int32).flat:
        hit = (bits > 0) & (bits < _INFINITY_BITS)
        lowest = min(lowest, bits if hit else _ONE_BITS)
        highest = max(highest, bits if hit else np.int32(0))
    extremes = np.array([lowest, highest], np.int32).view(np.float32)
    nearest, farthest = extremes[0], extremes[1]
    for j in range(image.shape[0]):
        line = image[j]
        for i in range(line.shape[0]):
            value = line[i]
            hit = (value > 0) & (value < np.inf)
            line[i] = (value - nearest) / farthest * _NEAR / _FAR if hit else _ONE


@numba.njit(cache=True)
def _mark_background(image: Float32) -> None:
    """Replace infinity by -1, in place."""
    for j in range(image.shape[0]):
        for i in range(image.shape[1]):
            if image[j, i] == np.inf:
                image[j, i] = -_ONE
