"""NPY and NPZ: NumPy's own files, read without ever unpickling."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.array_choice import BESIDE, FACES
from clip2point.shapes.guards import check_count, check_promise, expansion_limit, read_member
from clip2point.shapes.parsed import Parsed

_HEADER_BYTES = 16_384
#: An array of so few rows and more columns is transposed.
_MOST_COLUMNS = 9
#: Names of fields and, in archives, of arrays that hold positions as a whole.
_WHOLE_FIELDS = ("points", "xyz", "position", "positions", "coords", "vertices", "verts")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an NPY file, or of an NPZ file the array "points" (or "xyz", ...) with "faces", or its only [N, >=3]."""
    return _read_archive(data) if data.startswith(b"PK") else Parsed(_read_array(data))


def to_points(array: NDArray[Any]) -> NDArray[Any]:
    """Return the first three columns of a number array [N, >=3]; ShapeError for any other array."""
    if array.dtype.names is not None:
        array = _join_fields(array)
    _check_layout(array.shape, array.dtype)
    points = array[:, :3]
    # float32, float64 and their integer counterparts stay; others (half, long double) have no use for their type.
    return points if points.dtype.itemsize in (4, 8) else points.astype(np.float64)


def to_parsed(arrays: Mapping[str, NDArray[Any]]) -> Parsed:
    """Return the arrays "points" [N, >=3] or [1, N, >=3], or "x", "y" and "z", and "faces" if it is there, as one."""
    points = np.stack([arrays[axis].ravel() for axis in "xyz"], axis=1) if "x" in arrays else arrays["points"]
    return Parsed(to_points(points[0] if points.ndim == 3 else points), arrays.get("faces"))


def _position_fields(dtype: np.dtype[Any]) -> tuple[str, ...]:
    """Return the names of the fields that hold positions: x, y, z, or one of three numbers such as xyz."""
    names = {name.lower(): name for name in dtype.names or ()}
    if all(axis in names for axis in "xyz"):
        return tuple(names[axis] for axis in "xyz")
    for name in _WHOLE_FIELDS:
        if name in names and dtype[names[name]].shape == (3,):
            return (names[name],)
    raise ShapeError(
        f"has an array with the fields {', '.join(map(repr, names))[:200]}: expected x, y, z, or 'xyz' with 3 numbers"
    )


def _join_fields(array: NDArray[Any]) -> NDArray[Any]:
    """Return the positions [N, 3] of an array with named fields; one of organised rows and columns is made flat."""
    array = array.ravel()
    columns = [array[name] for name in _position_fields(array.dtype)]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _check_layout(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiu":
        raise ShapeError(f"has an array of type {dtype}: expected floating-point numbers or integers")
    if len(shape) == 3 and shape[1] == 3 < shape[2]:
        raise ShapeError(
            f"has an array {list(shape)} of several transposed clouds: expected points [N, 3]; take them one by "
            "one from array.transpose(0, 2, 1)"
        )
    if len(shape) == 2 and 0 < shape[0] <= _MOST_COLUMNS < shape[1]:
        raise ShapeError(f"has an array {list(shape)}, which looks transposed: expected points [N, 3]; give array.T")
    if not _is_cloud(shape):
        hint = " (a data set of many clouds? give it as npz:PATH)" if len(shape) == 3 else ""
        raise ShapeError(f"has an array {list(shape)}: expected points [N, 3 or more]{hint}")


def _is_cloud(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[1] >= 3


def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, whether columns come first, type, and where the numbers begin."""
    stream = io.BytesIO(data[:_HEADER_BYTES])
    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(stream, max_header_size=10_000)
    except Exception as error:  # the header is a Python literal, and NumPy's parser fails in many ways
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise ShapeError(f"has no readable NPY header ({reason}): save the array again with numpy.save") from None
    if dtype.hasobject:
        raise ShapeError("holds pickled Python objects, which could run code: expected a plain number array")
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise ShapeError(f"has an array of shape {shape}: expected points [N, 3 or more]")
    return shape, fortran, dtype, stream.tell()


def _read_array(data: bytes) -> NDArray[Any]:
    shape, fortran, dtype, start = _header(data)
    if dtype.names is not None:
        _position_fields(dtype)
        count = math.prod(shape)
        check_promise("points", count, dtype.itemsize, len(data) - start)
        return to_points(np.frombuffer(data, dtype, count, start).astype(dtype.newbyteorder("=")))
    _check_layout(shape, dtype)
    check_count("points", shape[0])
    check_count("columns", shape[1])
    count = shape[0] * shape[1]
    check_promise("numbers", count, dtype.itemsize, len(data) - start)
    flat = np.frombuffer(data, dtype, count, start)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return to_points(array.astype(dtype.newbyteorder("=")))


def _read_archive(data: bytes) -> Parsed:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ShapeError(f"is not a whole NPZ archive ({error}): save it again with numpy.savez") from None
    limit = expansion_limit(len(data))
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    chosen = next((f"{name}.npy" for name in _WHOLE_FIELDS if f"{name}.npy" in names), None)
    if chosen is None and all(f"{axis}.npy" in names for axis in "xyz"):
        columns = [
            np.load(io.BytesIO(read_member(archive, f"{axis}.npy", limit)), allow_pickle=False) for axis in "xyz"
        ]
        return Parsed(to_points(np.stack([column.ravel() for column in columns], axis=1)))
    if chosen is None:
        found = [name for name in names[:1000] if _holds_points(archive, name)]
        found = [name for name in found if name.lower().removesuffix(".npy") not in BESIDE] or found
        if len(found) != 1:
            raise ShapeError(
                f"has {len(found)} arrays that could be points: expected one named 'points' or 'xyz', or a single one "
                "[N, 3]"
            )
        chosen = found[0]
    points = _read_array(read_member(archive, chosen, limit))
    members = [f"{name}.npy" for name in FACES if f"{name}.npy" in names]
    faces = next((name for name in members if _holds_faces(archive, name)), None)
    return Parsed(points, None if faces is None else _read_array(read_member(archive, faces, limit)))


def _holds_faces(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as member:
        shape, _, dtype, _ = _header(member.read(_HEADER_BYTES))
    return len(shape) == 2 and shape[1] == 3 and dtype.kind in "iu"


def _holds_points(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as member:
        start = member.read(_HEADER_BYTES)
    try:
        shape, _, dtype, _ = _header(start)
        return bool(_position_fields(dtype)) if dtype.names is not None else _is_cloud(shape)
    except ShapeError:
        return False  # an array of another kind beside the points is none of our business
