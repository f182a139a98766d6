"""Assembly: painted solids that become one mesh, and the palette they are painted from."""

from __future__ import annotations

import numpy as np

from clip2point.shapes.shape import Material, Mesh
from clip2point_shapes.solid import Solid, join

#: Base colours (red, green, blue in [0, 1]) of each stuff; a shape draws one and varies it a little.
PALETTE: dict[str, tuple[tuple[float, float, float], ...]] = {
    "wood": ((0.55, 0.36, 0.2), (0.4, 0.25, 0.14), (0.72, 0.53, 0.33), (0.83, 0.68, 0.48), (0.3, 0.18, 0.11)),
    "metal": ((0.72, 0.73, 0.75), (0.55, 0.56, 0.58), (0.82, 0.82, 0.84), (0.3, 0.31, 0.33)),
    "brass": ((0.78, 0.62, 0.3), (0.7, 0.5, 0.26)),
    "black": ((0.08, 0.08, 0.09), (0.13, 0.13, 0.14), (0.05, 0.05, 0.06)),
    "white": ((0.93, 0.93, 0.92), (0.96, 0.95, 0.93), (0.88, 0.88, 0.87)),
    "fabric": ((0.35, 0.42, 0.5), (0.55, 0.5, 0.44), (0.6, 0.25, 0.22), (0.3, 0.4, 0.32), (0.75, 0.7, 0.62)),
    "leather": ((0.35, 0.2, 0.12), (0.12, 0.1, 0.09), (0.55, 0.3, 0.16), (0.8, 0.74, 0.65)),
    "plastic": ((0.85, 0.3, 0.2), (0.2, 0.45, 0.7), (0.95, 0.78, 0.2), (0.3, 0.6, 0.4), (0.9, 0.9, 0.88)),
    "ceramic": ((0.94, 0.93, 0.9), (0.3, 0.42, 0.6), (0.6, 0.3, 0.24), (0.36, 0.5, 0.44), (0.85, 0.75, 0.6)),
    "terracotta": ((0.72, 0.4, 0.26), (0.62, 0.34, 0.22)),
    "leaf": ((0.2, 0.45, 0.18), (0.28, 0.52, 0.22), (0.15, 0.36, 0.16)),
    "petal": ((0.85, 0.2, 0.3), (0.95, 0.75, 0.2), (0.8, 0.5, 0.8), (0.95, 0.92, 0.9)),
    "paint": ((0.7, 0.1, 0.1), (0.12, 0.2, 0.45), (0.8, 0.8, 0.82), (0.1, 0.1, 0.11), (0.15, 0.35, 0.25)),
    "stone": ((0.75, 0.73, 0.69), (0.6, 0.58, 0.55), (0.86, 0.84, 0.8)),
    "skin": ((0.9, 0.72, 0.6), (0.75, 0.55, 0.42), (0.45, 0.3, 0.22)),
    "rubber": ((0.06, 0.06, 0.06), (0.1, 0.1, 0.1)),
    "screen": ((0.05, 0.07, 0.12), (0.1, 0.14, 0.22)),
    "soil": ((0.2, 0.14, 0.1),),
    "shade": ((0.95, 0.9, 0.78), (0.9, 0.82, 0.66), (0.8, 0.35, 0.25), (0.35, 0.45, 0.5)),
    "glass": ((0.7, 0.85, 0.85), (0.35, 0.55, 0.4), (0.55, 0.35, 0.2), (0.85, 0.9, 0.92)),
}

_ALPHA = {"glass": 0.45}


def paint(rng: np.random.Generator, stuff: str) -> Material:
    """Draw a material of the given stuff, a key of ``PALETTE``.

    Examples:
        >>> paint(np.random.default_rng(0), "glass").color[3]
        0.45
    """
    colors = PALETTE[stuff]
    color = np.clip(np.array(colors[rng.integers(len(colors))]) + rng.uniform(-0.04, 0.04, 3), 0.0, 1.0)
    red, green, blue = (round(float(channel), 3) for channel in color)
    return Material(color=(red, green, blue, _ALPHA.get(stuff, 1.0)))


class Assembly:
    """Solids with their materials, collected part by part.

    Examples:
        >>> import numpy as np
        >>> from clip2point_shapes.primitives import box
        >>> stool = Assembly().add(paint(np.random.default_rng(0), "wood"), box(0.3, 0.4, 0.3))
        >>> len(stool.mesh().faces)
        12
    """

    def __init__(self) -> None:
        self._parts: list[tuple[Solid, Material]] = []

    @property
    def parts(self) -> tuple[tuple[Solid, Material], ...]:
        """Solids with their materials, in the order of their addition."""
        return tuple(self._parts)

    def add(self, material: Material, *solids: Solid) -> Assembly:
        """Add solids of one material and return the assembly itself."""
        self._parts += [(solid, material) for solid in solids]
        return self

    def include(self, other: Assembly, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Assembly:
        """Add all parts of another assembly, moved by (x, y, z), and return the assembly itself."""
        self._parts += [(solid.move(x, y, z), material) for solid, material in other._parts]
        return self

    def rotate(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Assembly:
        """Return a new assembly with all parts rotated about the origin (see Solid.rotate)."""
        rotated = Assembly()
        rotated._parts = [(solid.rotate(x, y, z), material) for solid, material in self._parts]
        return rotated

    def mesh(self) -> Mesh:
        """Join all parts into one mesh that stands on y = 0, centred on the y axis; equal materials are shared."""
        whole = join(solid for solid, _ in self._parts)
        low, high = whole.vertices.min(axis=0), whole.vertices.max(axis=0)
        origin = np.array([(low[0] + high[0]) / 2.0, low[1], (low[2] + high[2]) / 2.0])
        colors = list(dict.fromkeys(material.color for _, material in self._parts))
        indices = [colors.index(material.color) for _, material in self._parts]
        counts = [len(solid.faces) for solid, _ in self._parts]
        return Mesh(
            vertices=(whole.vertices - origin).astype(np.float32),
            faces=whole.faces.astype(np.int32),
            materials=tuple(Material(color=color) for color in colors),
            face_materials=np.repeat(np.array(indices, dtype=np.int32), counts),
        )
