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
