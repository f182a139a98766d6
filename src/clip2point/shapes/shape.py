"""Shapes and meshes: results of every reader, arguments of every later stage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clip2point.core.display import NotebookDisplay
from clip2point.core.errors import ShapeError
from clip2point.shapes.hierarchy import Hierarchy
from clip2point.shapes.orientation import check_up, to_y_up

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Material:
    """Look of a set of faces: a base colour, and optionally an image that it multiplies.

    Attributes:
        color: Red, green, blue, alpha in [0, 1].
        texture: Image, [H, W, 3] uint8, row 0 at v = 1 (as image files store it), or None.
    """

    color: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    texture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with their materials; parts of a scene are moved to their places and joined.

    Attributes:
        vertices: Positions, [M, 3] float32.
        faces: Corners of each triangle, [F, 3] int32 indices into ``vertices``.
        materials: Materials, one or more.
        face_materials: Material of each face, [F] int32 indices into ``materials``.
        uv: Texture coordinates, [M, 2] float32 with v up, or None if no material has a texture.
        vertex_colors: Colours, [M, 3] uint8, which multiply the material's, or None.
    """

    vertices: Float32
    faces: NDArray[np.int32]
    materials: tuple[Material, ...]
    face_materials: NDArray[np.int32]
    uv: Float32 | None = None
    vertex_colors: NDArray[np.uint8] | None = None

    @classmethod
    def plain(cls, vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Mesh:
        """Make a mesh of one gray material.

        Args:
            vertices: Positions, [M, 3].
            faces: Corners of each triangle, [F, 3] indices into ``vertices``.

        Examples:
            >>> Mesh.plain(np.eye(3), np.array([[0, 1, 2]])).faces.shape
            (1, 3)
        """
        return cls(
            vertices=np.ascontiguousarray(vertices, dtype=np.float32),
            faces=np.ascontiguousarray(faces, dtype=np.int32),
            materials=(Material(),),
            face_materials=np.zeros(len(faces), dtype=np.int32),
        )


@dataclass(frozen=True, eq=False)
class Shape(NotebookDisplay):
    """A 3D shape: a point cloud, or a mesh whose surface can be sampled.

    Attributes:
        points: Points of the cloud or vertices of the mesh, [N, 3] float32 in any unit.
        mesh: Triangles, or None for a cloud.
        source: Origin for messages, usually the path of a file.
        up: Axis that points up, one of ``UP_AXES``, or "auto" when neither the file nor the user says.
        notes: Remarks of the reader, each one line: what it dropped, assumed or ignored.
        hierarchy: Named parts as the file has them, in the file's own frame, or None.
        kept: Mask over the points of a cloud's file, True for those among ``points``, [M] bool, or None if all are.
    """

    points: Float32
    mesh: Mesh | None = None
    source: str = field(default="array")
    up: str = "y"
    notes: tuple[str, ...] = ()
    hierarchy: Hierarchy | None = None
    kept: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        check_up(self.up, auto=True)
        points = self.points
        if points.ndim != 2 or points.shape[1] != 3 or points.dtype != np.float32:
            raise ShapeError(
                f"{self.source}: expected points as [N, 3] float32, got {list(points.shape)} {points.dtype}"
            )

    def with_up(self, up: str) -> Shape:
        """Return the same shape with another declared up-axis; nothing is rotated."""
        return replace(self, up=up)

    def upright(self) -> Shape:
        """Return the shape rotated from its declared up-axis into the y-up frame.

        Raises:
            OptionError: If the up-axis is still "auto".

        Examples:
            >>> Shape(np.array([[1, 2, 3]], np.float32), up="z").upright().points.tolist()
            [[-2.0, 3.0, -1.0]]
        """
        if self.up == "y":
            return self
        mesh = self.mesh and replace(self.mesh, vertices=to_y_up(self.mesh.vertices, self.up))
        return replace(self, points=to_y_up(self.points, self.up), mesh=mesh, up="y")

    def rotate(self, matrix: NDArray[np.float64]) -> Shape:
        """Return the shape with a rotation applied to every point; its declared up-axis stays.

        Args:
            matrix: Rotation on column vectors, [3, 3].
        """

        def rotate(points: NDArray[np.float32]) -> NDArray[np.float32]:
            return (points @ matrix.T).astype(np.float32)

        mesh = self.mesh and replace(self.mesh, vertices=rotate(self.mesh.vertices))
        return replace(self, points=rotate(self.points), mesh=mesh)
