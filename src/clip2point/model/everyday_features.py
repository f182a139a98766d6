"""Text features of the default labels as the embedded model computes them, so that a first answer need not wait."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from clip2point.core.arrays import Float32
from clip2point.core.everyday import EVERYDAY

#: Written by ``tools/write_everyday.py``; a test holds it against the text tower.
FILE = Path(__file__).parent.parent / "weights" / "pocket" / "everyday.npz"


def find_everyday(labels: Sequence[str], tower: str, templates: Sequence[str]) -> Float32 | None:
    """Return the features [C, D] of labels; None where one is no default label, for other towers or templates.

    Args:
        labels: C class names.
        tower: Fingerprint of the text tower.
        templates: Prompt templates.
    """
    if not set(labels) <= set(EVERYDAY):
        return None
    known_tower, known_templates, features = _read()
    if (tower, tuple(templates)) != (known_tower, known_templates):
        return None
    return np.stack([features[label] for label in labels])


@cache
def _read() -> tuple[str, tuple[str, ...], dict[str, Float32]]:
    if not FILE.is_file():
        return "", (), {}
    with np.load(FILE) as archive:
        features = dict(zip(archive["labels"].tolist(), archive["features"], strict=True))
        return str(archive["tower"]), tuple(archive["templates"].tolist()), features
