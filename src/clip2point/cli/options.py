"""Options that several commands have, and what they mean to the library."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import output
from clip2point.core.errors import OptionError
from clip2point.core.registries import BACKBONES, HEADS, STYLES, VIEWS
from clip2point.core.registry import Registry

if TYPE_CHECKING:
    from clip2point.model import Recogniser
    from clip2point.model.settings import Settings

#: Spelt out here because the parser must not import NumPy; the tests hold it against the library.
UP_CHOICES = ("auto", "y", "-y", "z", "-z", "x", "-x")

#: Help text of ``--up``.
_UP = """axis that points up, as in --up z or --up=-z (default auto: the one of the file format, or if it has none
whichever of y and z is recognised more confidently)"""


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add FILES, and how to read them."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILES", help="shape files, or folders of them")
    add_up(parser, f"{_UP}; ModelNet has z")
    add_seed(parser, "the point sampling")


def add_prepare(parser: argparse.ArgumentParser) -> None:
    """Add what is done about points that are not the object."""
    parser.add_argument(
        "--prepare",
        choices=("auto", "scan", "none"),
        default="auto",
        help="what is not the object, such as strays, small things far away and a floor below it: auto (default) sets "
        "apart what is clear, scan what is likely, none nothing; what was done is said",
    )


def add_up(parser: argparse.ArgumentParser, text: str = _UP) -> None:
    """Add the up-axis."""
    parser.add_argument("--up", choices=UP_CHOICES, default="auto", help=text)
    parser.add_argument(
        "--columns",
        type=columns,
        metavar="x=N,y=N,z=N",
        help="columns of x, y and z in tables of points, counted from 1, or their names; found out by default",
    )


def add_seed(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add the seed of something random."""
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help=f"seed of {purpose} (default 0)")


def add_labels(parser: argparse.ArgumentParser, text: str) -> None:
    """Add class names, from the command line or a file."""
    labels = parser.add_mutually_exclusive_group()
    labels.add_argument("--labels", metavar="A,B,C", help=text)
    labels.add_argument("--labels-file", type=Path, metavar="FILE", help="file of class names: one a line, JSON or CSV")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model and its device."""
    parser.add_argument(
        "--model",
        default="pocket",
        help=f"{', '.join(BACKBONES.built_in)}, hf:ORGANISATION/NAME, or a folder (default pocket, which is embedded)",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the device and the number format of a model."""
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps, ...")
    parser.add_argument(
        "--dtype", choices=("auto", "fp32", "bf16"), default="auto", help="number format of the vision towers"
    )


def add_rendering(parser: argparse.ArgumentParser, defaults: str = "the model's own settings") -> None:
    """Add the settings of the depth maps."""
    group = parser.add_argument_group(f"rendering (default: {defaults})")
    group.add_argument(
        "--views", help=f"view set: {', '.join(VIEWS.built_in)}, several joined by +, or a .json file with cameras"
    )
    group.add_argument("--points", type=int, metavar="N", help="number of points drawn from each shape")
    group.add_argument("--radius", type=float, metavar="R", help="radius of the discs, in half image widths")
    group.add_argument("--style", help=f"depth style: {', '.join(STYLES.built_in)}")


def add_prompts(parser: argparse.ArgumentParser) -> None:
    """Add prompt templates."""
    parser.add_argument(
        "--prompts",
        dest="templates",
        nargs="+",
        metavar="TEXT",
        help="prompt templates with {} for the class name, whose text features are averaged (default: the model's own)",
    )


def load_model(arguments: argparse.Namespace) -> Recogniser:
    """Load the model that the options of ``add_model`` name, with the settings of the others."""
    from clip2point.model import load

    model = load(arguments.model, device=arguments.device, dtype=arguments.dtype)
    return model.with_settings(change_settings(model.settings, arguments))


def change_settings(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Return settings with the values of the command line where there are some."""
    names = ("views", "points", "radius", "style", "templates")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if "templates" in given:
        given["templates"] = tuple(given["templates"])
    return replace(settings, **given)


def get_labels(arguments: argparse.Namespace) -> list[str] | None:
    """Return the class names of ``--labels`` or ``--labels-file``, or None if neither is given."""
    from clip2point.core.labels import check_labels, read_labels, split_labels

    if arguments.labels_file is not None:
        return check_labels(read_labels(arguments.labels_file))
    return None if arguments.labels is None else check_labels(split_labels(arguments.labels))


def tell_labels(model: Recogniser, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Print on stderr what the model cannot make of labels, once and before work begins; return these notes."""
    notes = () if labels is None or model.adapted is not None else model.note_labels(labels)
    for note in notes:
        output.remark(f"note: {note}")
    return notes


def add_former_name(group: argparse._ActionsContainer, former: str, present: str, **keywords: Any) -> None:
    """Add the former name of an option: hidden from the help, still read, with a line on stderr.

    Args:
        group: Parser, or group of it.
        former: Former name.
        present: Name to use instead.
        keywords: Further arguments of ``add_argument``, among them ``dest``.
    """

    class Deprecated(argparse.Action):
        def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
            output.remark(f"warning: {former} is deprecated and will be removed in version 0.3: use {present}")
            setattr(namespace, self.dest, values)

    group.add_argument(former, action=Deprecated, help=argparse.SUPPRESS, default=argparse.SUPPRESS, **keywords)


def describe(registry: Registry[Any], title: str) -> str:
    """Return the built-in names of a registry with what they stand for, for a help text."""
    entries = ", ".join(f"{name} ({entry.summary})" for name, entry in registry.built_in.items())
    return f"{title}: {entries}; and those of plug-ins."


def head_name(text: str) -> str:
    """Parse the name of a head, or "auto"."""
    if text != "auto" and text not in HEADS:
        raise argparse.ArgumentTypeError(HEADS.explain_unknown(text))
    return text


def positive(text: str) -> int:
    """Parse an integer from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 1")
    return int(text)


def columns(text: str) -> str:
    """Check a choice of columns, such as "x=3,y=4,z=5"."""
    from clip2point.shapes.formats.columns import parse_columns

    try:
        parse_columns(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def natural(text: str) -> int:
    """Parse an integer from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0")
    return int(text)


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
