"""``clip2point embed``: shapes into vectors in a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output, streams
from clip2point.core.errors import OptionError
from clip2point.core.record_files import RecordFile

if TYPE_CHECKING:
    from clip2point.model import Recogniser

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_LINES = ".jsonl"
_ENDINGS = (_LINES, ".parquet", ".npz")


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "embed",
        help="write the vectors of shapes to a file",
        description="Embed shapes: write a unit vector for each file, with its name, path and notes. Where nothing "
        "declares the up-axis, y is assumed.",
    )
    options.add_files(parser)
    options.add_prepare(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file to write: .jsonl, .npz, or .parquet"
    )
    streams.add_resume(parser)
    options.add_model(parser)
    options.add_rendering(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Embed the files."""
    from clip2point.search.vector_files import check_writable, write_vectors
    from clip2point.shapes import expand_folders
    from clip2point.shapes.contents import hash_content

    out: Path = arguments.out
    streams.check_out(out, _ENDINGS, arguments.resume)
    lines = out.suffix.lower() == _LINES
    if not lines:
        check_writable(out)
        if out.exists():
            raise OptionError(f"{out}: exists: expected a new file; delete it, or give another --out")
    files = expand_folders(arguments.files)
    model = options.load_model(arguments).without_head()
    given = {name: getattr(arguments, name) for name in ("up", "prepare", "seed")}
    question = {"command": "embed", **streams.describe_model(model), **given}
    question["columns"] = arguments.columns
    growing = out if lines else out.with_name(out.name + ".part" + _LINES)
    # Of an interrupted run, the vectors of a file that cannot grow are found beside it.
    resume = arguments.resume and growing.exists()
    if not lines and growing.exists() and not resume:
        raise OptionError(f"{growing}: is left from an interrupted run: go on with it by --resume, or delete it")
    with streams.end_on_sigterm(), RecordFile(growing, question, (), resume=resume) as file:
        remaining = streams.list_open(file, files, hash_content)
        if arguments.resume:
            output.remark(f"{out}: {len(files) - len(remaining):,} of {len(files):,} files are embedded.")
        records = [*file.known]
        for record in _embed(model, remaining, arguments):
            file.write(record)
            records.append(record)
        if not lines:
            write_vectors(out, _sort(records, files), model.backbone.dim, question)
            file.remove()
    failures = [(record["source"], record["error"]) for record in records if record.get("error")]
    output.list_failures(failures, len(files))
    output.remark(f"{out}: {len(records) - len(failures):,} vectors of {model.backbone.dim} numbers")
    output.tell_passed_over(arguments.files)
    return 1 if failures else 0


def _embed(model: Recogniser, files: Sequence[Path], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the record of each file, with the hash that it had before it was read."""
    from clip2point.shapes.contents import hash_content

    contents: list[str] = []

    def note_contents() -> Iterator[Path]:
        for path in files:
            contents.append(hash_content(str(path)))
            yield path

    answers = model.embed_many(note_contents(), up=arguments.up, prepare=arguments.prepare, seed=arguments.seed)
    for number, answer in enumerate(output.progress(answers, "Embedding", len(files))):
        record = {**answer.to_dict(), "content": contents[number]}
        record.setdefault("error", None)
        yield record


def _sort(records: Sequence[dict[str, Any]], files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return records in the order of the files; a resumed run has those that were asked again last."""
    places: dict[str, list[int]] = {}
    for number, path in enumerate(files):
        places.setdefault(str(path), []).append(number)
    found = [(places[record["source"]].pop(0), record) for record in records if places.get(record["source"])]
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]
