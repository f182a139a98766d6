"""Up-axes, and rotations between them and the y-up frame in which all views are defined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    import torch

    Points = TypeVar("Points", np.ndarray, torch.Tensor)
else:
    Points = TypeVar("Points")

#: For each up-axis, the (source axis, sign) of the new x, y and z. Every entry is a rotation (determinant +1) and only
#: permutes and negates coordinates, so it is exact. "z" is the rotation of the public code for ModelNet,
#: (x, y, z) -> (-y, z, -x): upright, with ModelNet's front (+x) where ShapeNet has its own (-z).
_ROTATIONS: dict[str, tuple[tuple[int, float], tuple[int, float], tuple[int, float]]] = {
    "y": ((0, 1.0), (1, 1.0), (2, 1.0)),
    "-y": ((0, -1.0), (1, -1.0), (2, 1.0)),
    "z": ((1, -1.0), (2, 1.0), (0, -1.0)),
    "-z": ((1, 1.0), (2, -1.0), (0, -1.0)),
    "x": ((1, -1.0), (0, 1.0), (2, 1.0)),
    "-x": ((1, 1.0), (0, -1.0), (2, 1.0)),
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
    return points if up == "y" else _permute(points, _ROTATIONS[check_up(up)])


def from_y_up(points: Points, up: str) -> Points:
    """Rotate points from the y-up frame into one with the given up-axis: the inverse of ``to_y_up``."""
    rows = _ROTATIONS[check_up(up)]
    inverse = sorted((source, axis, sign) for axis, (source, sign) in enumerate(rows))
    return _permute(points, [(axis, sign) for _, axis, sign in inverse])


def _permute(points: Points, rows: Sequence[tuple[int, float]]) -> Points:
    """Return coordinates anew, each from its (source axis, sign)."""
    rotated = points[..., [source for source, _ in rows]]
    for axis, (_, sign) in enumerate(rows):
        if sign < 0:
            rotated[..., axis] = -rotated[..., axis]
    return rotated
