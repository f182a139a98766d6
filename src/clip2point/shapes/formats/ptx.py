"""PTX of Leica's Cyclone: scans, each with its size, the pose of the scanner and the pose of the cloud."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.dialect import decode_text
from clip2point.shapes.guards import check_count, check_lines, check_promise
from clip2point.shapes.parsed import Parsed

_HEADER_LINES = 10
_MAX_SCANS = 10_000


class _Header(NamedTuple):
    """Number of points of a scan, and the matrix [4, 4] that row vectors are multiplied by."""

    points: int
    pose: NDArray[np.float64]


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the scans of a file, each moved to its place; points at the origin, which are no returns, are left out."""
    check_lines(data)
    text = decode_text(data)
    ends = np.flatnonzero(np.frombuffer(text.encode("latin-1", "replace"), np.uint8) == ord("\n")) + 1
    starts = np.concatenate([[0], ends, [len(text)]] if not text.endswith("\n") else [[0], ends])
    scans: list[NDArray[np.float64]] = []
    line, missing = 0, 0
    while line < len(starts) - 1 and text[starts[line] : starts[-1]].strip():
        if len(scans) == _MAX_SCANS:
            raise ShapeError(f"has more than {_MAX_SCANS:,} scans: split the file")
        header = _read_header(text, starts, line)
        first, last = line + _HEADER_LINES, line + _HEADER_LINES + header.points
        if last > len(starts) - 1:
            raise ShapeError(
                f"declares {header.points:,} points in scan {len(scans) + 1} and has {len(starts) - 1 - first:,}: the "
                "file is cut off; export it again"
            )
        points = _read_points(text[starts[first] : starts[last]], first)
        returned = points[points.any(axis=1)]
        missing += len(points) - len(returned)
        scans.append(returned @ header.pose[:3, :3] + header.pose[3, :3])
        line = last
    if not scans:
        raise ShapeError("holds no scan: expected a PTX file; export it again")
    notes = [f"{len(scans)} scans in one file, joined"] * (len(scans) > 1)
    notes += [f"{missing:,} points without a return: left out"] * (missing > 0)
    return Parsed(np.concatenate(scans), notes=tuple(notes))


def _read_header(text: str, starts: NDArray[np.int64], line: int) -> _Header:
    lines = text[starts[line] : starts[min(line + _HEADER_LINES, len(starts) - 1)]].split("\n")[:_HEADER_LINES]
    try:
        columns, rows = int(lines[0]), int(lines[1])
        pose = np.array([[float(word) for word in words.split()] for words in lines[6:10]])
        if pose.shape != (4, 4) or not np.isfinite(pose).all() or min(columns, rows) < 0:
            raise ValueError
    except (ValueError, IndexError):
        raise ShapeError(
            f"has no header of a scan from line {line + 1} on: expected columns, rows, four lines of the scanner's "
            "pose and a matrix of four lines; export it again"
        ) from None
    check_count("points", columns * rows)
    check_promise("points", columns * rows, 6, len(text) + 1)
    return _Header(columns * rows, pose)


def _read_points(text: str, line: int) -> NDArray[np.float64]:
    if not text.strip():
        return np.empty((0, 3))
    try:
        found: NDArray[np.float64] = np.loadtxt(io.StringIO(text), usecols=(0, 1, 2), ndmin=2)
    except (ValueError, IndexError) as error:
        raise ShapeError(
            f"has a line after line {line} that does not hold a point ({str(error)[:80]}): the file is damaged; export "
            "it again"
        ) from None
    return found
