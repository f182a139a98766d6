"""The depth maps of PointCLIP and PointCLIP V2, from their papers, to be compared with CLIP2Point's.

Both work on a coarse grid that is resized to the image size, so that the disc radius does not apply.
Constants that the papers leave out are those of their public code. Unlike there, the cameras are those of any view
set, and gray levels are scaled into [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from clip2point.rendering.scene import DepthScene

_V1_SIZE = 128  # pixels of PointCLIP's grid
_V1_DISTANCE = 1.6  # of its perspective camera from the centre of the unit sphere

_V2_SIZE, _V2_DEPTH = 112, 8  # voxels of PointCLIP V2's grid: image plane and depth
_V2_OBJECT_RATIO = 0.8  # of the image that the object fills
_V2_DEPTH_BIAS = 0.2  # keeps the farthest points away from the background's grey
_V2_POOL, _V2_POOL_PADDING = 7, 2  # densify: local maximum over 7 x 7 voxels
_V2_SMOOTH, _V2_SIGMA = 3, 3.0  # smooth: Gaussian over 3 x 3 voxels


def draw_mean_depth(scene: DepthScene) -> Tensor:
    """Draw a scene in the style of PointCLIP: [B * V, S, S]."""
    return mean_depth(scene.view_points(), scene.image_size)


def draw_dense_depth(scene: DepthScene) -> Tensor:
    """Draw a scene in the style of PointCLIP V2: [B * V, S, S]."""
    return dense_depth(scene.view_points(), scene.image_size)


def mean_depth(view_points: Tensor, image_size: int) -> Tensor:
    """PointCLIP (CVPR 2022, section 3.2): perspective projection, mean depth of a pixel's points weighted by 1 / depth.

    Args:
        view_points: [I, N, 3] float32: left, up, and depth relative to the centre of the object.
        image_size: Height and width S in pixels.

    Returns:
        [I, S, S] float32 in [0, 1]: depth over the largest depth of a unit sphere; background 0, black as in the public
        code.
    """
    left, up, depth = view_points.unbind(-1)
    depth = depth + _V1_DISTANCE
    column = ((1 - left / depth) * (_V1_SIZE / 2)).floor()
    row = ((1 - up / depth) * (_V1_SIZE / 2)).floor()
    visible = (depth > 0) & (column >= 0) & (column < _V1_SIZE) & (row >= 0) & (row < _V1_SIZE)
    pixel = (row * _V1_SIZE + column).where(visible, 0).long()
    weight = (1 / depth).where(visible, 0)
    shape = (len(depth), _V1_SIZE * _V1_SIZE)
    # Sum of depth x weight over sum of weight; depth x weight is 1 for every point that is seen.
    count = depth.new_zeros(shape).scatter_add_(1, pixel, visible.float())
    total = depth.new_zeros(shape).scatter_add_(1, pixel, weight)
    image = (count / total.where(count > 0, 1)) / (_V1_DISTANCE + 1)
    return _enlarge(image.view(-1, _V1_SIZE, _V1_SIZE), image_size)


def dense_depth(view_points: Tensor, image_size: int) -> Tensor:
    """PointCLIP V2 (ICCV 2023, section 3.2): quantise to voxels, densify, smooth, squeeze.

    Args:
        view_points: [I, N, 3] float32: left, up, and depth relative to the centre of the object.
        image_size: Height and width S in pixels.

    Returns:
        [I, S, S] float32 in [0, 1]: near dark, far light, background 1.
    """
    low, high = view_points.amin(1, keepdim=True), view_points.amax(1, keepdim=True)
    extent = (high - low).amax(-1, keepdim=True).clamp_min(1e-12)
    left, up, depth = ((view_points - (low + high) / 2) / extent * 2).unbind(-1)  # [-1, 1]
    column = ((1 - left * _V2_OBJECT_RATIO) / 2 * _V2_SIZE).ceil().clamp(1, _V2_SIZE - 2)
    row = ((1 - up * _V2_OBJECT_RATIO) / 2 * _V2_SIZE).ceil().clamp(1, _V2_SIZE - 2)
    nearness = ((1 - depth) / 2 + _V2_DEPTH_BIAS) / (1 + _V2_DEPTH_BIAS) * (_V2_DEPTH - 2)
    voxel = (nearness.ceil() * _V2_SIZE + row) * _V2_SIZE + column
    grid = view_points.new_zeros(len(view_points), _V2_DEPTH * _V2_SIZE * _V2_SIZE)
    grid.scatter_reduce_(1, voxel.long(), nearness.clamp(1, _V2_DEPTH - 2), reduce="amax")
    layers = grid.view(-1, _V2_DEPTH, _V2_SIZE, _V2_SIZE)
    for window, padding in (((_V2_POOL, 1), (_V2_POOL_PADDING, 0)), ((1, _V2_POOL), (0, _V2_POOL_PADDING))):
        layers = F.max_pool2d(layers, window, stride=1, padding=padding)
    image = _smooth(layers).amax(1)
    image = 1 - image / image.amax((1, 2), keepdim=True)
    return _enlarge(image, image_size)


def _smooth(layers: Tensor) -> Tensor:
    """Apply a Gaussian filter over the last two axes of [I, Z, H, W], zero beyond the border."""
    x = torch.arange(_V2_SMOOTH, device=layers.device) - _V2_SMOOTH // 2
    kernel = torch.exp(-(x**2) / (2 * _V2_SIGMA**2))
    kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
    images = layers.flatten(0, 1)[:, None]
    return F.conv2d(images, kernel[None, None], padding=_V2_SMOOTH // 2).view_as(layers)


def _enlarge(images: Tensor, size: int) -> Tensor:
    """Resize [I, H, W] to [I, S, S], bilinear."""
    return F.interpolate(images[:, None], (size, size), mode="bilinear", align_corners=False)[:, 0]
