"""Pages that are written by the program itself: the help of every command."""

from __future__ import annotations

import argparse
import os
from typing import Any

_COMMANDS = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the mark by the help of all commands."""
    return markdown.replace(_COMMANDS, describe_commands()) if _COMMANDS in markdown else markdown


def describe_commands() -> str:
    """A section for each command, with what ``--help`` prints."""
    os.environ["COLUMNS"] = "100"
    from clip2point.cli.main import build_parser

    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    sections = []
    for name, command in commands.choices.items():
        sections.append(f"## {name}\n\n```text\n{command.format_help().strip()}\n```")
    return "\n\n".join(sections)
