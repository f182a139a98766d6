"""The registry: every class with its styles, and `generate`, which draws one shape."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from clip2point.core.errors import OptionError
from clip2point.shapes.shape import Mesh
from clip2point_shapes import (
    airplanes,
    bathroom,
    building,
    cars,
    chairs,
    computers,
    couches,
    geometric,
    greenery,
    hearth,
    instruments,
    lighting,
    people,
    players,
    storage,
    tables,
    textiles,
    vessels,
)
from clip2point_shapes.assembly import Assembly

Style = Callable[[np.random.Generator], Assembly]

_FAMILIES = (
    airplanes,
    bathroom,
    building,
    cars,
    chairs,
    computers,
    couches,
    geometric,
    greenery,
    hearth,
    instruments,
    lighting,
    people,
    players,
    storage,
    tables,
    textiles,
    vessels,
)
_CATALOGUE: dict[str, dict[str, Style]] = {
    name: designs for family in _FAMILIES for name, designs in family.STYLES.items()
}


def list_classes() -> tuple[str, ...]:
    """Return the names of all classes, in the spelling of ModelNet40, sorted.

    Examples:
        >>> len(list_classes()), list_classes()[:3]
        (40, ('airplane', 'bathtub', 'bed'))
    """
    return tuple(sorted(_CATALOGUE))


def list_styles(name: str) -> tuple[str, ...]:
    """Return the styles of a class: genuinely different designs of the same thing.

    Raises:
        OptionError: The class does not exist.

    Examples:
        >>> list_styles("toilet")
        ('two_piece', 'skirted', 'wall_hung')
    """
    if name not in _CATALOGUE:
        raise OptionError(f"no generator of class {name!r}: expected one of {', '.join(list_classes())}")
    return tuple(_CATALOGUE[name])


def generate(name: str, style: str | None = None, seed: int = 0) -> Mesh:
    """Draw a shape: the same arguments give the same mesh, another seed other proportions and colours.

    Args:
        name: Class, one of ``list_classes()``.
        style: Style, one of ``list_styles(name)``, or None to let the seed choose.
        seed: Any non-negative integer.

    Returns:
        A mesh in metres, y up, front towards -z, standing on y = 0 and centred on the y axis.

    Raises:
        OptionError: The class, the style or the seed does not exist.

    Examples:
        >>> stool = generate("stool", "round", seed=3)
        >>> bool(0.4 < stool.vertices[:, 1].max() < 0.9)
        True
    """
    styles = list_styles(name)
    if seed < 0:
        raise OptionError(f"seed {seed} is negative: expected 0 or more")
    if style is None:
        style = styles[int(np.random.default_rng((seed, zlib.crc32(name.encode()))).integers(len(styles)))]
    elif style not in styles:
        raise OptionError(f"no style {style!r} of {name}: expected one of {', '.join(styles)}")
    # The random numbers depend on nothing but these three, so that a new class or style changes no other shape.
    rng = np.random.default_rng((seed, zlib.crc32(f"{name}/{style}".encode())))
    return _CATALOGUE[name][style](rng).mesh()
