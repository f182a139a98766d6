"""``manifest:PATH``: a list that says what each file is: columns file, label and, if there are splits, split."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clip2point.core.errors import DataError
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.folder_names import (
    TEST,
    TRAIN,
    VALIDATION,
    find_split,
    find_synset,
    fold_class,
    is_number,
    list_names,
    printable,
    spell_class,
)
from clip2point.data.splits import WHOLE
from clip2point.shapes import format_up, list_extensions

#: Names of a manifest that is looked for in a folder.
BESIDE = ("labels.csv", "labels.tsv", "manifest.csv", "manifest.tsv", "manifest.jsonl")
_EXPECTED = "expected columns file,label and, if there are splits, split, as in chair_1.obj,chair,train"
_COLUMNS = {
    "file": ("file", "filename", "file_name", "filepath", "file_path", "path", "relative_path", "mesh", "model_path"),
    "label": ("label", "class", "class_name", "classname", "category", "category_name", "label_name", "object_class"),
    "split": ("split", "set", "subset", "partition", "fold"),
}
_MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Row:
    """Line of a manifest.

    Attributes:
        line: Number of the line, from 1.
        file: File as it is written.
        label: Class.
        split: Canonical name of the split, or "".
    """

    line: int
    file: str
    label: str
    split: str


def read_manifest(path: Path, base: Path | None = None) -> dict[str, Dataset]:
    """Read a list of files with their classes: CSV or TSV with a header, a JSON list of objects, or JSON lines.

    Args:
        path: List.
        base: Folder that the files are named from; by default that of the list.

    Returns:
        Data sets by split: "all" alone, or those of "train", "validation" and "test" that there are.

    Raises:
        DataError: If a file is missing, a label is empty or a number, or a split has another name.
    """
    rows = _read_rows(path)
    files = _locate_files(path, rows, base or path.parent)
    return _make(path, f"manifest:{path}", base or path.parent, rows, files, [])


def read_beside(folder: Path, shapes: Sequence[Path]) -> dict[str, Dataset] | None:
    """Read the manifest in a folder of shapes, if there is one; only files below the folder may be in it.

    Args:
        folder: Folder.
        shapes: All shape files of the folder, to say which ones are not listed.

    Raises:
        DataError: If there are two, or one is wrong as in ``read_manifest``.
    """
    there = [folder / name for name in BESIDE if (folder / name).is_file()]
    if not there:
        return None
    if len(there) > 1:
        raise DataError(f"{folder}: holds {list_names(path.name for path in there)}: expected one; remove the others")
    path = there[0]
    rows = _read_rows(path)
    files = _locate_files(path, rows, folder)
    for row, file in zip(rows, files, strict=True):
        if not file.resolve().is_relative_to(folder.resolve()):
            raise DataError(
                f"{path}: line {row.line}: {printable(row.file)} lies outside of {folder}: expected files below it; "
                f"name the list itself, manifest:{path}"
            )
    notes = [f"classes and splits are those of {path.name}"]
    if left := sorted({*shapes} - {*files}):
        listed = list_names((file.relative_to(folder).as_posix() for file in left), most=3)
        notes.append(f"shape files that {path.name} does not list, passed over: {len(left):,} ({listed})")
    return _make(path, f"folder:{folder}", folder, rows, files, notes)


def _read_rows(path: Path) -> list[Row]:
    """Return the lines of a manifest."""
    records = _parse(path, _read_text(path))
    if not records:
        raise DataError(f"{path}: is empty: {_EXPECTED}")
    columns = {kind: _find_column(records[0][1], kind) for kind in _COLUMNS}
    if columns["file"] is None or columns["label"] is None:
        found = list_names(records[0][1])
        raise DataError(f"{path}: has the columns {found}: {_EXPECTED}; add a first line with these names")
    rows = [_read_row(path, line, record, columns) for line, record in records]
    splits = {row.split for row in rows}
    if "" in splits and len(splits) > 1:
        odd = next(row for row in rows if not row.split)
        raise DataError(f"{path}: line {odd.line}: has no split, as others have: expected train, val or test")
    return rows


def _read_row(path: Path, line: int, record: dict[str, str], columns: dict[str, str | None]) -> Row:
    texts = {kind: record.get(column, "").strip() if column else "" for kind, column in columns.items()}
    for kind in ("file", "label"):
        if not texts[kind]:
            raise DataError(f"{path}: line {line}: has no {kind}: {_EXPECTED}")
    label = texts["label"]
    if find_synset(label) is None and is_number(label):
        raise DataError(f"{path}: line {line}: has the label {label!r}, a number: expected the name of a class")
    split = find_split(texts["split"]) if texts["split"] else ""
    if split is None:
        raise DataError(f"{path}: line {line}: has the split {texts['split']!r}: expected train, val or test")
    return Row(line, texts["file"], spell_class(label), split)


def _find_column(record: dict[str, str], kind: str) -> str | None:
    """Return the name of the column for a kind of value: the usual ones in order."""
    named = {name.strip().lower().replace(" ", "_"): name for name in reversed(record)}
    return next((named[name] for name in _COLUMNS[kind] if name in named), None)


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: no such file: expected a list of files with their labels; check the path")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: has more than {_MOST_BYTES:,} bytes: expected a list of files with their labels")
        # Names that are no UTF-8 come out as the file system has them.
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): change the file's permissions") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "surrogateescape")


def _parse(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    """Return the records of a list with the numbers of their lines."""
    kind = path.suffix.lower()
    try:
        if kind == ".json":
            return [(number, _as_texts(record)) for number, record in enumerate(json.loads(text), start=1)]
        if kind in (".jsonl", ".ndjson"):
            lines = enumerate(text.splitlines(), start=1)
            return [(number, _as_texts(json.loads(line))) for number, line in lines if line.strip()]
        return _parse_table(path, text)
    except (ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise DataError(f"{path}: is no list of files with their labels ({str(error)[:100]}): {_EXPECTED}") from None


def _as_texts(record: dict[str, Any]) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in record.items()}


def _parse_table(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a table, whose delimiter is the one that its first line has most of."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    rows = [(line, cells) for line, cells in rows if not cells[0].startswith("#")]
    if not rows:
        return []
    header = [cell.strip() for cell in rows[0][1]]
    named = dict.fromkeys(header, "")
    if _find_column(named, "file") is None and len(header) in (2, 3) and (path.parent / header[0]).is_file():
        header = ["file", "label", "split"][: len(header)]  # a list without a header
    else:
        rows = rows[1:]
    for line, cells in rows:
        if len(cells) != len(header) and any(map(str.strip, cells[len(header) :])):
            raise DataError(f"{path}: line {line}: has {len(cells)} cells: expected {len(header)}, {', '.join(header)}")
    return [(line, dict(zip(header, (*cells, *[""] * len(header)), strict=False))) for line, cells in rows] or (
        [(1, named)] if header != ["file", "label"] else []
    )


def _locate_files(path: Path, rows: list[Row], base: Path) -> list[Path]:
    """Return the file of each line; the ending may be left out if one file alone has the name."""
    files, missing = [], []
    for row in rows:
        named = base / row.file.replace("\\", "/")
        found = named if _is_file(named) else _find_with_ending(named)
        if found is None:
            missing.append(row)
        files.append(found or named)
    if missing:
        raise DataError(
            f"{path}: line {missing[0].line}: {printable(missing[0].file)}: no such file below {base}, as "
            f"{len(missing):,} of {len(rows):,}: expected paths from there on; correct the list"
        )
    return files


def _find_with_ending(named: Path) -> Path | None:
    there = [found for ending in list_extensions() if _is_file(found := named.with_name(named.name + ending))]
    return there[0] if len(there) == 1 else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _make(
    path: Path, name: str, base: Path, rows: list[Row], files: list[Path], notes: list[str]
) -> dict[str, Dataset]:
    """Make the data sets of a list."""
    kept = _drop_doubles(path, rows, files, notes)
    rows, files = [rows[index] for index in kept], [files[index] for index in kept]
    spellings: dict[str, set[str]] = {}
    for row in rows:
        spellings.setdefault(fold_class(row.label), set()).add(row.label)
    chosen = {key: min(several, key=lambda text: (text != text.lower(), text)) for key, several in spellings.items()}
    notes += [
        f"one class in several spellings: {list_names(sorted(several))}"
        for several in spellings.values()
        if len(several) > 1
    ]
    classes = tuple(sorted(chosen.values()))
    ups = find_ups(files)
    whole = Dataset(
        name=printable(name),
        split=WHOLE,
        classes=classes,
        up=ups.pop() if len(ups) == 1 else "auto",
        labels=np.array([classes.index(chosen[fold_class(row.label)]) for row in rows], dtype=np.int64),
        names=tuple(_name_files(files, base)),
        items=FileItems.of(files),
        notes=tuple(notes),
    )
    splits = np.array([row.split for row in rows])
    if not splits.any():
        return {WHOLE: whole}
    return {
        split: replace(whole.take(np.flatnonzero(splits == split)), split=split)
        for split in (TRAIN, VALIDATION, TEST)
        if (splits == split).any()
    }


def find_ups(files: Iterable[Path]) -> set[str]:
    """Return the up-axes that the formats of files declare; of files with one ending, one is looked at."""
    endings = {file.name if file.suffix.lower() == ".gz" else file.suffix: file for file in files}
    return {format_up(file) for file in endings.values()}


def _drop_doubles(path: Path, rows: list[Row], files: list[Path], notes: list[str]) -> list[int]:
    """Return the lines to keep: a file that is listed twice as the same thing counts once."""
    first: dict[Path, int] = {}
    for index, (row, file) in enumerate(zip(rows, files, strict=True)):
        before = rows[first.setdefault(file, index)]
        if (fold_class(before.label), before.split) != (fold_class(row.label), row.split):
            raise DataError(
                f"{path}: lines {before.line} and {row.line}: {printable(row.file)} has two labels or splits: "
                "expected one; correct the list"
            )
    if len(first) < len(rows):
        notes.append(f"files that are listed twice count once: {len(rows) - len(first):,}")
    return sorted(first.values())


def _name_files(files: Iterable[Path], base: Path) -> list[str]:
    return [printable((file.relative_to(base) if file.is_relative_to(base) else file).as_posix()) for file in files]
