"""What is in a file, without reading it as a shape: its hash, and its format."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from clip2point.core.errors import ShapeError
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import MAX_BYTES, gunzip, read_file

_BLOCK = 1 << 20


def content_hash(path: str) -> str:
    """Hash of all that the geometry of a shape file lies in.

    Args:
        path: of the file.

    Returns:
        sha256 of its bytes, and for glTF of the buffers beside it that it names as well; "" if the file cannot be
        opened, is none, or has more bytes than a shape may have.
    """
    digest = hashlib.sha256()
    try:
        status = os.stat(path)  # noqa: PTH116 - paths are strings here, by the million
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return ""
        with open(path, "rb") as file:  # noqa: PTH123
            while block := file.read(_BLOCK):
                digest.update(block)
        if format_of(path) == ".gltf":
            for buffer in _buffers(Path(path)):
                digest.update(buffer)
    except (OSError, ValueError, ShapeError):
        return ""
    return digest.hexdigest()


def format_of(path: str) -> str:
    """The extension that decides which reader takes a file: lower case, without a final ``.gz``."""
    return Path(path.lower().removesuffix(".gz")).suffix


def _buffers(path: Path) -> list[bytes]:
    """The binary neighbours that a glTF file names."""
    text = read_file(path)
    if path.suffix.lower() == ".gz":
        text = gunzip(text)
    names = re.findall(rb'"uri"\s*:\s*"([^"]*\.bin)"', text, re.IGNORECASE)
    neighbours = Companions(path)
    return [neighbours.read(name.decode("utf-8", "replace")) or b"" for name in names]
