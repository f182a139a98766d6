"""Which columns of a table are x, y and z: as the user says, by their names, or by what is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes.formats.dialect import Dialect

Columns = tuple[int, int, int]

_UNIT = re.compile(r"[\[(].*?[\])]")
#: Words that may stand beside an axis in the name of a coordinate.
_BESIDE = frozenset(
    (
        *("point", "points", "pos", "position", "coord", "coords", "coordinate", "coordinates", "koordinate", "wert"),
        *("world", "local", "vertex", "vertices", "location", "loc", "cartesian", "value", "val", "xyz", "m", "mm"),
        *("cm", "meter", "metre", "meters", "metres", "p", "pt"),
    )
)
#: Names of surveyors, German ones among them: east, north and height.
_SURVEY = (
    frozenset(("easting", "east", "e", "rechtswert", "ostwert")),
    frozenset(("northing", "north", "n", "hochwert", "nordwert")),
    frozenset(("elevation", "height", "altitude", "z", "h", "hoehe", "höhe", "up", "elev", "alt")),
)
_ANGLES = frozenset(("lat", "latitude", "lon", "lng", "longitude"))
#: Fewest rows by which a column is taken for a counter.
_TELLING_ROWS = 5


def choose_columns(dialect: Dialect, wanted: str = "") -> tuple[Columns, tuple[str, ...]]:
    """Choose the columns of x, y and z.

    Args:
        dialect: Dialect of the table, with its header and first rows.
        wanted: Choice of the user, as for ``parse_columns``; "" to find out.

    Returns:
        Their indices, and notes: what was chosen where that is not the first three columns.

    Raises:
        ShapeError: Several columns could be meant, or none; the message has what was seen, and how to say which.
    """
    if wanted:
        return _parse_choice(wanted, dialect), ()
    named = find_named_columns(dialect.header)
    columns = _find_by_content(dialect) if named is None else named
    if columns == (0, 1, 2):
        return columns, ()
    names = [
        f" ({dialect.header[column]!r})" if dialect.header and dialect.header[column] else "" for column in columns
    ]
    listed = ", ".join(f"{column + 1}{name}" for column, name in zip(columns, names, strict=True))
    return columns, (f"x, y, z are columns {listed}",)


def names_coordinates(header: Sequence[str]) -> bool:
    """Tell whether names of columns say where x, y and z are, or could be."""
    try:
        return find_named_columns(header) is not None
    except ShapeError:
        return True


def parse_columns(text: str) -> dict[str, str]:
    """Read a choice of columns such as "x=3,y=4,z=5": numbers from 1, or names.

    Raises:
        OptionError: The text is no such choice.

    Examples:
        >>> parse_columns("x=3, y=4, z=Height")
        {'x': '3', 'y': '4', 'z': 'Height'}
    """
    parts = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if set(parts) != set("xyz") or not all(parts.values()):
        raise OptionError(f"columns {text!r}: expected x=NUMBER,y=NUMBER,z=NUMBER, counted from 1, or names of columns")
    return {axis: parts[axis] for axis in "xyz"}


def _parse_choice(text: str, dialect: Dialect) -> Columns:
    """Return the user's choice as indices."""
    width = len(dialect.rows[0])
    found = []
    for place in parse_columns(text).values():
        if place in dialect.header:
            found.append(dialect.header.index(place))
        elif place.isdigit() and 1 <= int(place) <= width:
            found.append(int(place) - 1)
        else:
            raise ShapeError(f"has no column {place!r}: expected 1 to {width}{_list_names(dialect)}")
    return found[0], found[1], found[2]


def find_named_columns(header: Sequence[str]) -> Columns | None:
    """Return the columns whose names say x, y and z; None if no names do.

    Raises:
        ShapeError: Names say so of several columns, or of angles.
    """
    names = [_UNIT.sub(" ", name.lower()).strip(" \"'/#") for name in header]
    for axes in (_find_exact(names), _find_components(names), _find_decorated(names), _find_surveyed(names)):
        if any(axes) and all(axes):
            if max(map(len, axes)) > 1:
                raise ShapeError(f"has several columns that could be x, y and z{_ask(header)}")
            return axes[0][0], axes[1][0], axes[2][0]
    if _ANGLES & set(names):
        raise ShapeError(
            f"has longitudes and latitudes, which are angles and no lengths: project them to metres first{_ask(header)}"
        )
    return None


Axes = tuple[list[int], list[int], list[int]]


def _find_exact(names: list[str]) -> Axes:
    x, y, z = ([index for index, name in enumerate(names) if name == axis] for axis in "xyz")
    return x, y, z


def _find_components(names: list[str]) -> Axes:
    """Return columns such as ``Points:0`` of ParaView; those named just so come before ``Points_m_XYZ:0``."""
    found: dict[str, list[list[int]]] = {}
    for index, name in enumerate(names):
        if match := re.fullmatch(r"(.+?)\s*[:._]\s*([012])|(.+?)\[([012])\]", name):
            base, component = match[1] or match[3], int(match[2] or match[4])
            if all(word in _BESIDE for word in _words(base)):
                found.setdefault(base, [[], [], []])[component].append(index)
    whole = {base: axes for base, axes in found.items() if all(axes)}
    for base in ("points", "coordinates", "position"):
        if base in whole:
            whole = {base: whole[base]}
            break
    x, y, z = ([index for axes in whole.values() for index in axes[axis]] for axis in range(3))
    return x, y, z


def _find_decorated(names: list[str]) -> Axes:
    def says(name: str, axis: str) -> bool:
        words = _words(name)
        return words.count(axis) == 1 and all(word in _BESIDE or word == axis for word in words)

    x, y, z = ([index for index, name in enumerate(names) if says(name, axis)] for axis in "xyz")
    return x, y, z


def _find_surveyed(names: list[str]) -> Axes:
    x, y, z = (
        [index for index, name in enumerate(names) if _words(name)[:1] and _words(name)[0] in axis] for axis in _SURVEY
    )
    return x, y, z


def _words(name: str) -> list[str]:
    """Return the words of a name; an axis at its end is one of its own (``posX``)."""
    spaced = re.sub(r"(?<=[a-z]{2})(?<!xy)([xyz])$", r" \1", name)
    return [word for word in re.split(r"[^a-zäöü0-9]+", spaced) if word]


def _find_by_content(dialect: Dialect) -> Columns:
    """Return the first three columns that could be coordinates.

    Raises:
        ShapeError: The columns are too few, or could be something else.
    """
    width = len(dialect.rows[0])
    rows = [row for row in dialect.rows if len(row) == width]
    filled = [[dialect.is_number(row[c]) for row in rows if row[c]] for c in range(width)]
    numeric = [c for c, cells in enumerate(filled) if cells and 2 * sum(cells) >= len(cells)]
    if len(numeric) < 3:
        raise ShapeError(f"has {len(numeric)} columns of numbers: expected at least 3{_ask(dialect.header)}")
    if len(numeric) == 3:
        return numeric[0], numeric[1], numeric[2]
    values = np.array([[_to_float(row[c]) if dialect.is_number(row[c]) else np.nan for c in numeric] for row in rows])
    skipped = 0
    while len(numeric) - skipped > 3 and _is_counter(values[:, skipped]):
        skipped += 1
    if _holds_other_triple(values[:, skipped:]):
        skipped += 3
    if len(rows) >= _TELLING_ROWS and np.ptp(values[:, skipped]) == 0 and len(numeric) - skipped > 3:
        raise ShapeError(
            f"has the same value in column {numeric[skipped] + 1} of all rows, which may be no x{_ask(dialect.header)}"
        )
    return numeric[skipped], numeric[skipped + 1], numeric[skipped + 2]


def _is_counter(column: NDArray[np.float64]) -> bool:
    """Tell whether a column counts rows or time: it rises in equal steps, or is the time since 1970."""
    steps = np.diff(column)
    if len(column) < _TELLING_ROWS or not (np.isfinite(column).all() and (steps >= 0).all() and steps.sum() > 0):
        return False
    even = bool((np.abs(steps - steps.mean()) <= 0.05 * steps.mean()).all())
    return even or bool(column.min() > 1e8)


def _holds_other_triple(values: NDArray[np.float64]) -> bool:
    """Tell whether three other columns come before x, y and z: colours from 0 to 255, or unit normals."""
    if values.shape[1] < 6 or len(values) < _TELLING_ROWS:
        return False
    first, second = values[:, :3], values[:, 3:6]
    whole = (first == np.round(first)).all() and first.min() >= 0 and first.max() <= 255
    if whole and np.ptp(first) > 1 and not (second == np.round(second)).all():
        return True
    lengths, others = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    colours = second.min() >= 0 and (second.max() <= 1 or (second == np.round(second)).all())
    return bool((np.abs(lengths - 1) < 0.01).all() and (np.abs(others - 1) > 0.05).any() and not colours)


def _to_float(cell: str) -> float:
    return float(cell.replace(",", "."))


def _ask(header: Sequence[str]) -> str:
    """Return how to say which columns are meant."""
    listed = f" (columns: {', '.join(name or '?' for name in header)})" if header else ""
    return f"{listed}: say which with --columns x=1,y=2,z=3, or columns=... in Python"


def _list_names(dialect: Dialect) -> str:
    return f", or one of {', '.join(filter(None, dialect.header))}" if dialect.header else ""
