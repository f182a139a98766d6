"""Shards: tar files of pairs, written whole or not at all, and read back by WebDataset's rule."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from clip2point.core.errors import DataError
from clip2point.core.files import replacing
from clip2point.data.pairs.pair_files import (
    IMAGE_ENDING,
    INFO_ENDING,
    POINTS_ENDING,
    Float32,
    PairInfo,
    UInt8,
    decode_images,
    decode_info,
    decode_points,
)

Part = TypeVar("Part")

#: Most bytes of one file in a shard; those of pairs have a tenth of a megabyte.
_MAX_BYTES = 64 * 1024**2


@dataclass
class ShardWriter:
    """A shard in the making.

    Attributes:
        keys: Keys of the pairs in it, in order.
        size: Bytes of the file, once it is whole.
    """

    _tar: tarfile.TarFile
    keys: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """Append the files of a pair, by ending (see ``encode_pair``)."""
        for ending, data in files.items():
            self._tar.addfile(_header(f"{key}.{ending}", len(data)), io.BytesIO(data))
        self.keys.append(key)


@contextmanager
def write_shard(path: Path) -> Iterator[ShardWriter]:
    """Write a shard; its file appears when the block ends, and not at all if it raises.

    Args:
        path: File to write, by ``shard_name`` in a folder of pairs.

    Yields:
        The writer. The same pairs give the same bytes.

    Raises:
        OSError: If the folder cannot be written to.
    """
    with replacing(path) as unfinished:
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            writer = ShardWriter(tar)
            yield writer
        writer.size = unfinished.stat().st_size


@dataclass(frozen=True)
class StoredPair:
    """A pair of a shard; its parts are read when they are asked for, and checked then.

    Attributes:
        shard: Path of the shard.
        key: Name of the pair.
        files: Content by ending.
    """

    shard: Path
    key: str
    files: Mapping[str, bytes]

    def info(self) -> tuple[PairInfo, str]:
        """Return the description of the model and the name of the view set.

        Raises:
            DataError: If it is missing or damaged.
        """
        return self._read(decode_info, INFO_ENDING)

    def points(self) -> Float32:
        """Return the points, [P, 3] float32 in the unit sphere, y up, front towards -z.

        Raises:
            DataError: If they are missing or damaged.
        """
        return self._read(decode_points, POINTS_ENDING)

    def images(self, views: int) -> UInt8:
        """Return the images of the first views, [V, H, W, 3] uint8 RGB.

        Args:
            views: V, how many.

        Raises:
            DataError: If one is missing or damaged.
        """
        files = [self.files.get(IMAGE_ENDING.format(view), b"") for view in range(views)]
        try:
            return decode_images(files)
        except ValueError as error:
            raise DataError(
                f"{self.shard}: an image of {self.key!r} is missing or damaged ({error}): make the shard again"
            ) from None

    def damage(self, error: object) -> DataError:
        """Return the error to raise for this pair, with what is wrong with it."""
        return DataError(f"{self.shard}: the pair {self.key!r} is damaged ({error}): make the shard again")

    def _read(self, decode: Callable[[bytes], Part], ending: str) -> Part:
        try:
            return decode(self.files[ending])
        except KeyError:
            raise self.damage(f"it has no file .{ending}") from None
        except (ValueError, RecursionError) as error:
            raise self.damage(error) from None


def read_shard(path: Path) -> Iterator[StoredPair]:
    """Read a shard by WebDataset's rule: files that are alike up to the first dot of their names are one pair.

    Args:
        path: A tar file that is not compressed.

    Yields:
        Pairs in the order of the shard.

    Raises:
        DataError: If the shard is missing, cut off or no shard.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "pairs-000000.tar")
        >>> with write_shard(path) as shard:
        ...     shard.add("chair", {"json": b"{}", "view0.png": b""})
        >>> [(pair.key, list(pair.files)) for pair in read_shard(path)]
        [('chair', ['json', 'view0.png'])]
    """
    key: str | None = None
    files: dict[str, bytes] = {}
    for name, data in _members(path):
        stem, _, ending = name.rpartition("/")[2].partition(".")
        if stem != key:
            if key is not None:
                yield StoredPair(path, key, files)
            key, files = stem, {}
        files[ending] = data
    if key is not None:
        yield StoredPair(path, key, files)


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


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Make the header of a member without time and owner, so that the same pairs give the same bytes."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o644
    return header
