"""The object among strays, far things and floors; nothing thin or flat may be lost."""

from dataclasses import replace

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.shapes import Mesh, Shape
from clip2point.shapes.demo_shapes import demo_shapes
from clip2point.shapes.isolation import isolate_object, isolate_points
from clip2point.shapes.sampling import sample_points


def box(size, at=(0, 0, 0)):
    """Corners and faces of a box."""
    corners = (np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) - 0.5) * size + at
    faces = [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
    ]
    return corners, np.array([*faces, [1, 5, 7], [1, 7, 3]])


def mesh_of(*boxes):
    vertices, faces, count = [], [], 0
    for size, at in boxes:
        corners, own = box(size, at)
        vertices.append(corners)
        faces.append(own + count)
        count += 8
    mesh = Mesh.plain(np.concatenate(vertices).astype(np.float32), np.concatenate(faces))
    return Shape(mesh.vertices, mesh)


THIN = {
    "rod": [((2, 0.02, 0.02), (0, 0, 0))],
    "wire": [((2, 0.004, 0.004), (0, 0, 0)), ((0.004, 1, 0.004), (1, 0.5, 0))],
    "door": [((0.9, 2, 0.04), (0, 0, 0)), ((0.1, 0.02, 0.06), (0.4, 0, 0.05))],
    "rug": [((2, 0.01, 1.4), (0, 0, 0))],
    "keyboard": [((1, 0.03, 0.3), (0, 0, 0)), *[((0.05, 0.02, 0.05), (x / 10 - 0.4, 0.03, 0)) for x in range(9)]],
    "table": [
        ((1.6, 0.04, 0.9), (0, 0.7, 0)),
        *[((0.03, 0.7, 0.03), (x, 0.35, z)) for x in (-0.75, 0.75) for z in (-0.4, 0.4)],
    ],
    "lamp": [
        *[((0.3, 0.03, 0.3), (0, 0, 0)), ((0.02, 1.5, 0.02), (0, 0.75, 0))],
        *[((1, 0.02, 0.02), (0.5, 1.5, 0)), ((0.2, 0.2, 0.2), (1, 1.4, 0))],
    ],
    "stand": [((0.5, 0.02, 0.5), (0, 0, 0)), ((0.03, 1.2, 0.03), (0, 0.6, 0)), ((0.1, 0.2, 0.1), (0, 1.3, 0))],
    "glasses": [
        *[((0.5, 0.4, 0.02), (side * 0.3, 0, 0)) for side in (-1, 1)],
        *[((0.01, 0.02, 1.2), (side * 0.55, 0.1, 0.6)) for side in (-1, 1)],
    ],
    "monitor": [((1, 0.6, 0.04), (0, 0.6, 0)), ((0.05, 0.3, 0.05), (0, 0.2, 0)), ((0.3, 0.02, 0.25), (0, 0.05, 0))],
}


@pytest.mark.parametrize("up", ["auto", "y", "z"])
@pytest.mark.parametrize("count", [512, 1024, 4096])
@pytest.mark.parametrize("name", THIN)
def test_thin_and_flat_things_stay_whole(name, count, up):
    shape = replace(mesh_of(*THIN[name]), up=up)
    assert isolate_object(shape) is shape
    cloud = Shape(sample_points(shape, count, 1), up=up)
    found = isolate_object(cloud)
    assert len(found.points) == count, found.notes
    assert found.notes == ()


def test_shipped_meshes_and_their_samples_stay_whole():
    for name, shape in demo_shapes():
        assert isolate_object(shape) is shape, name
        cloud = Shape(sample_points(shape, 2048, 0), up=shape.up)
        assert len(isolate_object(cloud).points) == 2048, name


@pytest.fixture(scope="module")
def chair():
    (shape,) = [shape for name, shape in demo_shapes() if name == "chair"]
    points = sample_points(shape, 2000, 0)
    return points - points.mean(axis=0)


def test_strays_are_set_apart_and_told(chair):
    strays = np.random.default_rng(0).uniform(-4, 4, (20, 3)).astype(np.float32)
    strays = strays[np.linalg.norm(strays, axis=1) > 1.5]
    found = isolate_object(Shape(np.vstack([chair, strays]), up="y"))
    np.testing.assert_array_equal(found.points, chair)
    count = len(strays)
    assert found.notes == (f"{count} of {2000 + count:,} points are strays far from the rest: set apart",)


def test_strays_among_very_many_points_are_found_by_their_neighbours():
    (shape,) = [shape for name, shape in demo_shapes() if name == "chair"]
    dense = sample_points(shape, 20_000, 1)
    strays = np.random.default_rng(0).uniform(3, 8, (200, 3)).astype(np.float32)
    found = isolate_points(np.vstack([dense, strays]))
    assert not found.mask[20_000:].any()
    assert found.mask[:20_000].all()


def test_a_small_thing_far_away_is_set_apart_and_a_large_one_told(chair):
    small = chair[::5] * 0.3 + [9, 0, 0]
    found = isolate_object(Shape(np.vstack([chair, small]).astype(np.float32), up="y"))
    assert len(found.points) == 2000
    found = isolate_object(Shape(np.vstack([chair, chair + np.array([9, 0, 0])]).astype(np.float32), up="y"))
    assert len(found.points) == 4000
    assert found.notes == ("two things of like size far from each other: taken as one; split the file",)


@pytest.mark.parametrize("up", ["auto", "y"])
def test_a_floor_is_set_apart(chair, up):
    low = chair[:, 1].min()
    spots = np.random.default_rng(0).uniform(-2, 2, (800, 2))
    floor = np.column_stack([spots[:, 0], np.full(800, low), spots[:, 1]]).astype(np.float32)
    found = isolate_object(Shape(np.vstack([chair, floor]), up=up))
    assert 0.95 * 2000 <= len(found.points) <= 2000
    assert np.ptp(found.points, axis=0).max() < 1.05 * np.ptp(chair, axis=0).max()
    assert "below the object: set apart" in found.notes[0]


def test_the_ground_plane_and_the_far_bulb_of_a_mesh_go():
    chair = [
        ((0.5, 0.05, 0.5), (0, 0.45, 0)),
        *[((0.05, 0.45, 0.05), (x, 0.22, z)) for x in (-0.2, 0.2) for z in (-0.2, 0.2)],
    ]
    whole = mesh_of(*chair)
    found = isolate_object(mesh_of(*chair, ((20, 0.001, 20), (0, -0.005, 0))))
    np.testing.assert_array_equal(found.mesh.vertices, whole.mesh.vertices)
    assert found.notes == ("a floor below the object, larger than it: set apart",)
    found = isolate_object(mesh_of(*chair, ((0.2, 0.2, 0.2), (9, 1, 0))))
    np.testing.assert_array_equal(found.mesh.vertices, whole.mesh.vertices)
    assert found.notes == ("12 of 72 faces are far from the rest: set apart",)


@pytest.mark.parametrize("count", [2, 31])
def test_of_few_points_nothing_is_said(count):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32) ** 5
    assert isolate_points(points).mask.all()


def test_planes_and_equal_points_alone_stay():
    plane = np.random.default_rng(0).random((500, 3)).astype(np.float32) * [1, 0, 1]
    assert isolate_points(plane.astype(np.float32)).mask.all()
    assert isolate_points(np.zeros((500, 3), np.float32)).mask.all()


def test_none_does_nothing_and_other_modes_are_refused(chair):
    shape = Shape(np.vstack([chair, [[50, 0, 0]]]).astype(np.float32))
    assert isolate_object(shape, "none") is shape
    with pytest.raises(OptionError, match="prepare 'all': expected one of none, auto, scan"):
        isolate_object(shape, "all")
