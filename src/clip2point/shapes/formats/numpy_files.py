"""NPY and NPZ: NumPy's own files, read without ever unpickling."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_count, check_promise, expansion_limit, read_member
from clip2point.shapes.parsed import Parsed

_HEADER_BYTES = 16_384


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an NPY file, or of an NPZ file the array "points", or else its only array [N, >=3]."""
    return Parsed(_read_archive(data) if data.startswith(b"PK") else _read_array(data))


def to_points(array: NDArray[Any]) -> NDArray[Any]:
    """Return the first three columns of a number array [N, >=3]; ShapeError for any other array."""
    _check_layout(array.shape, array.dtype)
    points = array[:, :3]
    # float32, float64 and their integer counterparts stay; others (half, long double) have no use for their type.
    return points if points.dtype.itemsize in (4, 8) else points.astype(np.float64)


def _check_layout(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiu":
        raise ShapeError(f"has an array of type {dtype}: expected floating-point numbers or integers")
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
    _check_layout(shape, dtype)
    check_count("points", shape[0])
    check_count("columns", shape[1])
    count = shape[0] * shape[1]
    check_promise("numbers", count, dtype.itemsize, len(data) - start)
    flat = np.frombuffer(data, dtype, count, start)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return to_points(array.astype(dtype.newbyteorder("=")))


def _read_archive(data: bytes) -> NDArray[Any]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ShapeError(f"is not a whole NPZ archive ({error}): save it again with numpy.savez") from None
    limit = expansion_limit(len(data))
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    if "points.npy" not in names:
        names = [name for name in names[:1000] if _is_cloud(_member_shape(archive, name))]
        if len(names) != 1:
            raise ShapeError(
                f"has {len(names)} arrays that could be points: expected one named 'points', or a single one [N, 3]"
            )
    return _read_array(read_member(archive, "points.npy" if "points.npy" in names else names[0], limit))


def _member_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as member:
        start = member.read(_HEADER_BYTES)
    try:
        return _header(start)[0]
    except ShapeError:
        return ()  # an array of another kind beside the points is none of our business
