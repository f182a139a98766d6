"""``clip2point convert``: checkpoints of others into ours."""

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
        "convert",
        help="make a model of the authors', OpenAI's or OpenCLIP's checkpoint",
        description="Convert a checkpoint of OpenAI's CLIP (ViT-B-32.pt or a state dict), of OpenCLIP, or of the "
        "authors of CLIP2Point (pre-training or DPA) into a folder for --model. Nothing in the file is run.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="file to convert")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument(
        "--clip",
        type=Path,
        metavar="FILE",
        help="the CLIP model that a checkpoint of the authors builds on (ViT-B-32.pt): theirs hold no text tower",
    )
    parser.add_argument(
        "--activation",
        choices=("quick_gelu", "gelu"),
        help="of the towers, which no tensor tells (default: quick_gelu for OpenAI and the authors; for OpenCLIP what "
        "its files say, else gelu)",
    )
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="tokenizer in transformers format, or its name on the hub (default: CLIP's)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert the file."""
    from clip2point.model.conversion import convert

    conversion = convert(
        arguments.checkpoint,
        arguments.out,
        clip=arguments.clip,
        activation=arguments.activation,
        tokenizer=arguments.tokenizer,
    )
    if arguments.json:
        output.print_json(conversion.to_dict())
        return 0
    output.print_table(
        ("found", ""),
        (
            ("kind", conversion.kind),
            ("towers", ", ".join(conversion.towers)),
            ("adapter", conversion.adapter or "none"),
            ("activation", conversion.activation),
            ("embedding width", conversion.dim),
            ("image size", conversion.image_size),
            ("views", conversion.views),
            ("model", conversion.out),
        ),
    )
    for remark in conversion.remarks:
        output.remark(remark)
    return 0
