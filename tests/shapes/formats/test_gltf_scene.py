"""glTF scenes: instances, skins, morph targets and bodies for collision."""

import numpy as np
import pytest
from gltf_builder import POSITIONS, Builder

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.gltf_scene import apply_skin

TRIANGLE = POSITIONS[:3]


@pytest.fixture
def builder():
    builder = Builder()
    builder.mesh({"attributes": {"POSITION": builder.accessor(TRIANGLE)}})
    builder.tree["nodes"] = [{"mesh": 0}]
    return builder


def instance(builder, **attributes):
    numbers = {
        name: builder.accessor(*value) if isinstance(value, tuple) else value for name, value in attributes.items()
    }
    builder.tree["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": numbers}}
    builder.tree["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]


def test_every_instance_is_there_in_its_place(tmp_path, builder):
    half = np.sqrt(0.5)
    instance(
        builder,
        TRANSLATION=(np.array([[0, 0, 0], [5, 0, 0]], "f4"),),
        ROTATION=(np.array([[0, 0, 0, 1], [0, 0, half, half]], "f4"),),
        SCALE=(np.array([[1, 1, 1], [2, 3, 1]], "f4"),),
    )
    builder.tree["nodes"][0]["translation"] = [0, 0, 7]
    mesh = builder.load(tmp_path).mesh
    expected = [*(TRIANGLE + np.array([0, 0, 7])), [5, 0, 7], [5, 2, 7], [2, 0, 7]]  # a quarter turn about z: x to y
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-6)
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_instances_may_be_turned_by_normalised_integers(tmp_path, builder):
    quarter = builder.accessor(np.array([[0, 0, 23170, 23170]], "i2"), normalized=True)
    instance(builder, ROTATION=quarter)
    np.testing.assert_allclose(builder.load(tmp_path).points, [[0, 0, 0], [0, 1, 0], [-1, 0, 0]], atol=1e-4)


def test_instances_that_contradict_each_other_or_are_too_many_are_refused(tmp_path, builder, monkeypatch):
    instance(builder, TRANSLATION=(np.zeros((2, 3), "f4"),), SCALE=(np.ones((3, 3), "f4"),))
    with pytest.raises(ShapeError, match="EXT_mesh_gpu_instancing with attributes that do not fit together"):
        builder.load(tmp_path)
    instance(builder)
    with pytest.raises(ShapeError, match="EXT_mesh_gpu_instancing without attributes"):
        builder.load(tmp_path)
    monkeypatch.setattr("clip2point.shapes.formats.gltf_scene.MAX_INSTANCES", 10)
    instance(builder, TRANSLATION=(np.zeros((11, 3), "f4"),))
    with pytest.raises(ShapeError, match="has 11 instances: expected at most 10"):
        builder.load(tmp_path)


def skinned(builder, joints, weights, binds=None):
    attributes = builder.tree["meshes"][0]["primitives"][0]["attributes"]
    attributes |= {
        "JOINTS_0": builder.accessor(np.array(joints, "u1")),
        "WEIGHTS_0": builder.accessor(np.array(weights, "f4")),
    }
    builder.tree["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},  # a skin stands where its joints are
        {"translation": [0, 1, 0], "children": [2]},
        {"translation": [0, 0, 4]},
    ]
    builder.tree["skins"] = [{"joints": [1, 2]}]
    if binds is not None:
        builder.tree["accessors"].append(
            {"bufferView": builder.view(np.array(binds, "f4").tobytes()), "componentType": 5126}
            | {"count": len(binds), "type": "MAT4"}
        )
        builder.tree["skins"][0]["inverseBindMatrices"] = len(builder.tree["accessors"]) - 1


def test_skins_follow_their_joints(tmp_path, builder):
    skinned(builder, [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]])
    np.testing.assert_allclose(builder.load(tmp_path).points, TRIANGLE + np.array([[0, 1, 0], [0, 1, 4], [0, 1, 2]]))


def test_skins_in_their_bind_pose_stay_as_they_are(tmp_path, builder):
    first, second = np.eye(4), np.eye(4)
    first[:3, 3], second[:3, 3] = [0, -1, 0], [0, -1, -4]
    skinned(builder, [[0, 1, 0, 0]] * 3, [[0.5, 0.5, 0, 0]] * 3, [first.T.ravel(), second.T.ravel()])
    np.testing.assert_allclose(builder.load(tmp_path).points, TRIANGLE)


def test_skins_that_name_joints_that_are_not_there_are_refused(tmp_path, builder):
    skinned(builder, [[2, 0, 0, 0]] * 3, [[1, 0, 0, 0]] * 3)
    with pytest.raises(ShapeError, match="name joints which do not exist: expected 0 to 1"):
        builder.load(tmp_path)
    skinned(builder, [[0, 0, 0, 0]] * 3, [[1, 0, 0, 0]] * 3, [np.eye(4).ravel()])
    with pytest.raises(ShapeError, match="a skin of 2 joints with 1 matrices"):
        builder.load(tmp_path)
    skinned(builder, [[0, 0, 0, 0]] * 3, [[1, 0, 0, 0]] * 3)
    builder.tree["nodes"] += [{"children": [1, 4]}, {"children": [3]}]
    builder.tree["scenes"] = [{"nodes": [0]}]
    with pytest.raises(ShapeError, match="has the joint 1 in a circle of nodes"):
        builder.load(tmp_path)


def test_a_vertex_without_weights_is_held_by_the_first_joint():
    matrices = np.tile(np.eye(4), (2, 1, 1))
    matrices[1, :3, 3] = 9
    moved = apply_skin(np.ones((2, 3)), np.array([[0, 1], [1, 0]]), np.array([[0.0, 0], [0.2, 0]]), matrices)
    np.testing.assert_allclose(moved, [[1, 1, 1], [10, 10, 10]])


@pytest.mark.parametrize(("mesh", "node", "lift"), [(None, None, 0), ([0.5], None, 1), ([0.5], [2], 4)])
def test_morph_targets_have_the_weights_of_node_or_mesh(tmp_path, builder, mesh, node, lift):
    primitive = builder.tree["meshes"][0]["primitives"][0]
    primitive["targets"] = [{"POSITION": builder.accessor(np.full((3, 3), 2, "f4"))}]
    if mesh is not None:
        builder.tree["meshes"][0]["weights"] = mesh
    if node is not None:
        builder.tree["nodes"][0]["weights"] = node
    np.testing.assert_allclose(builder.load(tmp_path).points, TRIANGLE + lift)


def test_bodies_for_collision_are_left_out_and_said(tmp_path, builder):
    builder.tree["meshes"] += [builder.tree["meshes"][0] | {"name": "UCX_seat"}]
    builder.tree["nodes"] = [
        {"mesh": 0, "name": "chair"},
        {"name": "chair_collider", "children": [2]},
        {"mesh": 0, "translation": [5, 0, 0]},
        {"mesh": 1, "translation": [9, 0, 0]},
    ]
    shape = builder.load(tmp_path)
    np.testing.assert_array_equal(shape.points, TRIANGLE)
    assert shape.notes == ("2 parts for collision ('chair_collider', 'UCX_seat'), which engines do not draw: left out",)


def test_bodies_for_collision_alone_are_the_shape(tmp_path, builder):
    builder.tree["nodes"][0]["name"] = "chair_collider"
    shape = builder.load(tmp_path)
    assert len(shape.mesh.faces) == 1
    assert shape.notes == ()
