"""Class names of the field's benchmarks, in their official order and spelling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clip2point.core.errors import OptionError

MODELNET40: tuple[str, ...] = (
    *("airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car"),
    *("chair", "cone", "cup", "curtain", "desk", "door", "dresser", "flower_pot"),
    *("glass_box", "guitar", "keyboard", "lamp", "laptop", "mantel", "monitor", "night_stand"),
    *("person", "piano", "plant", "radio", "range_hood", "sink", "sofa", "stairs"),
    *("stool", "table", "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox"),
)

MODELNET10: tuple[str, ...] = (
    *("bathtub", "bed", "chair", "desk", "dresser"),
    *("monitor", "night_stand", "sofa", "table", "toilet"),
)


def read_labels(path: Path) -> list[str]:
    """Read class names from a text file, one per line; empty lines and those that begin with # are skipped.

    Raises:
        OptionError: The file cannot be read, or is not UTF-8 text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OptionError(f"{path}: cannot read labels ({why}); expected a text file with one name per line") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def check_labels(labels: Sequence[str]) -> list[str]:
    """Return labels without surrounding blanks.

    Raises:
        OptionError: There is no label, or one is empty or repeated.

    Examples:
        >>> check_labels([" chair", "table "])
        ['chair', 'table']
    """
    cleaned = [label.strip() for label in labels]
    if not cleaned:
        raise OptionError("no labels: expected at least one class name")
    if "" in cleaned:
        raise OptionError("an empty label: expected class names separated by single commas or line breaks")
    seen: set[str] = set()
    for label in cleaned:
        if label in seen:
            raise OptionError(f"the label {label!r} is repeated")
        seen.add(label)
    return cleaned
