"""The container of FBX: nodes with values and children, in binary or as text (versions 7.0 and later)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.text import parse_numbers
from clip2point.shapes.guards import check_nodes, check_promise, expansion_limit

MAGIC = b"Kaydara FBX Binary  \x00"
_OLDEST = 7000
_DEEPEST = 64
_SCALARS = {b"Y": "<h", b"C": "<?", b"B": "<?", b"I": "<i", b"F": "<f", b"D": "<d", b"L": "<q"}
_ARRAYS = {b"f": "<f4", b"d": "<f8", b"i": "<i4", b"l": "<i8", b"b": "u1", b"c": "u1"}
_CUT_OFF = "ends within its nodes: the FBX file is cut off or damaged; export it again"
#: A word of FBX's text: a text, a sign, the name of a node, or a value.
_WORD = re.compile(rb'"([^"]*)"|([{},])|([A-Za-z_|][\w|]*):|([^\s{},:"]+)')


@dataclass
class Node:
    """A node of the file.

    Attributes:
        name: Name of its kind.
        values: Numbers, texts (bytes) and arrays.
        children: Nodes below it.
    """

    name: str
    values: list[Any] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def find(self, name: str) -> Node | None:
        """Return the first child of a name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> Iterator[Node]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def array(self, name: str) -> NDArray[Any] | None:
        """Return the array that a child holds, or None if there is no such child."""
        child = self.find(name)
        if child is None or not child.values:
            return None
        return np.asarray(child.values[0] if isinstance(child.values[0], np.ndarray) else child.values)

    def text(self, name: str) -> str:
        """Return the text that a child holds, or ""."""
        child = self.find(name)
        return as_text(child.values[0]) if child is not None and child.values else ""

    def properties(self) -> dict[str, list[Any]]:
        """Return the values of the node's properties by name."""
        holder = self.find("Properties70")
        entries = () if holder is None else holder.all("P")
        return {as_text(entry.values[0]): entry.values[4:] for entry in entries if len(entry.values) > 4}


def as_text(value: Any) -> str:
    """Return a value as text, without the kind of object that binary files write behind a name."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.partition("\x00")[0]


def read_nodes(data: bytes) -> Node:
    """Read all nodes of a file, below a root.

    Raises:
        ShapeError: The file is no FBX, damaged, or too old.
    """
    if data.startswith(MAGIC):
        return _BinaryReader(data).read()
    if re.match(rb"\s*;\s*FBX|\s*FBXHeaderExtension", data[:4096]) is None:
        raise ShapeError("is no FBX file: expected its header in binary or text; check its ending")
    return _read_text(data)


def _check_version(version: int) -> None:
    if version < _OLDEST:
        raise ShapeError(
            f"is of FBX version {version / 1000:g}: expected 7.0 or later; convert it with Autodesk's FBX Converter, "
            "or export it as GLB"
        )


class _BinaryReader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bytes_left = expansion_limit(len(data))
        self._nodes = 0
        if len(data) < 27:
            raise ShapeError(_CUT_OFF)
        version = int(struct.unpack_from("<I", data, 23)[0])
        _check_version(version)
        self._head = struct.Struct("<QQQB" if version >= 7500 else "<IIIB")

    def read(self) -> Node:
        root, place = Node("root"), 27
        while place + self._head.size <= len(self._data):
            node, place = self._node(place, len(self._data), 0)
            if node is None:  # behind it comes a footer
                return root
            root.children.append(node)
        if not root.children:
            raise ShapeError(_CUT_OFF)
        return root

    def _node(self, place: int, limit: int, depth: int) -> tuple[Node | None, int]:
        """Return the node at a place, or None for the mark at the end of a list, and the place behind it."""
        if place + self._head.size > limit or depth > _DEEPEST:
            raise ShapeError(_CUT_OFF)
        end, count, size, letters = self._head.unpack_from(self._data, place)
        place += self._head.size
        if end == 0:
            return None, place
        self._nodes += 1 + count
        check_nodes(self._nodes)
        start = place + letters
        if not start + size <= end <= limit:
            raise ShapeError(_CUT_OFF)
        node = Node(self._data[place:start].decode("latin-1"))
        place = start
        for _ in range(count):
            value, place = self._value(place, start + size)
            node.values.append(value)
        place = start + size
        while place < end:
            child, place = self._node(place, end, depth + 1)
            if child is None:
                break
            node.children.append(child)
        return node, end

    def _value(self, place: int, end: int) -> tuple[Any, int]:
        kind = self._data[place : place + 1]
        place += 1
        if kind in _SCALARS:
            form = _SCALARS[kind]
            return self._unpack(form, place, end)[0], place + struct.calcsize(form)
        if kind in (b"S", b"R"):
            (size,) = self._unpack("<I", place, end)
            check_promise("bytes of a text", size, 1, end - place - 4)
            return self._data[place + 4 : place + 4 + size], place + 4 + size
        if kind not in _ARRAYS:
            raise ShapeError(f"has a value of the kind {kind!r}, which is unknown: the FBX file is damaged")
        count, packed, size = self._unpack("<III", place, end)
        place += 12
        dtype = np.dtype(_ARRAYS[kind])
        check_promise("bytes of an array", size, 1, end - place)
        data = self._data[place : place + size]
        self._bytes_left -= count * dtype.itemsize
        if self._bytes_left < 0:
            raise ShapeError("unfolds to more than its size allows: the file is damaged, or a decompression bomb")
        if packed:
            try:
                data = zlib.decompressobj().decompress(data, count * dtype.itemsize or 1)
            except zlib.error as error:
                raise ShapeError(f"has a damaged array ({error}): export it again") from None
        check_promise("values of an array", count, dtype.itemsize, len(data))
        return np.frombuffer(data, dtype, count), place + size

    def _unpack(self, form: str, place: int, end: int) -> tuple[Any, ...]:
        if place + struct.calcsize(form) > end:
            raise ShapeError(_CUT_OFF)
        return struct.unpack_from(form, self._data, place)


def _read_text(data: bytes) -> Node:
    """Read FBX as text: "Name: value, value {children}", arrays as "*3 {a: 1,2,3}"."""
    data = re.sub(rb"(?m)^\s*;.*$", b"", data)
    check_nodes(data.count(b":"))
    root = _TextReader(data).read()
    header = root.find("FBXHeaderExtension")
    version = None if header is None else header.array("FBXVersion")
    _check_version(int(version[0]) if version is not None and len(version) else 0)
    return root


class _TextReader:
    """Reader of one word after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0
        self._node = Node("root")
        self._stack = [self._node]

    def read(self) -> Node:
        root = self._node
        while (match := _WORD.search(self._data, self._place)) is not None:
            self._place = match.end()
            text, sign, name, value = match.groups()
            if name is not None:
                self._name(name)
            elif sign is not None:
                self._sign(sign)
            elif text is not None:
                self._node.values.append(text.rpartition(b"::")[2])
            else:
                self._node.values.append(_Length(value[1:]) if value.startswith(b"*") else _to_number(value))
        if len(self._stack) > 1 or not root.children:
            raise ShapeError(_CUT_OFF)
        return root

    def _name(self, name: bytes) -> None:
        """Begin a node, or read the array of the one that is open."""
        if name == b"a" and self._node.values and isinstance(self._node.values[0], _Length):
            end = self._data.find(b"}", self._place)
            numbers = parse_numbers(self._data[self._place : max(end, self._place)].replace(b",", b" "))
            if end < 0 or len(numbers) < self._node.values[0]:
                raise ShapeError(_CUT_OFF)
            self._node.values[0] = numbers
            self._place = end
            return
        self._node = Node(name.decode("latin-1"))
        self._stack[-1].children.append(self._node)

    def _sign(self, sign: bytes) -> None:
        """Open or close a list of children."""
        if sign == b"{":
            if len(self._stack) > _DEEPEST:
                raise ShapeError(_CUT_OFF)
            self._stack.append(self._node)
        elif sign == b"}":
            if len(self._stack) == 1:
                raise ShapeError(_CUT_OFF)
            self._node = self._stack.pop()


class _Length(int):
    """Number of values of an array that follows."""


def _to_number(word: bytes) -> float | int | bytes:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return word
