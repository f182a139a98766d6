"""Views: named, frozen sets of cameras that look at the unit sphere from around it.

A view is an elevation and an azimuth in degrees. Its camera sits in direction
``c = (cos e sin a, sin e, cos e cos a)`` and looks at the origin; image +x points to the left and +y up, as in
PyTorch3D, with which the authors render. Points are row vectors: ``p @ R + T`` is (left, up, away from the camera).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError

Float32 = NDArray[np.float32]

#: (elevation, azimuth) of the sets in the public code of CLIP2Point: 10 views for pre-training and few-shot learning,
#: 6 for zero-shot classification.
_PUBLISHED: dict[str, tuple[tuple[float, float], ...]] = {
    "clip2point-10": (
        *((0, 0), (90, 0), (180, 0), (270, 0)),
        *((225, -45), (225, 45), (315, -45), (315, 45)),
        *((0, -90), (0, 90)),
    ),
    "clip2point-6": ((0, 0), (0, 90), (0, 180), (0, 270), (90, 0), (-90, 180)),
}
_RING = re.compile(r"ring-(\d+)(?:@(-?\d+(?:\.\d+)?))?")
_MAX_VIEWS = 360

#: Lengths below this are treated as zero by the look-at rule, and image axes shorter than _DEGENERATE are replaced.
_TINY = np.float32(1e-5)
_DEGENERATE = np.float32(5e-3)
_UP = np.array([0, 1, 0], dtype=np.float32)


class Cameras(NamedTuple):
    """World-to-view transforms: ``p @ rotation + translation``.

    Attributes:
        rotation: [..., 3, 3] float32; columns are the image's left, the image's up and the viewing direction.
        translation: [..., 3] float32; (0, 0, distance) up to rounding.
    """

    rotation: Float32
    translation: Float32


@dataclass(frozen=True)
class ViewSet:
    """A named set of V views.

    Attributes:
        name: Name, as for ``view_set``.
        angles: V pairs (elevation, azimuth) in degrees.
    """

    name: str
    angles: tuple[tuple[float, float], ...]

    def __len__(self) -> int:
        return len(self.angles)

    def cameras(self, distances: Float32) -> Cameras:
        """Place the cameras at the given distances.

        Rotations are computed for each distance because their last bits depend on it, and the depth maps equal the
        authors' to the last bit.

        Args:
            distances: [..., V] float32 distances above 0; the public code has 1.

        Returns:
            Rotations [..., V, 3, 3] and translations [..., V, 3].
        """
        elevation, azimuth = np.array(self.angles, dtype=np.float32).T
        return look_at(distances, elevation, azimuth)

    @cached_property
    def rotations(self) -> Float32:
        """Return the rotations [V, 3, 3] at distance 1."""
        return self.cameras(np.ones(len(self), dtype=np.float32)).rotation


@lru_cache(maxsize=64)
def view_set(name: str) -> ViewSet:
    """Look up a view set.

    Args:
        name: "clip2point-10", "clip2point-6", or "ring-N" / "ring-N@E": N equally spaced azimuths, the first at 0,
            all at elevation E degrees (20 if not given); or several of these with "+" between, one after another, as
            in "ring-6@20+ring-3@50".

    Returns:
        The view set; the same object for the same name.

    Raises:
        OptionError: There is no such set.
    """
    angles = [view for part in name.split("+") for view in _angles(part, name)]
    if len(angles) > _MAX_VIEWS:
        raise OptionError(f"view set {name!r}: has {len(angles)} views, expected at most {_MAX_VIEWS}")
    return ViewSet(name, tuple(angles))


def _angles(part: str, name: str) -> tuple[tuple[float, float], ...]:
    """Return the angles of one part of a joined name."""
    if part in _PUBLISHED:
        return _PUBLISHED[part]
    match = _RING.fullmatch(part)
    if match and 1 <= (count := int(match[1])) <= _MAX_VIEWS:
        elevation = float(match[2] or 20)
        return tuple((elevation, 360 * i / count) for i in range(count))
    raise OptionError(
        f"unknown view set {name!r}: expected {', '.join(_PUBLISHED)}, ring-N or ring-N@ELEVATION "
        f"(N from 1 to {_MAX_VIEWS}, for example ring-8@20), or several with + between"
    )


def look_at(distance: Float32, elevation: Float32, azimuth: Float32) -> Cameras:
    """Return cameras that look at the origin with +y up, in float32 and in PyTorch3D's order of operations.

    At the poles the viewing direction is parallel to "up" and only the rounding error of cos 90 degrees decides the
    image axes; hence float32 throughout, each operation rounded once. Sines and cosines are taken in float64 and
    rounded, so that they are the same on every machine.

    Args:
        distance: [...] float32 distances from the origin.
        elevation: [...] float32 in degrees; all arguments broadcast.
        azimuth: [...] float32 in degrees.

    Returns:
        Rotations [..., 3, 3] and translations [..., 3].
    """
    degree = np.float32(np.pi) / np.float32(180)
    cos_e, sin_e, cos_a, sin_a = (
        function(np.float64(degree * angle)).astype(np.float32)
        for angle in (elevation, azimuth)
        for function in (np.cos, np.sin)
    )
    position = np.stack(
        np.broadcast_arrays(distance * cos_e * sin_a, distance * sin_e, distance * cos_e * cos_a), axis=-1
    )
    forward = _normalize(-position)
    left = _normalize(_cross(_UP, forward))
    up = _normalize(_cross(forward, left))
    degenerate = (np.abs(left) < _DEGENERATE).all(axis=-1, keepdims=True)
    left = np.where(degenerate, _normalize(_cross(up, forward)), left)
    axes = np.stack([left, up, forward], axis=-2)
    along = axes * position[..., None, :]
    translation = -((along[..., 0] + along[..., 1]) + along[..., 2])
    return Cameras(np.ascontiguousarray(np.swapaxes(axes, -1, -2)), translation)


def _cross(a: Float32, b: Float32) -> Float32:
    """Return the cross product over the last axis, each operation rounded to float32."""
    i, j = [1, 2, 0], [2, 0, 1]
    product: Float32 = a[..., i] * b[..., j] - a[..., j] * b[..., i]
    return product


def _normalize(v: Float32) -> Float32:
    """Divide by the length, whose squares are summed by fused multiply-adds as matrix libraries do."""
    wide = v.astype(np.float64)
    square = np.float32(wide[..., 0] * wide[..., 0])
    for axis in (1, 2):
        square = np.float32(wide[..., axis] * wide[..., axis] + square)
    unit: Float32 = v / np.maximum(np.sqrt(square), _TINY)[..., None]
    return unit
