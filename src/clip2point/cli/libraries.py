"""What the commands that read a library share: which one, and the model that its vectors are of."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.core.errors import ModelError

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.search import Library


def add_library(parser: argparse.ArgumentParser) -> None:
    """Which library."""
    parser.add_argument(
        "--db", type=Path, required=True, metavar="DB", help="folder of the library, made by 'clip2point index'"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it runs."""
    parser.add_argument("--model", help="model to use (default: the one that the library was made with)")
    parser.add_argument("--device", default="cpu", help="cpu (the default), cuda, mps, ...")
    parser.add_argument(
        "--dtype", choices=("auto", "fp32", "bf16"), default="auto", help="number format of the vision towers"
    )


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    """As what to give the result."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--html", type=Path, metavar="F", help=f"write a page with pictures of {what} to F")


def load_model(library: Library, arguments: argparse.Namespace) -> Recogniser:
    """The model that a library was made with, or the one that is asked for; whether it fits is seen when it is used.

    Raises:
        ModelError: if it cannot be loaded.
    """
    from clip2point.model import load

    try:
        return load(arguments.model or library.model_name, device=arguments.device, dtype=arguments.dtype)
    except ModelError as error:
        if arguments.model:
            raise
        raise ModelError(
            f"{library.path}: was made with the model {library.model_name}, which cannot be had here ({error}); say "
            "with --model where it is"
        ) from error
