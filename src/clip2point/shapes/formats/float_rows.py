"""BIN: bare rows of float32, as laser scans (KITTI, nuScenes) and ScanObjectNN have them.

Such a file says nothing about itself, and endless other things end in .bin. So the number of columns is found out by
evidence, and what is not sure is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.parsed import Parsed

#: Columns of ScanObjectNN: x, y, z, normal, colour, instance and class (NYU's numbers); one float before them counts.
_OBJECT_COLUMNS, _INSTANCE, _CLASS = 11, 9, 10
#: Classes that are no object: nothing, wall, floor.
_SURROUNDINGS = (0, 1, 2)
#: Fewest rows and most numbers from which columns are told apart, and how far a scanner reaches in metres.
_LEAST_ROWS, _MOST_NUMBERS, _REACH = 50, 60_000, 1000.0
_WIDTHS = (3, 4, 5)
_MOST_COLUMNS = 12
#: How the names of nuScenes' scans end.
_NUSCENES = ".pcd.bin"
_MEANING = {
    3: "x, y, z",
    4: "x, y, z, intensity (as in KITTI)",
    5: "x, y, z, intensity, ring (as in nuScenes)",
}


def read(data: bytes, companions: Companions) -> Parsed:
    """Read a laser scan, z up, or an object of ScanObjectNN without what surrounds it."""
    numbers = np.frombuffer(data, "<f4", len(data) // 4)
    if len(data) % 4 == 0:
        if (rows := _find_counted(numbers)) is not None:
            return _read_object(rows)
        named = companions.name.endswith(_NUSCENES) and len(numbers) % 5 == 0 and _fits(numbers, 5)
        if (width := 5 if named else find_width(numbers, len(numbers))) is not None:
            note = f"read as rows of float32: {_MEANING[width]}"
            return Parsed(numbers.reshape(-1, width)[:, :3], up="auto" if width == 3 else "z", notes=(note,))
    raise ShapeError(
        "is not surely a cloud: expected rows of float32 as in KITTI (x, y, z, intensity), nuScenes (and ring) or "
        "ScanObjectNN; save its points with numpy.save"
    )


def holds_points(begin: bytes, size: int) -> bool:
    """Return whether a file of some size that begins so may be read by ``read``."""
    numbers = np.frombuffer(begin, "<f4", len(begin) // 4)
    if size % 4 or not len(numbers):
        return False
    counted = [size // 4 == 1 + width * numbers[0] for width in (_OBJECT_COLUMNS, 3)]
    return any(counted) or find_width(numbers, size // 4) is not None


def _find_counted(numbers: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return the rows of a file that begins with their number, of 11 or 3 columns, or None if it does not."""
    for width in (_OBJECT_COLUMNS, 3):
        if len(numbers) > 1 and len(numbers) == 1 + width * float(numbers[0]):
            return numbers[1:].reshape(-1, width)
    return None


def _read_object(rows: NDArray[np.float32]) -> Parsed:
    """Return the object of a file of ScanObjectNN: the commonest class that is no wall or floor, its largest instance.

    That is how the authors part objects from background, but for the instance, which parts two objects of a class.
    """
    if rows.shape[1] == 3:
        return Parsed(rows, notes=("read as ScanObjectNN's binary file of points",))
    kept = ~np.isin(rows[:, _CLASS], _SURROUNDINGS)
    for column in (_CLASS, _INSTANCE):
        values, counts = np.unique(rows[kept, column], return_counts=True)
        if len(values):
            kept &= rows[:, column] == values[counts.argmax()]
    if kept.sum() < 2:
        return Parsed(
            rows[:, :3], notes=("read as ScanObjectNN's binary file, in which no point belongs to an object",)
        )
    left = len(rows) - int(kept.sum())
    note = f"read as ScanObjectNN's binary file: {left:,} of {len(rows):,} points around the object left out"
    return Parsed(rows[kept, :3], notes=(note,))


def find_width(numbers: NDArray[np.float32], count: int) -> int | None:
    """Return how many columns a scan of ``count`` numbers has, 3, 4 or 5, or None if its first ones do not tell surely.

    Numbers in one column are alike, those of different columns are not: of all widths the smallest one is right with
    which the columns explain most of the differences. That must go with what the columns mean.
    """
    fitting = [width for width in _WIDTHS if count % width == 0 and _fits(numbers, width)]
    if not fitting:
        return None
    first = numbers[:_MOST_NUMBERS].astype(np.float64)
    looks = (first, np.log(np.abs(first) + 1e-3))
    explained = {width: sum(_explain(look, width) for look in looks) for width in range(3, _MOST_COLUMNS + 1)}
    most = max(explained.values())
    width = min(width for width in explained if explained[width] >= 0.9 * most)
    rows = len(numbers) // width
    # Of N numbers without any columns, a width w would explain 2 w / N by chance.
    sure = rows >= _LEAST_ROWS and most > 8 * _MOST_COLUMNS / len(first)
    return width if sure and width in fitting else None


def _fits(numbers: NDArray[np.float32], width: int) -> bool:
    """Return whether columns may be coordinates, an intensity and the number of a laser."""
    rows = numbers[: len(numbers) // width * width].reshape(-1, width)
    places, intensity, ring = rows[:, :3], rows[:, 3:4], rows[:, 4:5]
    sizes = np.abs(places)
    if not (sizes <= _REACH).all() or not sizes.any() or (sizes[sizes > 0] < 1e-20).any():
        return False  # NaN, too, and integers, which are tiny as floats
    if not ((intensity >= 0) & (intensity <= 65_535)).all():
        return False
    return bool(((ring >= 0) & (ring < 256) & (ring == np.rint(ring))).all())


def _explain(numbers: NDArray[np.float64], width: int) -> float:
    """Return which part of the variance of numbers is that between columns."""
    rows = numbers[: len(numbers) // width * width].reshape(-1, width)
    means = rows.mean(axis=0)
    between = float(means.var())
    whole = float((rows * rows).mean() - means.mean() ** 2)
    return between / whole if whole > 1e-12 * float(np.abs(means).max()) ** 2 else 0.0
