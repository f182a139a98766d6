"""Content hash and format of shape files."""

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


def hash_content(path: str) -> str:
    """Hash the bytes that hold the geometry of a shape file.

    Args:
        path: Path of the file.

    Returns:
        SHA-256 of its bytes and, for glTF and URDF, of the buffers and meshes beside it; "" if it cannot be opened, is
        no regular file, or is too large for a shape.
    """
    digest = hashlib.sha256()
    try:
        status = os.stat(path)  # noqa: PTH116 - paths are strings here, by the million
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return ""
        with open(path, "rb") as file:  # noqa: PTH123
            while block := file.read(_BLOCK):
                digest.update(block)
        if find_format(path) in (".gltf", ".urdf"):
            for neighbour in _read_neighbours(Path(path)):
                digest.update(neighbour)
    except (OSError, ValueError, ShapeError):
        return ""
    return digest.hexdigest()


def find_format(path: str) -> str:
    """Return the extension that selects the reader: lower case, without a final ``.gz``.

    Args:
        path: Path of a file.

    Examples:
        >>> find_format("scans/Chair.OFF.gz")
        '.off'
    """
    return Path(path.lower().removesuffix(".gz")).suffix


def _read_neighbours(path: Path) -> list[bytes]:
    """Read the buffers beside a glTF file, or the meshes around a URDF file."""
    text = read_file(path)
    if path.suffix.lower() == ".gz":
        text = gunzip(text)
    neighbours = Companions(path)
    if find_format(str(path)) == ".gltf":
        found = re.findall(rb'"uri"\s*:\s*"([^"]*\.bin)"', text, re.IGNORECASE)
        return [neighbours.read(name.decode("utf-8", "replace")) or b"" for name in found]
    from clip2point.shapes.formats.urdf import list_names

    uris = dict.fromkeys(re.findall(rb"filename\s*=\s*[\"']([^\"']+)", text))
    return [neighbours.read(name) or b"" for uri in uris for name in list_names(uri.decode("utf-8", "replace"))]
