"""Places of FBX's models."""

import numpy as np

from clip2point.shapes.formats.fbx_scene import multiply_up, turn_geometry


def test_nothing_said_is_the_identity():
    assert np.array_equal(multiply_up({}), np.eye(4))
    assert np.array_equal(turn_geometry({"GeometricScaling": [1, "a", 2]}), np.eye(4))


def test_scales_and_rotations_leave_their_pivots_where_they_are():
    properties = {"Lcl Scaling": [3.0, 4.0, 5.0], "ScalingPivot": [1.0, 2.0, 3.0]}
    assert np.allclose(multiply_up(properties) @ [1, 2, 3, 1], [1, 2, 3, 1])
    properties = {"Lcl Rotation": [30.0, 40.0, 50.0], "RotationPivot": [1.0, 2.0, 3.0]}
    assert np.allclose(multiply_up(properties) @ [1, 2, 3, 1], [1, 2, 3, 1])


def test_rotations_after_undo_those_before():
    turned = {"RotationActive": [1], "PreRotation": [10.0, 20.0, 30.0], "PostRotation": [10.0, 20.0, 30.0]}
    assert np.allclose(multiply_up(turned), np.eye(4))
