"""Up-axes, and rotations between them and the y-up frame in which all views are defined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    import torch

from clip2point.core.errors import OptionError

Points = TypeVar("Points", bound="np.ndarray | torch.Tensor")

#: Axes of the points that become x, y and z, for each up-axis. Every entry is a rotation (determinant +1) and only
#: permutes and negates coordinates, so it is exact. "z" is the rotation of the public code for ModelNet,
#: (x, y, z) -> (-y, z, -x): upright, with ModelNet's front (+x) where ShapeNet has its own (-z).
_ROTATIONS: dict[str, tuple[str, str, str]] = {
    "y": ("x", "y", "z"),
    "-y": ("-x", "-y", "z"),
    "z": ("-y", "z", "-x"),
    "-z": ("y", "-z", "-x"),
    "x": ("-y", "x", "z"),
    "-x": ("y", "-x", "z"),
}

#: The up-axes that a shape may declare.
UP_AXES: tuple[str, ...] = tuple(_ROTATIONS)


def check_up(up: str, *, auto: bool = False) -> str:
    """Return ``up`` if it names an up-axis.

    Args:
        up: Name to check.
        auto: Allow "auto" beside the axes.

    Raises:
        OptionError: If it names none.

    Examples:
        >>> check_up("-z"), check_up("auto", auto=True)
        ('-z', 'auto')
    """
    allowed = (*UP_AXES, "auto") if auto else UP_AXES
    if up not in allowed:
        raise OptionError(f"unknown up-axis {up!r}: expected one of {', '.join(allowed)}")
    return up


def to_y_up(points: Points, up: str) -> Points:
    """Rotate points with the given up-axis into the y-up frame.

    Args:
        points: Points, [..., 3] in any unit, a NumPy array or a torch tensor.
        up: Axis that points up, one of ``UP_AXES``.

    Returns:
        Points of the same shape, type, dtype and unit: coordinates are permuted and negated, never rounded.

    Raises:
        OptionError: If ``up`` is not an axis.

    Examples:
        >>> to_y_up(np.array([1.0, 2.0, 3.0]), "z").tolist()
        [-2.0, 3.0, -1.0]
    """
    return points if up == "y" else _permute(points, [_parse_axis(name) for name in _ROTATIONS[check_up(up)]])


def from_y_up(points: Points, up: str) -> Points:
    """Rotate points from the y-up frame into one with the given up-axis: the inverse of ``to_y_up``.

    Args:
        points: Points, [..., 3] in any unit, a NumPy array or a torch tensor.
        up: Axis that is to point up, one of ``UP_AXES``.

    Raises:
        OptionError: If ``up`` is not an axis.

    Examples:
        >>> from_y_up(np.array([3.0, 1.0, 2.0]), "z").tolist()
        [-2.0, -3.0, 1.0]
    """
    sources = [_parse_axis(name) for name in _ROTATIONS[check_up(up)]]
    inverse = sorted((source, axis, negated) for axis, (source, negated) in enumerate(sources))
    return _permute(points, [(axis, negated) for _, axis, negated in inverse])


def _parse_axis(name: str) -> tuple[int, bool]:
    """Return the index of an axis, and True if it is negated."""
    return "xyz".index(name[-1]), name.startswith("-")


def _permute(points: Points, sources: Sequence[tuple[int, bool]]) -> Points:
    """Return coordinates anew, each from an axis that may be negated."""
    rotated: Any = points[..., [source for source, _ in sources]]
    for axis, (_, negated) in enumerate(sources):
        if negated:
            rotated[..., axis] = -rotated[..., axis]
    return cast(Points, rotated)
