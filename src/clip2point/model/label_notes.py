"""What a text tower cannot make of class names, said by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from clip2point.backbones import Backbone
from clip2point.core.arrays import Float32
from clip2point.core.labels import name_label, split_synonyms
from clip2point.core.listing import list_some

#: Cosine of two names from which their answers differ by chance alone.
_SAME = 0.9995
#: Signs that people write between the names of a list.
_SEPARATORS = "[,;\t]"
#: Most names that a note lists, and most labels that are compared with one another.
_LISTED, _COMPARED = 6, 5_000


def note_labels(backbone: Backbone, labels: Sequence[str], features: Float32) -> tuple[str, ...]:
    """Return notes on labels among which the answers mean little.

    Args:
        backbone: Backbone; one whose text tower can tell has a method ``find_unknown_words``.
        labels: C class names.
        features: Unit features of them, [C, D].
    """
    notes = []
    if len(labels) == 1:
        parts = [part.strip() for part in re.split(_SEPARATORS, labels[0])]
        hint = f"; a list of labels is {parts}" if len(parts) > 1 else ""
        notes.append(f"one label is no choice: whatever the shape, it is {name_label(labels[0])!r} with 100 %{hint}")
    elif joined := [name for name in labels if re.search(_SEPARATORS, name)]:
        notes.append(
            f"labels with commas or semicolons in them: {_list_names(joined)}; each is one label: several are a list, "
            "or a line each, and synonyms stand with | between them"
        )
    for group in _find_equal(features)[:_LISTED]:
        names = _list_names([name_label(labels[place]) for place in group])
        notes.append(f"the text tower cannot tell these labels apart: {names}; which of them is named means nothing")
    find = getattr(backbone, "find_unknown_words", None)
    if find is not None and (words := find([name for label in labels for name in split_synonyms(label)])):
        notes.append(
            f"words of labels that the text tower, which learned English, may not know: {_list_names(words)}; "
            "check spelling and language, or add a common English synonym ('stuhl|chair')"
        )
    return tuple(notes)


def _find_equal(features: Float32) -> list[list[int]]:
    """Return groups of labels with equal features, in order."""
    if not 1 < len(features) <= _COMPARED:
        return []
    close = features @ features.T > _SAME
    np.fill_diagonal(close, False)
    groups: list[list[int]] = []
    grouped: set[int] = set()
    for place in np.flatnonzero(close.any(axis=1)).tolist():
        if place not in grouped:
            groups.append([place, *(other for other in np.flatnonzero(close[place]).tolist() if other not in grouped)])
            grouped.update(groups[-1])
    return groups


def _list_names(names: Sequence[str]) -> str:
    return list_some([repr(name) for name in names], _LISTED)
