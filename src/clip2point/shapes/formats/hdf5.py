"""HDF5 of one shape, read by h5py in a child process, without links to other files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, require_package, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.array_choice import choose_arrays
from clip2point.shapes.formats.numpy_files import to_parsed
from clip2point.shapes.guards import check_count, expansion_limit
from clip2point.shapes.parsed import Parsed

if TYPE_CHECKING:
    import h5py

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_ENTRIES, _DEEPEST = 10_000, 8
_REMEDY = "evaluate them as a data set, h5:FILE, or save each with numpy.save"


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a cloud or mesh of HDF5: "points", "xyz", "data", "vertices" and "faces", x, y and z, or the only array."""
    if not data.startswith(_SIGNATURE):
        raise ShapeError("is no HDF5 file: expected its signature at the beginning; check its ending")
    require_package("h5py", "reading HDF5")
    limit = expansion_limit(len(data))
    limits = Limits(seconds=60 + len(data) / 20e6, memory=1024**3 + 4 * limit)
    return to_parsed(run_native(f"{__name__}:read_here", data, limits, limit=limit))


def holds_points(begin: bytes, size: int) -> bool:
    """Return whether a file that begins so is HDF5."""
    return begin.startswith(_SIGNATURE)


def read_here(payload: bytes, limit: int) -> Arrays:
    """Read the arrays of a shape; called in the child."""
    import h5py

    with h5py.File(io.BytesIO(payload), "r") as file:
        found: dict[str, h5py.Dataset] = {}
        _list_arrays(file, "", found, _DEEPEST)
        choice = choose_arrays(found, _REMEDY)
        names = dict(zip(("x", "y", "z") if len(choice.positions) == 3 else ("points",), choice.positions, strict=True))
        if choice.faces is not None:
            names["faces"] = choice.faces
        arrays: Arrays = {}
        for name, place in names.items():
            array = found[place]
            check_count("rows", array.shape[-2] if array.ndim > 1 else array.shape[0])
            if array.nbytes > limit:
                raise ShapeError(
                    f"declares {array.nbytes:,} bytes of {place!r}: expected at most {limit:,} for a file of its size"
                )
            arrays[name] = np.asarray(array[()])
        return arrays


def _list_arrays(group: Any, prefix: str, found: dict[str, Any], depth: int) -> None:
    """Collect the arrays of a group that lie in this very file: links and virtual arrays could lead anywhere."""
    import h5py

    for name in group:
        if len(found) >= _MOST_ENTRIES:
            return
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group) and depth:
            _list_arrays(item, f"{prefix}{name}/", found, depth - 1)
        elif isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external and item.shape is not None:
            found[f"{prefix}{name}"] = item
