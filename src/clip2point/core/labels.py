"""Class names that users give: lists, files and presets, checked; synonyms."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clip2point.core.class_names import MODELNET10, MODELNET40, SCANOBJECTNN, SHAPENET55
from clip2point.core.errors import OptionError
from clip2point.core.everyday import EVERYDAY

#: Lists of class names that a name behind "@" stands for, with what they are.
PRESETS: dict[str, tuple[tuple[str, ...], str]] = {
    "everyday": (EVERYDAY, "things that people have as models or scans; the default"),
    "modelnet10": (MODELNET10, "classes of ModelNet10"),
    "modelnet40": (MODELNET40, "classes of ModelNet40"),
    "scanobjectnn": (SCANOBJECTNN, "classes of ScanObjectNN"),
    "shapenet55": (tuple(SHAPENET55.values()), "categories of ShapeNet-55"),
}

#: Names of the column of class names in a table, in order of preference.
_COLUMNS = ("label", "labels", "class", "class_name", "name", "category", "noun", "word")
#: Most bytes of a file of labels.
_MAX_BYTES = 16 * 1024**2
#: Most repeated labels that a message lists.
_LISTED = 10


def read_labels(path: Path) -> list[str]:
    """Read class names from a file.

    That is text with one name a line (or one line of names parted by commas), a JSON list of names or of lists of
    synonyms, or a table (CSV, TSV) with a column of names. Empty lines and those that begin with # are skipped.

    Raises:
        OptionError: If the file cannot be read, is none of these, or repeats names: all of them are told, with their
            lines.
    """
    text = _read_text(path)
    entries: list[tuple[int | None, str]]
    if text.lstrip().startswith(("[", "{")):
        entries = [(None, label) for label in _parse_json(path, text)]
    elif path.suffix.lower() in (".csv", ".tsv"):
        entries = _parse_table(path, text)
    else:
        lines = [(i, line.strip()) for i, line in enumerate(text.splitlines(), 1)]
        entries = [(i, line) for i, line in lines if line and not line.startswith("#")]
        if len(entries) == 1 and "," in entries[0][1]:
            entries = [(None, label) for label in entries[0][1].split(",")]
        elif len(entries) > 1 and all(line.endswith(",") for _, line in entries[:-1]):
            entries = [(i, line.rstrip(",")) for i, line in entries]
    entries = [(line, label.strip()) for line, label in entries if label.strip()]
    if repeated := _find_repeated([label for _, label in entries]):
        if None not in (lines_of := [line for line, _ in entries]):
            told = [f"{name} (lines {', '.join(str(lines_of[i]) for i in places)})" for name, places in repeated]
        else:
            told = [name for name, _ in repeated]
        raise OptionError(f"{path}: {_tell_repeated(told)}")
    return [label for _, label in entries]


def _read_text(path: Path) -> str:
    expected = "expected a text file with one name per line"
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise OptionError(f"{path}: cannot read labels (more than {_MAX_BYTES:,} bytes); {expected}")
        data = path.read_bytes()
        codec = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(codec)
        if "\0" in text:
            raise UnicodeDecodeError(codec, data[:1], 0, 1, "a null character")
    except OSError as error:
        raise OptionError(f"{path}: cannot read labels ({error.strerror}); {expected}") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: cannot read labels (not UTF-8 text); {expected}") from error
    return text


def _parse_json(path: Path, text: str) -> list[str]:
    problem = f"{path}: expected a JSON list of names, or of lists of synonyms"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{problem} ({error})") from None
    if not isinstance(found, list):
        raise OptionError(f"{problem}, found {'an object' if isinstance(found, dict) else type(found).__name__}")
    labels = []
    for entry in found:
        names: Any = entry if isinstance(entry, list) else [entry]
        if not names or not all(isinstance(name, str) for name in names):
            raise OptionError(f"{problem}, found the entry {json.dumps(entry)[:80]}")
        labels.append("|".join(names))
    return labels


def _parse_table(path: Path, text: str) -> list[tuple[int | None, str]]:
    sample = text[:4096]
    delimiter = max("\t;,", key=sample.count)
    rows = [(i, row) for i, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), 1) if any(row)]
    if not rows:
        return []
    header = [cell.strip().lower() for cell in rows[0][1]]
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is not None:
        return [(i, row[column]) for i, row in rows[1:] if len(row) > column]
    if len(rows) == 1:
        return [(None, cell) for cell in rows[0][1]]
    filled = [[cell for cell in row if cell.strip()] for _, row in rows]
    if all(len(row) == 1 for row in filled):
        return [(i, row[0]) for (i, _), row in zip(rows, filled, strict=True)]
    raise OptionError(
        f"{path}: a table of {len(header)} columns, none of them named {' or '.join(_COLUMNS[:3])}: expected one "
        "column of names, or a header that says which it is"
    )


def check_labels(labels: Sequence[str]) -> list[str]:
    """Return labels without surrounding blanks, presets unfolded; a text is one label.

    Args:
        labels: Class names; "mug|cup" are synonyms, of one class called "mug"; "@everyday" stands for a preset.

    Raises:
        OptionError: If there is no label, one is empty or no text, or some are repeated.

    Examples:
        >>> check_labels([" chair", "table "])
        ['chair', 'table']
        >>> check_labels("night stand")
        ['night stand']
    """
    given = [labels] if isinstance(labels, str) else list(labels)
    for label in given:
        if not isinstance(label, str):
            raise OptionError(f"the label {label!r} is no text: expected class names")
    return check_names([name for label in given for name in _unfold(label.strip())])


def check_names(names: Sequence[str]) -> list[str]:
    """Return class names without surrounding blanks, as they are otherwise.

    Raises:
        OptionError: If there is no name, one is empty, or some are repeated.
    """
    cleaned = [name.strip() for name in names]
    if not cleaned:
        raise OptionError("no labels: expected at least one class name")
    if any("" in split_synonyms(label) for label in cleaned):
        raise OptionError("an empty label: expected class names separated by single commas or line breaks")
    if repeated := _find_repeated(cleaned):
        raise OptionError(_tell_repeated([name for name, _ in repeated]))
    return cleaned


def _unfold(label: str) -> Sequence[str]:
    if not label.startswith("@"):
        return [label]
    name = label[1:].strip().lower()
    if name not in PRESETS:
        raise OptionError(
            f"the preset {label!r} is not known: expected one of {', '.join('@' + key for key in PRESETS)}"
        )
    return PRESETS[name][0]


def _find_repeated(labels: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Return the names that stand in several labels, or twice in one, with the places of these labels."""
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        for name in split_synonyms(label):
            places.setdefault(name, []).append(place)
    return [(name, found) for name, found in places.items() if len(found) > 1]


def _tell_repeated(told: Sequence[str]) -> str:
    more = f" and {len(told) - _LISTED:,} more" if len(told) > _LISTED else ""
    return f"repeated labels: {', '.join(told[:_LISTED])}{more}; expected each name once"


def split_synonyms(label: str) -> list[str]:
    """Return the words for one class.

    Examples:
        >>> split_synonyms("mug | cup")
        ['mug', 'cup']
    """
    return [name.strip() for name in label.split("|")]


def name_label(label: str) -> str:
    """Return the name of a class: the first of its synonyms."""
    return split_synonyms(label)[0]
