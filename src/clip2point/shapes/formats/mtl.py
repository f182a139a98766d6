"""MTL: the material libraries of OBJ files, with their textures."""

from __future__ import annotations

import posixpath
import re

import numpy as np
from numpy.typing import NDArray

from clip2point.shapes.companions import Companions
from clip2point.shapes.shape import Material

#: Options before the file name of a map, and how many words follow each; the others take up to three numbers.
_MAP_OPTIONS = {
    option: 2 if option == "-mm" else 1
    for option in ("-blendu", "-blendv", "-bm", "-boost", "-cc", "-clamp", "-imfchan", "-mm", "-texres", "-type")
}
#: Most names on one line of material libraries.
_MOST_LIBRARIES = 100


def read_libraries(names: list[bytes], companions: Companions) -> dict[bytes, Material]:
    """Return the materials by name.

    Args:
        names: Rests of the lines with ``mtllib``: a name each, which may hold spaces, or several.
        companions: Neighbours of the OBJ file.
    """
    materials: dict[bytes, Material] = {}
    for line in dict.fromkeys(names):
        name = line.decode("utf-8", "replace")
        text = companions.read(name)
        if text is not None:
            materials |= _read_mtl(text, companions, name)
        elif len(words := name.split()[:_MOST_LIBRARIES]) > 1:  # several names rather than one with spaces
            materials |= read_libraries([word.encode() for word in words], companions)
    return materials


def _read_texture(name: str, library: str, companions: Companions) -> NDArray[np.uint8] | None:
    """Return the image that a library names: beside the library, or else beside the OBJ file."""
    folder = posixpath.dirname(library.replace("\\", "/"))
    texture = None
    if folder:
        texture = companions.read_texture(posixpath.normpath(posixpath.join(folder, name.replace("\\", "/"))))
    return companions.read_texture(name) if texture is None else texture


def _read_mtl(data: bytes, companions: Companions, library: str) -> dict[bytes, Material]:
    """Read a material library; what cannot be understood keeps its default, since looks are not the shape."""
    materials: dict[bytes, Material] = {}
    name, alpha, texture = b"", 1.0, None
    color: tuple[float, ...] = (1.0, 1.0, 1.0)
    for line in data.splitlines():
        key, _, rest = line.strip().replace(b"\t", b" ").partition(b" ")
        key = key.lower()
        if key == b"newmtl":
            name, color, alpha, texture = rest.strip(), (1.0, 1.0, 1.0), 1.0, None
        elif key == b"kd":
            color = _fractions(rest, 3) or color
        elif key in (b"d", b"tr"):
            (opaque,) = _fractions(rest, 1) or (alpha if key == b"d" else 1 - alpha,)
            alpha = opaque if key == b"d" else 1 - opaque
        elif key == b"map_kd":
            texture = _read_texture(_map_name(rest.decode("utf-8", "replace")), library, companions)
        else:
            continue
        # Some exporters write a black diffuse colour beside a texture, which would hide it.
        red, green, blue = (1.0, 1.0, 1.0) if texture is not None and not any(color) else color
        materials[name] = Material((red, green, blue, alpha), texture)
    return materials


def _fractions(text: bytes, count: int) -> tuple[float, ...] | None:
    try:
        values = [float(word) for word in text.split()[:count]]
    except ValueError:
        return None
    if len(values) != count or not np.isfinite(values).all():
        return None
    return tuple(min(max(value, 0.0), 1.0) for value in values)


def _map_name(text: str) -> str:
    """Return the file name of a map line, which may hold spaces and follow options."""
    words = text.split()
    while words and words[0].startswith("-"):
        option = words.pop(0).lower()
        if option in _MAP_OPTIONS:
            words = words[_MAP_OPTIONS[option] :]
            continue
        for _ in range(3):
            if words and re.fullmatch(r"[-+.\deE]+", words[0]):
                words.pop(0)
    return " ".join(words)
