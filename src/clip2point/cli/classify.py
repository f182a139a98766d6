"""``clip2point classify``: shapes by class names."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output, streams
from clip2point.core.record_files import ENDINGS, RecordFile

if TYPE_CHECKING:
    from clip2point.model import Classification, Failure, Recogniser
    from clip2point.report.view_folder import ViewFolder

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

#: Columns of CSV; JSON lines have all that ``--json`` has, and the last two.
COLUMNS = (
    *("source", "label", "confidence", "unknown", "in_distribution", "guesses", "up", "up_from", "points", "seed"),
    *("model", "notes", "content", "error"),
)


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "classify",
        help="classify shapes by class names of your choice",
        description="Classify shapes: print the class names that fit each file best.",
    )
    options.add_files(parser)
    options.add_prepare(parser)
    options.add_labels(parser, "class names to choose from (default: those that the model learned, or @everyday)")
    options.add_prompts(parser)
    parser.add_argument(
        "--top", type=options.positive, default=5, metavar="N", help="number of class names to show (default 5)"
    )
    parser.add_argument(
        "--unknown-below",
        type=options.fraction,
        metavar="C",
        help="confidence, 0 to 1, below which a shape is called unknown (default: the thresholds of confidence and of "
        "the OOD score that 'clip2point adapt' found for the model; else 0)",
    )
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print one JSON document at the end instead of a table")
    printed.add_argument("--jsonl", action="store_true", help="print JSON, a line for each file as soon as it is done")
    printed.add_argument("--csv", action="store_true", help="print CSV, a row for each file as soon as it is done")
    printed.add_argument(
        "--out", type=Path, metavar="FILE", help="write these lines or rows to a .jsonl or .csv file instead"
    )
    streams.add_resume(parser)
    parser.add_argument("--save-views", type=Path, metavar="DIR", help="folder for the depth maps that the model sees")
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Classify the files."""
    from clip2point.shapes import expand_folders

    streams.check_out(arguments.out, ENDINGS, arguments.resume)
    labels = options.get_labels(arguments)
    files = expand_folders(arguments.files)
    model = options.load_model(arguments)
    folder = _make_view_folder(arguments.save_views, model) if arguments.save_views else None
    if labels is None and model.adapted is None:
        output.remark(
            "No --labels given: choosing among the names of @everyday ('clip2point labels @everyday' lists them)."
        )
    told = frozenset(options.tell_labels(model, labels))
    document: list[Classification | Failure] = []
    with ExitStack() as stack:
        stack.enter_context(streams.end_on_sigterm())
        if arguments.json:
            failures = _answer(arguments, files, labels, model, lambda answer, _: document.append(answer), folder, told)
            _print_document(document)
        else:
            files, show = _open_output(arguments, stack, files, labels, model)
            failures = _answer(arguments, files, labels, model, show, folder, told)
            if arguments.out is not None:
                output.remark(f"{arguments.out}: {len(files):,} rows written, {failures:,} of them errors.")
    output.tell_passed_over(arguments.files)
    return 1 if failures else 0


def _make_view_folder(path: Path, model: Recogniser) -> ViewFolder:
    from clip2point.report.view_folder import ViewFolder

    return ViewFolder(path, model.views)


#: Function that shows an answer, given the hash of its file as it was before.
Show = Callable[["Classification | Failure", str], None]


def _open_output(
    arguments: argparse.Namespace, stack: ExitStack, files: list[Path], labels: list[str] | None, model: Recogniser
) -> tuple[list[Path], Show]:
    """Return the files that are not answered yet, and what shows their answers."""
    from clip2point.shapes.contents import hash_content

    if arguments.out is not None:
        question = _describe_question(arguments, labels, model)
        file = stack.enter_context(RecordFile(arguments.out, question, COLUMNS, resume=arguments.resume))
        remaining = streams.list_open(file, files, hash_content)
        if arguments.resume:
            output.remark(f"{arguments.out}: {len(files) - len(remaining):,} of {len(files):,} files are answered.")
        csv = arguments.out.suffix.lower() == ".csv"
        return remaining, lambda answer, content: file.write(_to_record(answer, content, csv))
    if arguments.jsonl or arguments.csv:
        printed = streams.PrintedRecords(COLUMNS if arguments.csv else None)
        return files, lambda answer, content: printed.write(_to_record(answer, content, arguments.csv))
    return files, _show_table(files, labels or [], arguments.top)


def _answer(
    arguments: argparse.Namespace,
    files: Sequence[Path],
    labels: list[str] | None,
    model: Recogniser,
    show: Show,
    folder: ViewFolder | None,
    told: frozenset[str],
) -> int:
    """Classify files and show each answer at once, with the notes not told before; return the number of failures."""
    from clip2point.model import Failure
    from clip2point.shapes.contents import hash_content

    contents: list[str] = []

    def note_contents() -> Iterator[Path]:
        for path in files:  # hashed before it is read: a file that changes meanwhile is asked again by --resume
            contents.append(hash_content(str(path)) if with_contents else "")
            yield path

    with_contents = bool(arguments.out or arguments.jsonl or arguments.csv)
    failures: list[tuple[str, str]] = []
    saved = False
    notes: list[tuple[str, str]] = []
    answers: Iterable[Classification | Failure] = model.classify_many(
        note_contents(),
        labels,
        up=arguments.up,
        prepare=arguments.prepare,
        top=arguments.top,
        seed=arguments.seed,
        unknown_below=arguments.unknown_below,
        keep_views=folder is not None,
    )
    try:
        for number, answer in enumerate(output.progress(answers, "Classifying", len(files))):
            if isinstance(answer, Failure):
                failures.append((answer.source, answer.error))
            elif folder is not None and answer.depth is not None:
                folder.add(Path(answer.source), answer.depth, f"{answer.verdict} {answer.confidence:.0%}")
                saved = True
            show(answer, contents[number])
            if not isinstance(answer, Failure):
                # A guessed up-axis has its mark in the table.
                own = answer.notes[:-1] if answer.up_from == "guessed" else answer.notes
                notes += [(answer.source, note) for note in own if note not in told]
    finally:
        if folder is not None and saved:
            output.remark(f"Depth maps: {folder.finish()}")
        if not (arguments.json or with_contents):
            output.list_notes(notes)
        output.list_failures(failures, len(files))
    return len(failures)


def _describe_question(arguments: argparse.Namespace, labels: list[str] | None, model: Recogniser) -> dict[str, Any]:
    """Return all that answers depend on besides the file, as JSON types."""
    return {
        "command": "classify",
        **streams.describe_model(model),
        "labels": labels,
        "up": arguments.up,
        "prepare": arguments.prepare,
        "columns": arguments.columns,
        "seed": arguments.seed,
        "top": arguments.top,
        "unknown_below": arguments.unknown_below,
    }


def _to_record(answer: Classification | Failure, content: str, csv: bool) -> dict[str, Any]:
    """Return an answer as a line of a file; in CSV a cell of several entries is text."""
    record = {**answer.to_dict(), "content": content}
    record.setdefault("error", None)
    if csv and "guesses" in record:
        record["guesses"] = "; ".join(f"{guess['label']} {guess['confidence']:.4f}" for guess in record["guesses"])
        record["notes"] = "; ".join(record["notes"])
    return record


def _show_table(files: Sequence[Path], labels: Sequence[str], top: int) -> Show:
    """Return a function that prints answers as rows of a table; errors are listed at the end."""
    from clip2point.core.everyday import EVERYDAY
    from clip2point.core.labels import name_label
    from clip2point.model import Failure

    names = [name_label(label) for label in labels or EVERYDAY]
    label = max(map(len, names))
    also = (label + 5) * (min(top, len(names)) - 1)
    table = streams.PrintedTable(
        {"file": max(len(str(path)) for path in files), "label": label, "confidence": -10, "also": also, "up": 2}
    )

    def show(answer: Classification | Failure, content: str) -> None:
        if isinstance(answer, Failure):
            return
        guesses = ", ".join(f"{guess.label} {guess.confidence:.0%}" for guess in answer.guesses[1:])
        up = answer.up + ("?" if answer.up_from == "guessed" else "")
        table.write((answer.source, answer.verdict, f"{answer.confidence:.0%}", guesses, up))

    return show


def _print_document(answers: Sequence[Classification | Failure]) -> None:
    """Print answers as one JSON document."""
    from clip2point.model import Failure

    found = [answer.to_dict() for answer in answers if not isinstance(answer, Failure)]
    failures = [answer.to_dict() for answer in answers if isinstance(answer, Failure)]
    output.print_json({"results": found, "failures": failures})
