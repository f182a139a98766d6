"""``clip2point-shapes``: write generated shapes to a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from clip2point.core.errors import Clip2PointError
from clip2point_shapes.catalogue import list_classes
from clip2point_shapes.folder import write_shapes


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="clip2point-shapes",
        description="Generate everyday 3D shapes: DIR/CLASS/STYLE_CLASS_NUMBER.glb and a manifest, DIR/shapes.tsv.",
        epilog=f"Classes: {', '.join(list_classes())}.",
    )
    parser.add_argument("--count", type=int, default=1, metavar="N", help="shapes of each class (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other shapes (default 0)")
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="classes to generate (default all)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the program's name; those of this process if None.

    Returns:
        0 if the shapes were written, 2 if not.
    """
    arguments = build_parser().parse_args(argv)
    try:
        files = write_shapes(arguments.out, count=arguments.count, classes=arguments.classes, seed=arguments.seed)
    except Clip2PointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(file.path.stat().st_size for file in files) / 1e6
    print(f"{arguments.out}: {len(files):,} shapes, {len({file.label for file in files})} classes, {size:,.1f} MB")
    return 0
