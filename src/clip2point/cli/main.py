"""Entry point of ``clip2point``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from clip2point.cli import (
    adapt,
    app,
    bench,
    classify,
    clusters,
    convert,
    demo,
    duplicates_report,
    evaluate,
    index,
    pairs,
    pretrain,
    push,
    render,
    reproduce,
    search,
    verify,
)
from clip2point.core.errors import Clip2PointError, InterruptedTrainingError
from clip2point.core.version import __version__

_COMMANDS = (
    demo,
    classify,
    render,
    index,
    search,
    duplicates_report,
    clusters,
    adapt,
    evaluate,
    pairs,
    pretrain,
    reproduce,
    convert,
    push,
    verify,
    bench,
    app,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="clip2point",
        description="Recognise 3D shapes with language.",
        epilog="Start with: clip2point demo",
    )
    parser.add_argument("--version", action="version", version=f"clip2point {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: words of the command line after the program's name; those of this process if not given.

    Returns:
        0 if all went well, 1 if some inputs failed or a check did not hold, 2 if the command could not run at all,
        130 if it was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    # Commands repeat their words in what they write.
    arguments = build_parser().parse_args(words, argparse.Namespace(words=words))
    warnings.showwarning = _show_warning
    try:
        return int(arguments.run(arguments))
    except InterruptedTrainingError as error:
        print(f"interrupted: {error}", file=sys.stderr)
        return 130
    except Clip2PointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _show_warning(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
    """Print a warning that is meant for users as one line, and none that is meant for programmers."""
    if issubclass(category, UserWarning):
        print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
