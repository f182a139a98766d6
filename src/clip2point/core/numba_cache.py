"""A place for compiled kernels where the package's own folder cannot be written to."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def place_numba_cache(package: Path) -> None:
    """Tell numba where to cache kernels, unless it can beside their sources, or ``NUMBA_CACHE_DIR`` says where.

    That is in the cache folder, or for the time of this process in a temporary folder: without any numba refuses to
    compile.

    Args:
        package: Folder of the package.
    """
    if "NUMBA_CACHE_DIR" in os.environ or os.access(package, os.W_OK):
        return
    os.environ["NUMBA_CACHE_DIR"] = folder = _make_folder()
    if (numba := sys.modules.get("numba")) is not None:  # it has read the environment already
        numba.config.CACHE_DIR = folder


def _make_folder() -> str:
    """Return a folder that can be written to by this user alone."""
    from clip2point.core.cache import cache_folder

    folder = cache_folder() / "numba"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return str(folder)
    except OSError:
        pass
    temporary = tempfile.mkdtemp(prefix="clip2point-numba-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary
