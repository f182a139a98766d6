"""Indexing: a library brought up to date with folders of shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.core.progress import TitledProgress
from clip2point.search.embedding import Job, Unreadable, embed_files
from clip2point.search.entry import Entry
from clip2point.search.index_plan import Plan, make_absolute_path, make_plan
from clip2point.search.library import Library
from clip2point.shapes import check_up

if TYPE_CHECKING:
    from clip2point.model import Recogniser

#: Entries and seconds after which results are written: the most work that a killed run loses.
_ENTRIES, _SECONDS = 256, 20.0

#: Entries moved or copied per commit.
_ROWS = 1024

#: Writes after which small files are joined and indexes updated.
_TIDY = 64

Outcome = Entry | Unreadable

#: Function from files and a vocabulary to a stream of outcomes, in any order.
Embedder = Callable[[Sequence[Job], Sequence[str]], Iterator[Outcome]]


@dataclass
class IndexReport:
    """Outcome of an index run, in numbers of files.

    Attributes:
        added: New files, embedded or copies of known ones.
        changed: Files with another content or up-axis than before.
        moved: Files that lay elsewhere in the same folders.
        removed: Files that no longer exist.
        unchanged: Files whose entries stay.
        failed: Path and error of each file that could not be read, now or before, sorted by path.
        seconds: Duration of the run.
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def files(self) -> int:
        """Number of files in the folders."""
        return self.added + self.changed + self.moved + self.unchanged + len(self.failed)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        return {**asdict(self), "failed": [{"path": path, "error": error} for path, error in self.failed]}


def index_shapes(
    library: Library,
    model: Recogniser,
    roots: Sequence[str | Path],
    *,
    up: str = "auto",
    seed: int = 0,
    labels: Sequence[str] | None = None,
    retry_failed: bool = False,
    workers: int = 0,
    embedder: Embedder | None = None,
    progress: TitledProgress | None = None,
) -> IndexReport:
    """Bring a library up to date with all shape files below folders.

    Afterwards it has an entry for each of them that can be read, and none for files of these folders that no longer
    exist; entries of other folders stay. Files are identified by content: unchanged, moved and copied ones are not
    embedded again. Results are written every few seconds: a killed run continues when it is started again.

    Args:
        library: Library made with the same embedding.
        model: Model that embeds; a head of it is ignored.
        roots: Folders, searched as by ``find_shapes``.
        up: Up-axis; files whose entries have another one are embedded again. "auto" keeps entries, believes the formats
            of new files, and otherwise tries y and z and keeps the more confident, as ``Recogniser.classify`` does.
        seed: Seed of the point sampling of newly embedded files.
        labels: Vocabulary of the labels; None for the library's own, which only an empty library may change.
        retry_failed: True to try files again that could not be read before and have not changed.
        workers: Processes that read files, as for ``embed_files``. A script with workers needs the usual
            ``if __name__ == "__main__":``.
        embedder: Embedder of the files in place of this process, for example ``RayEmbedder``.
        progress: Progress callback.

    Returns:
        Outcome of the run, with the files that could not be read.

    Raises:
        ShapeError: A folder is missing or cannot be listed; the library is unchanged.
        ModelError: The model has another embedding than the library.
        OptionError: An argument is invalid.
        DataError: Another run is writing to the library, or the disk is full.
    """
    began = time.monotonic()
    check_up(up, auto=True)
    library.check_model(model)
    with library.writing():
        if labels is not None:
            library.use_labels(labels)
        plan = make_plan(library, [make_absolute_path(root) for root in roots], up, retry_failed, progress)
        if embedder is None:
            embedder = partial(embed_files, model.without_head(), workers=workers)
        run = _Run(library, plan)
        run.transfer()
        run.embed(embedder, up, seed, progress)
        library.tidy()
    run.report.failed = [(path, error) for path, error in library.failures() if path in plan.roots]
    run.report.seconds = round(time.monotonic() - began, 3)
    return run.report


class _Run:
    """Execution of a plan."""

    def __init__(self, library: Library, plan: Plan) -> None:
        self._library, self._plan = library, plan
        self.report = IndexReport(unchanged=len(plan.unchanged))

    def transfer(self) -> None:
        """Carry out copies, moves and removals, which need no embedding."""
        plan = self._plan
        # Copies come first, because the entries that they are made of may be moved or removed.
        for copies in _chunks(plan.copies.items(), _ROWS):
            entries = self._rename_entries(copies)
            self._put(entries)
            self._count(entries)
        for moves in _chunks(plan.moves.items(), _ROWS):
            entries = self._rename_entries(moves)
            self._put(entries, gone=[old for _, old in moves])
            self.report.moved += len(entries)
        self._library.remove(plan.removed)
        self.report.removed = len(plan.removed)
        self._library.remove_failures(plan.forgotten)
        why = "its name is not UTF-8: expected one that is text; rename the file"
        self._library.put_failures([(path, "", f"{path}: {why}") for path in sorted(plan.nameless)])

    def embed(self, embedder: Embedder, up: str, seed: int, progress: TitledProgress | None) -> None:
        """Embed new content, and write the results every few seconds."""
        jobs = [Job(paths[0], content[0], up, seed) for content, paths in self._plan.groups.items()]
        paths_of = {paths[0]: paths for paths in self._plan.groups.values()}
        outcomes: Iterable[Outcome] = embedder(jobs, self._library.labels)
        if progress is not None:
            outcomes = progress(outcomes, "Embedding", len(jobs))
        for number, batch in enumerate(_batch(outcomes), start=1):
            self._write(batch, paths_of)
            if number % _TIDY == 0:
                self._library.tidy()

    def _write(self, batch: Sequence[Outcome], paths_of: Mapping[str, list[str]]) -> None:
        """Write outcomes for all files of the same content."""
        entries, failures = [], []
        for outcome in batch:
            for path in paths_of[outcome.path]:
                if isinstance(outcome, Entry):
                    entries.append(replace(outcome, path=path, root=self._plan.roots[path]))
                else:
                    failures.append((path, outcome.hash, outcome.error.replace(outcome.path, path)))
        self._put(entries)
        self._count(entries)
        self._library.remove(path for path, _, _ in failures if path in self._plan.known)
        self._library.put_failures(failures)

    def _rename_entries(self, pairs: Sequence[tuple[str, str]]) -> list[Entry]:
        """Return entries of new paths, made from those of old ones."""
        sources = self._library.get_many({old for _, old in pairs})
        entries = []
        for path, old in pairs:
            content = self._plan.known[old].content
            if old in sources and sources[old].hash == content[0]:
                entries.append(replace(sources[old], path=path, root=self._plan.roots[path]))
            else:  # it was overwritten just now, by a copy of another one
                self._plan.groups.setdefault(content, []).append(path)
        return entries

    def _put(self, entries: Sequence[Entry], gone: Sequence[str] = ()) -> None:
        if entries:
            self._library.put(entries, gone)
            self._library.remove_failures(entry.path for entry in entries if entry.path in self._plan.failed)

    def _count(self, entries: Sequence[Entry]) -> None:
        changed = sum(entry.path in self._plan.known for entry in entries)
        self.report.changed += changed
        self.report.added += len(entries) - changed


def _batch(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Yield batches of outcomes, each once it is large or old enough to be written."""
    turn: list[Outcome] = []
    due = time.monotonic() + _SECONDS
    for outcome in outcomes:
        turn.append(outcome)
        if len(turn) >= _ENTRIES or time.monotonic() > due:
            yield turn
            turn, due = [], time.monotonic() + _SECONDS
    if turn:
        yield turn


def _chunks(items: Iterable[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
