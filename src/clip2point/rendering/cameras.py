"""Sets of orthographic cameras around the unit sphere, in PyTorch3D's conventions, and their form in JSON.

A camera at elevation e and azimuth a sits in direction ``c = (cos e sin a, sin e, cos e cos a)`` and looks at the
origin; image +x points to the left and +y up, as in PyTorch3D, with which the authors render. Points are row vectors:
``p @ R + T`` is (left, up, away from the camera).

Users write sets of their own like this:

    {
        "name": "front-and-corner",
        "cameras": [
            {"elevation": 0, "azimuth": 0},
            {"elevation": 30, "azimuth": 45, "distance": 1.2},
            {"rotation": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]}
        ]
    }

Angles are in degrees. A distance, 1 if it is left out, acts as a zoom, since cameras are orthographic: at 2 a shape is
half as large. The rows of a rotation are the image's left, the image's up and the viewing direction in the y-up frame
of the shape; they are unit vectors at right angles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError

Float32 = NDArray[np.float32]

MAX_VIEWS = 360
_MAX_DISTANCE = 100.0
_TOLERANCE = 1e-3  # of rotations that were written with a few digits

#: Lengths below this are treated as zero by the look-at rule, and image axes shorter than _DEGENERATE are replaced.
_TINY = np.float32(1e-5)
_DEGENERATE = np.float32(5e-3)
_UP = np.array([0, 1, 0], dtype=np.float32)

#: Rows (left, up, viewing direction) of a camera that is not given by its angles.
Axes = tuple[tuple[float, float, float], ...]


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
        angles: V pairs (elevation, azimuth) in degrees; of cameras that are given by their axes, where they are.
        distances: V distances above 0; empty if all are 1.
        axes: Axes of each view, or None for one that is given by its angles; empty if all are.
    """

    name: str
    angles: tuple[tuple[float, float], ...]
    distances: tuple[float, ...] = ()
    axes: tuple[Axes | None, ...] = ()

    def __len__(self) -> int:
        return len(self.angles)

    def __str__(self) -> str:
        return self.name

    def cameras(self, distances: Float32) -> Cameras:
        """Place the cameras at the given distances, whatever the set's own are.

        Rotations are computed for each distance because their last bits depend on it, and the depth maps equal the
        authors' to the last bit.

        Args:
            distances: [..., V] float32 distances above 0; the public code has 1.

        Returns:
            Rotations [..., V, 3, 3] and translations [..., V, 3].
        """
        elevation, azimuth = np.array(self.angles, dtype=np.float32).T
        cameras = look_at(distances, elevation, azimuth)
        for view, rows in enumerate(self.axes):
            if rows is not None:
                cameras.rotation[..., view, :, :] = np.array(rows, dtype=np.float32).T
                cameras.translation[..., view, :2] = 0
                cameras.translation[..., view, 2] = distances[..., view]
        return cameras

    def scale_distances(self, factors: NDArray[np.floating[Any]]) -> Float32:
        """Return the set's own distances times factors [..., V], as float32."""
        values = np.asarray(factors, dtype=np.float32)
        return values * np.array(self.distances, dtype=np.float32) if self.distances else values

    @cached_property
    def rotations(self) -> Float32:
        """Return the rotations [V, 3, 3] at distance 1."""
        return self.cameras(np.ones(len(self), dtype=np.float32)).rotation

    @property
    def key(self) -> list[Any]:
        """Return all that decides the images, as JSON types, for the keys of what is computed from them."""
        plain = not self.distances and not self.axes
        return [list(pair) for pair in self.angles] if plain else self.to_dict()["cameras"]

    def take(self, views: Iterable[int]) -> ViewSet:
        """Return some of the views, in the given order.

        Examples:
            >>> from clip2point.rendering import view_set
            >>> view_set("clip2point-6").take([4]).angles
            ((90, 0),)
        """
        chosen = list(views)
        return ViewSet(
            f"{self.name}[{','.join(map(str, chosen))}]",
            tuple(self.angles[view] for view in chosen),
            tuple(self.distances[view] for view in chosen) if self.distances else (),
            tuple(self.axes[view] for view in chosen) if self.axes else (),
        )

    @classmethod
    def join(cls, name: str, sets: Sequence[ViewSet]) -> ViewSet:
        """Return the views of several sets, one after another.

        Raises:
            OptionError: If they are too many.
        """
        angles = tuple(pair for views in sets for pair in views.angles)
        if len(angles) > MAX_VIEWS:
            raise OptionError(f"view set {name!r}: has {len(angles)} views, expected at most {MAX_VIEWS}")
        distances = tuple(distance for views in sets for distance in views.distances or (1.0,) * len(views))
        axes = tuple(rows for views in sets for rows in views.axes or (None,) * len(views))
        return cls(
            name,
            angles,
            distances if any(views.distances for views in sets) else (),
            axes if any(views.axes for views in sets) else (),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the set as JSON types, in the form of the module's docstring."""
        distances = self.distances or (1.0,) * len(self)
        cameras: list[dict[str, Any]] = []
        for (elevation, azimuth), rows, distance in zip(
            self.angles, self.axes or (None,) * len(self), distances, strict=True
        ):
            place = (
                {"elevation": elevation, "azimuth": azimuth} if rows is None else {"rotation": list(map(list, rows))}
            )
            cameras.append({**place, **({"distance": distance} if distance != 1 else {})})
        return {"name": self.name, "cameras": cameras}

    @classmethod
    def from_dict(cls, values: Any, source: str = "view set") -> ViewSet:
        """Read what ``to_dict`` returns or a user wrote.

        Args:
            values: The name and the cameras, in the form of the module's docstring.
            source: Name of the file for messages.

        Raises:
            OptionError: If a key is unknown or missing, or a value makes no sense; the message names the camera.

        Examples:
            >>> from clip2point.rendering import ViewSet
            >>> ViewSet.from_dict({"name": "front", "cameras": [{"elevation": 0, "azimuth": 0}]}).angles
            ((0.0, 0.0),)
        """
        _check_keys(values, ("name", "cameras"), (), source)
        name, cameras = values["name"], values["cameras"]
        if not isinstance(name, str) or not name.strip() or len(name) > 200 or not name.isprintable():
            raise OptionError(f'{source}: has {name!r} as "name": expected a short text')
        if not isinstance(cameras, list) or not 1 <= len(cameras) <= MAX_VIEWS:
            raise OptionError(f'{source}: expected a list of 1 to {MAX_VIEWS} cameras as "cameras"')
        angles, axes, distances = zip(
            *(_read_camera(camera, f"{source}: camera {number}") for number, camera in enumerate(cameras, 1)),
            strict=True,
        )
        return cls(
            name,
            angles,
            distances if any(distance != 1 for distance in distances) else (),
            axes if any(rows is not None for rows in axes) else (),
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


def _read_camera(values: Any, source: str) -> tuple[tuple[float, float], Axes | None, float]:
    """Read angles, axes if these are what is given, and the distance."""
    turned = isinstance(values, Mapping) and "rotation" in values
    _check_keys(values, ("rotation",) if turned else ("elevation", "azimuth"), ("distance",), source)
    distance = _read_number(values.get("distance", 1.0), "distance", source)
    if not 0 < distance <= _MAX_DISTANCE:
        raise OptionError(f'{source}: has the "distance" {distance:g}: expected above 0 and at most {_MAX_DISTANCE:g}')
    if not turned:
        elevation, azimuth = (_read_number(values[name], name, source) for name in ("elevation", "azimuth"))
        for name, angle in (("elevation", elevation), ("azimuth", azimuth)):
            if abs(angle) > 360:
                raise OptionError(f'{source}: has the "{name}" {angle:g}: expected -360 to 360 degrees')
        return (elevation, azimuth), None, distance
    axes = _read_axes(values["rotation"], source)
    x, y, z = (-component for component in axes[2])  # where the camera is
    return (math.degrees(math.asin(max(-1.0, min(1.0, y)))), math.degrees(math.atan2(x, z))), axes, distance


def _read_axes(rows: Any, source: str) -> Axes:
    fits = isinstance(rows, list) and len(rows) == 3 and all(isinstance(row, list) and len(row) == 3 for row in rows)
    if not fits:
        raise OptionError(f'{source}: expected three rows of three numbers as "rotation"')
    axes = tuple(tuple(_read_number(value, "rotation", source) for value in row) for row in rows)
    matrix = np.array(axes)
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > _TOLERANCE or np.linalg.det(matrix) < 0:
        raise OptionError(
            f'{source}: the rows of "rotation" are no rotation: expected the image\'s left, its up and the viewing '
            "direction as unit vectors at right angles, the third being left x up"
        )
    return axes  # type: ignore[return-value]


def _read_number(value: Any, name: str, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OptionError(f'{source}: has {value!r} as "{name}": expected a number')
    return float(value)


def _check_keys(values: Any, needed: tuple[str, ...], optional: tuple[str, ...], source: str) -> None:
    """Raise OptionError unless values are an object with these keys."""
    words = ", ".join(needed) + (f" and, if wanted, {', '.join(optional)}" if optional else "")
    if not isinstance(values, Mapping):
        raise OptionError(f"{source}: is no object: expected one with {words}")
    unknown = [key for key in values if key not in (*needed, *optional)]
    missing = [key for key in needed if key not in values]
    if unknown or missing:
        problem = f"has the unknown key {unknown[0]!r}" if unknown else f"lacks {missing[0]!r}"
        raise OptionError(f"{source}: {problem}: expected {words}")
