"""What users send: kept in a private folder while it is looked at, under names that cannot lead out of it."""

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
from clip2point.shapes import supported_extensions

#: Photos to search by.
PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
#: Files that a shape's reader may ask for and that are no shapes themselves: materials, buffers, textures.
COMPANIONS = (".mtl", ".bin", ".tga", *PHOTOS)
#: Most files of one request.
MAX_FILES = 64
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Upload:
    """A file that was sent.

    Attributes:
        name: as the user knows it, without folders.
        path: where it lies now, under that name; None if it is of no kind that is ever read, and was not kept.
    """

    name: str
    path: Path | None

    @property
    def is_shape(self) -> bool:
        """Whether it has the extension of a shape file."""
        return _suffix(self.name) in supported_extensions()

    @property
    def is_photo(self) -> bool:
        """Whether it has the extension of a photo."""
        return Path(self.name).suffix.lower() in PHOTOS


@contextmanager
def kept(files: Sequence[tuple[str | None, BinaryIO]]) -> Iterator[list[Upload]]:
    """Keep files for as long as the block lasts, side by side, so that a shape finds its materials and textures.

    Args:
        files: names as they were sent, and contents.

    Yields:
        An Upload for each, in order. Of two files of one name the second gets a number.

    Raises:
        OptionError: if there are more than MAX_FILES.
        Clip2PointError: what the block raises, with names in it in place of paths.
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
            name = _unused(safe_name(sent), {upload.name for upload in uploads})
            path = folder / name if _is_read(name) else None
            if path is not None:
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)
            uploads.append(Upload(name, path))
        try:
            yield uploads
        except Clip2PointError as error:
            raise type(error)(str(error).replace(f"{folder}{os.sep}", "")) from error


def safe_name(sent: str | None) -> str:
    """The last part of a name as a file name that is safe anywhere; "unnamed" if nothing is left of it."""
    name = PurePosixPath((sent or "").replace("\\", "/")).name
    name = re.sub(r"[^\w .()+@,=~#&!'\[\]-]", "_", name).strip()
    if not name.strip("."):
        return "unnamed"
    return name[-_LONGEST_NAME:]


def _suffix(name: str) -> str:
    """The lower-case extension, without a final ``.gz``."""
    return Path(name.lower().removesuffix(".gz")).suffix


def _is_read(name: str) -> bool:
    """Whether files of this name are ever opened."""
    return _suffix(name) in (*supported_extensions(), *COMPANIONS)


def _unused(name: str, taken: set[str]) -> str:
    """The name itself, or with a number in front of its first extension."""
    stem, dot, rest = name.partition(".")
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{stem} ({number}){dot}{rest}", number + 1
    return candidate
