"""Packages of Debian's archive: downloaded by URL, checked, and unpacked into the cache, on any system.

A .deb file is an ar archive with ``data.tar.xz`` (or .gz, .zst) in it. Packages lie in ``debian`` in the cache folder
under their own names, so that one who has no network may put them there. They come from a mirror of the archive, or,
once that has a newer version, from Debian's collection of all versions.
"""

from __future__ import annotations

import http.client
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, cast

from clip2point.core.cache import cache_folder, key_of
from clip2point.core.errors import CacheError, DataError, reason
from clip2point.core.files import replacing, sha256

MIRROR = "https://deb.debian.org/debian"
#: Keeps every version; slower than a mirror.
_ALL_VERSIONS = "https://snapshot.debian.org/archive/debian/20250520T000000Z"
_TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 20

#: Most bytes and files of one package once it is unpacked.
MAX_UNPACKED = 8 * 1024**3
MAX_FILES = 200_000

_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60
#: What no path in a package needs, and what would mean another place on some system.
_ODD = frozenset('\\:\0*?"<>|')


@dataclass(frozen=True)
class Package:
    """One version of a binary package.

    Attributes:
        name: Name of the package.
        version: Version with epoch and revision, for people.
        path: Path of the .deb file below the archive's root, ``pool/main/...``.
        size: Size of the file, in bytes.
        sha256: Checksum of the file, 64 hexadecimal digits.
    """

    name: str
    version: str
    path: str
    size: int
    sha256: str


def unpack_package(package: Package, root: str) -> Path:
    """Return the content of a package, which is downloaded if the cache does not have it.

    Args:
        package: Package to unpack.
        root: Folder in the package, such as "usr/share/games"; nothing else is unpacked.

    Returns:
        The folder on disk that has the content of ``root``: regular files only, no links.

    Raises:
        DataError: If it cannot be downloaded, is not the one that was asked for, or has no such folder.
        CacheError: If the cache cannot be written to.
    """
    base = cache_folder() / "debian"
    folder = base / f"{package.name}-{key_of({'sha256': package.sha256, 'root': root})}"
    if folder.is_dir():
        return folder
    try:
        archive = _fetch(package, base / PurePosixPath(package.path).name)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=base))
        try:
            _unpack(archive, PurePosixPath(root), unfinished)
            try:
                unfinished.rename(folder)
            except OSError:
                if not folder.is_dir():  # another run may have been faster
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise CacheError(
            f"{base}: cannot be written to ({error.strerror or reason(error)}); free some space there, or set "
            "CLIP2POINT_CACHE to a folder on another disk"
        ) from error
    return folder


def _fetch(package: Package, path: Path) -> Path:
    """Return the path of a package's file, which is downloaded if it is not there."""
    wrong = ""
    if path.is_file():
        if _matches(package, path):
            return path
        wrong = " (what lies there is another file)"
    given = os.environ.get("CLIP2POINT_DEBIAN")
    failures = []
    for site in (given,) if given else (MIRROR, _ALL_VERSIONS):
        url = f"{site.rstrip('/')}/{package.path}"
        try:
            with replacing(path) as unfinished:
                _download(url, package.size, unfinished)
                if not _matches(package, unfinished):
                    raise DataError("it is not the file that the manifest describes")
            return path
        except DataError as error:
            failures.append(f"{url} ({error})")
    raise DataError(
        f"{package.name} {package.version}: cannot be downloaded from {' or '.join(failures)}: check the network, set "
        f"CLIP2POINT_DEBIAN to a mirror of Debian's archive, or put the file at {path}{wrong}"
    )


def _download(url: str, size: int, path: Path) -> None:
    """Write what a URL gives, and no more than one byte beyond the size that is expected."""
    try:
        response = urllib.request.urlopen(url, timeout=_TIMEOUT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DataError(reason(getattr(error, "reason", None) or error)) from None
    left = size + 1
    with response, path.open("wb") as file:
        while left > 0:
            try:
                data = response.read(min(left, _CHUNK))
            except (OSError, http.client.HTTPException) as error:
                raise DataError(f"broke off: {reason(error)}") from None
            if not data:
                return
            file.write(data)
            left -= len(data)


def _matches(package: Package, path: Path) -> bool:
    return path.stat().st_size == package.size and sha256(path) == package.sha256


def _unpack(archive: Path, root: PurePosixPath, folder: Path) -> None:
    """Write the regular files below ``root`` into ``folder``."""
    files = unpacked = 0
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode=_find_data(file)) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or not path.is_relative_to(root):
                    continue
                files, unpacked = files + 1, unpacked + member.size
                if unpacked > MAX_UNPACKED or files > MAX_FILES:
                    raise DataError(f"decompresses to more than {MAX_UNPACKED:,} bytes or {MAX_FILES:,} files")
                inside = path.relative_to(root)
                if ".." in inside.parts or _ODD & set(str(inside)):
                    raise DataError(f"has a file with an odd path, {member.name[:200]!r}")
                source = tar.extractfile(member)
                assert source is not None  # a regular file has content
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as written:
                    shutil.copyfileobj(source, written, _CHUNK)
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, RecursionError, DataError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({reason(error)}); remove it, or use another version") from None
    if not files:
        raise DataError(f"{archive}: has no files in {root}; correct the folder in the manifest")


def _find_data(file: BinaryIO) -> Literal["r|xz"]:
    """Move to the files' archive inside a .deb file and return the mode of tarfile that reads it."""
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DataError("it is no .deb file")
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        if name.startswith("data.tar"):
            # Modes that this Python does not know, such as "r|zst" before 3.14, are errors of tarfile's own.
            return cast(Literal["r|xz"], f"r|{name.removeprefix('data.tar').removeprefix('.')}")
        if size < 0:  # would lead back to this header for ever
            raise DataError("it is damaged")
        file.seek(size + size % 2, os.SEEK_CUR)
    raise DataError("it has no data.tar")
