"""Plan of an index run: files of folders compared with the entries of a library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from clip2point.core.progress import TitledProgress
from clip2point.search.library import Library
from clip2point.shapes import find_shapes
from clip2point.shapes.contents import find_format, hash_content

#: Threads that hash files in parallel, and files per task.
_HASHERS, _HASHED_AT_ONCE = 4, 1024

#: Content of one shape: hash and format; "" and the path for a file without a hash.
Content = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """Content and up-axis from which the entry of a file was made."""

    content: Content
    up: str


@dataclass
class Plan:
    """Work of an index run.

    Attributes:
        roots: Folder under which each file was found, by path.
        known: Entries of the library, by path.
        failed: Hashes of files that could not be read before, by path.
        nameless: Files whose names are not UTF-8, shown with escapes; only ``roots`` has them, too.
        unchanged: Paths whose entries stay.
        moves: Old path of each moved file, by new path.
        copies: Path of an entry with the same content, by path.
        groups: Paths of files to embed, by content; the first path is read.
        removed: Paths of entries whose files no longer exist.
        forgotten: Paths whose recorded failures are obsolete.
    """

    roots: Mapping[str, str]
    known: Mapping[str, Known]
    failed: Mapping[str, str]
    nameless: frozenset[str] = frozenset()
    unchanged: list[str] = field(default_factory=list)
    moves: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    groups: dict[Content, list[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)


def make_plan(
    library: Library, roots: Sequence[str], up: str, retry_failed: bool, progress: TitledProgress | None = None
) -> Plan:
    """Compare the shape files below folders with a library; nothing is written.

    Args:
        library: Library to update.
        roots: Absolute paths of folders; of two that contain a file the first counts.
        up: Up-axis, or "auto", which agrees with every entry.
        retry_failed: True to try files again that could not be read and have not changed.
        progress: Progress callback of the hashing.

    Raises:
        ShapeError: A folder is missing or cannot be listed.
    """
    files, nameless = find_files(roots)
    failed = {path: found for path, found, _ in library.failure_rows()}
    plan = Plan(files, _read_known(library), failed, nameless)
    tried = {} if retry_failed else plan.failed
    new: dict[str, Content] = {}
    paths = [path for path in files if path not in nameless]
    hashed: Iterable[tuple[str, str]] = _hash_files(paths)
    for path, found in hashed if progress is None else progress(hashed, "Looking for changes", len(paths)):
        content, entry = (found, find_format(path)), plan.known.get(path)
        if found and entry is not None and entry.content == content and up in ("auto", entry.up):
            plan.unchanged.append(path)
        elif not found or tried.get(path) != found:
            new[path] = content
    gone = [path for path in plan.known if path not in plan.roots and _is_below(path, roots)]
    _find_vectors(plan, new, gone, up)
    settled = set(plan.unchanged)
    plan.forgotten = [
        path for path in plan.failed if path in settled or (path not in plan.roots and _is_below(path, roots))
    ]
    return plan


def find_files(roots: Sequence[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Find the shape files below folders.

    Args:
        roots: Folders, of which the first that contains a file counts.

    Returns:
        Folder of each file by path, and the paths of files whose names are not UTF-8, shown with escapes.
    """
    found: dict[str, str] = {}
    nameless = set()
    for root in roots:
        for path in map(str, find_shapes(root)):
            shown = path.encode("utf-8", "backslashreplace").decode()
            if shown != path:
                nameless.add(shown)
            found.setdefault(shown, root)
    return found, frozenset(nameless)


def _find_vectors(plan: Plan, new: Mapping[str, Content], gone: Sequence[str], up: str) -> None:
    """Sort new files into moved ones, copies of known ones, and those to embed."""
    owners: dict[Content, str] = {}
    missing: dict[Content, list[str]] = {}
    for path, entry in plan.known.items():
        if up in ("auto", entry.up):
            owners.setdefault(entry.content, path)
    for path in reversed(gone):
        if up in ("auto", plan.known[path].up):
            missing.setdefault(plan.known[path].content, []).append(path)
    for path, content in new.items():
        if not content[0]:
            plan.groups["", path] = [path]  # cannot be opened, which its reader will explain
        elif path not in plan.known and missing.get(content):
            plan.moves[path] = missing[content].pop()
        elif content in owners:
            plan.copies[path] = owners[content]
        else:
            plan.groups.setdefault(content, []).append(path)
    moved = set(plan.moves.values())
    plan.removed = [path for path in gone if path not in moved]


def _read_known(library: Library) -> dict[str, Known]:
    entries = library.entries(columns=("path", "hash", "up"))
    return {entry.path: Known((entry.hash, find_format(entry.path)), entry.up) for entry in entries}


def _hash_files(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield paths with their content hashes."""
    remaining = iter(paths)
    with ThreadPoolExecutor(_HASHERS, thread_name_prefix="clip2point-hasher") as pool:
        while chunk := list(islice(remaining, _HASHED_AT_ONCE)):
            yield from zip(chunk, pool.map(hash_content, chunk), strict=True)


def _is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def make_absolute_path(root: str | Path) -> str:
    """Return the absolute path of a folder, without resolving links."""
    return os.path.abspath(root)  # noqa: PTH100 - resolves ".." as Path.absolute does not
