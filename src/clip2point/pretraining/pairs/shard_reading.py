"""Reading shards back, with nothing but the standard library."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from clip2point.core.errors import DataError

#: Most bytes of one file in a shard; those of pairs have a tenth of a megabyte.
_MAX_BYTES = 64 * 1024**2


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Read a shard by WebDataset's rule: files that are alike up to the first dot of their names are one sample.

    Args:
        path: a tar file that is not compressed.

    Yields:
        Key, and content by ending ("json", "points.npy", "view0.png", ...), in the order of the shard.

    Raises:
        DataError: if the shard is missing, cut off or no shard.
    """
    key: str | None = None
    files: dict[str, bytes] = {}
    for name, data in _members(path):
        stem, _, ending = name.rpartition("/")[2].partition(".")
        if stem != key:
            if key is not None:
                yield key, files
            key, files = stem, {}
        files[ending] = data
    if key is not None:
        yield key, files


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.isfile() or member.size > _MAX_BYTES:
                    raise DataError(f"{path}: holds {member.name!r}, which is no file of a pair; make the shard again")
                content = tar.extractfile(member)
                data = b"" if content is None else content.read()
                if len(data) != member.size:
                    raise DataError(f"{path}: ends inside {member.name!r}: the shard is cut off; make it again")
                yield member.name, data
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{path}: is no shard or damaged ({error}): expected a tar file; make it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}): check the path") from None
