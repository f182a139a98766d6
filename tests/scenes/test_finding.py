"""Parts of files: exact counts, names and kinds."""

import json

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from trimesh.transformations import euler_matrix, translation_matrix

from clip2point.scenes import cut_part, find_parts
from clip2point.scenes.kinds import group_kinds, measure_shape
from clip2point.scenes.pieces import find_pieces
from clip2point.shapes import Mesh, Shape, load_shape, shape_from_points
from scene_fixtures import overlap, scan


def assembly(bolts=20):
    """A plate, bolts in as many poses, and two nodes without a mesh."""
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box((40, 2, 20)), node_name="plate", geom_name="plate")
    bolt = trimesh.creation.cone(0.5, 3)
    for number in range(bolts):
        pose = translation_matrix([2 * number - 20, 5, 0]) @ euler_matrix(number, 2 * number, 0.5)
        scene.add_geometry(bolt, node_name=f"bolt {number}", geom_name="bolt", parent_node_name="plate", transform=pose)
    scene.add_geometry(trimesh.creation.icosphere(2, 2), node_name="knob", transform=translation_matrix([0, 20, 0]))
    return scene


def test_nodes_are_parts_and_equal_shapes_one_kind(tmp_path):
    assembly().export(tmp_path / "a.glb")
    found = find_parts(load_shape(tmp_path / "a.glb"))
    assert found.split_by == "file"
    assert len(found.parts) == 22
    counts = {parts[0].name.split()[0]: len(parts) for parts in found.kinds()}
    assert counts == {"plate": 1, "bolt": 20, "knob": 1}
    bolt = next(part for part in found.parts if part.name == "bolt 3")
    assert bolt.path == ("plate",)
    assert bolt.transform[:3, 3].tolist() == pytest.approx([-14, 5, 0])
    assert json.loads(json.dumps(found.to_dict()))["kinds"] == 3


def test_instances_number_the_faces_of_the_file(tmp_path):
    assembly(2).export(tmp_path / "a.glb")
    shape = load_shape(tmp_path / "a.glb")
    found = find_parts(shape)
    assert len(found.instances) == len(shape.mesh.faces)
    for part in found.parts:
        own = cut_part(shape, found, part)
        assert len(own.mesh.faces) == part.elements == np.count_nonzero(found.instances == part.number)
        assert own.points.max(axis=0) - own.points.min(axis=0) == pytest.approx(part.size, abs=1e-5)


def test_a_mesh_without_nodes_is_cut_into_pieces():
    ball, cube = trimesh.creation.icosphere(), trimesh.creation.box()
    joined = trimesh.util.concatenate(
        [ball, cube.copy().apply_translation([5, 0, 0]), cube.apply_translation([9, 0, 0])]
    )
    mesh = Mesh.plain(joined.vertices, joined.faces)
    found = find_parts(Shape(mesh.vertices, mesh))
    assert found.split_by == "pieces"
    assert [part.elements for part in found.parts] == [len(ball.faces), 12, 12]
    assert [part.kind for part in found.parts] == [0, 1, 1]


def test_one_piece_is_one_part_and_said():
    ball = trimesh.creation.icosphere()
    mesh = Mesh.plain(ball.vertices, ball.faces)
    found = find_parts(Shape(mesh.vertices, mesh))
    assert len(found.parts) == 1
    assert "the mesh is one piece: one part" in found.notes


def test_thousands_of_crumbs_are_bounded_and_summed_up():
    ball = trimesh.creation.icosphere(subdivisions=3)
    generator = np.random.default_rng(0)
    crumbs = (generator.uniform(-2, 2, (5000, 1, 3)) + generator.normal(0, 1e-3, (5000, 3, 3))).reshape(-1, 3)
    vertices = np.concatenate([ball.vertices, crumbs])
    faces = np.concatenate([ball.faces, np.arange(15000).reshape(-1, 3) + len(ball.vertices)])
    mesh = Mesh.plain(vertices, faces)
    found = find_parts(Shape(mesh.vertices, mesh))
    assert len(found.parts) == 1
    assert any(note.startswith("5,000 tiny pieces") for note in found.notes)


def test_vertices_that_are_doubled_along_seams_do_not_cut():
    cube = trimesh.creation.box()
    assert find_pieces(cube.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3)).tolist() == [0] * 12


def test_kinds_know_size_but_not_pose():
    cone = trimesh.creation.cone(1, 3)
    turned, larger = cone.copy(), cone.copy().apply_scale(1.05)
    turned.apply_transform(translation_matrix([100, 3, 1]) @ euler_matrix(0.3, 1, 2))
    measures = [measure_shape(mesh.vertices.astype(np.float32), mesh.faces) for mesh in (cone, turned, larger)]
    assert group_kinds(np.array(measures)).tolist() == [0, 0, 1]


def test_many_parts_of_different_shapes_are_told_apart_in_time():
    generator = np.random.default_rng(0)
    vertices = generator.normal(size=(9000, 3)).astype(np.float32)
    faces = np.arange(9000).reshape(-1, 3)
    kinds = group_kinds(np.array([measure_shape(vertices, faces[row : row + 1]) for row in range(3000)]))
    assert kinds.max() > 2980


def test_a_scan_has_a_number_for_each_point_of_the_file_in_its_order():
    points, instances = scan()
    points[7] = np.nan
    shape = shape_from_points(points, up="y")
    found = find_parts(shape)
    assert found.split_by == "scan"
    assert len(found.instances) == len(points)
    assert found.instances[7] == -1
    assert overlap(instances, found.instances) > 0.9
    assert len(cut_part(shape, found, found.parts[0]).points) == found.parts[0].elements


def test_an_unfind_up_axis_is_said():
    points, _ = scan()
    assert any("up-axis" in note for note in find_parts(shape_from_points(points, up="auto")).notes)
    assert not any("up-axis" in note for note in find_parts(shape_from_points(points, up="y")).notes)


def test_a_mesh_that_is_a_scan_has_a_number_for_each_face():
    """The grid of a depth camera, with two boxes on a table."""
    x, z = np.meshgrid(np.linspace(-0.6, 0.6, 160), np.linspace(-0.5, 0.5, 140))
    height = np.where((abs(x + 0.25) < 0.12) & (abs(z) < 0.1), 0.15, 0.0)
    height = np.where((abs(x - 0.25) < 0.1) & (abs(z - 0.1) < 0.1), 0.1, height)
    height += np.random.default_rng(0).normal(0, 5e-4, height.shape)
    points = np.column_stack([x.ravel(), height.ravel(), z.ravel()])
    row = np.arange(139 * 160).reshape(139, 160)[:, :-1].ravel()
    faces = np.concatenate(
        [np.column_stack([row, row + 160, row + 1]), np.column_stack([row + 1, row + 160, row + 161])]
    )
    mesh = Mesh.plain(points, faces)
    found = find_parts(Shape(mesh.vertices, mesh, up="y"))
    assert found.split_by == "scan"
    assert len(found.instances) == len(faces)
    assert len(found.parts) == 2
    left = found.instances[points[faces].mean(axis=1)[:, 0] < 0]
    assert len(set(left[left >= 0])) == 1


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 700),
    st.sampled_from(["ball", "plane", "line", "steps", "far"]),
    st.floats(-12, 12),
)
@settings(max_examples=40, deadline=None)
def test_no_cloud_is_too_wild(seed, count, form, power):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(count, 3))
    if form == "plane":
        points[:, 1] = 0
    elif form == "line":
        points[:, 1:] = 0
    elif form == "steps":
        points = np.round(points)
    elif form == "far":
        points[0] = 1e6
    points[-1] = points[0] + 1
    found = find_parts(shape_from_points(points * 10.0**power, up="auto"))
    assert len(found.instances) == count
    assert sum(part.elements for part in found.parts) == np.count_nonzero(found.instances >= 0)
    json.dumps(found.to_dict(), allow_nan=False)
