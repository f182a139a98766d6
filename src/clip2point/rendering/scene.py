"""What a depth style draws: checked arguments of one rendering call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.rendering.cameras import Cameras, Float32, ViewSet

if TYPE_CHECKING:
    import torch

BACKENDS = ("numba", "numpy", "torch")
MAX_IMAGE_SIZE = 4096


class DepthScene:
    """Points of B objects and the V cameras that look at each.

    Args:
        points: Array or tensor [B, N, 3] float32 in the unit sphere, y up.
        views: View set of V views.
        distances: Factors [B, V] on the camera distances of the view set; None for 1.
        image_size: Height and width S in pixels.
        radius: Radius of discs in half image widths, for styles that draw discs.
        backend: "numba", "numpy", "torch", or None for torch on a GPU and on the CPU numba, or numpy for the first few
            images of a process.

    Attributes:
        points: Points [B, N, 3], array or tensor.
        views: View set.
        distances: Camera distances [B, V] float32, or [1, V] where all objects share them.
        image_size: Height and width S in pixels.
        radius: Radius of discs in half image widths.
        backend: "numba", "numpy" or "torch".

    Raises:
        OptionError: An argument has an invalid value or shape.
    """

    def __init__(
        self,
        points: np.ndarray | torch.Tensor,
        views: ViewSet,
        distances: NDArray[np.floating] | torch.Tensor | None = None,
        image_size: int = 224,
        radius: float = 0.02,
        backend: str | None = None,
    ) -> None:
        if points.ndim != 3 or points.shape[2] != 3 or 0 in points.shape:
            raise OptionError(f"expected points as [B, N, 3] with B and N at least 1, got {list(points.shape)}")
        if not 1 <= image_size <= MAX_IMAGE_SIZE:
            raise OptionError(f"image size {image_size}: expected 1 to {MAX_IMAGE_SIZE} pixels")
        check_radius(radius)
        if backend is not None and backend not in BACKENDS:
            raise OptionError(f"unknown rendering backend {backend!r}: expected one of {', '.join(BACKENDS)}")
        self.points, self.views, self.image_size, self.radius = points, views, image_size, radius
        self.backend = backend or self._choose_backend()
        self.distances = views.scale_distances(self._check_distances(distances))

    def _choose_backend(self) -> str:
        """Return the backend that is the quickest for these points; all give the same values."""
        from clip2point.rendering.discs_numpy import is_cheaper

        if not isinstance(self.points, np.ndarray) and self.points.device.type != "cpu":
            return "torch"
        objects, count, _ = self.points.shape
        return "numpy" if is_cheaper(objects * len(self.views), count, self.image_size, self.radius) else "numba"

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
        """Return points in view coordinates, with depths relative to the centre of the object.

        Returns:
            [B * V, N, 3] float32 tensor on the device of the points: left and up in half image widths, so that what is
            beyond -1 or 1 lies outside the image, and the depth away from the camera.
        """
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


def check_radius(radius: float) -> None:
    """Raise OptionError unless ``radius`` is in (0, 1]."""
    if not 0 < radius <= 1:
        raise OptionError(f"radius {radius}: expected above 0 and at most 1 (half the image width)")
