"""Uploads: stored in a private folder while they are read, under names that cannot lead out of it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from clip2point.core.errors import Clip2PointError, OptionError
from clip2point.shapes import list_extensions

#: Extensions of photos.
PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
#: Extensions of companions of shape files: materials, buffers, textures.
COMPANIONS = (".mtl", ".bin", ".tga", *PHOTOS)
#: Most files of one request.
MAX_FILES = 64
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Attributes:
        name: User's name of the file, without folders.
        path: Path of the stored file, under that name; None for a kind that is never read and was not stored.
    """

    name: str
    path: Path | None

    @property
    def is_shape(self) -> bool:
        """True for the extension of a shape file."""
        return _suffix(self.name) in list_extensions()

    @property
    def is_photo(self) -> bool:
        """True for the extension of a photo."""
        return Path(self.name).suffix.lower() in PHOTOS


@contextmanager
def store_uploads(files: Sequence[tuple[str | None, BinaryIO]]) -> Iterator[list[Upload]]:
    """Store files in one folder while the block runs, so that a shape finds its materials and textures.

    Args:
        files: Names as they were sent, and contents.

    Yields:
        Uploads, in order; the second of two files of one name gets a number.

    Raises:
        OptionError: There are more than MAX_FILES.
        Clip2PointError: The block raised it; names replace paths in the message.
    """
    if len(files) > MAX_FILES:
        raise OptionError(
            f"{len(files)} files: expected at most {MAX_FILES} in one request; send the others after them"
        )
    with tempfile.TemporaryDirectory(prefix="clip2point-") as private:
        # Readers may look for textures below the parent of a shape's folder, so that has to be private too.
        folder = Path(private, "files")
        folder.mkdir()
        uploads: list[Upload] = []
        for sent, content in files:
            name = _find_free_name(make_safe_name(sent), {upload.name for upload in uploads})
            path = folder / name if _is_read(name) else None
            if path is not None:
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
            uploads.append(Upload(name, path))
        try:
            yield uploads
        except Clip2PointError as error:
            raise type(error)(str(error).replace(f"{folder}{os.sep}", "")) from error


def make_safe_name(sent: str | None) -> str:
    """Return the last part of a name as a file name that is safe on any system; "unnamed" if nothing is left.

    Args:
        sent: Name as it was sent.

    Examples:
        >>> make_safe_name("../../etc/passwd")
        'passwd'
    """
    name = PurePosixPath((sent or "").replace("\\", "/")).name
    name = re.sub(r"[^\w .()+@,=~#&!'\[\]-]", "_", name).strip()
    if not name.strip("."):
        return "unnamed"
    return name[-_LONGEST_NAME:]


def _suffix(name: str) -> str:
    """Return the lower-case extension, without a final ``.gz``."""
    return Path(name.lower().removesuffix(".gz")).suffix


def _is_read(name: str) -> bool:
    """Return True if files of this name are ever opened."""
    return _suffix(name) in (*list_extensions(), *COMPANIONS)


def _find_free_name(name: str, taken: set[str]) -> str:
    """Return the name itself, or with a number before its first extension."""
    stem, dot, rest = name.partition(".")
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{stem} ({number}){dot}{rest}", number + 1
    return candidate
