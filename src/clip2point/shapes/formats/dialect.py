"""The dialect of a table of numbers: its text encoding, delimiter, quotes, decimal sign, header and first row."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from clip2point.core.errors import ShapeError

#: Lines among which the first row is looked for, and rows that tell the dialect.
_MAX_HEADER_LINES, _ROWS = 100, 50
#: Delimiters that stand for nothing else in numbers, in the order in which they are believed.
_PLAIN_DELIMITERS = (";", "\t", "|")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d+([eE][+-]?\d+)?")
_COMMENT = re.compile(r"\s*(#|//)")


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: Sign between cells; None for any number of blanks, or for blanks and commas mixed.
        decimal_comma: True where a comma stands for the decimal point.
        header: Names of the columns, as many as a row has cells, or () where there are none.
        begin: Place of the first row in the text.
        first_line: Number of the line of the first row, from 1.
        count: Number of points that a line of its own declares before the first row, or None.
        rows: Cells of the first rows.
    """

    delimiter: str | None
    decimal_comma: bool
    header: tuple[str, ...]
    begin: int
    first_line: int
    count: int | None
    rows: tuple[tuple[str, ...], ...]

    def is_number(self, cell: str) -> bool:
        """Tell whether a cell holds a number."""
        return bool((_COMMA_NUMBER if self.decimal_comma else _NUMBER).fullmatch(cell))


def decode_text(data: bytes) -> str:
    r"""Return the text of a file: UTF-8, or UTF-16 with its mark; lines end in a line feed.

    Examples:
        >>> decode_text("\ufeff1;2\r3".encode("utf-16-le"))
        '1;2\n3'
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # an older code page, or a beginning that ends within a letter
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def find_dialect(text: str) -> Dialect:
    """Find out how a table is written.

    Args:
        text: Text of the file, or its beginning.

    Raises:
        ShapeError: There is no row with three numbers.
    """
    lines = _head(text)
    for delimiter, decimal_comma in _candidates([line for _, line in lines if not _COMMENT.match(line)]):
        probe = Dialect(delimiter, decimal_comma, (), 0, 1, None, ())
        for number, (place, line) in enumerate(lines):
            if not _COMMENT.match(line) and sum(map(probe.is_number, cells := split_cells(probe, line))) >= 3:
                rows = [split_cells(probe, each) for _, each in lines[number:] if each.strip()]
                header = _find_header(probe, [each for _, each in lines[:number]], len(cells))
                count = _find_count([each for _, each in lines[:number]])
                return Dialect(delimiter, decimal_comma, header, place, number + 1, count, tuple(rows[:_ROWS]))
    raise ShapeError("has no line with three numbers: expected a cloud, one point 'x y z' per line")


def split_cells(dialect: Dialect, line: str) -> tuple[str, ...]:
    """Return the cells of a line, without quotes and blanks around them."""
    line = re.split(r"\s#|\s//", line, maxsplit=1)[0].strip("\n")
    if dialect.delimiter is None:
        return tuple(cell.strip("\"'") for cell in (line if dialect.decimal_comma else line.replace(",", " ")).split())
    (cells,) = list(csv.reader([line], delimiter=dialect.delimiter, skipinitialspace=True)) or [[]]
    return tuple(cell.strip().strip("'") for cell in cells)


def _head(text: str) -> list[tuple[int, str]]:
    """Return the first lines with the places where they begin."""
    lines: list[tuple[int, str]] = []
    place = 0
    while place < len(text) and len(lines) < _MAX_HEADER_LINES + _ROWS:
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        lines.append((place, text[place:end]))
        place = end + 1
    if place < len(text) or len(lines) < 2:
        return lines
    return lines if text.endswith("\n") or len(text) < 1 << 12 else lines[:-1]  # a beginning may end within a line


def _candidates(lines: list[str]) -> list[tuple[str | None, bool]]:
    """Return the delimiters, each with a decimal comma or a point, that these lines could be written with."""
    body = lines[len(lines) // 2 :]  # a header may have signs of its own
    for delimiter in _PLAIN_DELIMITERS:
        if body and all(delimiter in line for line in body if line.strip()):
            cells = [cell.strip().strip('"') for line in body for cell in line.split(delimiter)]
            comma = any("," in cell and _COMMA_NUMBER.fullmatch(cell) for cell in cells)
            return [(delimiter, comma)]
    words = [line.split() for line in body if line.strip()]
    if any("," in line for line in body) and all(_is_comma_row(row) for row in words):
        return [(None, True)]
    # Commas alone part cells, empty ones too; where numbers stand side by side within a cell, blanks part as well.
    mixed = any(re.search(r"[\d.]\s+[+-]?[\d.]", line.split("#")[0]) for line in body)
    return [(None, False)] if mixed or not any("," in line for line in body) else [(",", False)]


def _is_comma_row(words: list[str]) -> bool:
    numbers = [word for word in words if _COMMA_NUMBER.fullmatch(word)]
    with_commas = [word for word in words if "," in word]
    return len(numbers) >= 3 and bool(with_commas) and all(_COMMA_NUMBER.fullmatch(word) for word in with_commas)


def _find_header(dialect: Dialect, before: list[str], width: int) -> tuple[str, ...]:
    """Return the names of the columns in the last line before the first row, if that has so many."""
    for line in reversed(before):
        names = split_cells(dialect, _COMMENT.sub("", line, count=1)) if line.strip() else ()
        if not names or (len(names) == 1 and dialect.is_number(names[0])):
            continue
        if len(names) == width - 1:  # R leaves away the name of the rows
            names = ("", *names)
        return names if len(names) == width and not all(map(dialect.is_number, names)) else ()
    return ()


def _find_count(before: list[str]) -> int | None:
    """Return the number of points that the last line before the first row declares, as in PTS files."""
    last = next((line for line in reversed(before) if line.strip()), "")
    return int(last) if re.fullmatch(r"\s*\d+\s*", last) else None
