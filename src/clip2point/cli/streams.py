"""Answers as they come: rows on stdout or in a file that can be resumed, and a quiet end when a run is cut short."""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.core.errors import OptionError
from clip2point.core.record_files import Record, RecordFile, format_csv, format_json

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.model.adapted_head import AdaptedHead

#: Most characters of a column of a table; longer cells shift the rest of their row.
_WIDEST = 60


class Terminated(KeyboardInterrupt):
    """SIGTERM: like Ctrl-C, with another exit status.

    Attributes:
        status: Exit status, as shells count.
    """

    status = 128 + signal.SIGTERM


@contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block by ``Terminated``, so that what was begun is cleaned up."""

    def end(number: int, frame: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add ``--resume``."""
    parser.add_argument(
        "--resume", action="store_true", help="go on where the file of --out ends, under the same settings"
    )


def print_line(text: str) -> None:
    """Print a line that has its line break, and hand it to whoever reads at once."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # a file name that is not UTF-8, or a terminal that is not
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


class PrintedRecords:
    """Records on stdout, as JSON lines or CSV.

    Args:
        columns: Columns of CSV, or None for JSON lines.
    """

    def __init__(self, columns: Sequence[str] | None) -> None:
        self._columns = columns
        if columns is not None:
            print_line(format_csv(columns))

    def write(self, record: Mapping[str, Any]) -> None:
        """Print a record."""
        line = format_json(record) if self._columns is None else format_csv([record.get(key) for key in self._columns])
        print_line(line)


class PrintedTable:
    """A table whose rows are printed one by one; the width of each column is fixed before.

    Args:
        columns: Headings with the number of characters that cells are expected to have; negative to align right.
    """

    def __init__(self, columns: Mapping[str, int]) -> None:
        self._widths = [
            (1 if width > 0 else -1) * max(min(abs(width), _WIDEST), len(name)) for name, width in columns.items()
        ]
        self._heading: Sequence[str] | None = tuple(columns)

    def write(self, cells: Sequence[str]) -> None:
        """Print a row, below the headings if it is the first."""
        if self._heading is not None:
            rule = "─" * (sum(map(abs, self._widths)) + 2 * len(self._widths) - 2)
            print_line(f"\n{self._format(self._heading)}{rule}\n")
            self._heading = None
        print_line(self._format(cells))

    def _format(self, cells: Sequence[str]) -> str:
        shown = ("".join(letter if letter.isprintable() else "�" for letter in cell) for cell in cells)
        padded = [
            cell.ljust(width) if width > 0 else cell.rjust(-width)
            for cell, width in zip(shown, self._widths, strict=True)
        ]
        return "  ".join(padded).rstrip() + "\n"


def list_open(file: RecordFile, sources: Iterable[Path], hash_content: Callable[[str], str]) -> list[Path]:
    """Return the inputs that a file of records does not answer yet.

    Records of inputs that have changed since, or could not be read then, are taken out of the file.

    Args:
        file: File with ``source`` and ``content`` in its records.
        sources: Inputs, in order; one that stands twice is answered twice.
        hash_content: Function from a path to the hash of its content.
    """
    wanted = list(sources)
    known: dict[str, list[Record]] = {}
    for record in file.known:
        known.setdefault(record.get("source", ""), []).append(record)
    contents = {source: hash_content(source) for source in {str(path) for path in wanted} & known.keys()}

    def is_valid(record: Record) -> bool:
        now = contents.get(record.get("source", ""))
        return now is None or (bool(now) and not record.get("error") and record.get("content") == now)

    kept = [record for record in file.known if is_valid(record)]
    if len(kept) < len(file.known):
        file.rewrite(kept)
    left = Counter(record.get("source", "") for record in kept)
    remaining = []
    for path in wanted:
        if left[str(path)] > 0:
            left[str(path)] -= 1
        else:
            remaining.append(path)
    return remaining


def check_out(path: Path | None, endings: Sequence[str], resume: bool) -> None:
    """Raise OptionError if a file to write to has an unknown ending, or is missing where one is needed."""
    if path is None:
        if resume:
            raise OptionError("--resume: expected the file to go on with; give it by --out FILE")
    elif path.suffix.lower() not in endings:
        raise OptionError(f"--out {path}: expected a name that ends in {' or '.join(endings)}")


def describe_model(model: Recogniser) -> dict[str, Any]:
    """Return all of a model that its answers depend on, as JSON types."""
    from clip2point.core.version import __version__
    from clip2point.search.identity import fingerprint_embedding

    return {
        "version": __version__,
        "model": model.name,
        "towers": fingerprint_embedding(model),
        "head": ("adapter" if model.adapter is not None else None)
        if model.adapted is None
        else _hash_head(model.adapted),
        "dtype": str(model.backbone.dtype),
        "settings": model.settings.to_dict(),
    }


def _hash_head(adapted: AdaptedHead) -> str:
    """Return a hash of a fitted head with its classes and thresholds."""
    import numpy as np

    from clip2point.core.arrays import to_array
    from clip2point.core.cache import key_of

    digest = hashlib.sha256()
    arrays = {**adapted.head.state, **({} if adapted.ood is None else {"centroids": adapted.ood.centroids})}
    for name, value in sorted(arrays.items()):
        array = np.ascontiguousarray(to_array(value))
        digest.update(f"{name} {array.dtype} {array.shape};".encode() + array.tobytes())
    return key_of(
        {
            "arrays": digest.hexdigest(),
            "head": [adapted.head.name, json.loads(json.dumps(adapted.head.options, default=str))],
            "classes": list(adapted.classes),
            "thresholds": [adapted.temperature, adapted.threshold, adapted.ood and adapted.ood.threshold],
        }
    )
