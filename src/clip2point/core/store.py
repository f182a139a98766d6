"""The store: many small results, such as the features of one shape, in one SQLite file beside the cached arrays.

An entry is found by a hash of everything that it depends on, as in ``cache``. Several processes may read and write at
once. Nothing depends on the store: where it cannot be read or written, it is off for the rest of the process, with one
line that says so, and results are computed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from clip2point.core.cache import cache_folder, key_of, warn_once
from clip2point.core.cache_limit import read_limit

try:
    import sqlite3
except ImportError:  # builds of Python without it exist
    HAS_SQLITE = False
else:
    HAS_SQLITE = True

#: The number is that of the layout.
FILE = "store-1.sqlite"

_LAYOUT = """
CREATE TABLE IF NOT EXISTS entries (kind TEXT NOT NULL, key BLOB NOT NULL, used INTEGER NOT NULL, value BLOB NOT NULL,
    size INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS by_key ON entries (kind, key);
CREATE INDEX IF NOT EXISTS by_use ON entries (used, size, kind);
"""
#: Keys of one query; SQLite takes at least 999.
_KEYS = 500
#: Seconds that a use is remembered by, so that reading seldom writes.
_HOUR = 3600
#: Seconds to wait for another writer.
_PATIENCE = 20.0
#: Bytes written between two looks at the size.
_LOOK = 32 * 1024**2
#: Part of the limit that is left after entries were deleted.
_KEPT = 0.9


def make_base(parts: Mapping[str, Any]) -> bytes:
    """Return the part that keys of many entries have in common: a hash of what all of them depend on, as JSON types."""
    return key_of(parts).encode()


def make_key(base: bytes, *contents: bytes) -> bytes:
    """Return the key of an entry.

    Args:
        base: Common part, as of ``make_base``.
        contents: Bytes that it depends on as well.

    Examples:
        >>> base = make_base({"seed": 0})
        >>> make_key(base, b"points") == make_key(base, b"points")
        True
        >>> make_key(base, b"a", b"") == make_key(base, b"", b"a")
        False
    """
    digest = hashlib.blake2b(base, digest_size=16)
    for content in contents:
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.digest()


class Store:
    """Entries in a file; see the module.

    Args:
        path: File; it is made when the first entry is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._off = read_limit() == 0 or not HAS_SQLITE
        if not HAS_SQLITE:
            warn_once(ImportError("this Python was built without sqlite3"))
        self._written = _LOOK  # so that the first entry looks

    @property
    def is_on(self) -> bool:
        """Whether anything is kept: False with a limit of 0, and after a failure."""
        return not self._off

    def get_many(self, kind: str, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the entries that there are, by key.

        Args:
            kind: Kind of entry, for example "views".
            keys: Keys, as of ``make_key``.
        """
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, bytes] = {}
        with self._lock:
            if self._off or not (self._connection or self.path.exists()):
                return found
            try:
                connection = self._connect()
                old, now = [], int(time.time())
                for start in range(0, len(wanted), _KEYS):
                    part = wanted[start : start + _KEYS]
                    marks = ",".join("?" * len(part))
                    query = f"SELECT key, value, used FROM entries WHERE kind = ? AND key IN ({marks})"
                    for key, value, used in connection.execute(query, (kind, *part)):
                        found[key] = value
                        if used < now - _HOUR:
                            old.append((now, kind, key))
                if old:
                    with connection:
                        connection.executemany("UPDATE entries SET used = ? WHERE kind = ? AND key = ?", old)
            except (sqlite3.Error, OSError) as error:
                self._turn_off(error)
        return found

    def put_many(self, kind: str, entries: Mapping[bytes, bytes]) -> None:
        """Write entries, in place of earlier ones with their keys."""
        with self._lock:
            if self._off or not entries:
                return
            try:
                connection, now = self._connect(), int(time.time())
                rows = [(kind, key, now, value, len(value)) for key, value in entries.items()]
                with connection:
                    connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", rows)
                self._written += sum(map(len, entries.values()))
                if self._written > _LOOK:
                    self._written = 0
                    self.shrink(read_limit())
            except (sqlite3.Error, OSError) as error:
                self._turn_off(error)

    def count(self) -> dict[str, tuple[int, int]]:
        """Return how many entries there are of each kind, and their bytes."""
        with self._lock:
            if self._off or not self.path.exists():
                return {}
            try:
                query = "SELECT kind, COUNT(*), SUM(size) FROM entries INDEXED BY by_use GROUP BY kind"
                return {kind: (number, size) for kind, number, size in self._connect().execute(query)}
            except (sqlite3.Error, OSError) as error:
                self._turn_off(error)
                return {}

    def shrink(self, limit: int) -> None:
        """Delete the entries that were not used for longest, if all together have more bytes than the limit."""
        with self._lock:
            if self._off or not self.path.exists():
                return
            try:
                self._shrink(self._connect(), limit)
            except (sqlite3.Error, OSError) as error:
                self._turn_off(error)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def delete(self) -> None:
        """Delete the file with all entries."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, check_same_thread=False)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Set a connection up, and lay the file out if it is new."""
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        deadline = time.monotonic() + _PATIENCE
        while True:  # SQLite does not wait by itself while another process changes the mode
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.executescript(_LAYOUT)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _shrink(self, connection: sqlite3.Connection, limit: int) -> None:
        (size,) = connection.execute("SELECT COALESCE(SUM(size), 0) FROM entries INDEXED BY by_use").fetchone()
        if size <= limit:
            return
        excess, gone = size - int(limit * _KEPT), []
        for row, own in connection.execute("SELECT rowid, size FROM entries INDEXED BY by_use ORDER BY used"):
            if excess <= 0:
                break
            excess -= own
            gone.append((row,))
        with connection:
            connection.executemany("DELETE FROM entries WHERE rowid = ?", gone)
        connection.executescript("PRAGMA incremental_vacuum")  # by execute, only one page is given back
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _turn_off(self, error: Exception) -> None:
        """Do without the store from now on, and say so; another writer that takes long is no reason."""
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return
        self._off = True
        self.close()
        warn_once(error)


_stores: dict[tuple[int, Path], Store] = {}


def open_store() -> Store:
    """Return the store of the cache folder, one for each process and folder."""
    place = os.getpid(), cache_folder() / FILE
    if place not in _stores:
        _stores[place] = Store(place[1])
    return _stores[place]
