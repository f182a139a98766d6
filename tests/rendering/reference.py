"""The depth rendering of CLIP2Point written as plainly as possible: every point is compared with every pixel."""

import numpy as np

f32 = np.float32


def fused(a, b, c):
    """a * b + c, rounded once."""
    return f32(np.float64(a) * np.float64(b) + np.float64(c))


def zbuffer(points, rotation, translation, distance, size, radius):
    """Z-buffer [S, S] of points [N, 3] under one camera; -1 on the background."""
    image = np.full((size, size), np.inf, dtype=f32)
    centers = np.array([f32(-1) + f32(2 * i + 1) / f32(size) for i in range(size)], dtype=f32)[::-1]
    squared_radius = f32(radius) * f32(radius)
    zoom = f32(1) / f32(distance)
    for point in points:
        p = point * zoom
        x, y, z = (
            fused(p[2], rotation[2, k], fused(p[1], rotation[1, k], p[0] * rotation[0, k])) + translation[k]
            for k in range(3)
        )
        if z < 0:
            continue
        dx, dy = centers - x, centers - y
        hit = (dx * dx)[None, :] + (dy * dy)[:, None] < squared_radius
        image = np.where(hit & (z < image), z, image)
    return np.where(np.isinf(image), f32(-1), image)


def grey(z):
    """Grey levels of a z-buffer."""
    hit = z > 0
    if not hit.any():
        return np.ones_like(z)
    nearest = np.where(hit, z, f32(1)).min()
    return np.where(hit, (z - nearest) / z.max() * f32(200) / f32(255), f32(1))


def mean_depth(points):
    """PointCLIP's image [128, 128] of view points [N, 3]: mean depth of each pixel, weighted by 1 / depth."""
    weighted, weights = np.zeros((128, 128)), np.zeros((128, 128))
    for left, up, depth in np.asarray(points, dtype=np.float64):
        away = depth + 1.6
        column, row = int(np.floor((1 - left / away) * 64)), int(np.floor((1 - up / away) * 64))
        if away > 0 and 0 <= column < 128 and 0 <= row < 128:
            weighted[row, column] += away * (1 / away)
            weights[row, column] += 1 / away
    return np.where(weights > 0, weighted / np.where(weights > 0, weights, 1), 0) / 2.6


def dense_depth(points):
    """PointCLIP V2's image [110, 110] of view points [N, 3]: voxels, local maxima over 7 x 7, a Gaussian over 3 x 3."""
    points = np.asarray(points, dtype=np.float64)
    low, high = points.min(0), points.max(0)
    grid = np.zeros((8, 112, 112))
    for left, up, depth in (points - (low + high) / 2) / (high - low).max() * 2:
        column = min(max(int(np.ceil((1 - left * 0.8) / 2 * 112)), 1), 110)
        row = min(max(int(np.ceil((1 - up * 0.8) / 2 * 112)), 1), 110)
        nearness = ((1 - depth) / 2 + 0.2) / 1.2 * 6
        layer = int(np.ceil(nearness))
        grid[layer, row, column] = max(grid[layer, row, column], min(max(nearness, 1), 6))
    padded = np.pad(grid, ((0, 0), (2, 2), (2, 2)))  # values are never negative
    dense = np.array(
        [[[layer[i : i + 7, j : j + 7].max() for j in range(110)] for i in range(110)] for layer in padded]
    )
    bell = np.exp(-np.array([1, 0, 1]) / 18)
    kernel = np.outer(bell, bell) / bell.sum() ** 2
    padded = np.pad(dense, ((0, 0), (1, 1), (1, 1)))
    smooth = sum(kernel[i, j] * padded[:, i : i + 110, j : j + 110] for i in range(3) for j in range(3))
    image = smooth.max(0)
    return 1 - image / image.max()
