"""``clip2point convert``: checkpoints of other projects as models."""

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
        help="convert a checkpoint of the authors, OpenAI or OpenCLIP into a model",
        description="Convert a checkpoint of OpenAI's CLIP (ViT-B-32.pt or a state dict), of OpenCLIP, or of the "
        "authors of CLIP2Point (pre-training or DPA) into a model folder for --model. No code in the file is run.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="file to convert")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the new model")
    parser.add_argument(
        "--clip",
        type=Path,
        metavar="FILE",
        help="CLIP model that a checkpoint of the authors was trained from (ViT-B-32.pt): it brings the text tower",
    )
    parser.add_argument(
        "--activation",
        choices=("quick_gelu", "gelu"),
        help="activation function of the towers, which weights alone do not tell (default: quick_gelu for OpenAI and "
        "the authors; for OpenCLIP the one that its config names, else gelu)",
    )
    parser.add_argument(
        "--tokenizer",
        metavar="DIR",
        help="folder of a tokenizer in transformers format, or its name on the hub (default: CLIP's)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="NPZ with images, image_features, tokens, text_features of the original, which the result has to give too",
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
        reference=arguments.reference,
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
            ("embedding dimension", conversion.dim),
            ("image size", conversion.image_size),
            ("views", conversion.views),
            ("model", conversion.out),
        ),
    )
    for remark in conversion.remarks:
        output.remark(remark)
    return 0
