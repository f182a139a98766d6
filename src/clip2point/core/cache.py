"""The cache: arrays that took long to compute, found again by all that they depend on.

An entry is a folder ``KIND/KEY`` with one ``.npy`` file an array, read by memory-mapping, and ``parts.json``, which
says what the key stands for. The key is the hash of those parts, so a changed part is another entry and nothing
stale is ever found. Entries are written under a temporary name and renamed: a run that is killed leaves none, and of
two runs that write the same entry at the same time one wins, with the same content. Deleting the cache folder is
always safe.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import CacheError

Arrays = dict[str, NDArray[Any]]

_PARTS = "parts.json"


def cache_folder() -> Path:
    """Where entries are kept: ``$CLIP2POINT_CACHE``, or ``clip2point`` in the user's cache folder."""
    if given := os.environ.get("CLIP2POINT_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "clip2point"


def key_of(parts: Mapping[str, Any]) -> str:
    """The key of what an entry depends on: a hash that does not depend on the order of the parts.

    Args:
        parts: JSON types only.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def load_arrays(kind: str, parts: Mapping[str, Any]) -> Arrays | None:
    """Find an entry.

    Args:
        kind: of entry, for example "points".
        parts: all that the arrays depend on.

    Returns:
        The arrays by name, memory-mapped and read-only, or None if there is no such entry. A damaged entry counts as
        none.
    """
    folder = cache_folder() / kind / key_of(parts)
    try:
        if json.loads((folder / _PARTS).read_text(encoding="utf-8")) != json.loads(json.dumps(parts)):
            return None
        return {path.stem: _mapped(path) for path in sorted(folder.glob("*.npy"))}
    except (OSError, ValueError):
        return None


def store_arrays(kind: str, parts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Write an entry.

    Args:
        kind: of entry.
        parts: all that the arrays depend on.
        arrays: by name; names must do as file names.

    Returns:
        The arrays, memory-mapped and read-only.

    Raises:
        CacheError: if the cache cannot be written to, for example because the disk is full.
    """
    folder = cache_folder() / kind / key_of(parts)
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array, allow_pickle=False)
        (unfinished / _PARTS).write_text(json.dumps(parts, indent=1), encoding="utf-8")
        _rename(unfinished, folder)
    except OSError as error:
        raise _explained(error, folder.parent) from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
    return {name: _mapped(folder / f"{name}.npy") for name in arrays}


def _rename(unfinished: Path, folder: Path) -> None:
    """Put a finished entry in its place; a damaged entry there makes way, a whole one (of another run) stays."""
    try:
        unfinished.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not folder.is_dir():
            raise
        if _whole(folder, {path.name for path in unfinished.iterdir()}):
            return
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)


def _whole(folder: Path, names: set[str]) -> bool:
    """Whether an entry has its files and every array can be read."""
    try:
        json.loads((folder / _PARTS).read_text(encoding="utf-8"))
        for name in names - {_PARTS}:
            _mapped(folder / name)
    except (OSError, ValueError):
        return False
    return True


def _mapped(path: Path) -> NDArray[Any]:
    """An array of an entry. Memory cannot be mapped to nothing, so empty ones are read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        array = np.load(path, allow_pickle=False)
        if array.size:
            raise
        return array


def _explained(error: OSError, folder: Path) -> CacheError:
    """What went wrong, with the sizes that matter."""
    advice = "free some space there, or set CLIP2POINT_CACHE to a folder on another disk"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):  # Windows has no quotas
        return CacheError(f"{folder}: the disk is full and the cache cannot grow; {advice}")
    return CacheError(f"{folder}: the cache cannot be written to ({error.strerror}); {advice}")
