"""The cache: arrays that took long to compute, stored under a hash of everything they depend on.

An entry is a folder ``KIND/KEY`` with one memory-mapped ``.npy`` file per array, and ``parts.json``, which spells out
what the key is the hash of. A changed part gives another key, so that no stale entry is ever found. Entries are written
under a temporary name and renamed: a killed run leaves none, and of two runs that write the same entry at the same time
one wins, with the same content. Deleting the cache folder is always safe.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

#: File of an entry that spells out its parts; its time is that of the last use.
PARTS = "parts.json"

#: Folders of which it was said that they cannot be used.
_told: set[Path] = set()


def cache_folder() -> Path:
    """Return the folder of all entries: ``$CLIP2POINT_CACHE``, or ``clip2point`` in the user's cache folder."""
    if given := os.environ.get("CLIP2POINT_CACHE"):
        return Path(given).expanduser()
    return platformdirs.user_cache_path("clip2point", appauthor=False, opinion=False)


def key_of(parts: Mapping[str, Any]) -> str:
    """Return the key of an entry: a hash of its parts, whatever their order.

    Args:
        parts: Everything that the entry depends on, as JSON types.

    Examples:
        >>> key_of({"seed": 0, "points": 1024}) == key_of({"points": 1024, "seed": 0})
        True
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def load_arrays(kind: str, parts: Mapping[str, Any]) -> Arrays | None:
    """Find an entry.

    Args:
        kind: Kind of entry, for example "points".
        parts: Everything that the arrays depend on, as JSON types.

    Returns:
        The arrays by name, memory-mapped and read-only, or None where there is no such entry or a damaged one.
    """
    folder = cache_folder() / kind / key_of(parts)
    try:
        if json.loads((folder / PARTS).read_text(encoding="utf-8")) != json.loads(json.dumps(parts)):
            return None
        found = {path.stem: _map_array(path) for path in sorted(folder.glob("*.npy"))}
        with suppress(OSError):  # a cache that may only be read is as good
            os.utime(folder / PARTS)
        return found
    except (OSError, ValueError):
        return None


def store_arrays(kind: str, parts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Write an entry.

    Args:
        kind: Kind of entry, for example "points".
        parts: Everything that the arrays depend on, as JSON types.
        arrays: Arrays by name; each name is also that of a file.

    Returns:
        The arrays, read-only, and memory-mapped where they could be written; where the disk is full or may not be
        written to, they are those that were given, and a warning says so once.
    """
    folder = cache_folder() / kind / key_of(parts)
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
        (unfinished / PARTS).write_text(json.dumps(parts, indent=1), encoding="utf-8")
        _put_in_place(unfinished, folder)
    except OSError as error:
        warn_once(error)
        return {name: _protect(array) for name, array in arrays.items()}
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
    return {name: _map_array(folder / f"{name}.npy") for name in arrays}


def load_or_compute(kind: str, parts: Mapping[str, Any], compute: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return the arrays of an entry, which are computed and stored where there is none yet.

    Args:
        kind: Kind of entry, for example "points".
        parts: Everything that the arrays depend on, as JSON types.
        compute: Function that gives the arrays by name; called only if there is no entry.

    Returns:
        The arrays, read-only, as of ``store_arrays``.
    """
    found = load_arrays(kind, parts)
    return store_arrays(kind, parts, compute()) if found is None else found


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Rename a finished entry to its final name, over a damaged one but not over a whole one of another run."""
    try:
        unfinished.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not folder.is_dir():
            raise
        if _is_whole(folder, {path.name for path in unfinished.iterdir()}):
            return
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def _is_whole(folder: Path, names: set[str]) -> bool:
    """Return True if an entry has all its files and every array can be read."""
    try:
        json.loads((folder / PARTS).read_text(encoding="utf-8"))
        for name in names - {PARTS}:
            _map_array(folder / name)
    except (OSError, ValueError):
        return False
    return True


def _map_array(path: Path) -> NDArray[Any]:
    """Open an array of an entry; an empty one is read, since an empty file cannot be memory-mapped."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        array = np.load(path, allow_pickle=False)
        if array.size:
            raise
        return array


def warn_once(error: Exception) -> None:
    """Say that this cache folder cannot be written to, the first time in a process."""
    folder = cache_folder()
    if folder in _told:
        return
    _told.add(folder)
    why = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    warnings.warn(
        f"{folder}: the cache cannot be used ({why}), so that nothing new is kept: free some space there, repair it by "
        "'clip2point cache --empty', or set CLIP2POINT_CACHE to another folder",
        stacklevel=3,
    )


def _protect(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that cannot be written to by this name, as those of the cache cannot."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
