"""HDF5 files of clouds with labels, the layout of ModelNet and ScanObjectNN."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.cache import key_of
from clip2point.core.errors import DataError, reason
from clip2point.data.dataset import ArrayItems, check_labels
from clip2point.data.layouts import Origin, fingerprint_file

if TYPE_CHECKING:
    import h5py

#: Most bytes of one array, and most times that it may be larger than what is stored of it.
_MAX_BYTES = 8 * 1024**3
_MAX_EXPANSION = 200


def read_hdf5(
    paths: Sequence[Path], classes: int, origin: Origin
) -> tuple[ArrayItems, NDArray[np.int64], tuple[str, ...]]:
    """Read the labels of clouds from one or several files, and the clouds once they are needed.

    Args:
        paths: Files in order, each with ``data`` [n, P, 3] and ``label`` [n] or [n, 1], with the same P in all.
        classes: Number of classes.
        origin: Description of the data set, for messages.

    Returns:
        The clouds, labels [N], and a name for each: the file's and its row.

    Raises:
        DataError: If a file is missing or holds anything else.
    """
    labels, names, points = [], [], set()
    for path in paths:
        if not path.is_file():
            raise origin.missing("no such file", path)
        with open_file(path) as file:
            shape = find_array(file, "data", path).shape
            label = check_labels(find_array(file, "label", path)[()], classes, path)
        if len(shape) != 3 or shape[2] != 3:
            raise DataError(f"{path}: has data {list(shape)}: expected clouds [n, points, 3]")
        if len(label) != shape[0]:
            raise DataError(f"{path}: has {shape[0]} clouds and {len(label)} labels: expected the same number of each")
        labels.append(label)
        names += [f"{path.stem}/{row:05d}" for row in range(len(label))]
        points.add(shape[1])
    if len(points) > 1:
        sizes = " and ".join(map(str, sorted(points)))
        raise DataError(f"{paths[0]}: and the files beside it have clouds of {sizes} points: expected the same in all")
    load = functools.cache(functools.partial(_load, tuple(paths)))
    fingerprint = key_of({"files": [fingerprint_file(path) for path in paths]})
    return ArrayItems(load, np.arange(len(names)), fingerprint), np.concatenate(labels), tuple(names)


def _load(paths: tuple[Path, ...]) -> NDArray[Any]:
    """Return all clouds, [N, P, 3]."""
    arrays = []
    for path in paths:
        with open_file(path) as file:
            arrays.append(find_array(file, "data", path)[()])
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


@contextmanager
def open_file(path: Path) -> Iterator[h5py.File]:
    """Open a file; whatever HDF5 stumbles over in it is a DataError."""
    try:
        import h5py
    except ImportError:
        raise DataError(f"{path}: reading HDF5 needs the package h5py: pip install 'clip2point[data]'") from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise DataError(
            f"{path}: is damaged or no HDF5 file ({reason(error)[:120]}): expected 'data' and 'label'; "
            "download it again"
        ) from error


def find_array(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """Return a plain array of numbers that lies in this very file and is no larger than its stored bytes allow."""
    import h5py

    # A link or a virtual array could lead to any other file of this machine.
    array = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external:
        raise DataError(f"{path}: has no array {name!r} of its own: expected 'data' [n, points, 3] and 'label' [n]")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path}: has {name!r} of type {array.dtype}: expected numbers")
    stored = array.id.get_storage_size()
    if array.nbytes > min(_MAX_BYTES, _MAX_EXPANSION * stored):
        raise DataError(
            f"{path}: declares {array.nbytes:,} bytes of {name!r} and stores {stored:,}: expected a whole file below "
            f"{_MAX_BYTES:,} bytes; download it again"
        )
    return array
