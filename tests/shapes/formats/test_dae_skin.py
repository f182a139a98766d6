"""Skins of COLLADA: bind matrices, joints, weights."""

import numpy as np
import pytest

from clip2point.shapes import load_shape

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
PAGE = """<COLLADA><asset><up_axis>Z_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh><source id="p"><float_array>0 0 0 1 0 0 0 1 0</float_array></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles></mesh></geometry>
</library_geometries><library_controllers><controller id="c"><skin source="#g">
<bind_shape_matrix>1 0 0 0 0 1 0 0 0 0 1 5 0 0 0 1</bind_shape_matrix>
<source id="j"><Name_array>low high</Name_array></source>
<source id="b"><float_array>1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 1 0 0 0 0 1 0 0 0 0 1 -2 0 0 0 1</float_array>
<technique_common><accessor count="2" stride="16"/></technique_common></source>
<source id="w"><float_array>1 0.5</float_array><technique_common><accessor count="2" stride="1"/></technique_common>
</source><joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#b"/></joints>
<vertex_weights count="3"><input semantic="JOINT" source="#j" offset="0"/><input semantic="WEIGHT" source="#w"
offset="1"/><vcount>1 1 2</vcount><v>{v}</v></vertex_weights></skin></controller></library_controllers>
<library_visual_scenes><visual_scene id="s"><node sid="low">
<node sid="{high}"><translate>{lift}</translate></node></node>
<node name="{name}"><translate>50 0 0</translate><instance_controller url="#c"/></node>{more}</visual_scene>
</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>"""


def load(tmp_path, lift="0 0 2", v="0 0 1 0 0 1 1 1", high="high", name="body", more=""):
    path = tmp_path / "skin.dae"
    path.write_text(PAGE.format(lift=lift, v=v, high=high, name=name, more=more))
    return load_shape(path)


def test_the_bind_shape_matrix_moves_the_mesh(tmp_path):
    shape = load(tmp_path)
    np.testing.assert_allclose(shape.points, POINTS + np.array([0, 0, 5]))
    assert shape.notes == ()


def test_vertices_follow_their_joints(tmp_path):
    moved = load(tmp_path, lift="0 0 6").points  # the second joint is 4 above its bind pose
    np.testing.assert_allclose(moved, POINTS + np.array([[0, 0, 5], [0, 0, 9], [0, 0, 7]]))
    held_by_none = load(tmp_path, lift="0 0 6", v="-1 0 1 0 0 1 1 1").points
    np.testing.assert_allclose(held_by_none, moved)


@pytest.mark.parametrize(
    "fault", [{"high": "other"}, {"v": "0 0 1 0"}, {"v": "0 9 1 0 0 1 1 1"}, {"v": "7 0 1 0 0 1 1 1"}]
)
def test_incomplete_skins_are_read_in_their_bind_pose_and_said(tmp_path, fault):
    shape = load(tmp_path, **fault)
    np.testing.assert_allclose(shape.points, POINTS + np.array([0, 0, 5]))
    assert shape.notes == ("a skin without joints or weights: read in its bind pose",)


def test_bodies_for_collision_are_left_out(tmp_path):
    more = '<node name="chair"><instance_geometry url="#g"/></node>'
    shape = load(tmp_path, name="UCX_chair", more=more)
    np.testing.assert_array_equal(shape.points, POINTS)
    assert shape.notes[0].startswith("1 part for collision ('UCX_chair')")
