"""Data sets of shapes that are given in Python: files, Shapes or arrays, each with its label."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip2point.core.errors import OptionError, ShapeError
from clip2point.core.labels import check_names
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.folder_names import find_split, printable
from clip2point.data.splits import WHOLE
from clip2point.shapes import Shape, ShapeLike, as_shape, format_up
from clip2point.shapes.preparation import check_list

#: Kinds of labels; model folders hold these words, so they stay as they are.
WHOLE_NUMBERS, STRINGS = "whole numbers", "strings"
#: Name of every such data set.
_NAME = "given shapes"
#: Shapes that stay as they are until they are read; objects of other libraries become Shapes at once.
HELD = (str, os.PathLike, Shape, np.ndarray)


@dataclass(frozen=True, eq=False)
class ShapeItems:
    """Shapes that are held in memory, or files of which some declare another up-axis than others.

    Attributes:
        shapes: Files, Shapes or arrays of points [N, 3].
        fingerprints: Text for each item that is another one once its content has changed.
        upright: True if each shape is rotated into the y-up frame by the axis that it declares itself.
    """

    shapes: tuple[ShapeLike, ...]
    fingerprints: tuple[str, ...]
    upright: bool

    def read(self, index: int, name: str, up: str) -> Shape:
        """Return one shape; ShapeError if it is broken."""
        return as_shape(self.shapes[index]).upright() if self.upright else as_shape(self.shapes[index], up)

    def take(self, rows: NDArray[np.int64]) -> ShapeItems:
        """Return some of the items, in the given order."""
        return ShapeItems(
            tuple(self.shapes[row] for row in rows), tuple(self.fingerprints[row] for row in rows), self.upright
        )


def label_shapes(shapes: Sequence[ShapeLike], labels: ArrayLike, up: str = "auto") -> Dataset:
    """Make a data set of shapes and their labels.

    A file is named by its path from its class folder on ("chair/0.off", "train/chair/0.off"), as in the data set
    ``folder:PATH``, and if it lies in no folder of its class by class and file name; a Shape or an array is named by
    its content. Shapes are ordered by class and name. So neither the order in which they are given nor the place of
    the folders changes the data set, and the files of a folder make the same one as the folder.

    Args:
        shapes: N files, Shapes or arrays of points.
        labels: [N] strings or integers.
        up: Axis that points up in all shapes; "auto" takes what each shape or its file format declares.

    Returns:
        The data set; its classes are the labels that occur, sorted, as strings.

    Raises:
        ShapeError: If a file is missing, or broken where it has to be read for its up-axis.
        OptionError: If shapes and labels do not belong together, or a shape does not declare its up-axis.

    Examples:
        >>> cloud = np.random.default_rng(0).normal(size=(100, 3))
        >>> label_shapes([cloud, cloud * [1, 5, 1]], ["ball", "column"], up="y").classes
        ('ball', 'column')
    """
    given = read_labels(labels, shapes)
    shapes = [shape if isinstance(shape, HELD) else as_shape(shape) for shape in shapes]
    found, numbers = np.unique(given, return_inverse=True)
    classes = tuple(check_names([str(label) for label in found]))
    ups = [up if up != "auto" else _find_up(shape) for shape in shapes]
    names = [_name_of(shape, classes[number]) for shape, number in zip(shapes, numbers, strict=True)]
    order = sorted(range(len(names)), key=lambda row: (numbers[row], PurePosixPath(names[row])))
    alike = len(set(ups)) == 1
    return Dataset(
        name=_NAME,
        split=WHOLE,
        classes=classes,
        up=ups[0] if alike else "y",
        labels=numbers[order].astype(np.int64),
        names=_tell_apart([names[row] for row in order]),
        items=_items([shapes[row] for row in order], [ups[row] for row in order], upright=not alike),
    )


def read_labels(labels: ArrayLike, shapes: Sequence[ShapeLike] | None) -> NDArray[Any]:
    """Return labels as an array [N].

    Args:
        labels: [N] strings or integers.
        shapes: The N shapes that they belong to, or None for labels alone.

    Raises:
        OptionError: If they are neither, there are none, or not as many as there are shapes.

    Examples:
        >>> read_labels(["chair", "table"], None).shape
        (2,)
    """
    given = np.asarray(labels)
    texts = given.dtype.kind == "U" or (given.dtype.kind == "O" and all(isinstance(label, str) for label in given.flat))
    if given.ndim != 1 or not (texts or given.dtype.kind in "iu"):
        raise OptionError(f"labels {list(given.shape)} {given.dtype}: expected [N] strings or integers")
    if shapes is not None and len(check_list(shapes)) != len(given):
        raise OptionError(f"{len(shapes)} shapes and {len(given)} labels: expected the same number of each")
    if not len(given):
        raise OptionError("no labels: expected at least one example")
    return given


def kind_of_labels(labels: NDArray[Any]) -> str:
    """Return ``WHOLE_NUMBERS`` or ``STRINGS``."""
    return WHOLE_NUMBERS if labels.dtype.kind in "iu" else STRINGS


def _find_up(shape: ShapeLike) -> str:
    """The up-axis that a shape or its file format declares."""
    if isinstance(shape, str | os.PathLike) and (up := format_up(shape)) != "auto":
        return up
    found = as_shape(shape)
    if found.up == "auto":
        raise OptionError(f"{found.source}: does not say which axis points up; give up='y' or up='z'")
    return found.up


def _name_of(shape: ShapeLike, label: str) -> str:
    if not isinstance(shape, str | os.PathLike):
        return _content_hash(shape)
    *folders, name = Path(shape).parts
    if label not in folders:
        return printable(f"{label}/{name}")
    start = len(folders) - 1 - folders[::-1].index(label)
    if start and find_split(folders[start - 1]):
        start -= 1
    return printable("/".join((*folders[start:], name)))


def _tell_apart(names: list[str]) -> tuple[str, ...]:
    """The names, with a number behind those that came before."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


def _items(shapes: list[ShapeLike], ups: list[str], *, upright: bool) -> FileItems | ShapeItems:
    files = [Path(shape) for shape in shapes if isinstance(shape, str | os.PathLike)]
    for path in files:
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
            raise ShapeError(f"{path}: no such file: check the path")
    if len(files) == len(shapes) and not upright:
        return FileItems(tuple(files))
    fingerprints = iter(FileItems.of(files).fingerprints)
    found = [next(fingerprints) if isinstance(shape, str | os.PathLike) else _content_hash(shape) for shape in shapes]
    if upright:
        found = [f"{fingerprint}, {up} up" for fingerprint, up in zip(found, ups, strict=True)]
    return ShapeItems(tuple(shapes), tuple(found), upright)


def _content_hash(shape: ShapeLike) -> str:
    """Hash of what is sampled: points, and the triangles of a mesh."""
    assert not isinstance(shape, str | os.PathLike)
    arrays = [np.asarray(shape)]
    if isinstance(shape, Shape):
        arrays = [shape.points] if shape.mesh is None else [shape.points, shape.mesh.vertices, shape.mesh.faces]
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:32]
