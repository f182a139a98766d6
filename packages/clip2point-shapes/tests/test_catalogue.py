"""Every class and style: valid, closed, upright, of a sensible size, deterministic and variable."""

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.shapes.shape import Mesh
from clip2point_shapes import catalogue as catalogue_module
from clip2point_shapes import generate, list_classes, list_styles

pytestmark = pytest.mark.slow

MODELNET40 = [
    "airplane",
    "bathtub",
    "bed",
    "bench",
    "bookshelf",
    "bottle",
    "bowl",
    "car",
    "chair",
    "cone",
    "cup",
    "curtain",
    "desk",
    "door",
    "dresser",
    "flower_pot",
    "glass_box",
    "guitar",
    "keyboard",
    "lamp",
    "laptop",
    "mantel",
    "monitor",
    "night_stand",
    "person",
    "piano",
    "plant",
    "radio",
    "range_hood",
    "sink",
    "sofa",
    "stairs",
    "stool",
    "table",
    "tent",
    "toilet",
    "tv_stand",
    "vase",
    "wardrobe",
    "xbox",
]

#: Greatest side of the bounding box in metres.
SIZE = {
    "airplane": (6, 62),
    "bathtub": (1.4, 2.6),
    "bed": (1.7, 2.4),
    "bottle": (0.15, 0.4),
    "bowl": (0.1, 0.5),
    "car": (3.4, 6),
    "chair": (0.7, 1.4),
    "cone": (0.1, 1.2),
    "cup": (0.07, 0.25),
    "keyboard": (0.25, 0.6),
    "laptop": (0.2, 0.6),
    "person": (1.1, 2.2),
    "stairs": (1.5, 6),
    "tent": (1.8, 5.5),
    "vase": (0.2, 0.8),
}
ALL = [(name, style) for name in list_classes() for style in list_styles(name)]


def check_valid(mesh: Mesh) -> None:
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int32
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
    assert len(mesh.face_materials) == len(mesh.faces)
    assert 0 <= mesh.face_materials.min() <= mesh.face_materials.max() < len(mesh.materials)
    assert all(0 <= channel <= 1 for material in mesh.materials for channel in material.color)
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert np.isfinite(area).all()
    assert area.sum() > 0
    # A handful of slivers may vanish in float32, no more.
    assert (area > 0).mean() > 0.99


def test_all_classes_of_modelnet40_are_there():
    assert sorted(MODELNET40) == list(list_classes())
    assert all(len(list_styles(name)) >= 2 for name in list_classes())
    assert set(list_styles("chair")) >= {"slatted", "office", "armchair", "shell", "cantilever"}


@pytest.mark.parametrize(("name", "style"), ALL)
def test_shape(name, style):
    meshes = [generate(name, style, seed) for seed in (0, 7)]
    for mesh in meshes:
        check_valid(mesh)
        low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
        assert low[1] == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-4 * (high - low).max())
        smallest, greatest = SIZE.get(name, (0.05, 3.6))
        assert smallest < (high - low).max() < greatest
        assert (high - low).min() > 0.015
        assert len(mesh.faces) < 60_000
    again = generate(name, style, 7)
    np.testing.assert_array_equal(again.vertices, meshes[1].vertices)
    np.testing.assert_array_equal(again.faces, meshes[1].faces)
    assert [m.color for m in again.materials] == [m.color for m in meshes[1].materials]
    first, second = meshes[0].vertices, meshes[1].vertices
    assert first.shape != second.shape or not np.allclose(first, second)


@pytest.mark.parametrize(("name", "style"), ALL)
def test_every_part_is_closed_and_faces_outwards(name, style):
    rng = np.random.default_rng(3)
    for solid, _ in catalogue_module._CATALOGUE[name][style](rng).parts:
        edges = np.concatenate([solid.faces[:, [0, 1]], solid.faces[:, [1, 2]], solid.faces[:, [2, 0]]])
        codes = edges[:, 0] * len(solid.vertices) + edges[:, 1]
        reverse = edges[:, 1] * len(solid.vertices) + edges[:, 0]
        assert len(np.unique(codes)) == len(codes)
        assert set(codes) == set(reverse)
        assert solid.volume > 0


def test_front_is_towards_minus_z():
    chair = generate("chair", "slatted", 0)
    upper = chair.vertices[chair.vertices[:, 1] > 0.7 * chair.vertices[:, 1].max()]
    assert upper[:, 2].mean() > 0.1
    airplane = generate("airplane", "airliner", 0).vertices
    fin = airplane[airplane[:, 1] > 0.9 * airplane[:, 1].max()]
    assert fin[:, 2].mean() > 5


def test_style_none_draws_among_the_styles():
    drawn = {len(generate("chair", seed=seed).faces) for seed in range(12)}
    assert len(drawn) > 3
    np.testing.assert_array_equal(generate("lamp", seed=4).vertices, generate("lamp", seed=4).vertices)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chiar",), r"no generator of class 'chiar': expected one of airplane, .*xbox"),
        (("chair", "baroque"), r"no style 'baroque' of chair: expected one of slatted, office"),
        (("chair", "office", -1), r"seed -1 is negative"),
    ],
)
def test_unknown_names_are_listed(arguments, message):
    with pytest.raises(OptionError, match=message):
        generate(*arguments)
    with pytest.raises(OptionError, match="expected one of airplane"):
        list_styles("nothing")
