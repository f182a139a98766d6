"""Preparation: from a file, a Shape or an array to the points that are rendered."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.shapes.normalise import to_unit_sphere
from clip2point.shapes.orientation import to_y_up
from clip2point.shapes.sampling import sample_points
from clip2point.shapes.shape import Float32, Shape
from clip2point.shapes.shape_files import load_shape

if TYPE_CHECKING:
    from clip2point.shapes.orientation import Points

#: Anything that can be recognised: a file, a Shape, points [N, 3], or an object that ``shape_from_object`` takes.
ShapeLike = str | os.PathLike[str] | Shape | NDArray[np.floating] | Any

#: Several shapes, in the container that they are given in.
Several = TypeVar("Several", bound=Iterable[ShapeLike])


def as_shape(shape: ShapeLike, up: str = "auto") -> Shape:
    """Return the Shape of a file, a Shape, points [N, 3], or a mesh, cloud or table of another library.

    Args:
        shape: Path of a file, Shape, array or tensor of points, or an object as ``shape_from_object`` takes it.
        up: Axis that points up; "auto" takes the one that the shape or its file format declares.

    Raises:
        ShapeError: The shape cannot be read.
        OptionError: There is no such axis.

    Examples:
        >>> as_shape(np.eye(3, dtype=np.float32), up="z").up
        'z'
    """
    if isinstance(shape, Shape):
        return shape if up == "auto" else shape.with_up(up)
    if isinstance(shape, str | os.PathLike):
        return load_shape(shape, up=up)
    from clip2point.shapes.objects import shape_from_object

    return shape_from_object(shape, up=up)


def check_list(shapes: Several) -> Several:
    """Return shapes, once it is known that they are several and not one.

    Raises:
        OptionError: If it is one file, Shape, cloud or object, or an array of clouds is transposed.
    """
    if isinstance(shapes, str | os.PathLike | Shape):
        raise OptionError(f"{shapes if not isinstance(shapes, Shape) else shapes.source}: expected a list of shapes")
    size: tuple[int, ...] = tuple(getattr(shapes, "shape", ()))
    if len(size) == 3 and size[1] == 3 < size[2]:
        raise OptionError(f"shapes {list(size)}: expected clouds [B, N, 3]; give shapes.transpose(0, 2, 1)")
    if len(size) == 2 and 3 in size and not hasattr(shapes, "columns"):
        raise OptionError(f"shapes {list(size)}: one cloud? Expected a list of them: give [points]")
    if not hasattr(shapes, "__iter__") or any(hasattr(shapes, name) for name in ("columns", "points", "vertices")):
        raise OptionError(f"{type(shapes).__name__}: one shape? Expected a list of them: give [shape]")
    return shapes


def prepare_points(shape: Shape, count: int = 1024, seed: int = 0, up: str | None = None) -> Float32:
    """Sample a shape, scale the points to the unit sphere and rotate them into the y-up frame.

    Args:
        shape: Mesh or cloud.
        count: Number of points, at least 1.
        seed: Seed of the point sampling.
        up: Axis that points up, one of ``UP_AXES``; by default the one that the shape declares. "y" leaves the points
            in the shape's own axes.

    Returns:
        [count, 3] float32 points, centred at the origin, the farthest of them at distance 1.

    Raises:
        ShapeError: The points are all equal or not finite.
        OptionError: An argument is out of range, or the shape declares no up-axis and none is given.

    Examples:
        >>> corners = as_shape(np.array([[0, 0, 0], [0, 0, 4], [2, 0, 2]]), up="z")
        >>> prepare_points(corners, count=3).shape
        (3, 3)
    """
    return place_points(sample_points(shape, count, seed), shape.up if up is None else up)


def place_points(points: Points, up: str) -> Points:
    """Scale clouds to the unit sphere and rotate them into the y-up frame.

    Args:
        points: [..., N, 3] float32 in any unit, a NumPy array or a torch tensor.
        up: Axis that points up, one of ``UP_AXES``.

    Returns:
        [..., N, 3] points of the same type.

    Raises:
        ShapeError: The points of a cloud are all equal or not finite.
        OptionError: There is no such axis.

    Examples:
        >>> place_points(np.array([[0, 0, 0], [0, 0, 4]], dtype=np.float32), "z").tolist()
        [[-0.0, -1.0, -0.0], [-0.0, 1.0, -0.0]]
    """
    return to_y_up(to_unit_sphere(points), up)
