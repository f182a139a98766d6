"""``folder:PATH``: a folder of shape files, with a folder for each class, whatever lies above and below it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from clip2point.core.errors import DataError
from clip2point.data.class_level import Labelled, find_classes
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.folder_names import TEST, TRAIN, VALIDATION, find_split, list_names, printable
from clip2point.data.folder_tree import Folder, Tree, read_tree
from clip2point.data.manifest import find_ups, read_beside
from clip2point.data.splits import WHOLE
from clip2point.shapes.passed_over import describe_passed_over

LAYOUT = "PATH/CLASS/*, PATH/{train,val,test}/CLASS/* or PATH/CLASS/{train,val,test}/* with shape files"
_MANIFEST = "or say what the files are in PATH/labels.csv, with columns file,label and, if there are splits, split"
#: Files of many clouds, which are data sets themselves.
_ARCHIVES = {".h5": "h5", ".hdf5": "h5", ".npz": "npz", ".dat": "pickle", ".pkl": "pickle"}


def read_folder(root: Path) -> dict[str, Dataset]:
    """Find the shapes of a folder, their classes and splits; their up-axis is the one that all their formats declare.

    A file ``labels.csv`` in the folder says it, if it is there. Otherwise classes are folders: the uppermost ones whose
    names are neither splits nor numbers nor of the kind that wraps all, such as "glbs"; synsets of ShapeNet stand for
    their nouns. Splits (train, val, test in any spelling) lie above or below them. ``notes`` of the data sets say what
    was assumed and passed over.

    Args:
        root: Folder.

    Returns:
        Data sets by split: "all" alone, or those of "train", "validation" and "test" that there are. All have the same
        classes, sorted.

    Raises:
        DataError: If it has no classes, or what they and the splits are cannot be told.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: expected {LAYOUT}; check the path")
    tree = read_tree(root)
    if listed := read_beside(root, [path for _, path in tree.root.list_files()]):
        return listed
    found: list[Labelled] = []
    loose: list[Path] = []
    _assign_splits(tree.root, root, "", (), found, loose)
    if not found:
        raise DataError(f"{root}: {_describe_nothing(tree.root, root, loose)}: expected {LAYOUT}; {_MANIFEST}")
    splits = {item.split for item in found}
    if "" in splits and len(splits) > 1:
        odd = next(item for item in found if not item.split)
        where = root.joinpath(*odd.folders)
        raise DataError(
            f"{where}: has no train, val or test folder, as others have: expected {LAYOUT}; move its shapes into one"
        )
    classes, notes = find_classes(root, found)
    notes += _note_the_rest(tree, root, loose, classes.names, classes.depth)
    if splits != {""}:
        notes += _note_spellings(found)
        notes += _note_lacking(found, classes.labels, classes.names)
    order = sorted(range(len(found)), key=lambda row: (classes.labels[row], found[row].path))
    return {
        split or WHOLE: make_dataset(
            f"folder:{root}",
            split or WHOLE,
            root,
            classes.names,
            [(classes.labels[row], found[row].path) for row in order if found[row].split == split],
            tuple(notes),
        )
        for split in ("", TRAIN, VALIDATION, TEST)
        if split in splits
    }


def make_dataset(
    name: str,
    split: str,
    root: Path,
    classes: tuple[str, ...],
    found: list[tuple[int, Path]],
    notes: tuple[str, ...],
) -> Dataset:
    """Make the data set of files with the numbers of their classes; a file is named by its path from a folder on."""
    paths = [path for _, path in found]
    ups = find_ups(paths)
    return Dataset(
        name=printable(name),
        split=split,
        classes=classes,
        up=ups.pop() if len(ups) == 1 else "auto",
        labels=np.array([label for label, _ in found], dtype=np.int64),
        names=tuple(_name(path, root) for path in paths),
        items=FileItems.of(paths),
        notes=notes,
    )


def _name(path: Path, root: Path) -> str:
    return printable(path.relative_to(root).as_posix())


def _assign_splits(
    folder: Folder, root: Path, split: str, names: tuple[str, ...], found: list[Labelled], loose: list[Path]
) -> None:
    """Give each file its split: folders are splits if all that lie beside each other are called so.

    Args:
        folder: Folder to look into.
        root: Uppermost folder, for messages.
        split: Split of the folder, or "".
        names: Names of the folders above without those of splits.
        found: Files that were found.
        loose: Files outside of all folders but those of splits.
    """
    below = [inner for inner in folder.folders.values() if inner.list_files()]
    splits = [find_split(inner.parts[-1]) for inner in below]
    all_splits = bool(below) and all(splits)
    if names and folder.files and all_splits:
        raise DataError(
            f"{root.joinpath(*folder.parts)}: has shapes beside the folders {list_names(folder.folders)}: expected "
            "all shapes of a class in these; move them"
        )
    if names:
        found += [Labelled(split, names, folder.parts, path) for path in folder.files]
    else:
        loose += folder.files
    for inner, inner_split in zip(below, splits, strict=True):
        if all_splits and split:
            raise DataError(
                f"{root.joinpath(*inner.parts)}: is the split {inner_split} in the split {split}: expected one in a "
                f"path, {LAYOUT}; rename or move one of the folders"
            )
        if all_splits:
            _assign_splits(inner, root, inner_split or "", names, found, loose)
        else:
            _assign_splits(inner, root, split, (*names, inner.parts[-1]), found, loose)


def _describe_nothing(folder: Folder, root: Path, loose: list[Path]) -> str:
    """Say why there is not one shape in a class folder."""
    below = list(folder.folders.values())
    splits = [inner.parts[-1] for inner in below if find_split(inner.parts[-1])]
    if loose and splits:
        return f"has no class folders in {list_names(splits)}, only files"
    archives = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _ARCHIVES and path.is_file())
    if archives:
        kind = _ARCHIVES[Path(archives[0]).suffix.lower()]
        return (
            f"has no class folders but {list_names(archives)}; files of many clouds are data sets themselves: name "
            f"{kind}:{root / archives[0]}, or for the layout of a benchmark this benchmark and --root"
        )
    if splits and len(splits) == len(below):
        return f"has no class folders in {' or '.join(splits)}"
    return "has no shape files in its folders" if below and not loose else "has no class folders"


def _note_the_rest(tree: Tree, root: Path, loose: list[Path], classes: tuple[str, ...], depth: int) -> list[str]:
    """Return notes on what is there and has no part in the data set."""
    notes = []
    if loose:
        notes.append(f"{_count(len(loose), 'shape file')} beside the class folders, passed over: {_names(loose)}")
    empty = [parts for parts in tree.root.list_empty() if parts]
    lost = [parts for parts in empty if len([part for part in parts if not find_split(part)]) == depth + 1]
    if lost:
        listed = list_names("/".join(parts) for parts in lost)
        notes.append(f"without shape files, so no examples and no class for these alone: {listed}")
    if alone := [parts[-1] for parts in empty if all(map(find_split, parts))]:
        notes.append(f"without shape files: {list_names(alone)}")
    if said := describe_passed_over([root]):
        notes.append(said)
    if tree.hidden:
        notes.append(f"{_count(tree.hidden, 'hidden file or folder', 'hidden files and folders')}, passed over")
    if tree.again:
        notes.append(f"links to folders that are part of it already, passed over: {_names(tree.again)}")
    if lists := _find_lists(root):
        notes.append(f"lists beside the folders that are not used: {list_names(lists)}; use --manifest for a list")
    return notes


def _note_spellings(found: list[Labelled]) -> list[str]:
    """Return notes on folders that stand for splits without being called just so."""
    names: dict[str, set[str]] = {}
    for item in {(item.split, item.folders): item for item in found}.values():
        above = [name for name in item.folders if find_split(name) == item.split]
        names.setdefault(item.split, set()).update(name for name in above if item.names.count(name) < above.count(name))
    return [
        f"taken for the {split} split: {list_names(sorted(names[split]))}"
        for split in (TRAIN, VALIDATION, TEST)
        if split in names and (len(names[split]) > 1 or names[split].isdisjoint((split, "val")))
    ]


def _note_lacking(found: list[Labelled], labels: list[int], classes: tuple[str, ...]) -> list[str]:
    """Return notes on classes that some splits lack."""
    notes = []
    for split in (TRAIN, VALIDATION, TEST):
        present = {label for item, label in zip(found, labels, strict=True) if item.split == split}
        if present and (lacking := [name for label, name in enumerate(classes) if label not in present]):
            notes.append(f"no shapes in {split}: {list_names(lacking)}")
    return notes


def _find_lists(root: Path) -> list[str]:
    """Return the lists of a folder that are called by splits, such as modelnet40_train.txt."""
    return sorted(
        path.name
        for path in root.iterdir()
        if path.suffix.lower() in (".txt", ".csv", ".json", ".lst")
        and any(map(find_split, path.stem.replace("-", "_").split("_")))
    )


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def _names(paths: Iterable[Path]) -> str:
    return list_names(sorted(path.name for path in paths), most=3)
