"""Data sets of commands: a list of their files, and what is said about them before work begins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.data import Dataset

_FOLDER = "folder:"


def add_manifest(parser: argparse.ArgumentParser) -> None:
    """Add --manifest."""
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="list that says what the files of folder:PATH are, a table with columns file,label[,split]; by default "
        "labels.csv in the folder, if there is one, and else the folders' names",
    )


def find_name(arguments: argparse.Namespace) -> tuple[str, Path | None]:
    """Return name and root of the data set that was named, by its list if there is one.

    Raises:
        OptionError: If --manifest is given for something else than a folder.
    """
    if arguments.manifest is None:
        return arguments.dataset, arguments.root
    if not arguments.dataset.startswith(_FOLDER) or arguments.root is not None:
        raise OptionError(f"--manifest {arguments.manifest}: lists the files of folder:PATH: name one, without --root")
    folder = Path(arguments.dataset.removeprefix(_FOLDER)).expanduser()
    inside = folder / arguments.manifest
    path = inside if inside.is_file() and not arguments.manifest.is_file() else arguments.manifest
    return f"manifest:{path}", folder


def announce(dataset: Dataset) -> None:
    """Print on stderr what the data set is, and what was assumed about its files."""
    output.remark(dataset.description)
    for note in dataset.notes:
        output.remark(f"note: {dataset.name}: {note}")
