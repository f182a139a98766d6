"""XYZ, TXT, CSV, ASC and PTS: clouds as lines of numbers, in whatever dialect a program writes them."""

from __future__ import annotations

import io
import re

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.columns import Columns, choose_columns, names_coordinates
from clip2point.shapes.formats.dialect import Dialect, decode_text, find_dialect, split_cells
from clip2point.shapes.guards import check_lines, check_promise
from clip2point.shapes.parsed import Parsed

_FILES = frozenset(("file", "files", "filename", "path"))
_GRID = re.compile(r"\s*ncols\s+\d+", re.IGNORECASE)


def read(data: bytes, companions: Companions) -> Parsed:
    """Read one point per line: x, y, z among other columns, which are passed over.

    Delimiters, quotes, decimal commas, headers and comments are found out (``dialect``), and so are the columns
    (``columns``). Rows without one of the three numbers are left out with a note.
    """
    check_lines(data)
    text = decode_text(data)
    if _GRID.match(text[:100]):
        raise ShapeError("is a grid of heights of a geographic information system: expected a cloud; export points")
    dialect = find_dialect(text)
    columns, notes = choose_columns(dialect, companions.columns)
    if dialect.count is not None:
        return _read_scans(text, dialect, columns, notes)
    points, dropped = _read_rows(text[dialect.begin :], dialect, columns, dialect.first_line)
    return Parsed(points, notes=(*notes, *dropped))


def holds_points(begin: bytes, size: int) -> bool:
    """Tell whether a file of some size that begins so has a table of points rather than some other table."""
    try:
        dialect = find_dialect(decode_text(begin))
    except ShapeError:
        return False
    if _FILES & {name.lower() for name in dialect.header}:  # a table about files
        return False
    return names_coordinates(dialect.header) or all(map(dialect.is_number, dialect.rows[0][:3]))


def _read_scans(text: str, dialect: Dialect, columns: Columns, notes: tuple[str, ...]) -> Parsed:
    """Read the scans of a PTS file, each a line with its number of points and then so many lines."""
    scans, place, count, line = [], dialect.begin, dialect.count, dialect.first_line
    while count is not None:
        rest = len(text) - place
        check_promise("points", count, 6, rest + 1)
        end = _skip_lines(text, place, count)
        points, dropped = _read_rows(text[place:end], dialect, columns, line)
        if len(points) != count and not dropped:
            raise ShapeError(
                f"declares {count:,} points and has {len(points):,}: the file is cut off or damaged; export it again"
            )
        scans.append(points)
        notes = (*notes, *dropped)
        after = text[end:].lstrip()
        if not after:
            break
        first = after.partition("\n")[0]
        if not first.strip().isdigit():
            raise ShapeError(
                f"declares {count:,} points and has more: the file is damaged; correct the number, or export it again"
            )
        place = len(text) - len(after) + len(first) + 1
        line, count = line + count + 1, int(first)
    if len(scans) > 1:
        notes = (*notes, f"{len(scans)} scans in one file, joined")
    return Parsed(np.concatenate(scans), notes=notes)


def _skip_lines(text: str, place: int, count: int) -> int:
    """Return where the line after so many begins."""
    for _ in range(count):
        end = text.find("\n", place)
        if end < 0:
            return len(text)
        place = end + 1
    return place


def _read_rows(text: str, dialect: Dialect, columns: Columns, line: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the points of rows, and notes on rows that are left out."""
    try:
        return _load(_plain(text, dialect), dialect, columns), ()
    except (ValueError, IndexError):
        return _load_row_by_row(text, dialect, columns, line)


def _plain(text: str, dialect: Dialect) -> str:
    """Return the rows with decimal points."""
    if dialect.decimal_comma:
        return text.replace(",", ".")
    return text.replace(",", " ") if dialect.delimiter is None and "," in text else text


def _load(text: str, dialect: Dialect, columns: Columns) -> NDArray[np.float64]:
    quote = '"' if '"' in text else None
    found: NDArray[np.float64] = np.loadtxt(
        io.StringIO(text), comments=["#", "//"], usecols=columns, ndmin=2, delimiter=dialect.delimiter, quotechar=quote
    )
    return found


def _load_row_by_row(
    text: str, dialect: Dialect, columns: Columns, first: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the points of rows that have all three numbers; ShapeError for one that has something else."""
    points, empty, headers = [], 0, 0
    for number, line in enumerate(text.split("\n"), first):
        if not (cells := split_cells(dialect, line)) or not any(cells) or line.lstrip().startswith(("#", "//")):
            continue
        chosen = [cells[column] if column < len(cells) else None for column in columns]
        if all(cell is not None and dialect.is_number(cell) for cell in chosen):
            points.append([float(str(cell).replace(",", ".")) for cell in chosen])
        elif cells == dialect.header:
            headers += 1
        elif len(cells) == len(dialect.rows[0]) and all(cell == "" or dialect.is_number(cell or "") for cell in chosen):
            empty += 1
        else:
            raise ShapeError(
                f"has a line that does not hold a point (line {number}: {line.strip()[:60]!r}): expected numbers x y z "
                "a line, the file may be cut off or damaged; export it again"
            )
    if not points:
        raise ShapeError("has no row with all of x, y and z: expected a cloud; export it again")
    notes = [f"{empty:,} rows without x, y or z: left out"] * (empty > 0)
    notes += [f"{headers + 1} tables in one file, joined"] * (headers > 0)
    return np.array(points), tuple(notes)
