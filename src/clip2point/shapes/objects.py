"""Objects of other libraries as Shapes: trimesh, Open3D, PyVista, PyTorch, pandas, polars.

They are known by their attributes: none of these libraries is imported, and others that look like them serve as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.listing import list_some
from clip2point.shapes.formats.columns import find_named_columns
from clip2point.shapes.formats.numpy_files import to_points
from clip2point.shapes.orientation import check_up
from clip2point.shapes.parsed import Parsed, Scene, to_shape
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Shape

#: Most names of columns that a note lists.
_LISTED = 8


def shape_from_object(thing: Any, up: str = "auto", source: str = "") -> Shape:
    """Make a checked Shape of an array, or of an object of another library.

    Args:
        thing: Array or tensor [N, 3 or more]; a mesh, cloud or scene of trimesh, Open3D or PyVista; a table with
            columns x, y and z.
        up: Axis that points up, or "auto".
        source: Name for messages; by default the kind of the object.

    Raises:
        ShapeError: If the object is none of these, or holds no shape; the message begins with ``source``.
        OptionError: If ``up`` is not an axis.

    Examples:
        >>> from types import SimpleNamespace
        >>> mesh = SimpleNamespace(vertices=[[0, 0, 0], [1, 0, 0], [0, 1, 0]], faces=[[0, 1, 2]])
        >>> shape_from_object(mesh, up="z").mesh.faces.tolist()
        [[0, 1, 2]]
    """
    check_up(up, auto=True)
    source = source or ("array" if isinstance(thing, np.ndarray | list | tuple) else type(thing).__name__)
    try:
        return to_shape(_parse(thing), source, up)
    except (ShapeError, ValueError, TypeError) as error:
        raise ShapeError(f"{source}: {error}") from None


def _parse(thing: Any) -> Parsed:
    if hasattr(thing, "geometry") and hasattr(thing, "graph"):
        return _parse_scene(thing)
    if hasattr(thing, "triangles") and hasattr(thing, "vertices") and not hasattr(thing, "faces"):  # Open3D
        return Parsed(_floats(thing.vertices), _integers(thing.triangles))
    if hasattr(thing, "vertices") and not hasattr(thing, "columns"):  # trimesh, which has clouds with vertices alone
        faces = getattr(thing, "faces", None)
        return Parsed(_floats(thing.vertices), None if faces is None or not len(faces) else _integers(faces))
    if hasattr(thing, "extract_surface") and not hasattr(thing, "faces"):  # PyVista's grids
        thing = thing.extract_surface()
    if hasattr(thing, "points") and not isinstance(thing, np.ndarray):
        return _parse_polydata(thing)
    for part in ("vertex", "point"):  # Open3D's tensors
        positions = getattr(getattr(thing, part, None), "positions", None)
        if positions is not None:
            triangles = getattr(getattr(thing, "triangle", None), "indices", None)
            return Parsed(_floats(positions), None if triangles is None else _integers(triangles))
    if hasattr(thing, "columns") and hasattr(thing, "__getitem__"):
        return _parse_table(thing)
    if isinstance(thing, Mapping | str | bytes) or thing is None:
        raise ShapeError("is no shape: expected a path, a Shape, points [N, 3], or a mesh or cloud of another library")
    return Parsed(to_points(_array(thing)))


def _parse_scene(scene: Any) -> Parsed:
    """Read a trimesh scene: every geometry where its nodes place it."""
    collected = Scene()
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        part = scene.geometry[name]
        if hasattr(part, "faces") or hasattr(part, "points") or hasattr(part, "vertices"):
            collected.add(_parse(part), np.asarray(transform, np.float64))
    return collected.join()


def _parse_polydata(thing: Any) -> Parsed:
    """Read points with polygons as VTK holds them (the number of corners before each), or an Open3D cloud."""
    points = _floats(thing.points)
    faces = getattr(thing, "faces", None)
    flat = np.zeros(0, np.int64) if faces is None else _integers(faces)
    if flat.ndim == 2:
        return Parsed(points, flat)
    sizes, place = [], 0
    starts = []
    while place < len(flat):
        sizes.append(int(flat[place]))
        starts.append(place + 1)
        if sizes[-1] < 0 or place + sizes[-1] >= len(flat):
            raise ShapeError("has faces that do not fit together: expected the number of corners before each face")
        place += sizes[-1] + 1
    if not sizes:
        return Parsed(points)
    corners = np.concatenate([flat[start : start + size] for start, size in zip(starts, sizes, strict=True)])
    positions, _ = cut_polygons(points, corners, np.array(sizes))
    return Parsed(points, corners[positions])


def _parse_table(table: Any) -> Parsed:
    """Read a table (pandas, polars) by the names of its columns."""
    names = [str(name) for name in table.columns]
    columns = find_named_columns(names)
    if columns is None:
        raise ShapeError(f"has the columns {', '.join(map(repr, names[:_LISTED]))}: expected x, y and z among them")
    points = np.stack([_floats(table[table.columns[column]]) for column in columns], axis=1)
    others = [name for column, name in enumerate(names) if column not in columns]
    notes = (f"columns without coordinates: left out: {list_some(others, _LISTED)}",) if others else ()
    return Parsed(points, notes=notes)


def _array(thing: Any) -> NDArray[Any]:
    """Return an array, also of a tensor on another device or of a number type that NumPy does not have."""
    if hasattr(thing, "detach"):
        thing = thing.detach().cpu()
        if str(thing.dtype) == "torch.bfloat16":
            thing = thing.float()
    elif hasattr(thing, "cpu") and hasattr(thing, "numpy"):  # Open3D's tensors
        thing = thing.cpu()
    if hasattr(thing, "to_numpy"):
        return np.asarray(thing.to_numpy())
    return np.asarray(thing.numpy() if hasattr(thing, "numpy") else thing)


def _floats(thing: Any) -> NDArray[np.float64]:
    return np.asarray(_array(thing), dtype=np.float64)


def _integers(thing: Any) -> NDArray[np.int64]:
    return np.asarray(_array(thing)).astype(np.int64)
