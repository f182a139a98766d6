"""Depth maps of point clouds: CLIP2Point's rendering and, behind the same function, those it is compared with.

CLIP2Point (section 3.2 of the paper, constants from its public code): orthographic cameras around the unit sphere;
every point is a disc; the nearest point of a pixel wins ("minimum depth" rather than a weighted mean, plus
dilation). Gray levels are, with z the depth, z_min the least value of the image after its background has been set to
1, and z_max the farthest depth,

    g = (z - z_min) / z_max * 200 / 255    on the object,    g = 1    on the background.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import Container, match_container, to_array
from clip2point.core.errors import OptionError, PluginError
from clip2point.core.plugin_code import plugin_code
from clip2point.core.registries import STYLES
from clip2point.rendering.cameras import ViewSet
from clip2point.rendering.scene import DepthScene
from clip2point.rendering.views import view_set
from clip2point.shapes.orientation import to_y_up

if TYPE_CHECKING:
    import torch

Float32 = NDArray[np.float32]

#: Draws a scene: gray levels [B, V, S, S] or [B * V, S, S] float32 in [0, 1], as an array or a tensor.
Style = Callable[[DepthScene], "np.ndarray | torch.Tensor"]


def render_depth(
    points: Container,
    views: ViewSet | str | os.PathLike[str],
    distances: NDArray[np.floating] | torch.Tensor | None = None,
    *,
    image_size: int = 224,
    radius: float = 0.02,
    style: str = "clip2point",
    backend: str | None = None,
) -> Container:
    """Render depth maps of point clouds.

    Args:
        points: [B, N, 3] float32 in the unit sphere, y up; a NumPy array or a tensor on any device.
        views: View set of V views, its name, or a file with cameras, as for ``view_set``.
        distances: Factors [B, V] on the camera distances of the view set, which are 1 in the built-in ones; None for 1.
            Cameras are orthographic: the distance acts as a zoom.
        image_size: Height and width S in pixels, 1 to 4096.
        radius: Radius of the discs in half image widths, in (0, 1]. Only the style "clip2point" draws discs.
        style: "clip2point", "pointclip", "pointclip-v2", or the name of a plug-in's style.
        backend: "numba", "numpy" (both on the CPU) or "torch" (any device) for the style "clip2point", with equal
            values; None for torch on a GPU and on the CPU numba, or numpy for the first few images of a process.

    Returns:
        [B, V, S, S] float32 in [0, 1], of the type and on the device of ``points``.

    Raises:
        OptionError: An argument has an invalid value or shape.
        PluginError: The package that brings the style is broken.

    Examples:
        >>> points = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 256, 3)).astype(np.float32)
        >>> depth = render_depth(points, "clip2point-6", image_size=64)
        >>> depth.shape, float(depth.max())
        ((2, 6, 64, 64), 1.0)
    """
    draw: Style = STYLES.load(style)
    scene = DepthScene(points, view_set(views), distances, image_size, radius, backend)
    images = draw(scene)
    expected: tuple[int, ...] = (len(points), len(scene.views), image_size, image_size)
    if tuple(images.shape) == (expected[0] * expected[1], *expected[2:]):
        images = images.reshape(expected)
    if tuple(images.shape) != expected or str(images.dtype).removeprefix("torch.") != "float32":
        raise PluginError(
            f"the depth style {style!r} drew {list(images.shape)} {images.dtype}: expected [B, V, S, S] = "
            f"{list(expected)} float32"
        )
    return _match_container(images, points)


def render_zbuffer(
    points: Container,
    views: ViewSet | str | os.PathLike[str],
    distances: NDArray[np.floating] | torch.Tensor | None = None,
    *,
    image_size: int = 224,
    radius: float = 0.02,
    backend: str | None = None,
) -> Container:
    """Return the depths z = distance - (camera direction . p) / distance behind the gray levels of "clip2point".

    Arguments are those of ``render_depth``.

    Returns:
        [B, V, S, S] float32; -1 on the background.
    """
    scene = DepthScene(points, view_set(views), distances, image_size, radius, backend)
    return _match_container(draw_discs(scene, grey=False), points)


def rotate_modelnet(points: Container) -> Container:
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


def register_style(name: str, draw: Style) -> None:
    """Have ``render_depth`` and all that is built on it know another depth style, for the rest of this process.

    Packages use the entry points ``clip2point.styles`` instead, which name the function.

    Args:
        name: Name of the style.
        draw: Function that draws it.

    Raises:
        OptionError: The name is built in.

    Examples:
        >>> import numpy as np
        >>> from clip2point.rendering import register_style, render_depth
        >>> def draw_blank(scene):
        ...     return np.ones((len(scene.points), len(scene.views), scene.image_size, scene.image_size), np.float32)
        >>> register_style("blank", draw_blank)
        >>> render_depth(np.zeros((1, 1, 3), np.float32), "ring-4", image_size=8, style="blank").shape
        (1, 4, 8, 8)
    """
    STYLES.register(name, draw)


def check_style(style: str) -> None:
    """Raise OptionError unless there is such a style."""
    if style not in STYLES:
        raise OptionError(STYLES.explain_unknown(style))


def rendering_key(views: ViewSet, radius: float, style: str) -> dict[str, Any]:
    """Return all that decides how points become depth maps, for the keys of what is computed from these.

    Args:
        views: View set; its cameras count, not its name.
        radius: Radius of the discs.
        style: Name of a style; the code of a plug-in's counts, too.

    Returns:
        JSON types.
    """
    return {"views": views.key, "radius": radius, "style": style, **style_code(style)}


def style_code(style: str) -> dict[str, str]:
    """Return the hash of a plug-in's code as an entry for a key; nothing for styles of clip2point's own."""
    code = None if style in STYLES.built_in else plugin_code(STYLES.load(style))
    return {"style_code": code} if code else {}


def _match_container(images: np.ndarray | torch.Tensor, like: Container) -> Container:
    """Return images as an array or tensor like the caller's points, on the same device."""
    if isinstance(images, np.ndarray):
        return match_container(images, like)
    return match_container(to_array(images), like) if isinstance(like, np.ndarray) else cast(Container, images)


def draw_discs(scene: DepthScene, *, grey: bool = True) -> np.ndarray | torch.Tensor:
    """Rasterise discs on the chosen backend into gray levels, or into a z-buffer."""
    cameras, zoom = scene.cameras()
    centers = _pixel_centers(scene.image_size)
    if scene.backend == "torch":
        from clip2point.rendering import discs_torch

        points, rotation, translation, zooms, pixels = map(scene.tensor, (scene.points, *cameras, zoom, centers))
        return discs_torch.rasterize(points, rotation, translation, zooms, pixels, scene.radius, grey)
    if scene.backend == "numpy":
        from clip2point.rendering.discs_numpy import rasterize
    else:
        from clip2point.rendering.discs_numba import rasterize

    array = scene.points if isinstance(scene.points, np.ndarray) else scene.points.detach().cpu().numpy()
    array = np.ascontiguousarray(array, dtype=np.float32)
    return rasterize(array, *cameras, zoom, centers, scene.radius, grey)


@lru_cache(maxsize=16)
def _pixel_centers(size: int) -> Float32:
    """Return [S] centres of pixel columns (and rows) in NDC, +1 at the left (top), rounded as in PyTorch3D."""
    reversed_index = np.arange(size - 1, -1, -1)
    return np.float32(-1) + (2 * reversed_index + 1).astype(np.float32) / np.float32(size)
