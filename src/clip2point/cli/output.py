"""What commands print: tables and JSON on stdout, progress and remarks on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

#: Width of tables where stdout is no terminal: wide enough for paths.
_PIPE_WIDTH = 140
#: Seconds between two lines of progress where stderr is no terminal.
_LINE_SECONDS = 30


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print a table.

    Args:
        columns: Headings.
        rows: Rows with one cell for each column; anything with a ``str``.
        right: Headings of the columns to align right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    with console.capture() as printed:
        console.print(table)
    # Not by rich itself, which ends the program with another status if nobody reads what is printed.
    print(printed.get(), end="")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def remark(text: str) -> None:
    """Print a remark on stderr, beside the result."""
    print(text, file=sys.stderr)


def tell_passed_over(paths: Iterable[Any]) -> None:
    """Print a remark on the files of folders that are of formats which are not read, if there are any.

    Args:
        paths: Files, folders and names of data sets, of which folder:PATH is a folder.
    """
    from clip2point.shapes.passed_over import describe_passed_over

    if said := describe_passed_over(str(path).removeprefix("folder:") for path in paths):
        remark(said)


def list_failures(failures: Sequence[tuple[str, str]], total: int) -> None:
    """Print the errors of the inputs that failed.

    Args:
        failures: Name and error of each; the error names the input.
        total: Number of all inputs.
    """
    if failures:
        remark(f"\n{len(failures)} of {total} could not be read:")
        for _, error in failures:
            remark(f"  {error}")


def list_notes(notes: Iterable[tuple[str, str]]) -> None:
    """Print notes, the same one of several inputs once.

    Args:
        notes: Name of the input and its note.
    """
    sources: dict[str, list[str]] = {}
    for source, note in notes:
        sources.setdefault(note, []).append(source)
    for note, named in sources.items():
        remark(f"note: {named[0] if len(named) == 1 else f'{len(named):,} files'}: {note}")


def progress(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Pass items through and show how many are done: a bar on stderr, or where it is no terminal, a line now and then.

    Args:
        items: Items of a task.
        description: Name of the task.
        total: Number of items.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = said = time.monotonic()
    hidden = not console.is_terminal or total < 2
    # Rows on a terminal go above the bar; those in a pipe must not be drawn into it.
    with Progress(
        *columns, console=console, transient=True, disable=hidden, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task(description, total=total)
        for done, item in enumerate(items):
            if not console.is_terminal and time.monotonic() - said > _LINE_SECONDS:
                said = time.monotonic()
                left = _spell_seconds((said - began) / done * (total - done)) if done else "unknown time"
                remark(f"{description}: {done:,} of {total:,}, {left} left")
            yield item
            bar.advance(task)


def _spell_seconds(seconds: float) -> str:
    """Return a duration as a person would say it: "40 s", "3 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress_of(description: str) -> Callable[[Iterable[Item], int], Iterator[Item]]:
    """Return ``progress`` with a description, as a ``Progress`` callback."""
    return lambda items, total: progress(items, description, total)
