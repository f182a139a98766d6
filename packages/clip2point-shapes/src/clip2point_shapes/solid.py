"""The Solid: a closed triangle surface that can be moved, rotated and joined; all generated shapes are made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

#: Vertices closer than this (metres) are one vertex: far below any wall thickness, far above rounding.
_WELD = 1e-7


@dataclass(frozen=True, eq=False)
class Solid:
    """Triangles that face outwards, in metres, y up. Every method returns a new solid.

    Attributes:
        vertices: Positions [M, 3] float64.
        faces: Indices [F, 3] int64 into ``vertices``, counter-clockwise seen from outside.
    """

    vertices: Float64
    faces: Int64

    def move(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
        """Translate by (x, y, z) metres."""
        return Solid(self.vertices + np.array([x, y, z]), self.faces)

    def rotate(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Solid:
        """Rotate about the origin by angles in degrees: about x first, then y, then z."""
        return Solid(self.vertices @ rotation(x, y, z).T, self.faces)

    def scale(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Solid:
        """Stretch along the axes; negative factors mirror, and the triangles still face outwards."""
        faces = self.faces[:, ::-1] if x * y * z < 0 else self.faces
        return Solid(self.vertices * np.array([x, y, z]), faces)

    def place(self, vertices: Float64) -> Solid:
        """Return the same triangles on other vertices [M, 3], for bending a solid out of shape."""
        return Solid(vertices, self.faces)

    @property
    def volume(self) -> float:
        """The enclosed volume in cubic metres; positive when the triangles face outwards."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)

    @property
    def area(self) -> float:
        """The surface area in square metres."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64:
    """Return the matrix [3, 3] that rotates column vectors about x, then y, then z (degrees).

    Examples:
        >>> (rotation(z=90) @ [1, 0, 0]).round(6).tolist()
        [0.0, 1.0, 0.0]
    """
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([x, y, z])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def join(solids: Iterable[Solid]) -> Solid:
    """Return one solid that holds all the given ones (at least one), untouched.

    Examples:
        >>> from clip2point_shapes.primitives import box
        >>> round(join([box(1, 1, 1), box(1, 1, 1).move(y=2)]).volume, 6)
        2.0
    """
    solids = list(solids)
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids[:-1])])
    return Solid(
        np.concatenate([solid.vertices for solid in solids]),
        np.concatenate([solid.faces + start for solid, start in zip(solids, starts, strict=True)]),
    )


def mirror(solid: Solid) -> Solid:
    """Return a solid and its mirror image across the plane x = 0: left and right of the same thing.

    Examples:
        >>> from clip2point_shapes.primitives import box
        >>> armrests = mirror(box(0.1, 0.2, 0.5).move(x=0.3))
        >>> round(armrests.volume, 6)
        0.02
    """
    return join([solid, solid.scale(x=-1.0)])


def mirror_twice(solid: Solid) -> Solid:
    """Return a solid mirrored into all four quadrants of the floor: legs, bed posts, wheels.

    Examples:
        >>> from clip2point_shapes.primitives import box
        >>> legs = mirror_twice(box(0.1, 0.4, 0.1).move(0.3, 0, 0.2))
        >>> len(legs.faces) == 4 * 12
        True
    """
    return join([mirror(solid), mirror(solid.scale(z=-1.0))])


def repeat_around(solid: Solid, count: int, start: float = 0.0) -> Solid:
    """Return ``count`` copies rotated evenly about the y axis, the first by ``start`` degrees.

    Examples:
        >>> from clip2point_shapes.primitives import box
        >>> spokes = repeat_around(box(0.1, 0.1, 1.0).move(z=-0.5), 5)
        >>> len(spokes.faces) == 5 * 12
        True
    """
    return join(solid.rotate(y=start + 360.0 * i / count) for i in range(count))


def repeat(solid: Solid, start: Iterable[float], end: Iterable[float], count: int) -> Solid:
    """Return ``count`` copies shifted evenly from one offset (x, y, z) to another, both included.

    Examples:
        >>> from clip2point_shapes.primitives import box
        >>> slats = repeat(box(1.0, 0.02, 0.1), (0, 0, 0), (0, 0, 0.9), 7)
        >>> slats.vertices[:, 2].max().round(6).tolist()
        0.95
    """
    offsets = np.linspace(np.array(tuple(start)), np.array(tuple(end)), count)
    return join(solid.move(*offset) for offset in offsets)


def weld(vertices: Float64, faces: Int64) -> tuple[Float64, Int64]:
    """Merge coincident vertices and drop the triangles that collapse with them.

    Args:
        vertices: Positions [M, 3], metres.
        faces: Indices [F, 3].

    Returns:
        Vertices [M', 3] and faces [F', 3], in which every vertex of the result is used at most once per triangle.

    Examples:
        >>> corners = np.array([(0.0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)])
        >>> vertices, faces = weld(corners, np.array([[0, 1, 2], [3, 4, 2]]))
        >>> vertices.shape
        (4, 3)
    """
    _, first, inverse = np.unique(np.round(vertices / _WELD), axis=0, return_index=True, return_inverse=True)
    merged = inverse.reshape(-1)[faces]
    a, b, c = merged.T
    return vertices[first], merged[(a != b) & (b != c) & (c != a)]
