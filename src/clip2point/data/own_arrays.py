"""``h5:PATH`` and ``pickle:PATH``: data sets of one's own in an HDF5 file, or in a pickle as Point-BERT's .dat."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.class_names import MODELNET10, MODELNET40, SCANOBJECTNN
from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.core.labels import read_labels
from clip2point.data.dataset import ArrayItems, Dataset, check_labels
from clip2point.data.folder_names import find_split
from clip2point.data.hdf5 import find_array, open_file
from clip2point.data.layouts import fingerprint_file
from clip2point.data.splits import WHOLE
from clip2point.shapes.formats.pickles import read_arrays
from clip2point.shapes.guards import read_file

#: Arrays of so few points and more columns are transposed.
_MOST_COLUMNS = 9
_POINTS = ("points", "data", "xyz", "pc", "point_cloud", "pointcloud")
_LABELS = ("label", "labels", "y", "class", "cls")
_CLASSES = ("classes", "class_names", "label_names", "names_of_classes")
#: Lists of class names beside a file: one name a line, in the order of the labels.
_LISTS = ("{stem}.txt", "classes.txt", "class_names.txt", "shape_names.txt", "*shape_names.txt")


def read_h5(path: Path) -> dict[str, Dataset]:
    """Read an HDF5 file with clouds "data" or "points" [N, P, 3 or more] and "label" [N], its clouds once needed.

    Class names are an array "classes" of it, or a list beside it: classes.txt or shape_names.txt, one name a line.

    Args:
        path: File to read, or a folder of one for each split, such as train.h5 and test.h5.

    Returns:
        One data set, "all", or of a folder those of its splits.

    Raises:
        DataError: If an array is missing or does not fit the others.
    """
    if path.is_dir():
        return _read_h5_folder(path)
    _check_file(path)
    with open_file(path) as file:
        place = _find_name(path, list(file), _POINTS, "clouds")
        shape = find_array(file, place, path).shape
        labels = find_array(file, _find_name(path, list(file), _LABELS, "labels"), path)[()]
        given = next((_as_texts(file[name][()]) for name in _CLASSES if name in file), None)
    load = functools.cache(functools.partial(_load_h5, path, place))
    return {WHOLE: _make(f"h5:{path}", path, shape, labels, given, load)}


def _read_h5_folder(folder: Path) -> dict[str, Dataset]:
    """Read the files of a folder, each of which is called by its split."""
    found: dict[str, Path] = {}
    for path in sorted(inner for inner in folder.iterdir() if inner.suffix.lower() in (".h5", ".hdf5")):
        splits = {split for word in re.split(r"[\W_]+|(?<=\D)(?=\d)", path.stem) if (split := find_split(word))}
        if len(splits) != 1:
            raise DataError(f"{path}: is called by no split: expected names such as train.h5; name one, h5:{path}")
        if (split := splits.pop()) in found:
            raise DataError(f"{folder}: holds {found[split].name} and {path.name}, both {split}: name one, h5:{path}")
        found[split] = path
    if not found:
        raise DataError(f"{folder}: has no .h5 files: expected one for each split, such as train.h5 and test.h5")
    parts = {split: replace(read_h5(path)[WHOLE], name=f"h5:{folder}", split=split) for split, path in found.items()}
    classes = {part.classes for part in parts.values()}
    if len(classes) > 1:
        raise DataError(f"{folder}: the files of its splits have different classes: expected the same in all")
    return parts


def _load_h5(path: Path, place: str) -> NDArray[Any]:
    with open_file(path) as file:
        return np.asarray(find_array(file, place, path)[:, :, :3])


def read_pickle(path: Path) -> dict[str, Dataset]:
    """Read a pickle of clouds and labels, of which nothing runs; class names are in a list beside it.

    Args:
        path: File to read, a pickle of [clouds, labels] or of a dict.

    Returns:
        One data set, "all".

    Raises:
        DataError: If it holds something else.
    """
    _check_file(path)
    try:
        arrays = read_arrays(read_file(path), one=False)
    except ShapeError as error:
        raise DataError(f"{path}: {error}") from None
    points = arrays["points"][:, :, :3]
    return {WHOLE: _make(f"pickle:{path}", path, points.shape, arrays["labels"], None, lambda: points)}


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file: expected one with clouds and labels; check the path")


def _find_name(path: Path, names: list[str], wanted: tuple[str, ...], what: str) -> str:
    lower = {name.lower(): name for name in reversed(names)}
    found = next((lower[name] for name in wanted if name in lower), None)
    if found is None:
        listed = ", ".join(names[:8]) or "nothing"
        raise DataError(f"{path}: has no {what} but {listed[:200]}: expected one of {', '.join(map(repr, wanted))}")
    return found


def _as_texts(array: Any) -> tuple[str, ...]:
    return tuple(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in np.ravel(array))


def _make(
    name: str, path: Path, shape: tuple[int, ...], labels: NDArray[Any], given: tuple[str, ...] | None, load: Any
) -> Dataset:
    if len(shape) == 3 and shape[1] <= _MOST_COLUMNS < shape[2]:
        raise DataError(f"{path}: has clouds {list(shape)}, which look transposed: expected [N, P, 3 or more]")
    if len(shape) != 3 or shape[2] < 3 or not shape[1]:
        raise DataError(f"{path}: has clouds {list(shape)}: expected [N, P, 3 or more], as many points in all")
    if np.size(labels) != shape[0]:
        raise DataError(f"{path}: has {shape[0]} clouds and {np.size(labels)} labels: expected the same number of each")
    classes = given or _find_classes(path, int(np.max(labels, initial=0)) + 1)
    numbers = check_labels(np.asarray(labels), len(classes), path)
    names = tuple(f"{row:06d}" for row in range(shape[0]))
    return Dataset(
        name, WHOLE, classes, "auto", numbers, names, ArrayItems(load, np.arange(shape[0]), fingerprint_file(path))
    )


def _find_classes(path: Path, count: int) -> tuple[str, ...]:
    """Return the class names that a list beside a file gives, or ModelNet's if the file is called so."""
    for pattern in _LISTS:
        for beside in sorted(path.parent.glob(pattern.format(stem=_escape(path.stem)))):
            try:
                classes = tuple(read_labels(beside))
            except OptionError as error:
                raise DataError(str(error)) from None
            if len(classes) >= count:
                return classes
    if path.name.lower().startswith("ply_data_") and count <= len(MODELNET40):
        return MODELNET40
    if "objectdataset" in path.name.lower() and count <= len(SCANOBJECTNN):
        return SCANOBJECTNN
    for official in (MODELNET40, MODELNET10):
        if f"modelnet{len(official)}" in path.name.lower() and count <= len(official):
            return official
    raise DataError(
        f"{path}: has labels from 0 to {count - 1} and no names for them: expected an array 'classes', or a file "
        "classes.txt beside it with one name a line"
    )


def _escape(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
