"""A model to be rendered: what is known of it without opening it, and how to open it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clip2point.shapes import Shape

#: Longest key; with its endings it stays within the 100 bytes that a plain tar header has for a name.
_KEY_LENGTH = 72


@dataclass(frozen=True)
class Model:
    """One model of a source.

    Attributes:
        key: unique in its source and the same at every run; letters, digits, "_" and "-" only, because WebDataset
            takes all behind the first dot of a file's name for its kind.
        caption: what it is, in words.
        captions: all texts that describe it, the caption first: names and tags.
        category: its class or department.
        licence: under which it was published, or "" if its source does not say.
        creator: who made it, or "".
        source: the collection that it comes from; never a path of this machine.
        open: reads it as a y-up Shape; raises ShapeError. It can be pickled, so that another process may call it.
    """

    key: str
    caption: str
    captions: tuple[str, ...]
    category: str
    licence: str
    creator: str
    source: str
    open: Callable[[], Shape]

    def info(self) -> dict[str, Any]:
        """What is stored beside its pictures: all but how to open it."""
        return {
            "key": self.key,
            "caption": self.caption,
            "captions": list(self.captions),
            "category": self.category,
            "licence": self.licence,
            "creator": self.creator,
            "source": self.source,
        }


def to_keys(names: Sequence[str]) -> list[str]:
    """Make keys from names.

    Args:
        names: any text, in an order that is the same at every run.

    Returns:
        One key for each name, all different, also where case does not count. A key depends on the other names only
        where several would get the same one; then each of these ends in a checksum of its name.
    """
    slugs = [_slug(name) for name in names]
    same_slug = Counter(slug.lower() for slug in slugs)
    seen: Counter[str] = Counter()
    keys = []
    for slug, name in zip(slugs, names, strict=True):
        seen[name] += 1
        mark = hashlib.sha256(f"{name}#{seen[name]}".encode("utf-8", "replace")).hexdigest()[:12]
        keys.append(slug if same_slug[slug.lower()] == 1 else f"{slug}-{mark}")
    return keys


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:_KEY_LENGTH].strip("-") or "model"


def in_words(name: str) -> str:
    """Turn the name of a file, folder or class into words: no underscores, no numbers at the end."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = " ".join(re.sub(r"[\W_]+", " ", spaced).split()).lower()
    return words.rstrip("0123456789 ") or words
