"""Commands that run as if they had been typed, from within another command."""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import sys
from collections.abc import Sequence

from clip2point.cli import output
from clip2point.core.errors import OptionError


def run_typed(words: Sequence[str]) -> tuple[str, str]:
    """Run a command, after saying which.

    Args:
        words: after "clip2point".

    Returns:
        The command line, and what the command printed; with ``--json`` among its words that is kept from stdout, else
        it is shown on stderr, and nothing is returned.

    Raises:
        Clip2PointError: as the command raises it; an OptionError if there is no such command.
        KeyboardInterrupt: if the command was interrupted and said so by its exit status.
    """
    from clip2point.cli.main import build_parser

    line = shlex.join(["clip2point", *words])
    output.remark(f"$ {line}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed if "--json" in words else sys.stderr):
        try:
            arguments = build_parser().parse_args(words, argparse.Namespace(words=list(words)))
        except SystemExit:
            raise OptionError(f"{line}: is no command of this version; correct the recipe") from None
        status = arguments.run(arguments)
    if status == 130:
        raise KeyboardInterrupt
    return line, printed.getvalue()
