"""Buffer views that meshoptimizer compressed: EXT_meshopt_compression and KHR_meshopt_compression of glTF.

Written from the bitstreams in Khronos' description of the two extensions. Attributes are stored as differences of bytes
(or, in version 1, of 16-bit and 32-bit numbers) with few bits each, triangles by edges and corners that came shortly
before, other indices as differences.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.guards import check_promise, expansion_limit

Bytes = NDArray[np.uint8]
#: Bits of each difference of a group by its mode: for control modes 0 and 1, and for version 0.
_BITS = np.array([[0, 1, 2, 4], [1, 2, 4, 8], [0, 2, 4, 8]])
_DAMAGED = "has a damaged buffer view ({}): export or download the file again"


def decode_view(packed: bytes, extension: dict[str, Any]) -> bytes:
    """Return the plain bytes of a buffer view.

    Args:
        packed: Compressed bytes.
        extension: Entry of the view: count, byteStride, mode and filter.

    Raises:
        ShapeError: The data is damaged, or unfolds to something else than the entry says.
    """
    count, stride, mode = int(extension["count"]), int(extension["byteStride"]), extension.get("mode")
    change = extension.get("filter", "NONE")
    data = np.frombuffer(packed, np.uint8)
    if mode == "ATTRIBUTES":
        if stride % 4 or not 4 <= stride <= 256:
            raise ShapeError(_DAMAGED.format(f"elements of {stride} bytes"))
        check_promise("elements", count, stride, expansion_limit(len(data)))
        plain = np.zeros((count, stride), np.uint8)
        if not decode_attributes(data, plain):
            raise ShapeError(_DAMAGED.format("attributes"))
        return np.ascontiguousarray(apply_filter(plain, change)).tobytes()
    if stride not in (2, 4) or mode not in ("TRIANGLES", "INDICES") or change != "NONE":
        raise ShapeError(_DAMAGED.format(f"mode {str(mode)[:20]!r} with elements of {stride} bytes"))
    triangles = mode == "TRIANGLES"
    check_promise("indices", count, 1, (3 if triangles else 1) * len(data))
    indices = np.zeros(count, np.uint32)
    if count % (3 if triangles else 1) or not (decode_triangles if triangles else decode_indices)(data, indices):
        raise ShapeError(_DAMAGED.format("indices"))
    return indices.astype(f"<u{stride}").tobytes()


@numba.njit(cache=True, nogil=True)
def decode_attributes(data: Bytes, plain: Bytes) -> bool:
    """Fill elements [count, stride]; return False if the data does not fit."""
    count, stride = plain.shape
    if len(data) < 1 or data[0] not in (0xA0, 0xA1):
        return False
    version = np.int64(data[0]) & 15
    channels = stride // 4
    tail = stride + (channels if version else 0)
    end = len(data) - max(tail, 24 if version else 32)
    if end < 1:
        return False
    last = data[len(data) - tail : len(data) - tail + stride].copy()
    modes = np.zeros(channels, np.uint8)
    if version:
        modes[:] = data[len(data) - channels :]
    for mode in modes:
        if (mode & 15) > 2 or ((mode & 15) < 2 and mode >> 4):
            return False
    size = min((8192 // stride) & ~15, 256)
    deltas = np.zeros((stride, size), np.uint8)
    place, first = 1, 0
    while first < count:
        elements = min(size, count - first)
        place = _read_block(data, place, end, version, channels, elements, deltas)
        if place < 0:
            return False
        _add_deltas(deltas, plain[first : first + elements], last, modes)
        first += elements
    return place == end


@numba.njit(cache=True, nogil=True)
def _read_block(data: Bytes, place: int, end: int, version: int, channels: int, elements: int, deltas: Bytes) -> int:
    """Read the differences of one block, byte by byte of an element; return where it ends, or -1."""
    groups = (elements + 15) // 16
    controls = place
    if version:
        place += channels
    if place > end:
        return -1
    for byte in range(4 * channels):
        control = (np.int64(data[controls + byte // 4]) >> (2 * (byte % 4))) & 3 if version else 4
        if control == 2:
            deltas[byte, :] = 0
            continue
        if control == 3:
            if place + elements > end:
                return -1
            deltas[byte, :elements] = data[place : place + elements]
            place += elements
        else:
            place = _read_column(data, place, end, groups, _BITS[min(control, 2)], deltas[byte])
        if place < 0:
            return -1
    return place


@numba.njit(cache=True, nogil=True)
def _read_column(data: Bytes, place: int, end: int, groups: int, bits: NDArray[np.int64], deltas: Bytes) -> int:
    """Read the differences of one byte of all elements of a block, in groups of 16; return where they end, or -1."""
    header = place
    place += (groups + 3) // 4
    if place > end:
        return -1
    for group in range(groups):
        mode = (np.int64(data[header + group // 4]) >> (2 * (group % 4))) & 3
        place = _read_group(data, place, end, bits[mode], deltas[16 * group : 16 * group + 16])
        if place < 0:
            return -1
    return place


@numba.njit(cache=True, nogil=True)
def _read_group(data: Bytes, place: int, end: int, bits: int, deltas: Bytes) -> int:
    """Read 16 differences of some bits each, the largest number standing for a whole byte behind them."""
    if place + 2 * bits > end:
        return -1
    if bits == 0:
        deltas[:] = 0
        return place
    if bits == 8:
        deltas[:] = data[place : place + 16]
        return place + 16
    each = 8 // bits
    sentinel = (1 << bits) - 1
    rest = place + 2 * bits
    for i in range(16):
        within = i % each if bits == 1 else each - 1 - i % each
        value = (np.int64(data[place + i // each]) >> (bits * within)) & sentinel
        if value == sentinel:
            if rest >= end:
                return -1
            value = np.int64(data[rest])
            rest += 1
        deltas[i] = value
    return rest


@numba.njit(cache=True, nogil=True)
def _add_deltas(deltas: Bytes, plain: Bytes, last: Bytes, modes: Bytes) -> None:
    """Turn differences [stride, elements] into elements; ``last`` is the one before, and becomes the last of them."""
    for channel in range(len(modes)):
        mode, turn = np.int64(modes[channel]) & 15, np.int64(modes[channel]) >> 4
        first = 4 * channel
        for i in range(len(plain)):
            if mode == 0:
                for byte in range(first, first + 4):
                    code = np.int64(deltas[byte, i])
                    last[byte] = (np.int64(last[byte]) + ((code >> 1) ^ -(code & 1))) & 0xFF
            elif mode == 1:
                for byte in range(first, first + 4, 2):
                    code = np.int64(deltas[byte, i]) | np.int64(deltas[byte + 1, i]) << 8
                    value = np.int64(last[byte]) | np.int64(last[byte + 1]) << 8
                    value = (value + ((code >> 1) ^ -(code & 1))) & 0xFFFF
                    last[byte], last[byte + 1] = value & 0xFF, value >> 8
            else:
                code = np.int64(0)
                for byte in range(4):
                    code |= np.int64(deltas[first + byte, i]) << (8 * byte)
                code = ((code << turn) | (code >> ((32 - turn) & 31))) & 0xFFFFFFFF
                for byte in range(4):
                    last[first + byte] = np.int64(last[first + byte]) ^ ((code >> (8 * byte)) & 0xFF)
            plain[i, first : first + 4] = last[first : first + 4]


@numba.njit(cache=True, nogil=True)
def _read_number(data: Bytes, place: int, end: int) -> tuple[np.int64, int]:
    """Return a number of 32 bits, 7 of them in a byte, and where it ends, or -1."""
    value = np.int64(0)
    for i in range(5):
        if place >= end:
            return np.int64(0), -1
        byte = np.int64(data[place])
        place += 1
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value & 0xFFFFFFFF, place
    return np.int64(0), -1


@numba.njit(cache=True, nogil=True)
def decode_indices(data: Bytes, indices: NDArray[np.uint32]) -> bool:
    """Fill indices of mode INDICES; return False if the data does not fit."""
    if len(data) < 5 or data[0] != 0xD1:
        return False
    end, place = len(data) - 4, 1
    last = np.zeros(2, np.int64)
    for i in range(len(indices)):
        code, place = _read_number(data, place, end)
        if place < 0:
            return False
        baseline, code = code & 1, code >> 1
        last[baseline] = (last[baseline] + ((code >> 1) ^ -(code & 1))) & 0xFFFFFFFF
        indices[i] = last[baseline]
    return place == end


@numba.njit(cache=True, nogil=True)
def decode_triangles(data: Bytes, indices: NDArray[np.uint32]) -> bool:  # noqa: C901 - the cases of the bitstream
    """Fill corners of mode TRIANGLES; return False if the data does not fit."""
    triangles = len(indices) // 3
    end = len(data) - 16
    place = 1 + triangles
    if end < place or data[0] != 0xE1:
        return False
    # Rings of the last 16 edges and corners, and how many were ever written.
    edges, edge_count = np.zeros((16, 2), np.int64), 0
    corners, corner_count = np.zeros(16, np.int64), 0
    new, last = 0, 0
    for i in range(triangles):
        code = np.int64(data[1 + i])
        high, low = code >> 4, code & 15
        if high < 15:
            if high >= min(edge_count, 16):
                return False
            a, b = edges[(edge_count - 1 - high) & 15]
            known = False
            if low == 0:
                c, new = new, (new + 1) & 0xFFFFFFFF
            elif low < 13:
                if low >= min(corner_count, 16):
                    return False
                c, known = corners[(corner_count - 1 - low) & 15], True
            elif low < 15:
                c = last = (last + (1 if low == 14 else -1)) & 0xFFFFFFFF
            else:
                step, place = _read_number(data, place, end)
                if place < 0:
                    return False
                c = last = (last + ((step >> 1) ^ -(step & 1))) & 0xFFFFFFFF
            if not known:
                corners[corner_count & 15] = c
                corner_count += 1
        else:
            explicit = low >= 14
            if explicit:
                if place >= end:
                    return False
                pair = np.int64(data[place])
                place += 1
                if pair == 0:
                    new = 0
            else:
                pair = np.int64(data[end + low])
            corner = np.zeros(3, np.int64)
            wanted = (15 if low == 15 else 0, pair >> 4, pair & 15)
            fresh = 0
            # Corners of this triangle go into the ring only after all three are known.
            for k in range(3):
                if wanted[k] == 0:
                    corner[k], new = new, (new + 1) & 0xFFFFFFFF
                    fresh |= 1 << k
                elif wanted[k] < 15:
                    back = wanted[k] - 1
                    if back >= min(corner_count, 16):
                        return False
                    corner[k] = corners[(corner_count - 1 - back) & 15]
                else:
                    if not explicit:
                        return False
                    step, place = _read_number(data, place, end)
                    if place < 0:
                        return False
                    last = (last + ((step >> 1) ^ -(step & 1))) & 0xFFFFFFFF
                    corner[k] = last
                    fresh |= 1 << k
            for k in range(3):
                if fresh >> k & 1:
                    corners[corner_count & 15] = corner[k]
                    corner_count += 1
            a, b, c = corner[0], corner[1], corner[2]
            edges[edge_count & 15, 0], edges[edge_count & 15, 1] = b, a
            edge_count += 1
        edges[edge_count & 15, 0], edges[edge_count & 15, 1] = c, b
        edges[(edge_count + 1) & 15, 0], edges[(edge_count + 1) & 15, 1] = a, c
        edge_count += 2
        indices[3 * i], indices[3 * i + 1], indices[3 * i + 2] = a, b, c
    return place == end


def apply_filter(plain: Bytes, name: str) -> NDArray[Any]:
    """Undo the filter of attributes [count, stride].

    Raises:
        ShapeError: The filter is unknown, or does not go with the stride.
    """
    stride = plain.shape[1]
    strides = {"NONE": range(0, 257, 4), "EXPONENTIAL": range(0, 257, 4), "QUATERNION": (8,)}
    if stride not in strides.get(name, (4, 8)) or name not in ("OCTAHEDRAL", "COLOR", *strides):
        raise ShapeError(_DAMAGED.format(f"filter {name[:20]!r} on elements of {stride} bytes"))
    if name == "EXPONENTIAL":
        bits = plain.view("<i4")
        return np.ldexp(((bits << 8) >> 8).astype(np.float64), bits >> 24).astype("<f4")
    if name == "OCTAHEDRAL":
        return _from_octahedron(plain.view("<i1" if stride == 4 else "<i2"))
    if name == "QUATERNION":
        return _from_three_components(plain.view("<i2"))
    if name == "COLOR":
        return _from_ycocg(plain.view("<i1" if stride == 4 else "<i2"))
    return plain


def _from_octahedron(values: NDArray[Any]) -> NDArray[Any]:
    x, y = (values[:, i] / values[:, 2].astype(np.float64) for i in (0, 1))
    z = 1 - np.abs(x) - np.abs(y)
    below = np.minimum(z, 0)
    vectors = np.stack([x - np.copysign(below, x), y - np.copysign(below, y), z], axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = values.copy()
    found[:, :3] = np.rint(np.nan_to_num(vectors) * np.iinfo(values.dtype).max)
    return found


def _from_three_components(values: NDArray[Any]) -> NDArray[Any]:
    one = (values[:, 3].astype(np.int64) | 3)[:, None]
    three = values[:, :3] / one / np.sqrt(2)
    largest = np.sqrt(np.maximum(0, 1 - (three**2).sum(axis=1)))
    found = np.zeros_like(values)
    rows, place = np.arange(len(values)), values[:, 3].astype(np.int64) & 3
    for i, component in enumerate((largest, *three.T)):
        found[rows, (place + i) % 4] = np.clip(np.rint(component * 32767), -32767, 32767)
    return found


def _from_ycocg(values: NDArray[Any]) -> NDArray[Any]:
    unsigned = values.dtype.str.replace("i", "u")
    y, alpha = (values[:, i].view(unsigned).astype(np.int64) for i in (0, 3))
    co, cg = (values[:, i].astype(np.int64) for i in (1, 2))
    full = 2 ** np.ceil(np.log2(np.maximum(alpha, 1) + 1)).astype(np.int64) - 1
    alpha &= full >> 1
    channels = np.stack([y + co - cg, y + cg, y - co - cg, (alpha << 1) | (alpha & 1)], axis=1)
    most = np.iinfo(unsigned).max
    return np.clip(np.rint(channels * (most / full)[:, None]), 0, most).astype(unsigned)
