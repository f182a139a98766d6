"""Bringing a library up to date with folders of shapes."""

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
from clip2point.search.index_plan import Plan, absolute, make_plan
from clip2point.search.library import Library
from clip2point.shapes import check_up

if TYPE_CHECKING:
    from clip2point.model import Recogniser

#: Entries and seconds after which what was embedded is written. A run that is killed loses so much work at most.
_ENTRIES, _SECONDS = 256, 20.0

#: Entries that are moved or copied in one commit.
_ROWS = 1024

#: Writes after which small files are joined and indexes brought up to date.
_TIDY = 64

Outcome = Entry | Unreadable

#: Embeds files, with a vocabulary: a stream of outcomes, in any order.
Embedder = Callable[[Sequence[Job], Sequence[str]], Iterator[Outcome]]


@dataclass
class IndexReport:
    """What an index run did, counted in files.

    Attributes:
        added: new files, embedded or copies of known ones.
        changed: whose content, or up-axis, is another one.
        moved: that lay elsewhere in the same folders before.
        removed: that are gone.
        unchanged: whose entries stood.
        failed: path and error of each file that could not be read, now or before, by path.
        seconds: that it took.
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
        """How many there are in the folders."""
        return self.added + self.changed + self.moved + self.unchanged + len(self.failed)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
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
    """Bring a library up to date with all shape files below some folders.

    Afterwards it has an entry for each of them that can be read, and none for files of these folders that are gone;
    entries of other folders stay as they are. Files are known by their content: one that has not changed is not
    embedded again, nor one that was moved or is a copy. What was embedded is written every few seconds, so a run that
    was killed goes on where it was when it is started again.

    Args:
        library: made with the same embedding.
        model: a head that it may have has no part in it.
        roots: folders; see ``find_shapes`` for what is taken in them.
        up: the axis that points up. Files whose entries have another one are embedded again. "auto" keeps entries as
            they are, believes the formats of new files, and where they do not say tries y and z and keeps the one
            with which the model is more confident of the best label, as ``Recogniser.classify`` does.
        seed: of the point sampling of what is embedded now.
        labels: the vocabulary that labels are taken from; the library's own if not given, and it has to be that one
            unless the library is still empty.
        retry_failed: try files again that could not be read before and have not changed since.
        workers: processes that read files; see ``embed_files``. A script that gives any needs the usual
            ``if __name__ == "__main__":``.
        embedder: embeds the files in place of this process, for example on a cluster; see ``ray_pipeline``.
        progress: shows how far it is.

    Returns:
        What was done. Files that could not be read are in it and stop nothing.

    Raises:
        ShapeError: if a folder is missing or cannot be listed; the library is as before.
        ModelError: if the model has another embedding than the library.
        OptionError: if an argument makes no sense.
        DataError: if another run is writing to the library, or the disk is full.
    """
    began = time.monotonic()
    check_up(up, auto=True)
    library.check_model(model)
    with library.writing():
        if labels is not None:
            library.use_labels(labels)
        plan = make_plan(library, [absolute(root) for root in roots], up, retry_failed, progress)
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
    """A plan being carried out."""

    def __init__(self, library: Library, plan: Plan) -> None:
        self._library, self._plan = library, plan
        self.report = IndexReport(unchanged=len(plan.unchanged))

    def transfer(self) -> None:
        """Do what needs no embedding."""
        plan = self._plan
        # Copies come first, because the entries that they are made of may be moved or removed.
        for copies in _chunks(plan.copies.items(), _ROWS):
            entries = self._renamed(copies)
            self._put(entries)
            self._count(entries)
        for moves in _chunks(plan.moves.items(), _ROWS):
            entries = self._renamed(moves)
            self._put(entries, gone=[old for _, old in moves])
            self.report.moved += len(entries)
        self._library.remove(plan.removed)
        self.report.removed = len(plan.removed)
        self._library.remove_failures(plan.forgotten)
        why = "its name is not UTF-8: expected one that is text; rename the file"
        self._library.put_failures([(path, "", f"{path}: {why}") for path in sorted(plan.nameless)])

    def embed(self, embedder: Embedder, up: str, seed: int, progress: TitledProgress | None) -> None:
        """Embed what has to be, and write it now and then."""
        jobs = [Job(paths[0], content[0], up, seed) for content, paths in self._plan.groups.items()]
        paths_of = {paths[0]: paths for paths in self._plan.groups.values()}
        outcomes: Iterable[Outcome] = embedder(jobs, self._library.labels)
        if progress is not None:
            outcomes = progress(outcomes, "Embedding", len(jobs))
        for number, batch in enumerate(_in_turns(outcomes), start=1):
            self._write(batch, paths_of)
            if number % _TIDY == 0:
                self._library.tidy()

    def _write(self, batch: Sequence[Outcome], paths_of: Mapping[str, list[str]]) -> None:
        """Write outcomes, for all files of the same content."""
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

    def _renamed(self, pairs: Sequence[tuple[str, str]]) -> list[Entry]:
        """Entries for new paths, of those at old ones."""
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


def _in_turns(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Lists of outcomes, each as soon as it is long or old enough to be written."""
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
