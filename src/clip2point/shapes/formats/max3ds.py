"""3DS: the meshes of 3D Studio, in chunks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.formats.collision import is_collision, note_collision
from clip2point.shapes.guards import MAX_NODES, check_parts, check_promise
from clip2point.shapes.parsed import Parsed, Scene
from clip2point.shapes.shape import Material

_MAIN, _EDITOR, _OBJECT, _MESH = 0x4D4D, 0x3D3D, 0x4000, 0x4100
_VERTICES, _FACES, _FACE_MATERIAL, _UV = 0x4110, 0x4120, 0x4130, 0x4140
_MATERIAL, _NAME, _DIFFUSE, _TRANSPARENCY, _TEXTURE, _FILE = 0xAFFF, 0xA000, 0xA020, 0xA050, 0xA200, 0xA300
_FLOAT_COLORS, _BYTE_COLORS, _PERCENT = (0x0010, 0x0013), (0x0011, 0x0012), 0x0030


class _Chunk(NamedTuple):
    kind: int
    start: int
    end: int


def read(data: bytes, companions: Companions) -> Parsed:
    """Read all meshes, which 3DS stores in their places. Up is z."""
    if len(data) < 6 or struct.unpack_from("<H", data)[0] != _MAIN:
        raise ShapeError("is no 3DS file: expected its main chunk at the beginning; check its ending")
    return _Reader(data, companions).read()


class _Reader:
    def __init__(self, data: bytes, companions: Companions) -> None:
        self._data, self._companions = data, companions
        self._chunks_left = MAX_NODES

    def read(self) -> Parsed:
        objects: list[tuple[str, _Chunk]] = []
        materials: dict[bytes, Material] = {}
        main = next(self._chunks(0, len(self._data)))
        editors = [chunk for chunk in self._chunks(main.start, main.end) if chunk.kind == _EDITOR]
        for chunk in (chunk for editor in editors for chunk in self._chunks(editor.start, editor.end)):
            if chunk.kind == _MATERIAL:
                name, material = self._material(chunk)
                materials[name] = material
            elif chunk.kind == _OBJECT:
                name, start = self._text(chunk)
                inside = self._chunks(start, chunk.end)
                objects += [(name.decode("latin-1"), mesh) for mesh in inside if mesh.kind == _MESH]
        check_parts(len(objects))
        drawn = [entry for entry in objects if not is_collision(entry[0])]
        scene = Scene()
        if drawn and len(drawn) < len(objects):
            scene.notes.append(note_collision([name for name, _ in objects if is_collision(name)]))
        for title, mesh in drawn or objects:
            scene.add(self._mesh(mesh, materials), node=scene.nodes.enter(mesh, title, -1, np.eye(4), "object"))
        return scene.join(up="z")

    def _chunks(self, place: int, end: int) -> Iterator[_Chunk]:
        while place + 6 <= end:
            kind, size = struct.unpack_from("<HI", self._data, place)
            self._chunks_left -= 1
            if not 6 <= size <= end - place or self._chunks_left < 0:
                raise ShapeError("has a chunk that ends behind its file: the 3DS file is cut off or damaged")
            yield _Chunk(kind, place + 6, place + size)
            place += size

    def _text(self, chunk: _Chunk) -> tuple[bytes, int]:
        """Return the text at the beginning of a chunk, and where it ends."""
        end = self._data.find(b"\0", chunk.start, chunk.end)
        end = chunk.end - 1 if end < 0 else end
        return self._data[chunk.start : end], end + 1

    def _rows(self, chunk: _Chunk, kind: str, width: int) -> tuple[NDArray[np.generic], int]:
        """Return the rows of numbers behind their count, and where they end."""
        if chunk.start + 2 > chunk.end:
            raise ShapeError("has a list without its count: the 3DS file is cut off or damaged; export it again")
        (count,) = struct.unpack_from("<H", self._data, chunk.start)
        dtype = np.dtype(kind)
        check_promise("rows of a list", count, width * dtype.itemsize, chunk.end - chunk.start - 2)
        rows = np.frombuffer(self._data, dtype, width * count, chunk.start + 2)
        return rows.reshape(count, width), chunk.start + 2 + rows.nbytes

    def _mesh(self, mesh: _Chunk, materials: dict[bytes, Material]) -> Parsed:
        parsed = Parsed(np.zeros((0, 3)))
        for chunk in self._chunks(mesh.start, mesh.end):
            if chunk.kind == _VERTICES:
                parsed.vertices = self._rows(chunk, "<f4", 3)[0]
            elif chunk.kind == _UV:
                parsed.uv = self._rows(chunk, "<f4", 2)[0]
            elif chunk.kind == _FACES:
                rows, end = self._rows(chunk, "<u2", 4)
                parsed.faces = rows[:, :3].astype(np.int64)
                self._dress(parsed, end, chunk.end, materials)
        if parsed.uv is not None and len(parsed.uv) != len(parsed.vertices):
            parsed.uv = None
        return parsed

    def _dress(self, parsed: Parsed, start: int, end: int, materials: dict[bytes, Material]) -> None:
        """Put the materials of groups of faces into a mesh."""
        assert parsed.faces is not None
        chosen, found = np.zeros(len(parsed.faces), np.int64), [Material()]
        for chunk in self._chunks(start, end):
            if chunk.kind == _FACE_MATERIAL:
                name, after = self._text(chunk)
                group = self._rows(_Chunk(0, after, chunk.end), "<u2", 1)[0].ravel().astype(np.int64)
                found.append(materials.get(name, Material()))
                chosen[group[group < len(chosen)]] = len(found) - 1
        parsed.materials, parsed.face_materials = tuple(found), chosen

    def _material(self, chunk: _Chunk) -> tuple[bytes, Material]:
        name, material = b"", Material()
        for part in self._chunks(chunk.start, chunk.end):
            if part.kind == _NAME:
                name = self._text(part)[0]
            elif part.kind == _DIFFUSE and (color := self._color(part)) is not None:
                material = replace(material, color=(*color, material.color[3]))
            elif part.kind == _TRANSPARENCY:
                material = replace(material, color=(*material.color[:3], self._opacity(part)))
            elif part.kind == _TEXTURE:
                files = [self._text(file)[0] for file in self._chunks(part.start, part.end) if file.kind == _FILE]
                image = self._companions.read_texture(files[0].decode("latin-1")) if files else None
                material = replace(material, texture=image)
        return name, material

    def _opacity(self, part: _Chunk) -> float:
        for value in self._chunks(part.start, part.end):
            if value.kind == _PERCENT and value.end - value.start >= 2:
                (percent,) = struct.unpack_from("<h", self._data, value.start)
                return min(max(1 - percent / 100, 0.0), 1.0)
        return 1.0

    def _color(self, part: _Chunk) -> tuple[float, float, float] | None:
        for value in self._chunks(part.start, part.end):
            size = value.end - value.start
            if value.kind in _FLOAT_COLORS and size >= 12:
                red, green, blue = struct.unpack_from("<3f", self._data, value.start)
            elif value.kind in _BYTE_COLORS and size >= 3:
                red, green, blue = (level / 255 for level in self._data[value.start : value.start + 3])
            else:
                continue
            return min(max(red, 0.0), 1.0), min(max(green, 0.0), 1.0), min(max(blue, 0.0), 1.0)
        return None
