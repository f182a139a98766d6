"""Labelled shapes of one split, each read when it is asked for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip2point.core.cache import key_of
from clip2point.core.errors import DataError, OptionError
from clip2point.core.machine import available_cores
from clip2point.core.registries import FORMATS
from clip2point.shapes import Shape, check_up, load_shape, sample_points, shape_from_points
from clip2point.shapes.contents import hash_content
from clip2point.shapes.format_registry import file_extension, format_code

#: Points that iterating over a data set draws from each shape: what the field's benchmarks use.
POINTS = 1024


class Items(Protocol):
    """Shapes of a data set, wherever they lie."""

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Text for each item that is another one once its content has changed."""
        ...

    def read(self, index: int, name: str, up: str) -> Shape:
        """Read one shape; ShapeError if it is broken."""
        ...

    def take(self, rows: NDArray[np.int64]) -> Items:
        """Return some of the items, in the given order."""
        ...


@dataclass(frozen=True, eq=False)
class FileItems:
    """Shapes in files of their own; the fingerprint of an item is a hash of its file's bytes.

    Of a format that a plug-in reads, the code of the reader is part of the fingerprint.

    Attributes:
        paths: File of each item.
        hashes: Hash of each file that was hashed so far, shared by all parts of a data set.
    """

    paths: tuple[Path, ...]
    hashes: dict[Path, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, paths: list[Path]) -> FileItems:
        """Make items of files; DataError if some are missing."""
        if missing := [path for path in paths if not _exists(path)]:
            raise DataError(
                f"{missing[0]}: missing, as {len(missing):,} of the {len(paths):,} files of the data set are: expected "
                "all that its lists name; unpack or download it again"
            )
        return cls(tuple(paths))

    def __len__(self) -> int:
        """Number of files."""
        return len(self.paths)

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """Text for each item that is another one once its content has changed."""
        unknown = [path for path in dict.fromkeys(self.paths) if path not in self.hashes]
        with ThreadPoolExecutor(available_cores()) as pool:  # hashing releases the interpreter's lock
            self.hashes.update(zip(unknown, pool.map(hash_content, map(str, unknown)), strict=True))
        readers = {extension: format_code(extension) for extension in set(map(file_extension, self.paths))}
        suffixes = {extension: f", read by {reader}" if reader else "" for extension, reader in readers.items()}
        return tuple(self.hashes[path] + suffixes[file_extension(path)] for path in self.paths)

    @property
    def readable_by_workers(self) -> bool:
        """Whether other processes can read the files, which know no format that was registered in this one."""
        return not any(map(FORMATS.is_registered, {file_extension(path) for path in self.paths}))

    def check_unchanged(self) -> None:
        """Make sure that the files are still those of the fingerprints, for whoever has just read them.

        Raises:
            DataError: If one is another one now.
        """
        for path, before, now in zip(self.paths, self.fingerprints, FileItems(self.paths).fingerprints, strict=True):
            if before != now:
                raise DataError(f"{path}: changed while the data set was read: run the same again")

    def read(self, index: int, name: str, up: str) -> Shape:
        """Read one file; ShapeError if it is broken."""
        return load_shape(self.paths[index], up=up)

    def take(self, rows: NDArray[np.int64]) -> FileItems:
        """Return some of the files."""
        return FileItems(tuple(self.paths[row] for row in rows), self.hashes)


@dataclass(frozen=True, eq=False)
class ArrayItems:
    """Clouds of one array, which is loaded when the first of them is read.

    Attributes:
        load: Function that returns the array, [M, P, 3], the same one each time.
        rows: Row of each item in the array, [N].
        fingerprint: Fingerprint of the file or files that the array comes from.
    """

    load: Callable[[], NDArray[Any]]
    rows: NDArray[np.int64]
    fingerprint: str

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Text for each item that is another one once its content has changed."""
        return tuple(f"{self.fingerprint}, row {row}" for row in self.rows)

    def read(self, index: int, name: str, up: str) -> Shape:
        """Check one cloud; ShapeError if it is broken."""
        return shape_from_points(self.load()[self.rows[index]], up=up, source=name)

    def take(self, rows: NDArray[np.int64]) -> ArrayItems:
        """Return some of the clouds."""
        return replace(self, rows=self.rows[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled shapes of one split. Iterating gives (points [1024, 3] float32, label, name), see ``sample``.

    Attributes:
        name: Name, as for ``clip2point.data.open_dataset``.
        split: Name of the split, for example "test".
        classes: Names of the C classes; one may have no shape in this split.
        up: Axis that points up in all shapes, one of ``UP_AXES``, or "auto" where it is not known.
        labels: Class of each shape as an index into ``classes``, [N] int64.
        names: Unique name of each shape: its path inside the data set, its model id, or its row.
        items: Shapes themselves, read when they are asked for.
        note: Source, terms of use and peculiarities of this copy, for reports.
        code: Hash of the code of the plug-in that opened it; empty for data sets of clip2point's own.
        notes: Sentences on what was assumed about the files, and on what was passed over.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    up: str
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    items: Items = field(repr=False)
    note: str = ""
    code: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_up(self.up, auto=True)
        if len(set(self.classes)) < len(self.classes):
            raise DataError(f"{self.name}: two classes have the same name: expected {len(self.classes)} different ones")
        if len(set(self.names)) < len(self.names):
            twice = Counter(self.names).most_common(1)[0][0]
            raise DataError(f"{self.name}: two shapes have the name {twice!r}: expected each shape once")
        # Of files, the fingerprints are costly.
        shapes = len(self.items if isinstance(self.items, FileItems) else self.items.fingerprints)
        if not len(self.labels) == len(self.names) == shapes:
            raise DataError(
                f"{self.name}: has {shapes} shapes, {len(self.labels)} labels and {len(self.names)} names: expected "
                "the same number of each"
            )

    def __len__(self) -> int:
        """Number of shapes, N."""
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], int, str]]:
        for index, (label, name) in enumerate(zip(self.labels.tolist(), self.names, strict=True)):
            yield self.sample(index), label, name

    @property
    def description(self) -> str:
        """The data set in a line: its split, the number of its shapes and the names of its classes."""
        shapes = f"{len(self):,} shape{'s' if len(self) != 1 else ''}"
        named = f"{len(self.classes)} class{'es' if len(self.classes) != 1 else ''}: {', '.join(self.classes)}"
        return f"{self.name} ({self.split}): {shapes} of {named}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of names, labels, classes, contents and a plug-in's code.

        It is another one as soon as a file was changed. The up-axis, which changes no point, has no part in it.
        """
        labels = self.labels.tolist()
        parts = {"classes": self.classes, "names": self.names, "labels": labels, "stamps": self.items.fingerprints}
        return key_of({**parts, "code": self.code} if self.code else parts)

    def read(self, index: int) -> Shape:
        """Read the shape at ``index``, in its own frame and unit, with the data set's up-axis declared.

        Raises:
            ShapeError: If it is broken.
        """
        return self.items.read(index, self.names[index], self.up)

    def sample(self, index: int, points: int = POINTS, seed: int = 0) -> NDArray[np.float32]:
        """Draw points from the shape at ``index``, as ``clip2point.data.sample_dataset`` does.

        Args:
            index: Index of the shape.
            points: Number of points.
            seed: Seed of the draws; together with the name of the shape it fixes them, whatever the split.

        Returns:
            [points, 3] float32 in the shape's own frame and unit: by area from a mesh, by farthest point sampling
            from a cloud.

        Raises:
            ShapeError: If the shape is broken.
        """
        return sample_points(self.read(index), points, item_seed(seed, self.names[index]))

    def take(self, rows: ArrayLike, **changes: Any) -> Dataset:
        """Return the shapes at ``rows``, in that order, with other attributes changed as given."""
        rows = np.asarray(rows, dtype=np.int64)
        names = tuple(self.names[row] for row in rows)
        taken = {"labels": self.labels[rows], "names": names, "items": self.items.take(rows)}
        return replace(self, **{**taken, **changes})

    def select(self, names: Iterable[str]) -> Dataset:
        """Return the shapes with these names, in that order."""
        rows = {name: row for row, name in enumerate(self.names)}
        return self.take([rows[name] for name in names])

    def require_up(self) -> None:
        """Make sure that the data set says which axis points up.

        Raises:
            OptionError: If it does not.
        """
        if self.up == "auto":
            raise OptionError(f"{self.name}: does not say which axis points up; give --up y or --up z")


def _exists(path: Path) -> bool:
    """Return whether a file is there and may be looked at."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def item_seed(seed: int, name: str) -> int:
    """Return the seed of one item: independent of its place, so that a shape has the same points in every subset."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")


def check_labels(labels: NDArray[Any], classes: int, source: str | Path) -> NDArray[np.int64]:
    """Return labels as [N] int64.

    Args:
        labels: Whole numbers, [N] or [N, 1].
        classes: Number of classes.
        source: File that they come from, for messages.

    Raises:
        DataError: If they are not that, or do not index the classes.

    Examples:
        >>> check_labels(np.array([[0], [2]], dtype=np.uint8), 3, "labels.h5")
        array([0, 2])
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{source}: has labels {list(labels.shape)} {labels.dtype}: expected [N] integers")
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise DataError(
            f"{source}: has the label {outside[0]}: expected 0 to {classes - 1}, one for each of {classes} classes; "
            "this may be another data set"
        )
    return labels.astype(np.int64)
