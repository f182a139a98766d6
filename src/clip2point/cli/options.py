"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.core.errors import OptionError
from clip2point.core.registries import BACKBONES, HEADS, STYLES, VIEWS
from clip2point.core.registry import Registry

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.model.settings import Settings

#: Spelt out here because the parser must not import NumPy; the tests hold it against the library.
UP_CHOICES = ("auto", "y", "-y", "z", "-z", "x", "-x")


def add_files(parser: argparse.ArgumentParser) -> None:
    """FILES and how to read them."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILES", help="shape files, or folders of them")
    parser.add_argument(
        "--up",
        choices=UP_CHOICES,
        default="auto",
        help="the axis that points up; write --up=-z for a negative one. 'auto' (the default) goes by the file format "
        "and where that does not say tries y and z; 'z' turns shapes as ModelNet's are turned",
    )
    parser.add_argument("--seed", type=natural, default=0, help="of the point sampling (default 0)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model, and where it runs."""
    parser.add_argument(
        "--model",
        default="pocket",
        help=f"{', '.join(BACKBONES.built_in)}, hf:ORGANISATION/NAME, or a folder (default pocket, which is embedded)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (the default), cuda, mps, ...")
    parser.add_argument(
        "--dtype", choices=("auto", "fp32", "bf16"), default="auto", help="number format of the vision towers"
    )


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """How shapes are rendered; the model's own settings where not given."""
    group = parser.add_argument_group("rendering (the model's own settings if not given)")
    group.add_argument(
        "--views", help=f"view set: {', '.join(VIEWS.built_in)}, several with + between, or a .json file with cameras"
    )
    group.add_argument("--points", type=int, help="points drawn from each shape")
    group.add_argument("--radius", type=float, help="of the discs, in half image widths")
    group.add_argument("--style", help=f"depth style: {', '.join(STYLES.built_in)}")


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Sentences for the text tower."""
    parser.add_argument(
        "--prompts",
        dest="templates",
        nargs="+",
        metavar="TEXT",
        help="sentences with {} for the class name, averaged (default: the model's own)",
    )


def load_model(arguments: argparse.Namespace) -> Recogniser:
    """The model that the options of ``add_model`` name, with the settings that the others change."""
    from clip2point.model import load

    model = load(arguments.model, device=arguments.device, dtype=arguments.dtype)
    return model.with_settings(changed_settings(model.settings, arguments))


def changed_settings(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Settings with the values that were given on the command line."""
    names = ("views", "points", "radius", "style", "templates")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if "templates" in given:
        given["templates"] = tuple(given["templates"])
    return replace(settings, **given)


def read_labels(arguments: argparse.Namespace) -> list[str] | None:
    """Class names from ``--labels`` or ``--labels-file``, or None if neither is given."""
    if arguments.labels_file is None:
        return None if arguments.labels is None else arguments.labels.split(",")
    path: Path = arguments.labels_file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OptionError(
            f"{path}: cannot read labels ({reason}); expected a text file with one name a line"
        ) from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def expand_files(paths: list[Path]) -> list[Path]:
    """Files as given, folders replaced by the shape files below them.

    Raises:
        OptionError: if a folder holds none.
    """
    from clip2point.shapes import find_shapes, list_extensions

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = find_shapes(path)
            if not found:
                raise OptionError(f"{path}: no shape files in this folder; expected {', '.join(list_extensions())}")
            files += found
        else:
            files.append(path)
    return files


def describe(registry: Registry[Any], title: str) -> str:
    """The built-in names of a registry with what they stand for, for a help text."""
    entries = ", ".join(f"{name} ({entry.summary})" for name, entry in registry.built_in.items())
    return f"{title}: {entries}; and those of plug-ins."


def head_name(text: str) -> str:
    """A name of a head, or "auto", for argparse."""
    if text != "auto" and text not in HEADS:
        raise argparse.ArgumentTypeError(HEADS.explain_unknown(text))
    return text


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def natural(text: str) -> int:
    """A whole number from 0, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
