"""PCD: the cloud format of the Point Cloud Library, text, binary or compressed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.text import parse_numbers
from clip2point.shapes.guards import check_promise, expansion_limit
from clip2point.shapes.parsed import Parsed

_KINDS = {"F": "f", "U": "u", "I": "i"}
#: Most bytes of a header.
_HEADER_BYTES = 100_000


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the x, y, z of a PCD file; fields may be written in capitals, and named by FIELDS or by COLUMNS."""
    header, start = _header(data)
    fields = header["FIELDS"]
    dtype = _row_type(fields, header)
    count = _integer(header["POINTS"])
    style = header["DATA"][0] if header["DATA"] else ""
    if style == "ascii":
        points = _read_text(data[start:], dtype, count)
    elif style == "binary":
        check_promise("points", count, dtype.itemsize, len(data) - start)
        rows = np.frombuffer(data, dtype, count, start)
        points = np.stack([rows[axis] for axis in "xyz"], axis=1)
    elif style == "binary_compressed":
        points = _read_compressed(data[start:], dtype, count)
    else:
        raise ShapeError(f"has PCD data {style!r}: expected ascii, binary or binary_compressed")
    return Parsed(points)


def _header(data: bytes) -> tuple[dict[str, list[str]], int]:
    header: dict[str, list[str]] = {}
    place = 0
    while "DATA" not in header:
        end = data.find(b"\n", place, _HEADER_BYTES)
        if end < 0:
            raise ShapeError("has no PCD header up to 'DATA': this is no PCD file, or cut off; export it again")
        key, *values = data[place:end].decode("latin-1").split("#")[0].split() or [""]
        header[key.upper()] = values
        place = end + 1
    if "FIELDS" not in header and "COLUMNS" in header:  # the name in the first versions of the format
        header["FIELDS"] = header["COLUMNS"]
    missing = [key for key in ("FIELDS", "SIZE", "TYPE", "POINTS") if key not in header]
    if missing:
        raise ShapeError(f"has a PCD header without {', '.join(missing)}: export it again")
    return header, place


def _integer(words: list[str]) -> int:
    if len(words) != 1 or not words[0].isdecimal():
        raise ShapeError(f"has {' '.join(words)!r} where a PCD header needs a count: export it again")
    return int(words[0])


def _row_type(fields: list[str], header: dict[str, list[str]]) -> np.dtype[Any]:
    """Return the layout of one point; only x, y, z keep their names, others may repeat ("_" is padding)."""
    counts = header.get("COUNT", ["1"] * len(fields))
    if not {"x", "y", "z"} <= set(fields):
        fields = [name.lower() if name in ("X", "Y", "Z") else name for name in fields]
    if not len(fields) == len(header["SIZE"]) == len(header["TYPE"]) == len(counts):
        raise ShapeError("has FIELDS, SIZE, TYPE and COUNT of different lengths: export it again")
    if any(fields.count(axis) != 1 or counts[fields.index(axis)] != "1" for axis in "xyz"):
        raise ShapeError(f"has the fields {' '.join(fields)[:80]!r}: expected x, y and z once each")
    layout: list[Any] = []
    for i, (name, size, kind, count) in enumerate(zip(fields, header["SIZE"], header["TYPE"], counts, strict=True)):
        if kind not in _KINDS or size not in ("1", "2", "4", "8") or (kind == "F" and size == "1"):
            raise ShapeError(f"has a field of type {kind} and size {size}: expected F, U or I of 1 to 8 bytes")
        if not count.isdecimal() or int(count) > 65_536:
            raise ShapeError(f"has a field with count {count[:20]}: expected at most 65,536")
        label = name if name in ("x", "y", "z") else f"field {i}"
        layout.append((label, f"<{_KINDS[kind]}{size}", (int(count),) if name not in "xyz" else ()))
    return np.dtype(layout)


def _read_text(body: bytes, dtype: np.dtype[Any], count: int) -> NDArray[np.float64]:
    assert dtype.names is not None
    widths = [int(np.prod(dtype[name].shape)) for name in dtype.names]
    width = sum(widths)
    check_promise("points", count, 2 * width, len(body) + 1)
    numbers = parse_numbers(body)
    if len(numbers) < width * count:
        raise ShapeError(
            f"has {len(numbers):,} numbers, but {count:,} points need {width * count:,}: the file is cut off"
        )
    starts = np.cumsum([0, *widths])
    columns = [int(starts[dtype.names.index(axis)]) for axis in "xyz"]
    return numbers[: width * count].reshape(count, width)[:, columns]


def _read_compressed(body: bytes, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    from clip2point.shapes.formats.lzf import decompress

    if len(body) < 8:
        raise ShapeError("ends before its compressed points: the file is cut off; export it again")
    packed, unpacked = struct.unpack_from("<II", body)
    check_promise("compressed bytes", packed, 1, len(body) - 8)
    check_promise("points", count, dtype.itemsize, unpacked)
    if unpacked > expansion_limit(packed):
        raise ShapeError(
            f"decompresses {packed:,} bytes to {unpacked:,}: expected a cloud, this is a decompression bomb"
        )
    plain = decompress(body[8 : 8 + packed], unpacked)
    # Compressed data is stored field by field, not point by point.
    columns = {}
    place = 0
    for name in dtype.names or ():
        if name in ("x", "y", "z"):
            columns[name] = np.frombuffer(plain, dtype[name], count, place)
        place += dtype[name].itemsize * count
    return np.stack([columns[axis] for axis in "xyz"], axis=1)
