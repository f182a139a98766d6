"""Boxes and solids of revolution."""

import numpy as np
import pytest

from clip2point.shapes.solids import make_box, make_capsule, make_cone, make_cylinder
from clip2point.shapes.triangles import triangle_areas


@pytest.mark.parametrize(
    ("solid", "area", "sizes"),
    [
        (make_box((1, 2, 3)), 22, (1, 2, 3)),
        (make_cylinder(1, 3), 8 * np.pi, (2, 2, 3)),
        (make_cone(1, 3), np.pi * (1 + np.sqrt(10)), (2, 2, 3)),
        (make_capsule(2), 16 * np.pi, (4, 4, 4)),
        (make_capsule(1, 3), 10 * np.pi, (2, 2, 5)),
    ],
)
def test_area_size_and_sides(solid, area, sizes):
    vertices, faces = solid.vertices, solid.faces
    assert triangle_areas(vertices.astype(np.float32), faces).sum() == pytest.approx(area, rel=0.02)
    np.testing.assert_allclose(vertices.max(axis=0) - vertices.min(axis=0), sizes, rtol=0.01)
    np.testing.assert_allclose(vertices.max(axis=0) + vertices.min(axis=0), 0, atol=0.01)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    assert ((a + b + c) * np.cross(b - a, c - a)).sum(axis=1).min() > -1e-9  # outwards
