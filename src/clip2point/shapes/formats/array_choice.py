"""Which of a file's named arrays are points or a mesh: HDF5, pickles and NPZ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from clip2point.core.errors import ShapeError

#: Names of arrays of positions, likeliest first, and of arrays beside them that are none.
POSITIONS = (
    *("points", "xyz", "position", "positions", "coords", "coordinates", "vertices", "verts"),
    *("data", "pos", "pc", "pcd", "pointcloud", "point_cloud", "cloud"),
)
FACES = ("faces", "triangles", "face")
BESIDE = (
    *("rgb", "color", "colors", "colour", "colours", "normal", "normals", "label", "labels", "seg", "pid", "mask"),
    *("intensity", "index", "indices", "features", *FACES),
)


class Layout(Protocol):
    """Shape and type of an array that need not be in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""


class Choice(NamedTuple):
    """Names of the chosen arrays: positions (one, or three for x, y and z), and faces or None."""

    positions: tuple[str, ...]
    faces: str | None


def choose_arrays(layouts: Mapping[str, Layout], remedy: str) -> Choice:
    """Choose the arrays of one shape by their names and layouts.

    Args:
        layouts: Arrays by name, with slashes for groups.
        remedy: Advice on a file of several clouds, for the message.

    Raises:
        ShapeError: No array, several clouds, or several arrays that could be it.
    """
    plain = {name.rpartition("/")[2].lower(): name for name in reversed(list(layouts))}
    if all(axis in plain and len(layouts[plain[axis]].shape) == 1 for axis in "xyz"):
        return Choice((plain["x"], plain["y"], plain["z"]), None)
    named = [plain[name] for name in POSITIONS if name in plain and _may_be_points(layouts[plain[name]])]
    possible = [name for name, layout in layouts.items() if _may_be_points(layout)]
    found = named[:1] or [name for name in possible if name.rpartition("/")[2].lower() not in BESIDE] or possible
    if len(found) != 1:
        listed = ", ".join(f"{name} {list(layout.shape)}" for name, layout in list(layouts.items())[:8])
        raise ShapeError(
            f"has {len(found)} arrays that could be points ({listed[:300] or 'no arrays'}): expected one [N, 3 or "
            "more] named 'points' or 'xyz'"
        )
    shape = layouts[found[0]].shape
    if len(shape) == 3 and shape[0] != 1:
        raise ShapeError(f"holds {shape[0]:,} clouds, {found[0]!r} {list(shape)}: expected one shape a file; {remedy}")
    faces = next((plain[name] for name in FACES if name in plain and _may_be_faces(layouts[plain[name]])), None)
    return Choice((found[0],), faces)


def _may_be_points(layout: Layout) -> bool:
    """Return whether an array may be one cloud [N, 3 or more] or several [B, N, 3 or more]."""
    return len(layout.shape) in (2, 3) and layout.shape[-1] >= 3 and layout.dtype.kind in "fiu"


def _may_be_faces(layout: Layout) -> bool:
    return len(layout.shape) == 2 and layout.shape[1] == 3 and layout.dtype.kind in "iu"
