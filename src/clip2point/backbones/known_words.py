"""Words that a text tower for English does not know, as far as its tokenizer tells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from clip2point.core.class_names import MODELNET40, SCANOBJECTNN, SHAPENET55
from clip2point.core.everyday import EVERYDAY

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Fewest letters of the parts of a compound.
_PART = 3


def find_unknown_words(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """Return the words, in order and once each, that are probably not English or misspelt.

    These are words in other scripts or with accents, and those that the tokenizer (WordPiece) cuts into pieces which
    are no words themselves. Rare English words are among them; words of the presets of class names are not.

    Args:
        tokenizer: Tokenizer of an uncased English BERT.
        texts: Class names.
    """
    words = dict.fromkeys(word for text in texts for word in re.findall(r"[^\W\d_]+", text))
    vocabulary = tokenizer.get_vocab() if words else {}
    return [word for word in words if not _is_known(tokenizer, vocabulary, word)]


def _is_known(tokenizer: Tokenizer, vocabulary: dict[str, int], word: str) -> bool:
    if word.lower() in _preset_words():
        return True
    if not word.isascii() or any(not unicodedata.name(letter, "").startswith("LATIN") for letter in word):
        return False
    pieces = tokenizer.encode(word, add_special_tokens=False).tokens
    parts = [piece.removeprefix("##") for piece in pieces]
    return len(pieces) == 1 or all(len(part) >= _PART and part in vocabulary for part in parts)


@cache
def _preset_words() -> frozenset[str]:
    names = (*EVERYDAY, *MODELNET40, *SCANOBJECTNN, *SHAPENET55.values())
    return frozenset(word for name in names for word in re.findall(r"[^\W\d_]+", name.lower()))
