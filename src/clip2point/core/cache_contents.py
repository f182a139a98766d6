"""What the cache holds, arrays and single results together: counted, bounded, emptied."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clip2point.core.cache import PARTS, cache_folder
from clip2point.core.cache_limit import read_limit
from clip2point.core.store import open_store

#: Folders of entries are named by their keys, perhaps unfinished; nothing else is ever deleted.
_ENTRY = re.compile(r"\.?[0-9a-f]{32}(\..*)?")


@dataclass(frozen=True)
class Kind:
    """Entries of one kind.

    Attributes:
        name: Kind, for example "views".
        entries: Number of entries.
        size: Bytes of all of them.
    """

    name: str
    entries: int
    size: int


def list_kinds() -> list[Kind]:
    """Return what the cache holds, by kind, sorted by name."""
    found = dict(open_store().count())
    for folder in _list_entries():
        entries, size = found.get(folder.parent.name, (0, 0))
        found[folder.parent.name] = entries + 1, size + _measure(folder)
    return [Kind(name, *numbers) for name, numbers in sorted(found.items())]


def shrink_cache(limit: int) -> None:
    """Delete what was not used for longest until the cache is within a limit, in bytes.

    Arrays of whole data sets go first, since single results make them again in little time.
    """
    total = sum(kind.size for kind in list_kinds())
    whole = [folder for folder in _list_entries() if not folder.name.startswith(".")]  # others are being written
    for folder in sorted(whole, key=_last_use):
        if total <= limit:
            return
        total -= _measure(folder)
        shutil.rmtree(folder, ignore_errors=True)
    open_store().shrink(limit)


def limit_cache() -> None:
    """Keep the cache within its limit; for those who have just written arrays. A limit of 0 leaves arrays alone."""
    if limit := read_limit():
        shrink_cache(limit)


def empty_cache() -> None:
    """Delete everything that the cache holds."""
    open_store().delete()
    for folder in list(_list_entries()):
        shutil.rmtree(folder, ignore_errors=True)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def _list_entries() -> Iterator[Path]:
    root = cache_folder()
    if root.is_dir():
        for kind in root.iterdir():
            if kind.is_dir():
                yield from (path for path in kind.iterdir() if _ENTRY.fullmatch(path.name) and path.is_dir())


def _measure(folder: Path) -> int:
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except OSError:  # another process has deleted it
            continue
    return sum(sizes)


def _last_use(folder: Path) -> float:
    try:
        return (folder / PARTS if (folder / PARTS).exists() else folder).stat().st_mtime
    except OSError:
        return 0.0
