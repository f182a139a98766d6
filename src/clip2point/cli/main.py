"""Entry point of ``clip2point``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from clip2point.core.errors import Clip2PointError, InterruptedTrainingError, PluginError
from clip2point.core.extras import explain_absence
from clip2point.core.registries import COMMANDS
from clip2point.core.version import __version__


class _CommandParser(argparse.ArgumentParser):
    """Parser of a command, whose positional arguments may stand between options: ``search a --not b c``."""

    _intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words of a command; ``parse_known_intermixed_args`` calls this method itself."""
        if self._intermixed:
            return super().parse_known_args(args, namespace)
        self._intermixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixed = False


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with all commands, or with one, so that the modules of the others need not be imported.

    Args:
        only: Name of a command; the parser has all if there is none of that name. A command of a plug-in that is broken
            is left out with a warning, unless it is the one that is asked for.

    Raises:
        PluginError: If that one is broken.
    """
    parser = argparse.ArgumentParser(
        prog="clip2point",
        description="Recognise 3D shapes with language.",
        epilog="Start with: clip2point demo",
    )
    parser.add_argument("--version", action="version", version=f"clip2point {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_CommandParser)
    if only is not None and only in COMMANDS:
        _add_command(commands, only)
        return parser
    for name in COMMANDS.names():
        try:
            _add_command(commands, name)
        except PluginError as error:
            warnings.warn(str(error), stacklevel=2)
    return parser


def _add_command(commands: argparse._SubParsersAction[_CommandParser], name: str) -> None:
    """Add one command to the parser."""
    COMMANDS.load(name)(commands)
    if name not in commands.choices or commands.choices[name].get_default("run") is None:
        raise PluginError(f"the command {name!r} adds no parser of that name with a function 'run' among its defaults")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Words of the command line after the program's name; by default those of this process.

    Returns:
        Exit status: 0 for success, 1 if some inputs or a check failed, 2 if the command could not run at all, 130 if it
        was interrupted, 143 if a streaming command was terminated.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    warnings.showwarning = _show_warning
    try:
        # Commands repeat their words in what they write.
        arguments = build_parser(next(iter(words), "")).parse_args(words, argparse.Namespace(words=words))
        if getattr(arguments, "columns", None):
            from clip2point.shapes.companions import COLUMNS_VARIABLE

            os.environ[COLUMNS_VARIABLE] = arguments.columns  # for readers in child processes as well
        return int(arguments.run(arguments))
    except InterruptedTrainingError as error:
        print(f"interrupted: {error}", file=sys.stderr)
        return 130
    except Clip2PointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (advice := explain_absence(error.name, words[0])) is None:
            raise
        print(f"error: {advice}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print("interrupted", file=sys.stderr)
        return getattr(interruption, "status", 130)


def _show_warning(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
    """Print a warning for users in one line; hide those for programmers."""
    if issubclass(category, UserWarning):
        print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
