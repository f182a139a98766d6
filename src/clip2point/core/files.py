"""Atomic writing of files, and checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name that replaces ``path`` once the block has ended without an error.

    Args:
        path: File to write; its folder is created if need be.

    Yields:
        Temporary path beside ``path``; whatever lies there is removed if the block raises.

    Raises:
        OSError: The folder cannot be written to.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "labels.txt"
        >>> with replacing(path) as unfinished:
        ...     _ = unfinished.write_text("chair")
        ...     path.exists()
        False
        >>> path.read_text()
        'chair'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
