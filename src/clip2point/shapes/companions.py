"""Files that a shape file names: materials, textures, buffers. Only neighbours are ever read."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.guards import MAX_BYTES

#: Most pixels of one texture; a larger one is left out and the base colour is used.
MAX_TEXTURE_PIXELS = 8192 * 8192
#: Most pixels of all textures of one shape.
MAX_TOTAL_PIXELS = 4 * MAX_TEXTURE_PIXELS

#: Environment variable with the columns of x, y and z in tables ("x=3,y=4,z=5"): it reaches child processes, too.
COLUMNS_VARIABLE = "CLIP2POINT_COLUMNS"

#: Image files whose decoders are plain (an EPS, for one, would start another program).
_IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "TGA", "TIFF", "GIF", "WEBP")
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tga", ".tif", ".tiff", ".gif", ".webp")

#: Names that a reader asked for, each with the hash of what it was given, or "" for nothing.
Asked = list[tuple[str, str]]
_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


@contextmanager
def note_companions() -> Iterator[Asked]:
    """Give a list of the neighbours that the readers of this block ask for."""
    asked: Asked = []
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


def are_unchanged(path: Path, asked: Sequence[Sequence[str]]) -> bool:
    """Return whether a reader of a file would be given the same neighbours again."""
    with note_companions() as now:
        neighbours = Companions(path)
        for name, _ in asked:
            neighbours.read(name)
    return now == [(name, content) for name, content in asked]


class Companions:
    """Reader of the files beside one shape file, which decodes each texture once.

    A name is looked up in the shape file's own folder and below. Absolute paths, URLs, ``..`` and links that lead
    out are refused, with one exception: an image may lie below the *parent* of that folder, because
    ShapeNetCore.v2 stores ``<id>/models/model_normalized.obj`` beside ``<id>/images/texture0.jpg`` and names it
    ``../images/texture0.jpg``. So may all that a URDF names, which usually lies in a folder of its package beside that
    of the meshes.
    """

    def __init__(self, path: Path, columns: str | None = None) -> None:
        self.columns = columns or os.environ.get(COLUMNS_VARIABLE, "")
        self.name = path.name.lower().removesuffix(".gz")
        self._folder = path.parent
        self._above = self.name.endswith(".urdf")
        self._textures: dict[str | int, NDArray[np.uint8] | None] = {}
        self._pixels_left = MAX_TOTAL_PIXELS
        self._bytes_left = MAX_BYTES  # of all reads: one neighbour may be named in many ways

    def read(self, name: str) -> bytes | None:
        """Return the bytes of the neighbour ``name``, or None if it is missing, out of bounds or too much."""
        data = self._read(name)
        if (asked := _asked.get()) is not None:
            asked.append((name, "" if data is None else hashlib.sha256(data).hexdigest()))
        return data

    def _read(self, name: str) -> bytes | None:
        try:
            path = self._locate(name)
            if path is None or not path.is_file() or path.stat().st_size > self._bytes_left:
                return None
            data = path.read_bytes()
        except (OSError, ValueError, RuntimeError):  # unreadable, NUL in the name, a loop of links
            return None
        self._bytes_left -= len(data)
        return data

    def read_texture(self, name: str) -> NDArray[np.uint8] | None:
        """Return the image file ``name`` as [H, W, 3] uint8, or None if it cannot be loaded."""
        if name not in self._textures:
            data = self.read(name) if name.lower().endswith(_IMAGE_SUFFIXES) else None
            self._textures[name] = self._decode(data) if data else None
        return self._textures[name]

    def decode_texture(self, key: int | str, data: bytes) -> NDArray[np.uint8] | None:
        """Return image number ``key`` of the shape file itself as [H, W, 3] uint8, or None if it is damaged."""
        if key not in self._textures:
            self._textures[key] = self._decode(data)
        return self._textures[key]

    def beside(self, name: str) -> Companions:
        """Return the companions of the neighbour ``name``, itself a shape file, which share the limits of these."""
        return _NeighbourCompanions(self, name)

    def _locate(self, name: str) -> Path | None:
        relative = PurePosixPath(unquote(name).strip().replace("\\", "/"))
        if relative.is_absolute() or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", str(relative)):
            return None
        bound = self._folder
        parts = relative.parts
        if parts[:1] == ("..",) and (self._above or relative.suffix.lower() in _IMAGE_SUFFIXES):
            bound, parts = self._folder.absolute().parent, parts[1:]
        if not parts or ".." in parts:
            return None
        path = bound.joinpath(*parts).resolve()
        return path if path.is_relative_to(bound.resolve()) else None

    def _decode(self, data: bytes) -> NDArray[np.uint8] | None:
        import io

        from PIL import Image

        try:
            with Image.open(io.BytesIO(data), formats=_IMAGE_FORMATS) as image:
                pixels = image.width * image.height
                if pixels > min(MAX_TEXTURE_PIXELS, self._pixels_left):
                    return None
                texture = np.array(image.convert("RGB"))
        except Exception:  # Pillow raises many kinds on damaged data; a shape without its texture is still a shape
            return None
        self._pixels_left -= pixels
        return texture


class _NeighbourCompanions(Companions):
    """Reader of the files beside a neighbour, by way of the first file's."""

    def __init__(self, first: Companions, name: str) -> None:
        self.columns = first.columns
        self.name = posixpath.basename(name).lower()
        self._first, self._path = first, name

    def _join(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self._path), name.strip().replace("\\", "/")))

    def read(self, name: str) -> bytes | None:
        return self._first.read(self._join(name))

    def read_texture(self, name: str) -> NDArray[np.uint8] | None:
        return self._first.read_texture(self._join(name))

    def decode_texture(self, key: int | str, data: bytes) -> NDArray[np.uint8] | None:
        return self._first.decode_texture(f"{self._path}#{key}", data)

    def beside(self, name: str) -> Companions:
        return _NeighbourCompanions(self._first, self._join(name))
