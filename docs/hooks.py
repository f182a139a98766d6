"""Pages that are written by the program itself: the help of every command, and what can be named."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

_COMMANDS = "<!-- commands -->"
_REGISTRY = re.compile(r"<!-- registry: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace marks by the help of all commands, and by the tables of registries."""
    markdown = _REGISTRY.sub(lambda match: describe_registry(match[1]), markdown)
    return markdown.replace(_COMMANDS, describe_commands()) if _COMMANDS in markdown else markdown


def describe_registry(name: str) -> str:
    """A table of the built-in names of a registry, with a column for each of their attributes."""
    from dataclasses import fields

    from clip2point.core.registries import REGISTRIES

    entries = REGISTRIES[name].built_in
    columns = [field.name for field in fields(next(iter(entries.values()))) if field.name not in ("target", "summary")]
    titles = [title.replace("_", " ") for title in columns]
    rows = [["name", "what it is", *titles], ["---"] * (2 + len(columns))]
    for key, entry in entries.items():
        rows.append([f"`{key}`", entry.summary, *(_in_words(getattr(entry, column)) for column in columns)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


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
