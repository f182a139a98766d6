"""Options of the commands that read a library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import options

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.search import Library


def add_library(parser: argparse.ArgumentParser) -> None:
    """Add the folder of the library."""
    parser.add_argument(
        "--db", type=Path, required=True, metavar="DB", help="folder of the library, made by 'clip2point index'"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model and its device."""
    parser.add_argument("--model", help="model to use (default: the one that the library was made with)")
    options.add_device(parser)


def add_output(parser: argparse.ArgumentParser, results: str) -> None:
    """Add the forms of the results."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--html", type=Path, metavar="FILE", help=f"write a page with images of {results} to FILE")


def load_model(library: Library, arguments: argparse.Namespace) -> Recogniser:
    """Load the model of a library, or the one that ``--model`` names."""
    from clip2point.search.library_model import load_library_model

    return load_library_model(library, arguments.model, device=arguments.device, dtype=arguments.dtype)
