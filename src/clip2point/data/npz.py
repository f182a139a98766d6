"""``npz:PATH``: a whole data set in one NumPy archive."""

from __future__ import annotations

import functools
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from clip2point.core.errors import DataError, reason
from clip2point.data.dataset import ArrayItems, Dataset, check_labels
from clip2point.data.folder_names import find_split
from clip2point.data.layouts import fingerprint_file
from clip2point.data.splits import WHOLE
from clip2point.shapes import UP_AXES

#: Most bytes of one array. Beyond the free ones, it may be so many times larger than what is stored of it.
_MAX_BYTES = 8 * 1024**3
_FREE_BYTES = 64 * 1024**2
_MAX_EXPANSION = 200

_LAYOUT = "'points' [N, P, 3], 'labels' [N] and 'classes' [C], optionally 'split' [N], 'names' [N] and 'up'"


def read_npz(path: Path) -> dict[str, Dataset]:
    """Read labels and names of an archive, its points once they are needed, and nothing that is pickled.

    ``labels`` (also ``label``) may hold the names of the classes; if ``classes`` is missing, they are these, sorted.

    Args:
        path: Archive to read.

    Returns:
        Data sets by split: "all" alone, or those of "train" and "test" that the array ``split`` names.

    Raises:
        DataError: If an array is missing or does not fit the others.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file: expected an .npz archive with {_LAYOUT}; check the path")
    archive = _Archive(path)
    shape, dtype = archive.layout("points")
    if len(shape) != 3 or shape[1] < 1 or shape[2] != 3 or dtype.kind not in "fiu":
        raise DataError(f"{path}: has points {list(shape)} {dtype}: expected numbers [N, P, 3]")
    labels, classes = _read_labels(archive)
    if len(labels) != shape[0]:
        raise DataError(f"{path}: has {shape[0]} clouds and {len(labels)} labels: expected the same number of each")
    count = len(labels)
    names = archive.texts("names", count) or tuple(f"{row:06d}" for row in range(count))
    load = functools.cache(functools.partial(archive.array, "points"))
    items = ArrayItems(load, np.arange(count), fingerprint_file(path))
    whole = Dataset(f"npz:{path}", WHOLE, classes, _read_up(archive), labels, names, items)
    split = archive.texts("split", count)
    if split is None:
        return {WHOLE: whole}
    parts = [find_split(word) or "" for word in split]
    if "" in parts:
        raise DataError(f"{path}: 'split' names {split[parts.index('')]!r}: expected 'train', 'val' and 'test'")
    return {part: whole.take(np.flatnonzero(np.array(parts) == part), split=part) for part in sorted(set(parts))}


class _Archive:
    """Arrays of an .npz file; a damaged or odd one is a DataError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.names = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{path}: is not a whole NPZ archive ({reason(error)}): save it again") from None

    def layout(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type of an array."""
        shape, _, dtype, _ = self._read(name, with_data=False)
        return shape, dtype

    def array(self, name: str) -> NDArray[Any]:
        """Return an array."""
        shape, fortran, dtype, data = self._read(name, with_data=True)
        return np.ndarray(shape, dtype, data, order="F" if fortran else "C")

    def texts(self, name: str, count: int | None = None) -> tuple[str, ...] | None:
        """Return an array of texts, [count], or None if there is none of that name."""
        if name not in self.names:
            return None
        array = self.array(name)
        if array.ndim != 1 or array.dtype.kind != "U" or (count is not None and len(array) != count):
            wanted = f"[{count}] texts" if count is not None else "a list of texts"
            raise DataError(f"{self.path}: has {name!r} {list(array.shape)} {array.dtype}: expected {wanted}")
        return tuple(array.tolist())

    def _read(self, name: str, with_data: bool) -> tuple[tuple[int, ...], bool, np.dtype[Any], bytes]:
        """Return shape, True for column-major order, type, and the numbers if they are wanted."""
        if name not in self.names:
            found = ", ".join(sorted(self.names)[:8]) or "nothing"
            raise DataError(f"{self.path}: has no array {name!r} but {found}: expected {_LAYOUT}")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as member:
                info = archive.getinfo(f"{name}.npy")
                header = npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
                shape, fortran, dtype = header(member)
                stored = min(info.compress_size, self.path.stat().st_size)
                size = self._check_size(name, shape, dtype, info.file_size - member.tell(), stored)
                data = member.read(size) if with_data else b""
                if with_data and len(data) < size:
                    raise EOFError(f"it ends after {len(data):,} of {size:,} bytes")
                return shape, fortran, dtype, data
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, MemoryError) as error:
            raise DataError(f"{self.path}: the array {name!r} is damaged ({reason(error)}): save it again") from None

    def _check_size(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], unfolded: int, stored: int) -> int:
        """Return the bytes of an array, once they are as many as its header declares, and not too many."""
        if dtype.hasobject:
            raise DataError(
                f"{self.path}: {name!r} holds pickled Python objects, which could run code: expected numbers, or texts "
                "as an array of dtype str"
            )
        size = math.prod(shape) * dtype.itemsize
        if not dtype.itemsize or min(shape, default=0) < 0 or size != unfolded:
            raise DataError(
                f"{self.path}: {name!r} declares {list(shape)} {dtype} and has {unfolded:,} bytes: expected a whole "
                "array; save it again"
            )
        if size > min(_MAX_BYTES, max(_FREE_BYTES, _MAX_EXPANSION * stored)):
            raise DataError(
                f"{self.path}: {name!r} decompresses from {stored:,} to {size:,} bytes: expected at most "
                f"{_MAX_BYTES:,}, and no zip bomb"
            )
        return size


def _read_labels(archive: _Archive) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return labels [N] and classes [C]."""
    path = archive.path
    labels = archive.array("label" if "labels" not in archive.names and "label" in archive.names else "labels")
    classes = archive.texts("classes")
    if labels.dtype.kind == "U" and labels.ndim == 1:
        classes = classes or tuple(np.unique(labels).tolist())
        places = {name: index for index, name in enumerate(classes)}
        unknown = sorted(set(labels.tolist()) - set(classes))
        if unknown:
            raise DataError(f"{path}: has the label {unknown[0]!r}: expected one of its {len(classes)} classes")
        return np.array([places[label] for label in labels.tolist()], dtype=np.int64), classes
    if classes is None:
        raise DataError(f"{path}: has no array 'classes': expected the names that its labels count, {_LAYOUT}")
    return check_labels(labels, len(classes), path), classes


def _read_up(archive: _Archive) -> str:
    """Return the declared up-axis."""
    if "up" not in archive.names:
        return "auto"
    up = archive.array("up")
    if up.size != 1 or str(up.ravel()[0]) not in (*UP_AXES, "auto"):
        raise DataError(f"{archive.path}: has 'up' {up.tolist()!r}: expected one text of {', '.join(UP_AXES)}, auto")
    return str(up.ravel()[0])
