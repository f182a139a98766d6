"""XYZ, TXT, CSV and PTS: clouds as lines of numbers."""

from __future__ import annotations

import io
import re

import numpy as np

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import check_lines, check_promise
from clip2point.shapes.parsed import Parsed

_DELIMITERS = bytes.maketrans(b",;\t", b"   ")
_MAX_HEADER_LINES = 100


def read(data: bytes, companions: Companions) -> Parsed:
    """Read one point per line: x, y, z, then anything (normals, colours), which is passed over.

    Columns are parted by spaces, tabs, commas or semicolons. Lines before the first point (a header, the count of
    a PTS file) and comments after ``#`` or ``//`` are skipped; a header that names x, y and z says where they are.
    """
    check_lines(data)
    text = _plain(data)
    skip, header = _header(text)
    text = text[skip:]
    first = text.partition(b"\n")[0]
    columns = _columns(header, len(first.split()))
    if re.fullmatch(r"\s*\d+\s*", header):  # the first line of a PTS file
        check_promise("points", int(header), 6, len(text) + 1)
    try:
        points = np.loadtxt(io.BytesIO(text), comments=["#", "//"], usecols=columns, ndmin=2, encoding="latin-1")
    except (ValueError, IndexError) as error:
        reason = str(error).split(";")[0].split(" at row")[0][:100]
        raise ShapeError(
            f"has a line that does not hold a point ({reason}): expected numbers x y z a line, the file may be cut "
            "off or damaged; export it again"
        ) from None
    if re.fullmatch(r"\s*\d+\s*", header) and len(points) != int(header):
        raise ShapeError(
            f"declares {int(header):,} points and has {len(points):,}: the file is cut off or damaged; export it again"
        )
    return Parsed(points)


def holds_points(data: bytes) -> bool:
    """Tell whether the beginning of a file has a point where ``read`` looks for the first one."""
    try:
        _header(_plain(data))
    except ShapeError:
        return False
    return True


def _plain(data: bytes) -> bytes:
    """Return the text with spaces between columns."""
    return data.removeprefix(b"\xef\xbb\xbf").translate(_DELIMITERS)


def _header(text: bytes) -> tuple[int, str]:
    """Return where the first point begins, and the last line before it."""
    place, last = 0, ""
    for _ in range(_MAX_HEADER_LINES):
        end = text.find(b"\n", place)
        end = len(text) if end < 0 else end
        line = text[place:end].decode("latin-1")
        if _is_point(line):
            return place, last
        last = line.strip().lstrip("#/ ") or last
        place = end + 1
        if place >= len(text):
            break
    raise ShapeError("has no line with three numbers: expected a cloud, one point 'x y z' per line")


def _is_point(line: str) -> bool:
    words = line.split()[:3]
    try:
        return len([float(word) for word in words]) == 3
    except ValueError:
        return False


def _columns(header: str, width: int) -> list[int]:
    names = [name.strip("\"'").lower() for name in header.split()]
    if len(names) == width and all(names.count(axis) == 1 for axis in "xyz"):
        return [names.index(axis) for axis in "xyz"]
    return [0, 1, 2]
