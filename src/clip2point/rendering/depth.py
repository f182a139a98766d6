"""Depth maps of point clouds: CLIP2Point's rendering and, behind the same function, those it is compared with.

CLIP2Point (section 3.2 of the paper, constants from its public code): orthographic cameras around the unit sphere;
every point is a disc; the nearest point of a pixel wins ("minimum depth" rather than a weighted mean, plus
dilation). Gray levels are, with z the depth, z_min the least value of the image after its background has been set to
1, and z_max the farthest depth,

    g = (z - z_min) / z_max * 200 / 255    on the object,    g = 1    on the background.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.rendering.views import Cameras, ViewSet, view_set
from clip2point.shapes.orientation import to_y_up

if TYPE_CHECKING:
    import torch

Float32 = NDArray[np.float32]
Array = TypeVar("Array", "np.ndarray", "torch.Tensor")

BACKENDS = ("numba", "torch")
MAX_IMAGE_SIZE = 4096


def render_depth(
    points: Array,
    views: ViewSet | str,
    distances: NDArray[np.floating] | torch.Tensor | None = None,
    *,
    image_size: int = 224,
    radius: float = 0.02,
    style: str = "clip2point",
    backend: str | None = None,
) -> Array:
    """Render depth maps of point clouds.

    Args:
        points: [B, N, 3] float32 in the unit sphere, y up; a NumPy array or a tensor on any device.
        views: View set of V views, or its name.
        distances: [B, V] camera distances; None for 1. Cameras are orthographic: the distance acts as a zoom.
        image_size: Height and width S in pixels, 1 to 4096.
        radius: Radius of the discs in half image widths, in (0, 1]. Only the style "clip2point" draws discs.
        style: Name in ``STYLES``.
        backend: "numba" (CPU) or "torch" (any device) for the style "clip2point", with equal values; None for numba on
            the CPU and torch elsewhere.

    Returns:
        [B, V, S, S] float32 in [0, 1], of the type and on the device of ``points``.

    Raises:
        OptionError: An argument has an invalid value or shape.

    Examples:
        >>> points = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 256, 3)).astype(np.float32)
        >>> depth = render_depth(points, "clip2point-6", image_size=64)
        >>> depth.shape, float(depth.max())
        ((2, 6, 64, 64), 1.0)
    """
    check_style(style)
    return _match_container(STYLES[style](_Scene(points, views, distances, image_size, radius, backend)), points)


def render_zbuffer(
    points: Array,
    views: ViewSet | str,
    distances: NDArray[np.floating] | torch.Tensor | None = None,
    *,
    image_size: int = 224,
    radius: float = 0.02,
    backend: str | None = None,
) -> Array:
    """Return the depths z = distance - (camera direction . p) / distance behind the gray levels of "clip2point".

    Arguments are those of ``render_depth``.

    Returns:
        [B, V, S, S] float32; -1 on the background.
    """
    return _match_container(_discs(_Scene(points, views, distances, image_size, radius, backend), grey=False), points)


def rotate_modelnet(points: Array) -> Array:
    """Rotate ModelNet's z-up frame into the y-up one, (x, y, z) -> (-y, z, -x), as the public code does.

    Args:
        points: [..., 3], array or tensor.

    Returns:
        [..., 3] of the same type.

    Examples:
        >>> rotate_modelnet(np.array([[1.0, 2.0, 3.0]]))
        array([[-2.,  3., -1.]])
    """
    return to_y_up(points, "z")


def check_style(style: str) -> None:
    """Raise OptionError unless ``style`` is one of ``STYLES``."""
    if style not in STYLES:
        raise OptionError(f"unknown depth style {style!r}: expected one of {', '.join(STYLES)}")


def check_radius(radius: float) -> None:
    """Raise OptionError unless ``radius`` is in (0, 1]."""
    if not 0 < radius <= 1:
        raise OptionError(f"radius {radius}: expected above 0 and at most 1 (half the image width)")


class _Scene:
    """Checked arguments of one rendering call."""

    def __init__(
        self,
        points: np.ndarray | torch.Tensor,
        views: ViewSet | str,
        distances: NDArray[np.floating] | torch.Tensor | None,
        image_size: int,
        radius: float,
        backend: str | None,
    ) -> None:
        if points.ndim != 3 or points.shape[2] != 3 or 0 in points.shape:
            raise OptionError(f"expected points as [B, N, 3] with B and N at least 1, got {list(points.shape)}")
        if not 1 <= image_size <= MAX_IMAGE_SIZE:
            raise OptionError(f"image size {image_size}: expected 1 to {MAX_IMAGE_SIZE} pixels")
        check_radius(radius)
        if backend is not None and backend not in BACKENDS:
            raise OptionError(f"unknown rendering backend {backend!r}: expected one of {', '.join(BACKENDS)}")
        self.points, self.image_size, self.radius = points, image_size, radius
        self.views = view_set(views) if isinstance(views, str) else views
        self.on_cpu = isinstance(points, np.ndarray) or points.device.type == "cpu"
        self.backend = backend or ("numba" if self.on_cpu else "torch")
        self.distances = self._check_distances(distances)

    def _check_distances(self, distances: NDArray[np.floating] | torch.Tensor | None) -> Float32:
        """Return distances as a [B, V] float32 array; a single row of ones for None."""
        if distances is None:
            return np.ones((1, len(self.views)), dtype=np.float32)
        values = np.asarray(distances if isinstance(distances, np.ndarray) else distances.cpu(), dtype=np.float32)
        expected = (self.points.shape[0], len(self.views))
        if values.shape != expected:
            raise OptionError(f"expected distances as [B, V] = {list(expected)}, got {list(values.shape)}")
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise OptionError("expected camera distances above 0")
        return values

    def cameras(self) -> tuple[Cameras, Float32]:
        """Return cameras [B, V] and zoom factors [B, V], broadcast without a copy where all objects share distances."""
        objects = self.points.shape[0]
        cameras = self.views.cameras(self.distances)
        zoom = np.float32(1) / self.distances
        rotation, translation, zoom = (
            np.broadcast_to(array, (objects, *array.shape[1:])) for array in (*cameras, zoom)
        )
        return Cameras(rotation, translation), zoom

    def view_points(self) -> torch.Tensor:
        """Return points [B * V, N, 3] in view coordinates, with depths relative to the centre of the object."""
        from clip2point.rendering.discs_torch import project

        cameras, zoom = self.cameras()
        projected = project(self.tensor(self.points), *map(self.tensor, (*cameras, zoom)))
        projected[..., 2] -= self.tensor(cameras.translation)[:, :, None, 2]
        return projected.flatten(0, 1)

    def tensor(self, array: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return an array as a float32 tensor on the device of the points."""
        import torch

        if isinstance(array, np.ndarray):
            array = torch.from_numpy(np.array(array, dtype=np.float32))
        device = "cpu" if isinstance(self.points, np.ndarray) else self.points.device
        return array.to(device, torch.float32)


def _match_container(images: np.ndarray | torch.Tensor, like: Array) -> Array:
    """Return images as an array or tensor like the caller's points, on the same device."""
    if isinstance(like, np.ndarray):
        return np.asarray(images)
    import torch

    return (torch.from_numpy(images) if isinstance(images, np.ndarray) else images).to(like.device)


def _discs(scene: _Scene, *, grey: bool = True) -> np.ndarray | torch.Tensor:
    """Rasterise discs on the chosen backend."""
    cameras, zoom = scene.cameras()
    centers = _pixel_centers(scene.image_size)
    if scene.backend == "torch":
        from clip2point.rendering import discs_torch

        points, rotation, translation, zooms, pixels = map(scene.tensor, (scene.points, *cameras, zoom, centers))
        return discs_torch.rasterize(points, rotation, translation, zooms, pixels, scene.radius, grey)
    from clip2point.rendering import discs_numba

    array = scene.points if isinstance(scene.points, np.ndarray) else scene.points.detach().cpu().numpy()
    array = np.ascontiguousarray(array, dtype=np.float32)
    return discs_numba.rasterize(array, *cameras, zoom, centers, scene.radius, grey)


def _pointclip(scene: _Scene, function_name: str) -> np.ndarray | torch.Tensor:
    """Render one of the two styles of PointCLIP."""
    from clip2point.rendering import pointclip

    images = getattr(pointclip, function_name)(scene.view_points(), scene.image_size)
    return images.view(scene.points.shape[0], len(scene.views), *images.shape[1:])


@lru_cache(maxsize=16)
def _pixel_centers(size: int) -> Float32:
    """Return [S] centres of pixel columns (and rows) in NDC, +1 at the left (top), rounded as in PyTorch3D."""
    reversed_index = np.arange(size - 1, -1, -1)
    return np.float32(-1) + (2 * reversed_index + 1).astype(np.float32) / np.float32(size)


#: Depth styles by name.
STYLES: dict[str, Callable[[_Scene], np.ndarray | torch.Tensor]] = {
    "clip2point": _discs,
    "pointclip": lambda scene: _pointclip(scene, "mean_depth"),
    "pointclip-v2": lambda scene: _pointclip(scene, "dense_depth"),
}
