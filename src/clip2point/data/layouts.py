"""Folders, lists of names, official sizes and fingerprints, common to all data sets on disk."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clip2point.core.errors import DataError
from clip2point.core.files import sha256

#: Most bytes of a list of names, and of a file whose content is hashed rather than its ends.
_MAX_LIST = 64 * 1024**2

#: A class, file or model as it may stand in a list: nothing that leads out of the data set's folder.
SAFE_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class Origin:
    """Description of a data set for somebody who lacks it.

    Attributes:
        name: Name of the data set.
        layout: Layout of its files, in one line.
        where: Official page, and how to get the data there.
        terms: Terms of use.
    """

    name: str
    layout: str
    where: str
    terms: str

    def missing(self, what: str, path: str | Path) -> DataError:
        """Return the error for a piece that is not where it should be."""
        return DataError(f"{path}: {what}; expected {self.layout}. Get {self.name} from {self.where}")

    def note(self, odd: str = "") -> str:
        """Return the text for ``Dataset.note``."""
        return ". ".join(part for part in (f"{self.name}, {self.where}", self.terms, odd) if part)


def find_root(origin: Origin, root: Path | None, folders: Sequence[str], fits: Callable[[Path], bool]) -> Path:
    """Find the folder of a data set: the given one, or one below it.

    Args:
        origin: Description of the data set, for messages.
        root: Folder that the user gave.
        folders: Usual names of the data set's folder.
        fits: Function that tells whether a folder has the data set's layout.

    Raises:
        DataError: If there is none, or several.
    """
    if root is None:
        raise DataError(
            f"{origin.name}: no folder given: name it with --root (root= in Python); expected "
            f"{origin.layout}. Get it from {origin.where}"
        )
    root = root.expanduser()
    if not root.is_dir():
        raise origin.missing("no such folder", root)
    if fits(root):
        return root
    found = [path for path in _list_candidates(root, folders) if fits(path)]
    if len(found) > 1:
        both = ", ".join(path.name for path in found)
        raise DataError(f"{root}: holds {both}, several copies of {origin.name}: give one of these folders")
    if not found:
        tried = f" nor below it in {', '.join(folders)}" if folders else ""
        raise origin.missing(f"{origin.name} is neither here{tried}" if tried else f"{origin.name} is not here", root)
    return found[0]


def _list_candidates(root: Path, folders: Sequence[str]) -> list[Path]:
    """Return the folders below a root that are called so in any case, with or without underscores and hyphens."""
    found = []
    for folder in folders:
        level = [root]
        for part in folder.split("/"):
            level = [
                inner for path in level for inner in _list_folders(path) if fold_name(inner.name) == fold_name(part)
            ]
        found += level
    return list(dict.fromkeys(found))


def _list_folders(path: Path) -> list[Path]:
    try:
        return sorted(inner for inner in path.iterdir() if inner.is_dir())
    except OSError:
        return []


def fold_name(name: str) -> str:
    """Return what is the same for spellings of a folder's name.

    Examples:
        >>> fold_name("ModelNet40_manually_aligned") == fold_name("modelnet40-manually-aligned")
        True
    """
    return re.sub(r"[\s_.-]+", "", name).casefold()


def read_list(path: Path, origin: Origin) -> list[str]:
    """Read the non-empty lines of a text file.

    Raises:
        DataError: If it is missing, no text, too large or empty.
    """
    if not path.is_file():
        raise origin.missing("no such file", path)
    try:
        if path.stat().st_size > _MAX_LIST:
            raise DataError(f"{path}: has more than {_MAX_LIST:,} bytes: expected a list of names, one per line")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text: expected a list of names, one per line") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): change the file's permissions") from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line]


def check_size(name: str, split: str, size: int, official: int) -> str:
    """Warn if a split has another number of shapes than officially; return the warning, or ""."""
    if size == official:
        return ""
    odd = (
        f"{name}: the {split} split has {size:,} shapes here and {official:,} officially: figures are not comparable "
        "with published ones"
    )
    warnings.warn(odd, stacklevel=2)
    return odd


def fingerprint_file(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): check the path and its permissions") from None
