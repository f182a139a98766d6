"""The index of a folder of pairs: by which recipe it is filled, and which of its shards are whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clip2point.core.errors import DataError
from clip2point.core.files import replacing

#: Name of the index in a folder of pairs.
INDEX = "index.json"
#: Pattern of the shards in a folder, the unfinished ones included, for ``Path.glob``.
SHARDS, UNFINISHED = "pairs-*.tar", ".pairs-*.part"

_FORMAT = "clip2point-pairs-1"
_SHARD_NAME = re.compile(r"pairs-([0-9]{6,})\.tar")


@dataclass(frozen=True)
class ShardEntry:
    """A shard in the index.

    Attributes:
        file: Name of its file.
        bytes: Size of the file.
        keys: Keys of the pairs in it, in order.
        failures: Error of each model of the shard that could not be rendered, by key.
    """

    file: str
    bytes: int
    keys: list[str]
    failures: dict[str, str]

    @property
    def number(self) -> int:
        """Place of the shard in its folder, from 0."""
        return shard_number(self.file)

    def is_whole(self, folder: Path) -> bool:
        """Tell whether the file is there in its full size."""
        path = folder / self.file
        return path.is_file() and path.stat().st_size == self.bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> ShardEntry:
        """Read an entry from JSON types.

        Raises:
            KeyError, TypeError, ValueError: If it is no such entry.
        """
        entry = cls(values["file"], values["bytes"], list(values["keys"]), dict(values["failures"]))
        shard_number(entry.file)
        return entry


@dataclass
class PairIndex:
    """Index of a folder of pairs.

    Attributes:
        recipe: Source and settings of the pairs; "models" is the number of models.
        shards: Entries of the shards that are whole, by number.
    """

    recipe: Mapping[str, Any]
    shards: dict[int, ShardEntry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.recipe.get("models"), int):
            raise ValueError("its recipe has no number of models")

    @property
    def total(self) -> int:
        """Number of models that the folder is to have, in all."""
        return int(self.recipe["models"])

    @property
    def done(self) -> int:
        """Number of models that were rendered or could not be."""
        return sum(len(entry.keys) + len(entry.failures) for entry in self.shards.values())

    def write(self, folder: Path) -> None:
        """Replace the index of a folder.

        Raises:
            OSError: If the folder cannot be written to.
        """
        shards = [entry.to_dict() for _, entry in sorted(self.shards.items())]
        text = json.dumps({"format": _FORMAT, "recipe": self.recipe, "shards": shards}, ensure_ascii=False, indent=1)
        with replacing(folder / INDEX) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def read_index(folder: Path) -> PairIndex:
    """Read the index of a folder of pairs.

    Raises:
        FileNotFoundError: If there is none.
        DataError: If it cannot be read, is damaged, or of another format.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> PairIndex({"models": 7}).write(folder)
        >>> index = read_index(folder)
        >>> index.done, index.total
        (0, 7)
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind = content["format"]
        if kind == _FORMAT:
            entries = [ShardEntry.from_dict(values) for values in content["shards"]]
            return PairIndex(dict(content["recipe"]), {entry.number: entry for entry in entries})
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}): check the folder") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: is damaged ({error}): remove the folder and make the pairs again, or choose another"
        ) from None
    raise DataError(
        f"{path}: is of format {str(kind)[:80]!r}: expected {_FORMAT!r}; use the version of clip2point that made "
        "it, or make the pairs again"
    )


def shard_name(number: int) -> str:
    """Return the name of a shard's file.

    Examples:
        >>> shard_name(7)
        'pairs-000007.tar'
    """
    return f"pairs-{number:06d}.tar"


def shard_number(name: str) -> int:
    """Return the number of a shard from the name of its file.

    Raises:
        TypeError, ValueError: If it is no such name.

    Examples:
        >>> shard_number("pairs-000007.tar")
        7
    """
    found = _SHARD_NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name[:80]!r} is no shard")
    return int(found[1])
