"""What an index run has to do: the files of its folders held against the library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from clip2point.core.progress import TitledProgress
from clip2point.search.contents import content_hash, format_of
from clip2point.search.library import Library
from clip2point.shapes import find_shapes

#: Threads that hash files, which they do side by side, and files given to them at a time.
_HASHERS, _HASHED_AT_ONCE = 4, 1024

#: Content that one reader takes for one shape: its hash and its format; "" and the path of a file without a hash.
Content = tuple[str, str]


@dataclass(frozen=True)
class Known:
    """What the library knows of a file: the content that its entry was made from, and the up-axis."""

    content: Content
    up: str


@dataclass
class Plan:
    """What an index run has to do.

    Attributes:
        roots: folder that each file was found under, by path.
        known: entries of the library, by path.
        failed: hashes of the files that could not be read before, by path.
        nameless: files whose names are no text, shown with escapes; they are among the roots and nowhere else.
        unchanged: paths whose entries stand.
        moves: old path of each file that was moved, by new path.
        copies: path of an entry with the same content, by path.
        groups: paths of files with the same content, which is to be embedded, by content; the first is to be read.
        removed: paths of entries whose files are gone.
        forgotten: paths of failures that are of no more interest.
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
    """Hold the shape files below folders against a library; nothing is written.

    Args:
        library: to be brought up to date.
        roots: absolute paths of folders; of two that contain a file the first counts.
        up: the axis that points up, or "auto", with which every entry agrees.
        retry_failed: whether to try files again that could not be read and have not changed.
        progress: shows how far the hashing is.

    Raises:
        ShapeError: if a folder is missing or cannot be listed.
    """
    files, nameless = find_files(roots)
    failed = {path: found for path, found, _ in library.failure_rows()}
    plan = Plan(files, _known(library), failed, nameless)
    tried = {} if retry_failed else plan.failed
    new: dict[str, Content] = {}
    paths = [path for path in files if path not in nameless]
    hashed: Iterable[tuple[str, str]] = _hashed(paths)
    for path, found in hashed if progress is None else progress(hashed, "Looking for changes", len(paths)):
        content, entry = (found, format_of(path)), plan.known.get(path)
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
    """The shape files below folders, each with the first of the folders that it lies below.

    Returns:
        Folders by path, and the paths that are not what the system calls the files, whose names are not UTF-8.
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
    """Tell new files that were moved, or are copies of known ones, from those that have to be embedded."""
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


def _known(library: Library) -> dict[str, Known]:
    entries = library.entries(columns=("path", "hash", "up"))
    return {entry.path: Known((entry.hash, format_of(entry.path)), entry.up) for entry in entries}


def _hashed(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Paths with the hashes of what lies there."""
    remaining = iter(paths)
    with ThreadPoolExecutor(_HASHERS, thread_name_prefix="clip2point-hasher") as pool:
        while chunk := list(islice(remaining, _HASHED_AT_ONCE)):
            yield from zip(chunk, pool.map(content_hash, chunk), strict=True)


def _is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def absolute(root: str | Path) -> str:
    """The absolute path of a folder, by which libraries know it; links in it stay."""
    return os.path.abspath(root)  # noqa: PTH100 - resolves ".." as Path.absolute does not
