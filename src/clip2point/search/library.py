"""Libraries: embedded shapes in a folder, stored by LanceDB.

Needs the extra: ``pip install 'clip2point[search]'``. The folder has two tables. ``shapes`` has a row per entry, keyed
by its path, and the library's model and vocabulary in the metadata of its schema. ``failures`` has a row per file that
could not be read. Every change is one commit of LanceDB: a reader, or a killed process, sees the table before it or
after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clip2point.core.errors import DataError, ModelError, OptionError, reason
from clip2point.core.everyday import EVERYDAY
from clip2point.core.labels import check_labels
from clip2point.core.locks import hold_lock
from clip2point.search.conditions import check_condition
from clip2point.search.entry import COLUMNS, KINDS, Entry, Float32, from_batch, make_schema, to_table, to_vectors
from clip2point.search.identity import fingerprint_embedding, make_absolute

if TYPE_CHECKING:
    import pyarrow as pa

    from clip2point.model import Recogniser

_FORMAT = 1
_SHAPES, _FAILURES, _LOCK = "shapes", "failures", ".lock"
_METADATA = b"clip2point"

#: Largest number of entries that a search compares one by one; beyond, it uses the vector index.
EXACT = 10_000
#: Vector index: entries per partition, and parts after which it is rebuilt.
_PARTITION, _PARTS = 512, 4
#: Partitions that a search probes, and candidates per requested entry, whose cosines are then exact.
_PROBES, _REFINE = 10, 5

#: Paths in one SQL expression.
_PATHS_AT_ONCE = 1000
#: Age up to which versions of the tables are kept for their readers.
_KEEP = timedelta(hours=1)


class Library:
    """Embedded shapes; made by ``create`` or ``open``.

    One process at a time writes, within ``writing``; any number may read meanwhile and see each commit at once.

    Attributes:
        path: Path of the folder.
        model_name: Name of the model that embedded the shapes.
        fingerprint: Fingerprint of its embedding, as of ``fingerprint_embedding``.
        dim: Dimension D of the vectors.
        labels: Vocabulary of the labels.
    """

    def __init__(self, path: Path, database: Any) -> None:
        self.path = path
        self._database = database
        self._shapes = database.open_table(_SHAPES)
        self._failures = database.open_table(_FAILURES)
        self._read_metadata()

    @classmethod
    def create(cls, path: str | Path, model: Recogniser) -> Library:
        """Create an empty library, whose labels are those of @everyday until ``use_labels`` changes them.

        Args:
            path: Folder that does not exist or is empty.
            model: Model that will embed the shapes; a head of it is ignored.

        Raises:
            DataError: The folder is a library already, holds other files, or another process writes to it.
            OptionError: LanceDB is not installed.
        """
        path = Path(path)
        foreign = {each.name for each in path.iterdir()} - _OWN if path.is_dir() else set()
        if foreign:
            raise DataError(f"{path}: is a folder with other files ({min(foreign)}): expected a new or empty one")
        database = _connect(path)
        with _only_writer(path):
            if is_library(path):
                raise DataError(f"{path}: is a library already; open it, or choose another folder")
            # In this order: a folder with a table of shapes is a library, so the other table must exist by then.
            database.create_table(_FAILURES, schema=_failures_schema(), exist_ok=True)
            _create_shapes(
                database,
                {
                    "format": _FORMAT,
                    "model": make_absolute(model.without_head().name),
                    "fingerprint": fingerprint_embedding(model),
                    "dim": model.backbone.dim,
                    "labels": list(EVERYDAY),
                },
            )
        return cls(path, database)

    @classmethod
    def open(cls, path: str | Path) -> Library:
        """Open a library.

        Raises:
            DataError: The folder is no library, or a damaged one, or of a newer version.
            OptionError: LanceDB is not installed.
        """
        path = Path(path)
        if not is_library(path):
            raise DataError(f"{path}: is no library: make one with 'clip2point index FOLDER --db {path}'")
        try:
            return cls(path, _connect(path))
        except (ValueError, OSError, RuntimeError) as error:
            raise DataError(f"{path}: is damaged ({reason(error)}): index its folders again into another") from error

    @classmethod
    def open_or_create(cls, path: str | Path, model: Recogniser) -> Library:
        """Open a library with the model's embedding, or create it.

        Raises:
            ModelError: The library has another embedding.
            DataError: The folder cannot be opened or created, as for ``open`` and ``create``.
        """
        if not is_library(Path(path)):
            return cls.create(path, model)
        library = cls.open(path)
        library.check_model(model)
        return library

    def check_model(self, model: Recogniser) -> None:
        """Check that vectors of a model can be compared with those of the library.

        Raises:
            ModelError: The embeddings differ; the message names both models.
        """
        if fingerprint_embedding(model) != self.fingerprint:
            raise ModelError(
                f"{self.path}: its vectors are of the model {self.model_name}, and those of {model.name} with these "
                f"settings cannot be compared with them; use --model {self.model_name} as it was then, or index into "
                "another library"
            )

    def __len__(self) -> int:
        return int(self._shapes.count_rows())

    def failures(self) -> list[tuple[str, str]]:
        """Return path and error of each file that could not be read, sorted by path."""
        return sorted((path, error) for path, _, error in self.failure_rows())

    def get(self, path: str) -> Entry | None:
        """Return the entry of a file by its absolute path, or None."""
        return next(self._entries(f"path = {_quote_sql(path)}"), None)

    def get_many(self, paths: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of files by their absolute paths; files without an entry are left out."""
        return {entry.path: entry for chunk in _chunks(paths) for entry in self._entries(_among(chunk))}

    def entries(
        self, where: str | None = None, columns: Sequence[str] | None = None, batch: int = 1024
    ) -> Iterator[Entry]:
        """Yield entries, in no particular order.

        Args:
            where: Condition over the columns, as of ``check_condition``, or None for all entries.
            columns: Names of ``COLUMNS`` to read, or None for all; the other fields of the entries are empty.
            batch: Number of rows in memory at a time.

        Raises:
            OptionError: The condition or a column is invalid.
        """
        yield from self._entries(check_condition(where, KINDS) if where is not None else None, columns, batch)

    def _entries(self, where: str | None, columns: Sequence[str] | None = None, batch: int = 1024) -> Iterator[Entry]:
        """Yield entries that meet a condition in SQL."""
        for rows in self._scan(where, COLUMNS if columns is None else columns, batch):
            yield from from_batch(rows)

    def vectors(self) -> tuple[list[str], Float32]:
        """Return sorted paths and their vectors [N, D]."""
        paths: list[str] = []
        blocks = [np.empty((0, self.dim), np.float32)]
        for rows in self._scan(None, ("path", "vector"), 8192):
            paths += rows.column("path").to_pylist()
            blocks.append(to_vectors(rows.column("vector")))
        order = sorted(range(len(paths)), key=paths.__getitem__)
        return [paths[index] for index in order], np.concatenate(blocks)[order]

    def nearest(self, vector: Float32, top: int, where: str | None = None) -> list[tuple[Entry, float]]:
        """Find the entries nearest to a vector.

        The search is exact among up to ``EXACT`` entries that meet the condition; beyond, the vector index is used,
        which misses some.

        Args:
            vector: [D] vector of any norm.
            top: Largest number of entries, at least 1.
            where: Condition over the columns, as of ``check_condition``, or None for all entries.

        Returns:
            Entries without their vectors, with their cosines, the nearest first, ties by path.

        Raises:
            OptionError: An argument is invalid.
        """
        query = np.asarray(vector, np.float32)
        length = float(np.linalg.norm(query))
        if query.shape != (self.dim,) or not 0 < length < np.inf or top < 1:
            raise OptionError(
                f"got a vector {list(query.shape)} of norm {length:g}, top {top}: expected [{self.dim}], a norm "
                "above 0, top from 1"
            )
        where = None if where is None else check_condition(where, KINDS)
        search = self._shapes.search(query / length, vector_column_name="vector").distance_type("dot")
        # Each column takes time to fetch, and the cosine makes the vector superfluous.
        search = search.select([*(name for name in COLUMNS if name != "vector"), "_distance"]).limit(top)
        with self._clear_errors(where):
            if where is not None:
                search = search.where(where)
            if self._shapes.count_rows(where) <= EXACT:
                search = search.bypass_vector_index()
            else:
                search = search.nprobes(_PROBES).refine_factor(_REFINE)
            rows = search.to_arrow()
        scores = [1 - distance for distance in rows.column("_distance").to_pylist()]
        entries = [entry for batch in rows.to_batches() for entry in from_batch(batch)]
        return sorted(zip(entries, scores, strict=True), key=lambda pair: (-pair[1], pair[0].path))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out while the block runs; the methods below are called within it.

        Raises:
            DataError: Another run is writing.
        """
        with _only_writer(self.path):
            yield

    def use_labels(self, labels: Sequence[str]) -> None:
        """Set the vocabulary of the labels.

        Raises:
            OptionError: The labels are invalid, or differ from those that entries have already.
        """
        names = check_labels(labels)
        if names == self.labels:
            return
        if len(self):
            raise OptionError(
                f"{self.path}: its entries have labels from another vocabulary, of {len(self.labels)} names that begin "
                f"with {self.labels[0]!r}; leave out --labels, or index into another library"
            )
        self._shapes = _create_shapes(self._database, {**self._metadata, "labels": names}, mode="overwrite")
        self._read_metadata()

    def put(self, entries: Sequence[Entry], gone: Iterable[str] = ()) -> None:
        """Write entries and remove others, in one commit.

        Args:
            entries: New entries, which replace those of the same paths.
            gone: Paths of entries to remove, none of them among ``entries``.
        """
        table = to_table(entries, self._shapes.schema)
        merge = self._shapes.merge_insert("path").when_matched_update_all().when_not_matched_insert_all()
        if paths := list(gone):
            merge = merge.when_not_matched_by_source_delete(_among(paths))
        with self._clear_errors():
            merge.execute(table)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove entries."""
        with self._clear_errors():
            _delete(self._shapes, paths)

    def failure_rows(self) -> list[tuple[str, str, str]]:
        """Return path, hash and error of each file that could not be read."""
        rows = self._failures.to_arrow().to_pylist()
        return [(row["path"], row["hash"], row["error"]) for row in rows]

    def put_failures(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Write failures, as ``failure_rows`` returns them, over those of the same paths."""
        import pyarrow as pa

        if not rows:
            return
        table = pa.Table.from_pylist(
            [dict(zip(("path", "hash", "error"), row, strict=True)) for row in rows], schema=_failures_schema()
        )
        merge = self._failures.merge_insert("path").when_matched_update_all().when_not_matched_insert_all()
        with self._clear_errors():
            merge.execute(table)

    def remove_failures(self, paths: Iterable[str]) -> None:
        """Remove failures."""
        with self._clear_errors():
            _delete(self._failures, paths)

    def tidy(self) -> None:
        """Join small files, drop old versions, and update the indexes, or create them once they pay."""
        from lancedb.index import BTree, IvfSq

        with self._clear_errors():
            for table in (self._shapes, self._failures):
                table.optimize(cleanup_older_than=_KEEP)
            if len(self) <= EXACT:
                return
            # Each part holds what one run added and is looked into by every search.
            parts = {index.name: self._shapes.index_stats(index.name) for index in self._shapes.list_indices()}
            if "path" not in parts:
                self._shapes.create_index("path", config=BTree(), name="path")
            if "vector" not in parts or parts["vector"].num_indices > _PARTS:
                # With a number of partitions instead of their size, the next optimize would join most of them.
                config = IvfSq(distance_type="dot", target_partition_size=_PARTITION)
                self._shapes.create_index("vector", config=config, name="vector")

    def _scan(self, where: str | None, columns: Sequence[str], batch: int) -> Iterator[pa.RecordBatch]:
        if unknown := set(columns) - set(COLUMNS):
            raise OptionError(f"no column {min(unknown)!r}: expected some of {', '.join(COLUMNS)}")
        search = self._shapes.search().select(list(columns))
        with self._clear_errors(where):
            if where is not None:
                search = search.where(where)
            yield from search.to_batches(batch)

    @contextmanager
    def _clear_errors(self, where: str | None = None) -> Iterator[None]:
        """Turn errors of LanceDB about a condition or the disk into one sentence."""
        try:
            yield
        except (ValueError, RuntimeError, OSError) as error:
            if where is None:
                raise DataError(f"{self.path}: cannot be read or written ({reason(error)}): check the disk") from error
            said = reason(error).removeprefix("Invalid input, ").partition(" Valid fields are")[0].rstrip(".")
            raise OptionError(
                f"the condition {where!r} makes no sense ({said}): expected SQL over {', '.join(COLUMNS)}"
            ) from error

    def _read_metadata(self) -> None:
        found = json.loads((self._shapes.schema.metadata or {}).get(_METADATA, b"{}"))
        if found.get("format") != _FORMAT:
            raise DataError(
                f"{self.path}: is a library of format {found.get('format')}, and this program knows {_FORMAT}; update "
                "clip2point"
            )
        self._metadata: dict[str, Any] = found
        self.model_name: str = found["model"]
        self.fingerprint: str = found["fingerprint"]
        self.dim: int = found["dim"]
        self.labels: list[str] = found["labels"]


def is_library(path: Path) -> bool:
    """Return True if a folder is a library, without opening it."""
    return any((path / f"{_SHAPES}.lance" / "_versions").glob("*.manifest"))


#: Files that a killed ``Library.create`` leaves.
_OWN = {_LOCK, f"{_SHAPES}.lance", f"{_FAILURES}.lance"}


def _connect(path: Path) -> Any:
    try:
        import lancedb
    except ImportError:
        raise OptionError("LanceDB is not installed: run pip install 'clip2point[search]'") from None
    path.mkdir(parents=True, exist_ok=True)
    return lancedb.connect(path, read_consistency_interval=timedelta(0))


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    try:
        with hold_lock(path / _LOCK):
            yield
    except BlockingIOError:
        raise DataError(f"{path}: another run is writing to this library; wait until it has ended") from None


def _create_shapes(database: Any, metadata: dict[str, Any], mode: str = "create") -> Any:
    schema = make_schema(metadata["dim"], {_METADATA.decode(): json.dumps(metadata)})
    return database.create_table(_SHAPES, schema=schema, mode=mode)


def _failures_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("path", "hash", "error")])


def _delete(table: Any, paths: Iterable[str]) -> None:
    for chunk in _chunks(paths):
        table.delete(_among(chunk))


def _chunks(paths: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(paths)
    while chunk := list(islice(remaining, _PATHS_AT_ONCE)):
        yield chunk


def _among(paths: Iterable[str]) -> str:
    return f"path IN ({', '.join(map(_quote_sql, paths))})"


def _quote_sql(text: str) -> str:
    """Return text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
