"""Raw arrays of a file, and the checks that every file passes on its way to a Shape."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.guards import MAX_ELEMENTS, check_count
from clip2point.shapes.hierarchy import Hierarchy, Nodes, join_face_nodes
from clip2point.shapes.shape import Material, Mesh, Shape
from clip2point.shapes.triangles import triangle_areas

#: Coordinates beyond this, and shapes smaller than its inverse, would overflow or vanish in float32 arithmetic.
MAX_COORDINATE = 1e30
#: A shape farther from the origin than this many times its size is moved to it, in float64, before it is stored
#: in float32; 64 costs 6 of float32's 24 bits. Nearer shapes keep their coordinates as they are.
FAR_AWAY = 64.0
#: Materials of less alpha are not drawn.
VISIBLE_ALPHA = 0.05

WHITE = Material((1.0, 1.0, 1.0, 1.0))


@dataclass
class Parsed:
    """Raw arrays of one file, in the file's own number type; nothing but their layout has been checked.

    Attributes:
        vertices: Positions, [N, 3] numbers.
        faces: Corners of each triangle, [F, 3] integers, or None for a cloud.
        materials: Materials, one or more.
        face_materials: Material of each face, [F] indices into ``materials``, or None if all faces have the first.
        uv: Texture coordinates, [N, 2] with v up, or None.
        vertex_colors: Colours, [N, 3] uint8, or None.
        up: Axis that points up, as the file declares it, or "auto".
        notes: Remarks for the user, each one line: what was dropped, assumed or ignored.
        hierarchy: Named parts as the file has them, or None.
    """

    vertices: NDArray[Any]
    faces: NDArray[Any] | None = None
    materials: tuple[Material, ...] = (Material(),)
    face_materials: NDArray[Any] | None = None
    uv: NDArray[Any] | None = None
    vertex_colors: NDArray[np.uint8] | None = None
    up: str = "auto"
    notes: tuple[str, ...] = ()
    hierarchy: Hierarchy | None = None


@dataclass
class Scene:
    """Collector of the parts of a scene, each moved to its place, which joins them into one Parsed.

    Attributes:
        notes: Remarks on the scene as a whole; those of the parts follow them.
        nodes: Collector of the nodes that parts belong to.
    """

    notes: list[str] = field(default_factory=list)
    nodes: Nodes = field(default_factory=Nodes)
    _numbers: list[int | None] = field(default_factory=list)
    _parts: list[Parsed] = field(default_factory=list)
    _vertices: int = 0
    _faces: int = 0

    def add(self, part: Parsed, transform: NDArray[np.float64] | None = None, node: int | None = None) -> None:
        """Add a part, moved to its place.

        Args:
            part: Part of the scene.
            transform: Matrix on column vectors, [4, 4], or None for the identity.
            node: Number of its node in ``nodes``, or None.

        Raises:
            ShapeError: If the scene grows beyond MAX_ELEMENTS.
        """
        faces = part.faces
        self._vertices += len(part.vertices)
        self._faces += 0 if faces is None else len(faces)
        check_count("vertices", self._vertices)
        check_count("faces", self._faces)
        if transform is not None and not np.array_equal(transform, np.eye(4)):
            moved = part.vertices @ transform[:3, :3].T + transform[:3, 3]
            if faces is not None and np.linalg.det(transform[:3, :3]) < 0:
                faces = faces[:, ::-1]  # a mirror turns faces inside out
            part = replace(part, vertices=moved, faces=faces)
        self._parts.append(part)
        self._numbers.append(node)

    def join(self, up: str = "auto") -> Parsed:
        """Return all parts as one; if any part has faces, points and lines beside them are left out.

        Raises:
            ShapeError: If there is no part at all.
        """
        parts = [part for part in self._parts if part.faces is not None and len(part.faces)] or self._parts
        if not parts:
            raise ShapeError("holds no triangles and no points: expected a mesh or a cloud; export it again")
        notes = tuple(dict.fromkeys([*self.notes, *(note for part in parts for note in part.notes)]))
        hierarchy = self._hierarchy(parts)
        if len(parts) == 1:
            return replace(parts[0], up=up, notes=notes, hierarchy=hierarchy)
        offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
        materials, face_materials = _join_materials(parts)
        return Parsed(
            vertices=np.concatenate([part.vertices for part in parts]),
            faces=np.concatenate([_faces(p) + start for p, start in zip(parts, offsets, strict=False)]),
            materials=materials,
            face_materials=face_materials,
            uv=_join_optional(parts, "uv", 0, 2),
            vertex_colors=_join_optional(parts, "vertex_colors", 255, 3),
            up=up,
            notes=notes,
            hierarchy=hierarchy,
        )

    def _hierarchy(self, parts: list[Parsed]) -> Hierarchy | None:
        """Return the nodes of the parts that are joined."""
        joined = {id(part) for part in parts}
        chosen = [number for part, number in zip(self._parts, self._numbers, strict=True) if id(part) in joined]
        if any(part.faces is None for part in parts) or len(chosen) != len(parts):
            return None
        return join_face_nodes(self.nodes.entered, chosen, [len(_faces(part)) for part in parts])


def _faces(part: Parsed) -> NDArray[np.int64]:
    faces = np.zeros((0, 3)) if part.faces is None else part.faces
    if len(faces) and not 0 <= int(faces.min()) <= int(faces.max()) < len(part.vertices):
        _refuse_faces(faces, len(part.vertices))
    return faces.astype(np.int64)


def _join_materials(parts: list[Parsed]) -> tuple[tuple[Material, ...], NDArray[np.int64]]:
    materials: list[Material] = []
    places: dict[int, int] = {}
    joined = []
    for part in parts:
        for material in part.materials:
            if id(material) not in places:
                places[id(material)] = len(materials)
                materials.append(material)
        lookup = np.array([places[id(material)] for material in part.materials])
        joined.append(lookup[_face_materials(part)])
    return tuple(materials), np.concatenate(joined)


def _face_materials(part: Parsed) -> NDArray[np.int64]:
    if part.face_materials is not None:
        return part.face_materials.astype(np.int64)
    return np.zeros(0 if part.faces is None else len(part.faces), dtype=np.int64)


def _join_optional(parts: list[Parsed], name: str, fill: int, columns: int) -> NDArray[Any] | None:
    arrays = [getattr(part, name) for part in parts]
    if all(array is None for array in arrays):
        return None
    return np.concatenate(
        [
            np.full((len(part.vertices), columns), fill, np.uint8) if array is None else array
            for part, array in zip(parts, arrays, strict=True)
        ]
    )


def colors_to_uint8(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Return colours [N, 3 or more] as [N, 3] uint8: values that never exceed 1 are fractions, others levels to 255.

    Examples:
        >>> colors_to_uint8(np.array([[0.0, 0.5, 1.0]])).tolist()
        [[0, 128, 255]]
    """
    colors = np.nan_to_num(np.asarray(colors)[:, :3].astype(np.float64))
    if colors.max(initial=0) <= 1:
        colors = colors * 255
    levels: NDArray[np.uint8] = np.clip(np.rint(colors), 0, 255).astype(np.uint8)
    return levels


def to_shape(parsed: Parsed, source: str, up: str = "auto") -> Shape:
    """Check raw arrays and store them as a Shape.

    Args:
        parsed: Arrays that a reader found.
        source: Name for the Shape; messages here do not repeat it.
        up: Axis that the user says points up; "auto" takes the file's.

    Raises:
        ShapeError: If the arrays hold no shape.
    """
    _check_layout(parsed.vertices)
    up = parsed.up if up == "auto" else up
    if parsed.faces is None or not len(parsed.faces):
        kept, notes = _drop_not_finite(parsed.vertices)
        points = _check_points(kept)
        mask = np.isfinite(parsed.vertices).all(axis=1) if len(kept) < len(parsed.vertices) else None
        return Shape(points, source=source, up=up, notes=(*parsed.notes, *notes), kept=mask)
    check_count("faces", len(parsed.faces))
    parsed = _drop_unused(parsed)
    points, faces = _check_points(parsed.vertices), _faces(parsed).astype(np.int32)
    if not _has_area(points, faces):
        flat = "no face has any area: read as the cloud of its vertices"
        return Shape(points, source=source, up=up, notes=(*parsed.notes, flat))
    textured = any(material.texture is not None for material in parsed.materials)
    materials = parsed.materials
    if parsed.uv is None:  # a texture that nothing says how to lay on is none
        materials = tuple(replace(material, texture=None) for material in materials)
    face_materials = _face_materials(parsed).astype(np.int32)
    materials, see_through = _show_something(materials, face_materials)
    mesh = Mesh(
        vertices=points,
        faces=faces,
        materials=materials,
        face_materials=face_materials,
        uv=_finite_float32(parsed.uv) if textured and parsed.uv is not None else None,
        vertex_colors=parsed.vertex_colors,
    )
    return Shape(points, mesh, source, up, (*parsed.notes, *see_through), parsed.hierarchy)


def _show_something(
    materials: tuple[Material, ...], face_materials: NDArray[np.int32]
) -> tuple[tuple[Material, ...], tuple[str, ...]]:
    """Make all materials opaque if nothing is visible otherwise: some writers mean alpha the other way."""
    if any(materials[i].color[3] >= VISIBLE_ALPHA for i in np.unique(face_materials) if 0 <= i < len(materials)):
        return materials, ()
    opaque = tuple(replace(material, color=(*material.color[:3], 1.0)) for material in materials)
    return opaque, ("all materials are fully transparent: shown opaque",)


def _drop_not_finite(points: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the points of a cloud that are finite, and a note on the others; all of them if fewer than 2 are."""
    if np.isfinite([points.min(initial=0), points.max(initial=0)]).all():
        return points, ()
    finite = np.isfinite(points).all(axis=1)
    bad = int(len(points) - finite.sum())
    if bad == 0 or len(points) - bad < 2:
        return points, ()
    return points[finite], (f"{bad:,} of {len(points):,} points have NaN or infinite coordinates: left out",)


def _drop_unused(parsed: Parsed) -> Parsed:
    """Leave out vertices that no face uses: they are no part of the surface, so they decide about nothing."""
    count = len(parsed.vertices)
    faces = _faces(parsed)
    used = np.zeros(count, dtype=bool)
    used[faces.ravel()] = True
    unused = count - int(np.count_nonzero(used))
    if not unused:
        return parsed
    places = np.cumsum(used) - 1
    return replace(
        parsed,
        vertices=parsed.vertices[used],
        faces=places[faces],
        uv=None if parsed.uv is None else parsed.uv[used],
        vertex_colors=None if parsed.vertex_colors is None else parsed.vertex_colors[used],
        notes=(*parsed.notes, *_note_unused(parsed.vertices, used)),
    )


def _note_unused(vertices: NDArray[np.floating], used: NDArray[np.bool_]) -> tuple[str, ...]:
    """Say how many vertices are left out, where they reach beyond the surface; parts often share a list of vertices."""
    inside, others = vertices[used], vertices[~used]
    if not len(inside) or ((others >= inside.min(axis=0)) & (others <= inside.max(axis=0))).all():
        return ()
    return (f"{len(others):,} of {len(vertices):,} vertices belong to no face: left out",)


def _check_layout(points: NDArray[Any]) -> None:
    """Raise ShapeError unless points are [N, 3] with a usable N."""
    if points.ndim != 2 or points.shape[1] != 3:
        raise ShapeError(f"has an array {list(points.shape)}: expected points [N, 3]")
    if len(points) > MAX_ELEMENTS:
        check_count("points", len(points))
    if len(points) < 2:
        raise ShapeError(f"has {len(points)} point{'s'[: len(points) != 1]}: expected at least 2 that differ")


def _check_points(points: NDArray[Any]) -> NDArray[np.float32]:
    """Return points [N, 3] as finite float32 of usable size, moved to the origin if they are far from it."""
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    if not np.isfinite([low, high]).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise ShapeError(
            f"has NaN or infinite coordinates in {bad:,} of {len(points):,} points: expected finite numbers; "
            "remove these points"
        )
    largest, extent = float(np.abs([low, high]).max()), float((high - low).max())
    if largest > MAX_COORDINATE:
        raise ShapeError(f"has coordinates up to {largest:.3g}: expected at most {MAX_COORDINATE:g}; scale the shape")
    if extent <= 4 * np.finfo(np.float64).eps * largest:
        raise ShapeError(f"has {len(points):,} points that are all equal: expected a shape with some extent")
    if extent < 1 / MAX_COORDINATE:
        raise ShapeError(f"is only {extent:.3g} across: expected at least {1 / MAX_COORDINATE:g}; scale the shape")
    if largest > FAR_AWAY * extent:
        points = points.astype(np.float64) - (low + high) / 2
    return np.ascontiguousarray(points, dtype=np.float32)


def _refuse_faces(faces: NDArray[Any], vertices: int) -> None:
    outside = ((faces < 0) | (faces >= vertices)).any(axis=1)
    first, count = int(np.flatnonzero(outside)[0]), int(outside.sum())
    named = f"{count:,} faces that name" if count > 1 else "a face that names"
    raise ShapeError(
        f"has {named} vertices which do not exist (face {first}: "
        f"{faces[first].tolist()}): expected numbers from 0 to {vertices - 1}; export the mesh again"
    )


def _has_area(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> bool:
    chunk = 1 << 16
    return any(triangle_areas(vertices, faces[start : start + chunk]).any() for start in range(0, len(faces), chunk))


def _finite_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
