"""``clip2point push``: a model on the Hugging Face hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import output

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "push",
        help="upload a model to the Hugging Face hub",
        description="Upload a model made by pretrain, adapt or convert to the Hugging Face hub, from where --model "
        "hf:ORGANISATION/NAME loads it. If the folder has no README.md, a model card is written.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the model")
    parser.add_argument("name", metavar="ORGANISATION/NAME", help="repository, created if missing")
    parser.add_argument("--private", action="store_true", help="create it as a private repository")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Upload the folder."""
    from clip2point.model.publishing import push

    publication = push(arguments.folder, arguments.name, private=arguments.private)
    if arguments.json:
        output.print_json(publication.to_dict())
        return 0
    print(f"{publication.url} now holds {', '.join(publication.files)}; load it with --model {publication.model}")
    if publication.card_written:
        output.remark("The folder had no README.md, so a model card was written: read it, and state the licence there.")
    return 0
