"""Near-duplicates: shapes of a library that look alike and have the same proportions, and exact copies.

Two shapes are near-duplicates if the cosine of their vectors reaches a threshold and their bounding boxes have the same
proportions, whatever their sizes and axes. Neither criterion suffices alone: two samples of points from one mesh have
cosines down to 0.9, and different cupboards or windows of one catalogue reach 0.99. Near-duplicates of near-duplicates
are in the same group, as are files with the same content.

The defaults were chosen with ``benchmarks/duplicates.py`` on the 86 meshes of Sweet Home 3D's own catalogue. They find
97 % of the meshes that were written in another unit and order, and 100, 97 and 86 % of those that were decimated on a
grid of 128, 64 and 32 cells; of the 3,655 pairs of different meshes they find none. A threshold of 0.98 alone finds 79,
97, 90 and 80 %, and 9 pairs. A shape rotated by other than right angles has another bounding box and is not found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError, OptionError
from clip2point.core.progress import Progress
from clip2point.search.entry import Entry, Float32
from clip2point.search.library import Library

Edges = NDArray[np.int64]

#: Least cosine of near-duplicates.
THRESHOLD = 0.95
#: Largest difference of proportions: of the sorted edges of the bounding box, as fractions of the longest.
PROPORTIONS = 0.01

#: Columns without vector and thumbnail.
COLUMNS = ("path", "hash", "bytes", "labels", "label_scores", "vertices", "faces", "points")
_EXTENT = ("extent_x", "extent_y", "extent_z")

_BLOCK = 4096  # rows and columns of a matrix of cosines
_COMPARED = 1000  # members of a group that the others are compared with for its lowest cosine
_EDGES = 1_000_000  # that are held before they are reduced to one for each shape


@dataclass(frozen=True, eq=False)
class DuplicateGroup:
    """Near-duplicates of each other.

    Attributes:
        entries: Two or more entries, sorted by path, without vectors and thumbnails.
        lowest: Lowest cosine of two of them, which can be below the threshold, since groups are connected pair by pair.
    """

    entries: tuple[Entry, ...]
    lowest: float

    @property
    def copies(self) -> tuple[tuple[str, ...], ...]:
        """Paths of entries with the same content, where there are two or more."""
        paths: dict[str, list[str]] = defaultdict(list)
        for entry in self.entries:
            paths[entry.hash].append(entry.path)
        return tuple(tuple(same) for same in paths.values() if len(same) > 1)

    @property
    def exact(self) -> bool:
        """True if all have the same content."""
        return len({entry.hash for entry in self.entries}) == 1

    @property
    def similarity(self) -> str:
        """Similarity of the members in words: the lowest cosine, and the number of copies."""
        if self.exact:
            return "exact copies"
        copies = sum(map(len, self.copies))
        return f"cosine from {self.lowest:.3f}" + (f", {copies} exact copies" if copies else "")

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        known = ("path", "hash", "bytes", "labels", "vertices", "faces", "points")
        return {
            "exact": self.exact,
            "lowest": self.lowest,
            "copies": [list(paths) for paths in self.copies],
            "entries": [{name: entry.to_dict()[name] for name in known} for entry in self.entries],
        }


def find_duplicates(
    library: Library,
    threshold: float = THRESHOLD,
    *,
    proportions: float = PROPORTIONS,
    progress: Progress | None = None,
) -> list[DuplicateGroup]:
    """Find the near-duplicates of a library.

    All pairs are compared, block by block: 100,000 shapes take a minute of one core and, beside their vectors, little
    memory.

    Args:
        library: Library of any size.
        threshold: Least cosine of near-duplicates, in (0, 1].
        proportions: Largest difference of the proportions of their bounding boxes; 1 to ignore them.
        progress: Wrapper of an iterable of a given length that shows its progress.

    Returns:
        Groups of two or more, the largest first, then by path.

    Raises:
        OptionError: An argument is out of range.
        DataError: The library changed meanwhile.
    """
    if not (0 < threshold <= 1 and 0 <= proportions <= 1):
        raise OptionError(
            f"threshold {threshold}, proportions {proportions}: expected a cosine above 0 and at most 1, and a "
            "difference from 0 to 1"
        )
    paths, vectors = library.vectors()
    known = {entry.path: entry for entry in library.entries(columns=(*COLUMNS, *_EXTENT))}
    if known.keys() != set(paths):
        raise DataError(f"{library.path}: changed while it was read; run the same again once indexing has ended")
    entries = [known[path] for path in paths]
    boxes = _proportions(entries)
    edges = _Edges(len(entries))
    for same in _same_content(entries):
        edges.add(np.full(len(same) - 1, same[0]), np.asarray(same[1:]))
    blocks = _blocks(len(entries))
    for rows, columns in blocks if progress is None else progress(blocks, len(blocks)):
        edges.add(*_find_pairs(vectors, boxes, rows, columns, threshold, proportions))
    groups = [_group(entries, vectors, members) for members in edges.groups()]
    return sorted(groups, key=lambda group: (-len(group.entries), group.entries[0].path))


def summarise(groups: Sequence[DuplicateGroup], total: int) -> str:
    """Return a sentence about the groups found among ``total`` shapes, with the disk space that they waste.

    Examples:
        >>> summarise([], 16)
        'No near-duplicates among 16 shapes.'
    """
    if not groups:
        return f"No near-duplicates among {total:,} shapes."
    shapes = sum(len(group.entries) for group in groups)
    copies = sum(len(paths) for group in groups for paths in group.copies)
    sizes = [[entry.bytes for entry in group.entries] for group in groups]
    spare = sum(sum(each) - max(each) for each in sizes)
    return (
        f"{shapes:,} of {total:,} shapes are near-duplicates of others, in {len(groups):,} "
        f"group{'s' if len(groups) > 1 else ''}; {copies:,} are exact copies. Without all but the largest file of each "
        f"group, {spare / 1e6:,.1f} MB would be free."
    )


class _Edges:
    """Pairs of shapes that belong together, in bounded memory."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pairs: list[tuple[Edges, Edges]] = []
        self._held = 0

    def add(self, first: Edges, second: Edges) -> None:
        """Add pairs."""
        self._pairs.append((first, second))
        self._held += len(first)
        if self._held > max(_EDGES, 2 * self._count):
            labels = self._components()
            _, representatives = np.unique(labels, return_index=True)
            self._pairs, self._held = [(np.arange(self._count), representatives[labels])], self._count

    def groups(self) -> Iterator[Edges]:
        """Yield the members of each group of two or more, in ascending order."""
        labels = self._components()
        order = np.argsort(labels, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
            if len(members) > 1:
                yield members

    def _components(self) -> NDArray[np.int32]:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        empty = [np.empty(0, np.int64)]
        first = np.concatenate([pair[0] for pair in self._pairs] or empty)
        second = np.concatenate([pair[1] for pair in self._pairs] or empty)
        graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(self._count, self._count))
        labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
        return labels


def _blocks(count: int) -> list[tuple[slice, slice]]:
    """Return the blocks on and above the diagonal of a square matrix with ``count`` rows."""
    starts = range(0, count, _BLOCK)
    return [
        (slice(row, row + _BLOCK), slice(column, column + _BLOCK))
        for row in starts
        for column in starts
        if column >= row
    ]


def _find_pairs(
    vectors: Float32, boxes: Float32, rows: slice, columns: slice, threshold: float, proportions: float
) -> tuple[Edges, Edges]:
    """Return the near-duplicates in a block of the matrix of cosines, as indices of shapes."""
    first, second = np.nonzero(vectors[rows] @ vectors[columns].T >= threshold)
    first, second = first + rows.start, second + columns.start
    kept = first < second
    first, second = first[kept], second[kept]
    kept = np.abs(boxes[first] - boxes[second]).max(axis=1, initial=0) <= proportions
    return first[kept], second[kept]


def _proportions(entries: Sequence[Entry]) -> Float32:
    """Return [N, 3] sorted edges of the bounding boxes as fractions of the longest, whatever the up-axis."""
    edges = np.sort(np.array([entry.extent for entry in entries], np.float64).reshape(len(entries), 3), axis=1)
    fractions: Float32 = (edges / np.maximum(edges[:, -1:], np.finfo(np.float64).tiny)).astype(np.float32)
    return fractions


def _same_content(entries: Sequence[Entry]) -> list[list[int]]:
    """Return the indices of entries with the same content, where there are two or more."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        numbers[entry.hash].append(number)
    return [same for same in numbers.values() if len(same) > 1]


def _group(entries: Sequence[Entry], vectors: Float32, members: Edges) -> DuplicateGroup:
    lowest = float((vectors[members] @ vectors[members[:_COMPARED]].T).min())
    return DuplicateGroup(tuple(entries[number] for number in members), min(lowest, 1.0))
