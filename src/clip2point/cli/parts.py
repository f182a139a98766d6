"""``clip2point parts``: what is in a file, where, and how sure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import options, output, streams
from clip2point.core.errors import OptionError, ShapeError

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.scenes import Part, SceneParts
    from clip2point.shapes import Shape

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

#: Columns of CSV.
COLUMNS = (
    *("source", "number", "name", "path", "kind", "label", "confidence", "unknown", "elements", "x", "y", "z"),
    *("size_x", "size_y", "size_z", "fits"),
)
#: Rows of a table; the rest is counted.
_MOST_ROWS = 200


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "parts",
        help="split files into parts or things, and name them",
        description="Split each file into parts and name them: the nodes that it has itself, the pieces of a mesh, or "
        "the things on a table or floor that a scan shows.",
    )
    options.add_files(parser)
    options.add_labels(parser, "class names to choose from (default: those that the model learned, or @everyday)")
    parser.add_argument(
        "--find", action="append", default=[], metavar="TEXT", help="show the parts that fit a phrase, best first"
    )
    parser.add_argument("--no-names", action="store_true", help="split only, without a model")
    parser.add_argument(
        "--unknown-below", type=options.fraction, metavar="C", help="confidence below which a part is called unknown"
    )
    parser.add_argument("--top", type=options.positive, default=5, metavar="N", help="guesses to keep (default 5)")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    printed.add_argument("--csv", action="store_true", help="print CSV, a row for each part")
    files = parser.add_argument_group("files (of one input)")
    files.add_argument(
        "--instances",
        type=Path,
        metavar="FILE",
        help="write the part of each point or face, -1 for none, to a .npy file",
    )
    files.add_argument(
        "--colored",
        type=Path,
        metavar="FILE",
        help="write the file in the colours of its parts: .ply, of meshes or .glb",
    )
    files.add_argument("--split", type=Path, metavar="DIR", help="write each part as a file of its own")
    files.add_argument(
        "--report", type=Path, metavar="FILE", help="write a picture with all parts and their names: .png"
    )
    options.add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Split the files, and name what was found."""
    from clip2point.scenes import find_parts, merge_by_names, name_parts
    from clip2point.shapes import expand_folders, load_shape

    files = expand_folders(arguments.files)
    _check(arguments, files)
    labels = options.get_labels(arguments)
    model: Recogniser | None = None if arguments.no_names else options.load_model(arguments)
    if model is not None and labels is None and model.adapted is None:
        output.remark(
            "No --labels given: choosing among the names of @everyday ('clip2point labels @everyday' lists them)."
        )
    told = () if model is None else options.tell_labels(model, labels)
    csv = streams.PrintedRecords(COLUMNS) if arguments.csv else None
    failures: list[tuple[str, str]] = []
    document: list[SceneParts] = []
    notes: list[tuple[str, str]] = []
    for path in output.progress(files, "Splitting", len(files)):
        try:
            shape = load_shape(path, up=arguments.up, columns=arguments.columns)
            found = find_parts(shape, seed=arguments.seed)
        except ShapeError as error:
            failures.append((str(path), str(error)))
            continue
        if model is not None:
            found = merge_by_names(model, shape, found, seed=arguments.seed)
            found = name_parts(
                model,
                shape,
                found,
                labels,
                find=arguments.find,
                top=arguments.top,
                seed=arguments.seed,
                unknown_below=arguments.unknown_below,
                progress=output.progress_of("Naming"),
            )
        _write(arguments, shape, found)
        notes += [(found.source, note) for note in found.notes]
        found = replace(found, notes=(*told, *found.notes))
        if csv is not None:
            for part in found.parts:
                csv.write(_to_row(found.source, part))
        elif arguments.json:
            document.append(found)
        else:
            _print(found, arguments.find)
    if arguments.json:
        failed = [{"source": source, "error": error} for source, error in failures]
        output.print_json({"results": [found.to_dict() for found in document], "failures": failed})
    else:
        output.list_notes(notes)
    output.list_failures(failures, len(files))
    return 1 if failures else 0


def _check(arguments: argparse.Namespace, files: Sequence[Path]) -> None:
    """Refuse what cannot be done before anything is read."""
    for name, ending in (("instances", ".npy"), ("colored", None), ("split", None), ("report", ".png")):
        path: Path | None = getattr(arguments, name)
        if path is None:
            continue
        if len(files) > 1:
            raise OptionError(f"--{name} is for one file, got {len(files)}: call it once for each")
        if ending is not None and path.suffix.lower() != ending:
            raise OptionError(f"--{name} {path}: expected a name that ends with {ending}")
    if arguments.no_names and (arguments.find or arguments.labels or arguments.labels_file):
        raise OptionError("--no-names asks no model: leave it out, or leave out --find and --labels")


def _write(arguments: argparse.Namespace, shape: Shape, found: SceneParts) -> None:
    """Write the files that were asked for."""
    from clip2point.scenes.exports import write_colored, write_parts

    if arguments.instances is not None:
        import numpy as np

        from clip2point.core.files import replacing

        with replacing(arguments.instances) as temporary, temporary.open("wb") as file:
            np.save(file, found.instances)
        output.remark(f"{arguments.instances}: {len(found.instances):,} numbers of parts")
    if arguments.colored is not None:
        legend = write_colored(arguments.colored, shape, found)
        output.remark(f"{arguments.colored}: coloured by part; legend: {legend}")
    if arguments.split is not None:
        output.remark(f"{arguments.split}: {len(write_parts(arguments.split, shape, found)):,} files")
    if arguments.report is not None:
        from clip2point.report.parts_sheet import write_parts_sheet

        write_parts_sheet(arguments.report, shape, found)
        output.remark(f"{arguments.report}: pictures of the parts")


def _print(found: SceneParts, phrases: Sequence[str]) -> None:
    """Print what is in a file: a line for each kind, or for each part by how well it fits the phrases."""
    kinds = found.kinds()
    by = {"file": "nodes of the file", "pieces": "pieces of the mesh", "scan": "things of a scan"}[found.split_by]
    count = f"{len(found.parts):,} {by}" + (f", {len(kinds):,} kinds" if len(kinds) < len(found.parts) else "")
    walls = sum(support.kind == "wall" for support in found.supports)
    planes = [f"{len(found.supports) - walls} support"] if found.supports else []
    planes += [f"{walls} walls"] if walls else []
    print(f"{found.source}: {count}{', ' + ', '.join(planes) if planes else ''}")
    for phrase in phrases:
        print(f"Fits {phrase!r}, best first:")
        _print_rows([[part] for part in sorted(found.parts, key=lambda part: -part.fits.get(phrase, -2))], phrase)
    if not phrases:
        _print_rows(kinds)


def _print_rows(kinds: Sequence[Sequence[Part]], phrase: str | None = None) -> None:
    named = any(part.name for parts in kinds for part in parts)
    asked = any(part.answer for parts in kinds for part in parts)
    columns = ["number", "count", *(["name"] if named else []), *(["looks like", "confidence"] if asked else [])]
    columns += [*(["fit"] if phrase else []), "elements", "size", "middle"]
    rows = []
    for parts in kinds[:_MOST_ROWS]:
        first = parts[0]
        row: list[Any] = [first.number, len(parts)]
        row += ["/".join((*first.path[-2:], first.name))] if named else []
        if asked:
            row += [first.label, "" if first.answer is None else f"{first.answer.confidence:.0%}"]
        row += [f"{first.fits.get(phrase, float('nan')):.3f}"] if phrase else []
        row += [f"{sum(part.elements for part in parts):,}", _spell(first.size), _spell(first.center)]
        rows.append(row)
    output.print_table(columns, rows, right=("number", "count", "confidence", "fit", "elements"))
    if len(kinds) > _MOST_ROWS:
        print(f"... and {len(kinds) - _MOST_ROWS:,} more; --json or --csv has all")


def _spell(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in values)


def _to_row(source: str, part: Part) -> dict[str, Any]:
    """Return a part as a row of CSV."""
    answer = part.answer
    cells = zip(("x", "y", "z", "size_x", "size_y", "size_z"), (*part.center, *part.size), strict=True)
    return {
        "source": source,
        "number": part.number,
        "name": part.name,
        "path": "/".join(part.path),
        "kind": part.kind,
        "label": None if answer is None else answer.label,
        "confidence": None if answer is None else answer.confidence,
        "unknown": None if answer is None else answer.unknown,
        "elements": part.elements,
        **dict(cells),
        "fits": "; ".join(f"{phrase} {cosine:.4f}" for phrase, cosine in part.fits.items()),
    }
