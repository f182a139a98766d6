"""The folders of a data set with the shape files in each, every folder once, whatever links there are."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from clip2point.core.errors import DataError
from clip2point.shapes.shape_files import pick_shapes

#: Folders that archives, file managers and programs leave.
_LEFT_OVER = frozenset(("__macosx", "__pycache__", "lost+found", "@eadir", "$recycle.bin"))
#: Most folders in each other.
_DEEPEST = 64


@dataclass
class Folder:
    """Folder with the shapes in it and the folders below.

    Attributes:
        parts: Names of the folders from the data set's folder down to this one.
        files: Shape files directly in it, sorted.
        folders: Folders in it by name, sorted.
    """

    parts: tuple[str, ...] = ()
    files: list[Path] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)

    def list_files(self) -> list[tuple[tuple[str, ...], Path]]:
        """Return all shape files at and below this folder, each with the names of the folders that it lies in."""
        own = [(self.parts, path) for path in self.files]
        return own + [found for folder in self.folders.values() for found in folder.list_files()]

    def list_empty(self) -> list[tuple[str, ...]]:
        """Return the folders without a shape at or below them, the uppermost ones alone."""
        if not self.files and not any(folder.list_files() for folder in self.folders.values()):
            return [self.parts]
        return [parts for folder in self.folders.values() for parts in folder.list_empty()]


@dataclass
class Tree:
    """Folders of a data set and what was passed over in them.

    Attributes:
        root: Uppermost folder.
        again: Links to folders that have been read already, such as one that leads back up.
        hidden: Number of hidden files and folders, and of those that programs leave.
    """

    root: Folder = field(default_factory=Folder)
    again: list[Path] = field(default_factory=list)
    hidden: int = 0


def read_tree(path: Path) -> Tree:
    """Find the shape files at and below a folder. A link to a folder is followed, unless it was read already.

    Raises:
        DataError: If a folder cannot be listed.
    """
    tree = Tree()
    seen: set[tuple[int, int]] = set()
    waiting: deque[tuple[Path, Folder]] = deque([(path, tree.root)])
    links: deque[tuple[Path, Folder]] = deque()
    while waiting or links:  # real folders before links to them, so that a link is what is passed over
        folder, node = waiting.popleft() if waiting else links.popleft()
        if (identity := _identify(folder)) in seen:
            tree.again.append(folder)
            continue
        seen.add(identity)
        if len(node.parts) > _DEEPEST:
            raise DataError(f"{path}: is nested more than {_DEEPEST} folders deep: expected class folders further up")
        names = []
        for entry in _list(folder):
            if entry.name.startswith(".") or entry.name.lower() in _LEFT_OVER:
                tree.hidden += 1
            elif _is_folder(entry):
                below = node.folders[entry.name] = Folder((*node.parts, entry.name))
                (links if entry.is_symlink() else waiting).append((folder / entry.name, below))
            elif _is_file(entry):
                names.append(entry.name)
        node.files = pick_shapes(folder, names)
    _drop(tree.root, set(tree.again), path)
    return tree


def _list(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}): change the folder's permissions") from None


def _identify(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}): change the folder's permissions") from None
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a file: a pipe would never end, and a link to nothing has to be told by its reader."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
    except OSError:
        return False


def _drop(node: Folder, again: set[Path], path: Path) -> None:
    """Take out the folders that were links to what is there already."""
    if again:
        node.folders = {name: folder for name, folder in node.folders.items() if path / name not in again}
        for name, folder in node.folders.items():
            _drop(folder, again, path / name)
