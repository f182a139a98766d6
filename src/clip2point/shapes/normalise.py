"""Clouds in a common place and size: the unit sphere around the origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from clip2point.core.errors import ShapeError

if TYPE_CHECKING:
    import torch

    from clip2point.shapes.orientation import Points

#: A cloud whose mean and radius are off by less than this is normalised already: the rest is float32 rounding.
_TOLERANCE = 1e-6


def to_unit_sphere(points: Points) -> Points:
    """Move clouds so that their mean is the origin, and scale them so that the farthest point is at distance 1.

    Args:
        points: Clouds, [..., N, 3] float32 in any unit, a NumPy array or a torch tensor, each treated on its own.

    Returns:
        Clouds of the same type, shape, dtype and device, computed in float64, so that any unit and offset is fine. A
        cloud that is normalised already, to within float32 rounding, comes back bit for bit.

    Raises:
        ShapeError: If the points of a cloud are all equal or not finite.

    Examples:
        >>> to_unit_sphere(np.array([[1, 0, 0], [3, 0, 0]], dtype=np.float32)).tolist()
        [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if points.ndim < 2 or points.shape[-1] != 3 or 0 in points.shape:
        raise ShapeError(f"got an array {list(points.shape)}: expected clouds [..., N, 3] that are not empty")
    scaled = _scale_array(points) if isinstance(points, np.ndarray) else _scale_tensor(points)
    return cast("Points", scaled)


def _scale_array(points: np.ndarray) -> np.ndarray:
    exact = points.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite coordinates are refused below
        mean = exact.mean(axis=-2, keepdims=True)  # [..., 1, 3]
        exact -= mean
    radius = np.sqrt((exact * exact).sum(axis=-1, keepdims=True).max(axis=-2, keepdims=True))  # [..., 1, 1]
    _check(float(np.ptp(points, axis=-2).max(axis=-1).min()), float(radius.max()))
    done = (np.abs(mean).max(axis=-1, keepdims=True) < _TOLERANCE) & (np.abs(radius - 1) < _TOLERANCE)
    return np.where(done, points, (exact / radius).astype(points.dtype))


def _scale_tensor(points: torch.Tensor) -> torch.Tensor:
    exact = points.double()
    mean = exact.mean(dim=-2, keepdim=True)  # [..., 1, 3]
    exact = exact - mean
    radius = exact.square().sum(dim=-1, keepdim=True).amax(dim=-2, keepdim=True).sqrt()  # [..., 1, 1]
    extent = (points.amax(dim=-2) - points.amin(dim=-2)).amax(dim=-1)
    _check(float(extent.min()), float(radius.max()))
    done = (mean.abs().amax(dim=-1, keepdim=True) < _TOLERANCE) & ((radius - 1).abs() < _TOLERANCE)
    return points.where(done, (exact / radius).to(points.dtype))


def _check(smallest_extent: float, largest_radius: float) -> None:
    if not np.isfinite(largest_radius):
        raise ShapeError("a cloud has NaN or infinite coordinates: expected finite points; remove the others")
    if smallest_extent <= 0:
        raise ShapeError("the points of a cloud are all equal: expected a shape with some extent")
