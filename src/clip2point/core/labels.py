"""Class names that users give: lists, files and presets, checked; synonyms."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clip2point.core.class_names import MODELNET10, MODELNET40, SCANOBJECTNN, SHAPENET55
from clip2point.core.errors import OptionError
from clip2point.core.everyday import EVERYDAY
from clip2point.core.listing import list_some

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
#: Blanks without width, which editors and joined files leave around names.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
#: A line of a numbered list: "0 chair", "1. chair", "2: chair", "3,chair".
_NUMBERED = re.compile(r"(\d{1,6})(?:\s+|\s*[.:,;)]\s*)(\D.*)$")
#: Endings of files of labels; no name of a class has one.
ENDINGS = (".txt", ".csv", ".tsv", ".json", ".lst", ".names")
#: Most repeated labels that a message lists.
_LISTED = 10


def read_labels(path: Path) -> list[str]:
    """Read class names from a file.

    That is text with one name a line (or one line of names parted by commas), a JSON list of names or of lists of
    synonyms, or a table (CSV, TSV) with a column of names. Empty lines and those that begin with # are skipped, quotes
    around lines and the numbers of numbered lines are no part of the names.

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
        entries = _parse_lines(text)
    entries = [(line, _strip(label)) for line, label in entries if _strip(label)]
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
        codec = _find_codec(data)
        text = data.decode(codec)
        if "\0" in text:
            raise UnicodeDecodeError(codec, data[:1], 0, 1, "a null character")
    except OSError as error:
        raise OptionError(f"{path}: cannot read labels ({error.strerror}); {expected}") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: cannot read labels (not UTF-8 text); {expected}") from error
    return text


def _find_codec(data: bytes) -> str:
    """Return the encoding of a text: UTF-16 with its mark or, by the zeros of plain letters, without; else UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    even, odd = data[:1024:2], data[1:1024:2]
    if len(data) % 2 == 0 and data and (even.count(0) == 0) != (odd.count(0) == 0):
        zeros, codec = (odd, "utf-16-le") if odd.count(0) else (even, "utf-16-be")
        if zeros.count(0) > len(zeros) // 2:
            return codec
    return "utf-8-sig"


def _parse_lines(text: str) -> list[tuple[int | None, str]]:
    """Return the names of a plain text with the numbers of their lines."""
    lines = [(i, _strip(line)) for i, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)]
    entries: list[tuple[int | None, str]] = [(i, line) for i, line in lines if line and not line.startswith("#")]
    if len(entries) == 1 and "," in entries[0][1]:
        return [(None, label) for label in split_labels(entries[0][1])]
    if len(entries) > 1 and all(line.endswith(",") for _, line in entries[:-1]):
        entries = [(i, line.rstrip(",")) for i, line in entries]
    if all(len(line) > 2 and line[0] == line[-1] and line[0] in "\"'" for _, line in entries):
        entries = [(i, line[1:-1]) for i, line in entries]
    return _strip_numbers(entries)


def _strip_numbers(entries: list[tuple[int | None, str]]) -> list[tuple[int | None, str]]:
    """Return the lines of a list without their numbers, if they count from 0 or 1 and the names differ without them."""
    matches = [_NUMBERED.match(line) for _, line in entries]
    found = [match for match in matches if match]
    numbers = [int(match[1]) for match in found]
    names = [match[2] for match in found]
    counted = numbers in (list(range(len(entries))), list(range(1, len(entries) + 1)))
    if len(entries) < 2 or not counted or len(set(names)) < len(names):
        return entries
    return [(i, name) for (i, _), name in zip(entries, names, strict=True)]


def _strip(text: str) -> str:
    """Return a text without the blanks and invisible marks around it."""
    return text.strip().strip(_INVISIBLE).strip()


def _parse_json(path: Path | str, text: str) -> list[str]:
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
    header = [_strip(cell).lower() for cell in rows[0][1]]
    column = next((header.index(name) for name in _COLUMNS if name in header), None)
    if column is not None:
        if bare := [i for i, row in rows[1:] if len(row) <= column or not _strip(row[column])]:
            raise OptionError(
                f"{path}: no name in the column {header[column]!r} of line {', '.join(map(str, bare[:_LISTED]))}: fill "
                "it in, or delete the line"
            )
        return [(i, row[column]) for i, row in rows[1:]]
    if len(rows) == 1:
        return [(None, cell) for cell in rows[0][1]]
    filled = [[cell for cell in row if cell.strip()] for _, row in rows]
    if all(len(row) == 1 for row in filled):
        return [(i, row[0]) for (i, _), row in zip(rows, filled, strict=True)]
    raise OptionError(
        f"{path}: a table of {len(header)} columns, none of them named {' or '.join(_COLUMNS[:3])}: expected one "
        "column of names, or a header that says which it is"
    )


def split_labels(text: str) -> list[str]:
    """Return the labels of one text: names parted by commas or line breaks, in quotes where they have commas; or JSON.

    Raises:
        OptionError: If the text begins like a JSON list and is none, or is the name of a file.

    Examples:
        >>> split_labels('chair, "lamp, red",mug|cup')
        ['chair', 'lamp, red', 'mug|cup']
        >>> split_labels('["chair", ["mug", "cup"]]')
        ['chair', 'mug|cup']
    """
    if text.lstrip().startswith("["):
        return _parse_json(text.strip()[:40], text)
    if text.strip().lower().endswith(ENDINGS) and "," not in text:
        raise OptionError(f"{text.strip()}: a file of labels? Give it as --labels-file; --labels takes the names")
    rows = csv.reader(text.strip().splitlines(), skipinitialspace=True)
    return [name for row in rows for name in row]


def check_labels(labels: Sequence[str] | os.PathLike[str]) -> list[str]:
    """Return labels without surrounding blanks, presets unfolded; a text is one label.

    Args:
        labels: Class names; "mug|cup" are synonyms, of one class called "mug"; "@everyday" stands for a preset, less
            what is named already. A Path is a file of them.

    Raises:
        OptionError: If there is no label, one is empty or no text, or some are repeated.

    Examples:
        >>> check_labels([" chair", "table "])
        ['chair', 'table']
        >>> check_labels("night stand")
        ['night stand']
    """
    if isinstance(labels, os.PathLike):
        return check_labels(read_labels(Path(labels)))
    if isinstance(labels, bytes) or not hasattr(labels, "__iter__"):
        raise OptionError(f"labels {labels!r}: expected a list of class names")
    given = [labels] if isinstance(labels, str) else list(labels)
    for label in given:
        if not isinstance(label, str):
            raise OptionError(f"the label {label!r} is no text: expected class names")
    given = [_strip(label) for label in given]
    known = {_fold(name) for label in given if not label.startswith("@") for name in split_synonyms(label)}
    names: list[str] = []
    for label in given:
        if not label.startswith("@"):
            names.append(label)
            continue
        preset = [name for name in _unfold(label) if known.isdisjoint(map(_fold, split_synonyms(name)))]
        known.update(_fold(word) for name in preset for word in split_synonyms(name))
        names += preset
    return check_names(names)


def _fold(name: str) -> str:
    return name.replace("_", " ").lower()


def check_names(names: Sequence[str]) -> list[str]:
    """Return class names without surrounding blanks, as they are otherwise.

    Raises:
        OptionError: If there is no name, one is empty, or some are repeated.
    """
    cleaned = [_strip(name) for name in names]
    if not cleaned:
        raise OptionError("no labels: expected at least one class name")
    if any("" in split_synonyms(label) for label in cleaned):
        raise OptionError("an empty label: expected class names separated by single commas or line breaks")
    if repeated := _find_repeated(cleaned):
        raise OptionError(_tell_repeated([name for name, _ in repeated]))
    return cleaned


def _unfold(label: str) -> Sequence[str]:
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
    return f"repeated labels: {list_some(told, _LISTED)}; expected each name once"


def split_synonyms(label: str) -> list[str]:
    """Return the words for one class.

    Examples:
        >>> split_synonyms("mug | cup")
        ['mug', 'cup']
    """
    return [name.strip() for name in label.split("|")]


def match_classes(labels: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    """Return for each class the label that has its name among the synonyms, whatever the case; "_" counts as a blank.

    Raises:
        OptionError: If a class has no label, a label no class, or several.

    Examples:
        >>> match_classes(["sofa|couch", "bed"], ["bed", "couch"])
        ('bed', 'sofa|couch')
    """
    label_of = {_fold(name): label for label in labels for name in split_synonyms(label)}
    found = tuple(label_of.get(_fold(name), "") for name in classes)
    if missing := [name for name, label in zip(classes, found, strict=True) if not label]:
        raise OptionError(f"no label for the classes {', '.join(missing[:_LISTED])}: expected each among the synonyms")
    if odd := [label for label in labels if found.count(label) != 1]:
        raise OptionError(
            f"labels of no class of the data set, or of several: {', '.join(odd[:_LISTED])}; expected one of "
            f"{', '.join(classes[:_LISTED])}"
        )
    return found


def name_label(label: str) -> str:
    """Return the name of a class: the first of its synonyms."""
    return split_synonyms(label)[0]
