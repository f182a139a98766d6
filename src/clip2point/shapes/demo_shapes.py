"""Demo shapes: one small mesh of each of sixteen everyday classes, shipped for ``demo``, ``verify`` and ``bench``.

They are drawn by the generators of ``clip2point-shapes`` (packages/clip2point-shapes), which make the files anew byte
by byte; the embedded model was trained on other shapes of the same generators.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clip2point.core.errors import OptionError
from clip2point.core.files import replacing
from clip2point.shapes.shape import Shape
from clip2point.shapes.shape_files import load_shape

#: Classes with a demo shape, in alphabetical order.
DEMO_CLASSES = (
    *("airplane", "bed", "bottle", "car", "chair", "cup", "door", "guitar"),
    *("lamp", "laptop", "sofa", "stairs", "table", "toilet", "vase", "wardrobe"),
)
#: Folder with the files, one ``CLASS.glb`` each.
DEMO_FOLDER = Path(__file__).parent / "demo"


def demo_files(classes: Sequence[str] = DEMO_CLASSES) -> dict[str, Path]:
    """Return the shipped files: GLB meshes in metres, y up, front towards -z.

    Args:
        classes: Class names among ``DEMO_CLASSES``.

    Returns:
        Path of the file of each class, in the given order.

    Raises:
        OptionError: A class has no demo shape.

    Examples:
        >>> demo_files(["chair"])["chair"].name
        'chair.glb'
    """
    for name in classes:
        if name not in DEMO_CLASSES:
            raise OptionError(f"no demo shape of class {name!r}: expected one of {', '.join(DEMO_CLASSES)}")
    return {name: DEMO_FOLDER / f"{name}.glb" for name in classes}


def demo_shapes(classes: Sequence[str] = DEMO_CLASSES) -> list[tuple[str, Shape]]:
    """Read the shipped shapes.

    Args:
        classes: Class names among ``DEMO_CLASSES``.

    Returns:
        Class name and mesh of each, in the given order.

    Raises:
        OptionError: A class has no demo shape.
        ShapeError: The installation is damaged.

    Examples:
        >>> [(name, shape.up) for name, shape in demo_shapes(["chair", "lamp"])]
        [('chair', 'y'), ('lamp', 'y')]
    """
    return [(name, load_shape(path)) for name, path in demo_files(classes).items()]


def write_demo_shapes(folder: str | Path, classes: Sequence[str] = DEMO_CLASSES) -> dict[str, Path]:
    """Copy the shipped files into a folder.

    Args:
        folder: Target folder, created if missing; files of the same names are replaced.
        classes: Class names among ``DEMO_CLASSES``.

    Returns:
        Path of the copy of each class, ``FOLDER/CLASS.glb``.

    Raises:
        OptionError: A class has no demo shape or the folder cannot be written.
    """
    copies = {}
    for name, path in demo_files(classes).items():
        copies[name] = Path(folder) / path.name
        try:
            with replacing(copies[name]) as unfinished:
                unfinished.write_bytes(path.read_bytes())
        except OSError as error:
            raise OptionError(f"{copies[name]}: cannot write the demo shape ({error.strerror})") from error
    return copies
