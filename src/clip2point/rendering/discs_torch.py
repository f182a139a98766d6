"""The disc rasteriser in torch, on any device: the same values as ``discs_numba``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Images drawn at once. Bounds the memory (chunk x points x footprint) and keeps CPU work in the caches.
_CHUNK = 20


def project(points: Tensor, rotation: Tensor, translation: Tensor, zoom: Tensor) -> Tensor:
    """Return points in view coordinates.

    Args:
        points: [B, N, 3] float32.
        rotation: [B, V, 3, 3].
        translation: [B, V, 3].
        zoom: [B, V].

    Returns:
        [B, V, N, 3] coordinates (left, up, depth), rounded as by a float32 matrix product with fused multiply-adds.
    """
    # Devices without float64 (MPS) round once more: equal within 1e-6 rather than to the last bit.
    wide = torch.float32 if points.device.type == "mps" else torch.float64
    x, y, z = (points[:, None, :, axis, None] * zoom[:, :, None, None] for axis in range(3))  # [B, V, N, 1]
    a, b, c = (rotation[:, :, None, axis, :] for axis in range(3))  # [B, V, 1, 3]
    partial = (y.to(wide) * b.to(wide) + (x * a).to(wide)).float()
    return (z.to(wide) * c.to(wide) + partial.to(wide)).float() + translation[:, :, None, :]


def rasterize(
    points: Tensor,
    rotation: Tensor,
    translation: Tensor,
    zoom: Tensor,
    centers: Tensor,
    radius: float,
    grey: bool,
) -> Tensor:
    """Draw each point as a disc; the nearest wins. Arguments and result are those of ``discs_numba.rasterize``."""
    (objects, views), size = zoom.shape, len(centers)
    images = torch.empty(objects * views, size, size, device=points.device)
    per_chunk = max(1, _CHUNK // views)
    for start in range(0, objects, per_chunk):
        part = slice(start, start + per_chunk)
        view_points = project(points[part], rotation[part], translation[part], zoom[part]).flatten(0, 1)
        chunk = images[start * views : start * views + len(view_points)]
        chunk.copy_(_splat(view_points, centers, radius))
        if grey:
            _to_grey(chunk)
        else:
            chunk.masked_fill_(chunk == torch.inf, -1)
    return images.view(objects, views, size, size)


def _splat(view_points: Tensor, centers: Tensor, radius: float) -> Tensor:
    """Return z-buffers [I, S, S], infinity on the background, of points [I, N, 3] in view coordinates."""
    size = len(centers)
    half = size * 0.5
    reach = math.ceil(radius * half - 0.5 + 1e-3)
    px, py, depth = view_points.unbind(-1)
    visible = (depth >= 0) & (px.abs() < 1 + radius) & (py.abs() < 1 + radius)
    # A point outside is drawn at a place and depth where it changes nothing; huge values must not reach the integers.
    px, py, depth = px.where(visible, 0), py.where(visible, 0), depth.where(visible, torch.inf)
    # With a border as wide as the largest disc, no test for the inside of the image is needed.
    border = 2 * reach + 2
    offsets = torch.arange(-reach, reach + 1, device=centers.device) + border
    columns = ((1 - px) * half).floor().long()[..., None] + offsets  # [I, N, K]
    rows = ((1 - py) * half).floor().long()[..., None] + offsets
    centers = torch.nn.functional.pad(centers, (border, border))
    dx = (centers[columns] - px[..., None]).square_()
    dy = (centers[rows] - py[..., None]).square_()
    squared_radius = torch.tensor(radius, device=centers.device).square()
    hit = dx[..., None, :] + dy[..., None] < squared_radius  # [I, N, K (rows), K (columns)]
    width = size + 2 * border
    pixels = (rows * width)[..., None] + columns[..., None, :]
    values = torch.where(hit, depth[..., None, None], torch.inf)
    image = depth.new_full((len(depth), width * width), torch.inf)
    # The minimum does not depend on the order in which the points arrive: deterministic on every device.
    image.scatter_reduce_(1, pixels.flatten(1), values.flatten(1), reduce="amin")
    return image.view(-1, width, width)[:, border:-border, border:-border]


def _to_grey(images: Tensor) -> None:
    """Convert z-buffers [I, S, S] into gray levels in place; ``depth`` states the rule."""
    hit = (images > 0) & (images < torch.inf)
    nearest = images.where(hit, 1).amin((1, 2), keepdim=True)
    farthest = images.where(hit, 0).amax((1, 2), keepdim=True)
    images.sub_(nearest).div_(farthest).mul_(200).div_(255).masked_fill_(~hit, 1)
