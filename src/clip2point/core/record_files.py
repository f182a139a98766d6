"""Files of records that grow line by line, as JSON lines or CSV, and go on after an interruption."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from clip2point.core.errors import OptionError
from clip2point.core.files import replacing

Record = dict[str, Any]

#: Endings of files of records.
ENDINGS = (".jsonl", ".csv")


def format_json(record: Mapping[str, Any]) -> str:
    r"""Return a record as one line of JSON, with its line break.

    Examples:
        >>> format_json({"source": "é.obj"})
        '{"source": "é.obj"}\n'
    """
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        line = json.dumps(record, allow_nan=False)
    return line + "\n"


def format_csv(values: Sequence[Any]) -> str:
    r"""Return values as one row of CSV, with its line break; None is an empty cell.

    Examples:
        >>> format_csv(["a,b.obj", None, 0.5])
        '"a,b.obj",,0.5\n'
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


class RecordFile:
    """A file to which records are appended, one line each; every line is handed to the system at once.

    Beside it lies ``NAME.meta.json`` with the question that its records answer, so that no other one is appended.

    Args:
        path: File that ends in .jsonl or .csv.
        question: All that the records depend on besides their inputs, as JSON types.
        columns: Columns of a CSV file, keys of the records.
        resume: True to go on with a file of an earlier run; a half-written last line of it is dropped.

    Attributes:
        known: Records of earlier runs, from CSV with texts for values.

    Raises:
        OptionError: The file exists and is not to be resumed, answers another question, or another process writes it.
        OSError: The file cannot be written.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "answers.jsonl")
        >>> with RecordFile(path, {"labels": ["chair"]}, ("source",)) as file:
        ...     file.write({"source": "a.obj"})
        >>> with RecordFile(path, {"labels": ["chair"]}, ("source",), resume=True) as file:
        ...     file.known
        [{'source': 'a.obj'}]
    """

    def __init__(
        self, path: Path, question: Mapping[str, Any], columns: Sequence[str], *, resume: bool = False
    ) -> None:
        self.path, self._columns, self._question = path, tuple(columns), json.loads(json.dumps(question))
        self._meta = path.with_name(f"{path.name}.meta.json")
        self.known: list[Record] = []
        with ExitStack() as stack:
            self._lock(stack)
            self._begin(resume)
            self._held = stack.pop_all()

    def _lock(self, stack: ExitStack) -> None:
        """Keep other processes out, until the stack is closed."""
        from clip2point.core.locks import hold_lock

        lock = self.path.with_name(f".{self.path.name}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(hold_lock(lock))
        except BlockingIOError:
            raise OptionError(
                f"{self.path}: another process is writing to it: wait for it, or give another file"
            ) from None
        stack.callback(lock.unlink, missing_ok=True)

    def _begin(self, resume: bool) -> None:
        """Read what there is, or begin anew, and open the file."""
        path = self.path
        if path.exists():
            if not resume:
                raise OptionError(f"{path}: exists: expected a new file; go on with it by --resume, or delete it")
            self._check_question()
            self.known, whole = self._read()
            if not whole:
                self.rewrite(self.known)
        else:
            text = json.dumps({"question": self._question}, indent=1)
            with replacing(self._meta) as unfinished:
                unfinished.write_text(text, encoding="utf-8")
        self._file: IO[str] = path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
        if self._is_csv and not self._file.tell():
            self._append(format_csv(self._columns))

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._held.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record; it survives the end of this process, however that ends."""
        self._append(self._format(record))

    def rewrite(self, records: Sequence[Record]) -> None:
        """Replace the whole content, before the first record is appended."""
        lines = [format_csv(self._columns)] if self._is_csv else []
        text = "".join([*lines, *map(self._format, records)])
        with replacing(self.path) as unfinished:
            unfinished.write_bytes(text.encode("utf-8", "surrogateescape"))
        self.known = list(records)
        if hasattr(self, "_file"):
            self._file.close()
            self._file = self.path.open("a", encoding="utf-8", errors="surrogateescape", newline="")

    def remove(self) -> None:
        """Close and delete the file, and its question."""
        self._file.close()
        self.path.unlink(missing_ok=True)
        self._meta.unlink(missing_ok=True)

    @property
    def _is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def _format(self, record: Mapping[str, Any]) -> str:
        return format_csv([record.get(name) for name in self._columns]) if self._is_csv else format_json(record)

    def _append(self, line: str) -> None:
        self._file.write(line)
        self._file.flush()

    def _check_question(self) -> None:
        """Raise OptionError unless the file was begun with the same question."""
        try:
            former = json.loads(self._meta.read_text(encoding="utf-8"))["question"]
        except FileNotFoundError:
            raise OptionError(
                f"{self.path}: has no {self._meta.name} beside it, which says what it answers; give another file"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise OptionError(f"{self._meta}: is damaged; give another file for the answers") from None
        names = {*former, *self._question}
        if other := sorted(name for name in names if former.get(name) != self._question.get(name)):
            raise OptionError(
                f"{self.path}: answers a question with another {', '.join(other)}: ask that one, or give another file"
            )

    def _read(self) -> tuple[list[Record], bool]:
        """Return the records that are whole, and whether that is all that the file holds."""
        text = self.path.read_bytes().decode("utf-8", "surrogateescape")
        end = text.rfind("\n") + 1
        records, whole = (self._parse_csv if self._is_csv else self._parse_json)(text[:end])
        return records, whole and end == len(text)

    def _parse_json(self, text: str) -> tuple[list[Record], bool]:
        lines = text.split("\n")[:-1]
        records: list[Record] = []
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                self._refuse(number, len(lines))
                return records, False
            records.append(record)
        return records, True

    def _parse_csv(self, text: str) -> tuple[list[Record], bool]:
        rows, whole = [], True
        try:
            for row in csv.reader(io.StringIO(text, newline=""), strict=True):
                rows.append(row)
        except csv.Error:
            whole = False
        if not rows:
            return [], not text
        if tuple(rows[0]) != self._columns:
            raise OptionError(f"{self.path}: has other columns than this version writes; give another file")
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != len(self._columns):
                self._refuse(number, len(rows))
                rows, whole = rows[: number - 1], False
                break
        return [dict(zip(self._columns, row, strict=True)) for row in rows[1:]], whole

    def _refuse(self, number: int, last: int) -> None:
        """Raise OptionError for a damaged line that an interruption does not explain, being not the last."""
        if number < last:
            raise OptionError(
                f"{self.path}: line {number} is damaged: expected one that this program wrote; give another file"
            )
