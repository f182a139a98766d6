"""OFF: the Object File Format of ModelNet and Princeton, text, with its variants COFF, NOFF, STOFF."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.lines import count_words
from clip2point.shapes.formats.text import parse_integers, parse_numbers, to_integers
from clip2point.shapes.guards import check_lines, check_promise
from clip2point.shapes.parsed import WHITE, Parsed, colors_to_uint8
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material

# Some of ModelNet's files have the counts glued to the keyword: "OFF490 518 0".
_HEADER = re.compile(rb"\s*(ST)?(C)?(N)?(4)?(n)?OFF[ \t]*(BINARY)?")
#: Lines before the keyword.
_COMMENTS = re.compile(rb"\A(?:\s*#[^\r\n]*[\r\n])+")
_COUNTS = re.compile(rb"\s*(\d+)[ \t]+(\d+)(?:[ \t]+-?\d+)?(?=\s|$)")


def read(data: bytes, companions: Companions) -> Parsed:
    """Read an OFF file; polygons become triangles, face colours are passed over."""
    data = _COMMENTS.sub(b"", data.removeprefix(b"\xef\xbb\xbf"), count=1)
    header = _HEADER.match(data)
    if header is None:
        raise ShapeError("does not begin with OFF: this is no OFF file; check its ending or export it again")
    _, colored, normals, four, many, binary = header.groups()
    if four or many:
        raise ShapeError("is a 4-dimensional OFF file: expected one in 3D; export it so")
    if binary:
        return _read_binary(data[header.end() :], header.groups())
    body = data[header.end() :]
    if b"#" in body:
        body = re.sub(rb"#[^\r\n]*", b"", body)
    counts = _COUNTS.match(body)
    if counts is None:
        raise ShapeError("has no counts after OFF: expected the numbers of vertices, faces and edges")
    check_lines(body)
    vertices, faces = int(counts[1]), int(counts[2])
    body = body[counts.end() :].lstrip()
    check_promise("vertices", vertices, 6, len(body) + 1)
    check_promise("faces", faces, 2, len(body) + 1)
    columns = _columns(body)
    numbers, rest = _numbers(body, vertices, columns)
    if len(numbers) < columns * vertices:
        raise ShapeError(
            f"has {len(numbers):,} numbers, too few for {vertices:,} vertices: the file is cut off; "
            "export or download it again"
        )
    table = numbers.reshape(vertices, columns)
    start = 6 if normals else 3
    colors = colors_to_uint8(table[:, start : start + 3]) if colored and columns >= start + 3 else None
    return Parsed(
        table[:, :3],
        _faces(rest, faces, body, table[:, :3]),
        materials=(Material() if colors is None else WHITE,),
        vertex_colors=colors,
    )


def _read_binary(body: bytes, header: tuple[bytes | None, ...]) -> Parsed:
    """Read what follows the first line of an OFF BINARY file: big-endian integers and floats."""
    textured, colored, normals, *_ = header
    start = body.find(b"\n") + 1
    body = body[start : start + (len(body) - start) // 4 * 4]
    if len(body) < 12:
        raise ShapeError("has no counts after OFF BINARY: the file is cut off; export or download it again")
    vertices, faces, _ = (int(count) for count in np.frombuffer(body, ">i4", 3))
    columns = 3 + (3 if normals else 0) + (4 if colored else 0) + (2 if textured else 0)
    check_promise("vertices", vertices, 4 * columns, len(body) - 12)
    table = np.frombuffer(body, ">f4", vertices * columns, 12).reshape(vertices, columns).astype(np.float32)
    numbers = np.frombuffer(body, ">i4", offset=12 + 4 * vertices * columns).astype(np.int64)
    check_promise("faces", faces, 8, 4 * len(numbers))
    place = 0
    sizes, corners = [], []
    for face in range(faces):
        size = int(numbers[place]) if place < len(numbers) else -1
        end = place + 1 + size
        if size < 0 or end >= len(numbers) or not 0 <= numbers[end] <= 4:  # the number of values of its colour
            raise _incomplete(face, faces)
        sizes.append(size)
        corners.append(numbers[place + 1 : end])
        place = end + 1 + int(numbers[end])
    flat = np.concatenate(corners) if corners else np.zeros(0, np.int64)
    positions, _ = cut_polygons(table[:, :3], flat, np.array(sizes, dtype=np.int64))
    first = 6 if normals else 3
    return Parsed(
        table[:, :3],
        flat[positions] if faces else None,
        materials=(WHITE if colored else Material(),),
        vertex_colors=colors_to_uint8(table[:, first : first + 3]) if colored else None,
    )


def _columns(body: bytes) -> int:
    """Return how many numbers a vertex has, from the first line; 3 if the lines do not tell."""
    columns = len(body.split(b"\n", 1)[0].split())
    return columns if 3 <= columns <= 12 else 3


def _numbers(body: bytes, vertices: int, columns: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return the numbers of the vertices, and those of the faces, as integers if they all are."""
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n"))
    if 0 < vertices <= len(ends):
        cut = int(ends[vertices - 1]) + 1
        numbers = parse_numbers(body[:cut])
        if len(numbers) == columns * vertices:
            try:
                return numbers, parse_integers(body[cut:])
            except ShapeError:
                return numbers, parse_numbers(body[cut:])
    numbers = parse_numbers(body)  # vertices are not one a line
    return numbers[: columns * vertices], numbers[columns * vertices :]


def _faces(numbers: NDArray[Any], faces: int, body: bytes, vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    if not faces:
        return np.zeros((0, 3), dtype=np.int64)
    # Nearly always every face is a triangle, without or with the same number of colour values.
    columns, rest = divmod(len(numbers), faces)
    if not rest and columns >= 4 and (numbers[::columns] == 3).all():
        return to_integers(numbers.reshape(faces, columns)[:, 1:4].ravel()).reshape(-1, 3)
    sizes, corners = _polygons(numbers, faces, body)
    positions, _ = cut_polygons(vertices, corners, sizes)
    return corners[positions]


def _polygons(numbers: NDArray[Any], faces: int, body: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sizes [F] and all corners [sum of sizes] of faces of mixed sizes."""
    lengths = count_words(body)
    lengths = lengths[lengths > 0][-faces:]
    if len(lengths) == faces and lengths.sum() == len(numbers):
        # Only line ends tell where the optional colours of a face stop.
        starts = np.cumsum(lengths) - lengths
        sizes = to_integers(numbers[starts])
        bad = (sizes < 0) | (sizes >= lengths)
        if bad.any():
            raise _incomplete(int(bad.argmax()), faces)
        first = np.cumsum(sizes) - sizes
        return sizes, to_integers(numbers[np.arange(sizes.sum()) + np.repeat(starts + 1 - first, sizes)])
    counts, corners = [], []
    place = 0
    for face in range(faces):
        size = int(numbers[place]) if place < len(numbers) and 0 <= numbers[place] < len(numbers) else -1
        row = numbers[place + 1 : place + 1 + size]
        if size < 0 or len(row) < size:
            raise _incomplete(face, faces)
        counts.append(size)
        corners.append(row)
        place += size + 1
    return np.array(counts), to_integers(np.concatenate(corners))


def _incomplete(face: int, faces: int) -> ShapeError:
    return ShapeError(
        f"face {face:,} of {faces:,} is incomplete: the file is cut off or damaged; export or download it again"
    )
