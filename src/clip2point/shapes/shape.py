"""The Shape: what every reader returns and every later stage takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from clip2point.core.display import NotebookDisplay
from clip2point.core.errors import ShapeError
from clip2point.shapes.orientation import check_up, to_y_up

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Material:
    """How a set of faces looks: a base colour, and optionally an image that it multiplies.

    Attributes:
        color: red, green, blue, alpha in [0, 1].
        texture: [H, W, 3] uint8 image, row 0 at v = 1 (as image files store it), or None.
    """

    color: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    texture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with their looks; parts of a scene are already moved to their places and joined.

    Attributes:
        vertices: [M, 3] float32.
        faces: [F, 3] int32 indices into ``vertices``.
        materials: at least one material.
        face_materials: [F] int32 indices into ``materials``.
        uv: [M, 2] float32 texture coordinates (v up), or None if no material has a texture.
        vertex_colors: [M, 3] uint8, or None. Where present they multiply the material's colour.
    """

    vertices: Float32
    faces: NDArray[np.int32]
    materials: tuple[Material, ...]
    face_materials: NDArray[np.int32]
    uv: Float32 | None = None
    vertex_colors: NDArray[np.uint8] | None = None

    @classmethod
    def plain(cls, vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Mesh:
        """Make a mesh of one grey material from vertices [M, 3] and faces [F, 3]."""
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
        points: [N, 3] float32 in any unit: the cloud, or the mesh's vertices.
        mesh: the triangles, if there are any.
        source: where it came from, usually the path of a file; used in messages.
        up: the axis that points up, one of ``UP_AXES``, or "auto" when neither the file nor the user says.
    """

    points: Float32
    mesh: Mesh | None = None
    source: str = field(default="array")
    up: str = "y"

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
            OptionError: if the up-axis is still "auto".
        """
        if self.up == "y":
            return self
        mesh = self.mesh and replace(self.mesh, vertices=to_y_up(self.mesh.vertices, self.up))
        return replace(self, points=to_y_up(self.points, self.up), mesh=mesh, up="y")

    def turned(self, matrix: NDArray[np.float64]) -> Shape:
        """Return the shape with a rotation [3, 3] applied to every point; its declared up-axis stays."""

        def turn(points: NDArray[np.float32]) -> NDArray[np.float32]:
            return (points @ matrix.T).astype(np.float32)

        mesh = self.mesh and replace(self.mesh, vertices=turn(self.mesh.vertices))
        return replace(self, points=turn(self.points), mesh=mesh)
