"""Make the demo shapes that clip2point ships: one GLB file of each of its demo classes.

    python -m clip2point_shapes.release

The record that ``clip2point verify`` compares with depends on them: after a change, run
``python -m pocket_recipe.release`` as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from clip2point.shapes.demo_shapes import DEMO_FOLDER
from clip2point_shapes.catalogue import generate
from clip2point_shapes.export import write_mesh

#: Style of the demo shape of each class.
DEMO_STYLES = {
    "airplane": "airliner",
    "bed": "double",
    "bottle": "wine",
    "car": "sedan",
    "chair": "office",
    "cup": "mug",
    "door": "double",
    "guitar": "acoustic",
    "lamp": "desk",
    "laptop": "slim",
    "sofa": "chesterfield",
    "stairs": "winding",
    "table": "dining",
    "toilet": "two_piece",
    "vase": "classic",
    "wardrobe": "armoire",
}
#: Seed of all demo shapes. The embedded model's training drew shapes of seed 1 (recipes/pocket/pocket.yaml).
DEMO_SEED = 0


def release_demo_shapes(folder: Path = DEMO_FOLDER) -> list[Path]:
    """Write the demo shapes; the same code gives the same bytes.

    Args:
        folder: Target folder, created if missing; the default is the one that the installed clip2point reads.

    Returns:
        Paths of the files, ``CLASS.glb`` each.

    Raises:
        OptionError: The folder cannot be written.
    """
    files = []
    for name, style in DEMO_STYLES.items():
        files.append(folder / f"{name}.glb")
        write_mesh(generate(name, style, DEMO_SEED), files[-1])
    return files


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the demo shapes and print their size."""
    parser = argparse.ArgumentParser(prog="python -m clip2point_shapes.release", description="Make the demo shapes.")
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER, metavar="DIR", help="target folder")
    files = release_demo_shapes(parser.parse_args(arguments).out)
    print(f"{files[0].parent}: {len(files)} files, {sum(file.stat().st_size for file in files) / 1e3:,.0f} kB")


if __name__ == "__main__":
    main()
