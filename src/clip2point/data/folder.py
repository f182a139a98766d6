"""``folder:PATH``: a folder of shape files, with a sub-folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clip2point.core.errors import DataError
from clip2point.data.dataset import Dataset, FileItems
from clip2point.data.splits import WHOLE
from clip2point.shapes import find_shapes, format_up, list_extensions

_PARTS = frozenset(("train", "test"))
_LAYOUT = "PATH/CLASS/*, PATH/{train,test}/CLASS/* or PATH/CLASS/{train,test}/* with shape files"


def read_folder(root: Path) -> dict[str, Dataset]:
    """Find the shapes of a folder and its splits; their up-axis is the one that the formats of all of them declare.

    Files beside the class folders (a read-me, lists) are passed over, and so are hidden folders.

    Args:
        root: Folder of class folders, which lie below or above folders "train" and "test" if it is split.

    Returns:
        Data sets by split: "all" alone, or "train" and "test". All have the same classes, sorted.

    Raises:
        DataError: If it has no class folders, one without shapes, or some with splits and some without.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: expected {_LAYOUT}; check the path")
    found = [(part, name, path) for part, name, folder in _find_classes(root) for path in _find_files(folder)]
    classes = tuple(sorted({name for _, name, _ in found}))
    return {
        part: _make_dataset(root, part, classes, [(name, path) for owner, name, path in found if owner == part])
        for part in dict.fromkeys(part for part, _, _ in found)
    }


def _find_classes(root: Path) -> list[tuple[str, str, Path]]:
    """Return split, class name and folder of each class."""
    folders = _list_folders(root)
    if not folders:
        raise DataError(f"{root}: has no class folders: expected {_LAYOUT}")
    if {folder.name for folder in folders} <= _PARTS:
        inner = [(part.name, folder.name, folder) for part in folders for folder in _list_folders(part)]
        if not inner:
            raise DataError(f"{root}: has no class folders in train or test: expected {_LAYOUT}")
        return inner
    split = [bool(_PARTS & {inner.name for inner in _list_folders(folder)}) for folder in folders]
    if not any(split):
        return [(WHOLE, folder.name, folder) for folder in folders]
    if not all(split):
        odd = folders[split.index(False)]
        raise DataError(f"{odd}: has no train or test folder, as other classes have: expected {_LAYOUT}")
    return [
        (part.name, folder.name, part) for folder in folders for part in _list_folders(folder) if part.name in _PARTS
    ]


def _list_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones and those that archives of macOS leave."""
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX"))
        )
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}): change the folder's permissions") from None


def _find_files(folder: Path) -> list[Path]:
    """Return the shape files of a class; a class without any would vanish from the results in silence."""
    found = find_shapes(folder)
    if not found:
        raise DataError(
            f"{folder}: has no shape files: expected {', '.join(list_extensions())}; add some or remove the folder"
        )
    return found


def _make_dataset(root: Path, split: str, classes: tuple[str, ...], found: list[tuple[str, Path]]) -> Dataset:
    paths = [path for _, path in found]
    ups = {format_up(path) for path in paths}
    return Dataset(
        name=f"folder:{root}",
        split=split,
        classes=classes,
        up=ups.pop() if len(ups) == 1 else "auto",
        labels=np.array([classes.index(name) for name, _ in found], dtype=np.int64),
        names=tuple(path.relative_to(root).as_posix() for path in paths),
        items=FileItems.of(paths),
    )
