"""Which of the folders above a file is its class: the level at which names are neither numbers nor wrappers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from clip2point.core.errors import DataError
from clip2point.data.folder_names import (
    drop_split,
    find_split,
    find_synset,
    fold_class,
    is_number,
    is_text,
    is_wrapper,
    list_names,
    spell_class,
)

_MANIFEST = "or list the files in labels.csv with columns file,label[,split]"
_COUNTED = re.compile(r"\d+[\s._-]+(?=[^\W\d_])")
#: Sub-folders with so many common names under several classes may be the classes themselves.
_SHARED = 2


@dataclass(frozen=True)
class Labelled:
    """Shape file of which the class is to be found.

    Attributes:
        split: Name of its split, or "".
        names: Names of the folders that it lies in, without those of splits.
        folders: Names of all folders that it lies in.
        path: File.
    """

    split: str
    names: tuple[str, ...]
    folders: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Classes:
    """Classes of files.

    Attributes:
        names: Names of the classes, sorted.
        labels: Index of the class of each file.
        depth: Number of folders above the classes, without those of splits.
    """

    names: tuple[str, ...]
    labels: list[int]
    depth: int


def find_classes(root: Path, found: list[Labelled]) -> tuple[Classes, list[str]]:
    """Find the classes of files, and say what was assumed.

    From the top, folders are passed through whose names are numbers, or one that wraps all others. The first others
    are the classes; folders below them are parts of a class.

    Args:
        root: Folder of the data set, for messages.
        found: Files with the folders that they lie in.

    Returns:
        The classes, and notes.

    Raises:
        DataError: If it cannot be told; the message lists the choices.
    """
    depth, notes = 0, []
    while not _are_classes(root, found, depth):
        passed = sorted({item.names[depth] for item in found if len(item.names) > depth})
        notes.append(f"folders that are no classes: {list_names(passed, most=3)}")
        depth += 1
        if shallow := [item for item in found if len(item.names) <= depth]:
            _refuse_without_class(root, found, shallow, passed)
    _check_splits(root, found, depth)
    _check_levels_below(root, found, depth)
    spelled = _spell({item.names[depth] for item in found}, notes)
    names = tuple(sorted(set(spelled.values())))
    if any(len(item.names) > depth + 1 and not is_number(item.names[depth + 1]) for item in found):
        below = sorted({item.names[depth + 1] for item in found if len(item.names) > depth + 1})
        notes.append(f"folders within classes, which are part of these: {list_names(below, most=3)}")
    if len(names) == 1:
        notes.append(f"{names[0]!r} is the only class, so every answer is right")
    labels = [names.index(spelled[item.names[depth]]) for item in found]
    counts = Counter(labels)
    if single := [names[label] for label, number in sorted(counts.items()) if number == 1]:
        notes.append(f"one shape alone: {list_names(single)}")
    return Classes(names, labels, depth), notes


def _are_classes(root: Path, found: list[Labelled], depth: int) -> bool:
    """Tell whether the folders at a depth are classes rather than numbers or wrappers."""
    names = sorted({item.names[depth] for item in found})
    numbers, wrappers = [name for name in names if is_number(name)], [name for name in names if is_wrapper(name)]
    words = [name for name in names if name not in numbers and name not in wrappers]
    if words and numbers:
        unknown = [name for name in numbers if re.fullmatch(r"n?\d{8}", name)]
        raise DataError(
            f"{root}: has folders that are numbers ({list_names(numbers, 3)}) beside others ({list_names(words, 3)}): "
            + ("expected synsets of ShapeNet, which these are not" if unknown else "expected a folder for each class")
            + f"; rename them, {_MANIFEST}"
        )
    if len(wrappers) > 1 or (wrappers and (words or numbers)):
        choices = ", ".join(f"folder:{_locate(found, depth, name, root)}" for name in wrappers[:3])
        raise DataError(
            f"{root}: cannot tell whether {list_names(wrappers, 3)} are classes, beside {list_names(names, 6)}: "
            f"expected folders named by classes alone; give {choices}, rename the folders, {_MANIFEST}"
        )
    if not words:
        return False
    if len(names) > 1 or find_synset(names[0]):
        return True
    below = {item.names[depth + 1] for item in found if len(item.names) > depth + 1}
    if not below:
        return True
    inner = [name for name in below if not is_wrapper(name) and not is_number(name)]
    if len(inner) > 1 and not any(len(item.names) == depth + 1 for item in found):
        return False
    raise DataError(
        f"{root}: cannot tell whether its only folder {names[0]!r} is a class or holds classes: expected several "
        f"class folders; give folder:{_locate(found, depth, names[0], root)}, {_MANIFEST}"
    )


def _refuse_without_class(root: Path, found: list[Labelled], shallow: list[Labelled], passed: list[str]) -> None:
    kind = "numbers" if all(map(is_number, passed)) else "no classes"
    some = "its files" if len(shallow) == len(found) else f"{len(shallow):,} of {len(found):,} files"
    raise DataError(
        f"{root}: has no class folders: {some} lie directly in {list_names(passed, 3)}, which are {kind}: expected a "
        f"folder for each class; rename these, {_MANIFEST}"
    )


def _locate(found: list[Labelled], depth: int, name: str, root: Path) -> Path:
    """Return the folder of a name at a depth, for a message."""
    item = next(item for item in found if item.names[depth] == name)
    return root.joinpath(*item.folders[: item.folders.index(name) + 1])


def _check_splits(root: Path, found: list[Labelled], depth: int) -> None:
    """Refuse splits beside other folders; "train" may be a vehicle if it holds shapes as the classes beside it do."""
    names = {item.names[depth] for item in found}
    splits = sorted(name for name in names if find_split(name))
    trains = splits == [name for name in names if name.lower() == "train"] and len(names) > 1
    if trains:
        deep = [item.names[depth + 1 :] for item in found if item.names[depth] in splits]
        trains = all(is_number(name) or is_wrapper(name) for rest in deep for name in rest)
    if splits and not trains:
        others = sorted(names - set(splits))
        raise DataError(
            f"{root}: has {list_names(splits)} beside {list_names(others)}: cannot tell splits from classes; expected "
            f"either in one place; rename or move the others, {_MANIFEST}"
        )
    bare: dict[str, list[str]] = {}
    for name in sorted(names):
        bare.setdefault(drop_split(name), []).append(name)
    if alike := next((several for several in bare.values() if len(several) > 1), None):
        raise DataError(
            f"{root}: has {list_names(alike)}, of which the splits are part of the names: expected folders for splits "
            f"above or below the classes, as in train/CLASS; rename these, {_MANIFEST}"
        )
    for item in found:
        if inner := [name for name in item.names[:depth] + item.names[depth + 1 :] if find_split(name)]:
            raise DataError(
                f"{item.path.parent}: lies in {list_names(inner)}, beside which are folders or files that are no "
                "split: expected splits alone, directly above or below the classes; move or rename what is beside it"
            )


def _check_levels_below(root: Path, found: list[Labelled], depth: int) -> None:
    """Refuse folders whose sub-folders have the same names in several of them: either may be the classes."""
    inner: dict[str, set[str]] = {}
    for item in found:
        if len(item.names) > depth + 1:
            below = item.names[depth + 1]
            if len(below) > 1 and not is_number(below) and not is_wrapper(below):
                inner.setdefault(below, set()).add(item.names[depth])
    shared = sorted(name for name, above in inner.items() if len(above) > 1)
    everywhere = all(len(item.names) > depth + 1 and item.names[depth + 1] in inner for item in found)
    if len(shared) < (1 if everywhere and len(inner) > 1 else _SHARED):
        return
    outer = sorted({item.names[depth] for item in found})
    choices = " or ".join(f"folder:{_locate(found, depth, name, root)}" for name in outer[:2])
    raise DataError(
        f"{root}: cannot tell whether the classes are {list_names(outer, 3)}, or {list_names(shared, 3)} in each of "
        f"them: expected one folder for each class; give {choices} for the latter, {_MANIFEST}"
    )


def _spell(folders: set[str], notes: list[str]) -> dict[str, str]:
    """Return the class of each folder's name; spellings of the same are one class."""
    spelled = {name: spell_class(name) for name in sorted(folders)}
    if synsets := [name for name in spelled if find_synset(name)]:
        notes.append(f"synsets of ShapeNet by their names: {synsets[0]} is {spelled[synsets[0]]!r}, ...")
    bare = {name: _COUNTED.sub("", text, count=1) for name, text in spelled.items()}
    counted = all(_COUNTED.match(text) for text in spelled.values())
    if counted and len(set(map(fold_class, bare.values()))) == len(bare) > 1:
        first = next(iter(bare))
        notes.append(f"numbers before names are left out: {list_names([first])} is {bare[first]!r}, ...")
        spelled = bare
    together: dict[str, set[str]] = {}
    for text in spelled.values():
        together.setdefault(fold_class(text), set()).add(text)
    for several in together.values():
        if len(several) > 1:
            notes.append(f"one class in several spellings: {list_names(sorted(several))}")
    chosen = {key: min(several, key=lambda text: (text != text.lower(), text)) for key, several in together.items()}
    if odd := [name for name in spelled if not is_text(name)]:
        notes.append(f"names that are no UTF-8, read as Latin-1: {list_names(odd)}")
    return {name: chosen[fold_class(text)] for name, text in spelled.items()}
