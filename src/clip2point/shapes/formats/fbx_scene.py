"""Places of FBX's models: translation, rotations, scales, and the pivots between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Properties = Mapping[str, list[Any]]

#: Orders of rotation by number: the axis that turns first comes first.
_ORDERS = ("XYZ", "XZY", "YZX", "YXZ", "ZXY", "ZYX", "XYZ")


def multiply_up(properties: Properties) -> Float:
    """Return the [4, 4] matrix from a model's frame to the one around it.

    That is T Roff Rp Rpre R Rpost^-1 Rp^-1 Soff Sp S Sp^-1, as Autodesk describes it. The rotations before and after,
    and another order than x, y, z, count only where the model says so.
    """
    order = 0
    before: Float = np.eye(4)
    after: Float = np.eye(4)
    if (properties.get("RotationActive") or [0])[0]:
        order = int((properties.get("RotationOrder") or [0])[0])
        before = _turn(_vector(properties, "PreRotation"))
        after = _turn(_vector(properties, "PostRotation")).T
    pivot, scaling_pivot = _vector(properties, "RotationPivot"), _vector(properties, "ScalingPivot")
    matrices = (
        _shift(_vector(properties, "Lcl Translation")),
        _shift(_vector(properties, "RotationOffset")),
        _shift(pivot),
        before,
        _turn(_vector(properties, "Lcl Rotation"), order),
        after,
        _shift(-pivot),
        _shift(_vector(properties, "ScalingOffset")),
        _shift(scaling_pivot),
        _scale(_vector(properties, "Lcl Scaling", 1.0)),
        _shift(-scaling_pivot),
    )
    return np.linalg.multi_dot(matrices)


def turn_geometry(properties: Properties) -> Float:
    """Return the [4, 4] matrix of a model's mesh alone, which the models below it do not follow."""
    return (
        _shift(_vector(properties, "GeometricTranslation"))
        @ _turn(_vector(properties, "GeometricRotation"))
        @ _scale(_vector(properties, "GeometricScaling", 1.0))
    )


def _vector(properties: Properties, name: str, default: float = 0.0) -> Float:
    values = properties.get(name) or []
    if len(values) < 3 or not all(isinstance(value, int | float) for value in values[:3]):
        return np.full(3, default)
    return np.array(values[:3], np.float64)


def _shift(vector: Float) -> Float:
    matrix = np.eye(4)
    matrix[:3, 3] = vector
    return matrix


def _scale(factors: Float) -> Float:
    return np.diag([*factors, 1.0])


def _turn(degrees: Float, order: int = 0) -> Float:
    """Return the rotation about the fixed axes, in their order."""
    matrix = np.eye(4)
    for letter in _ORDERS[order % len(_ORDERS)]:
        axis = "XYZ".index(letter)
        angle = np.radians(degrees[axis])
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(4)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[b, a], turn[a, b] = np.sin(angle), -np.sin(angle)
        matrix = turn @ matrix
    return matrix
