"""What files say about their parts: names, the tree, transforms, and the node of each face."""

import zipfile

import numpy as np
import pytest
import trimesh
from trimesh.transformations import translation_matrix

from clip2point.shapes import load_shape
from clip2point.shapes.hierarchy import Node, join_face_nodes


@pytest.fixture
def scene():
    scene = trimesh.Scene()
    box = trimesh.creation.box((1, 2, 3))
    for number in range(3):
        scene.add_geometry(
            box, node_name=f"bolt {number}", geom_name="bolt", transform=translation_matrix([4 * number, 0, 0])
        )
    ball = trimesh.creation.icosphere(subdivisions=1)
    scene.add_geometry(ball, node_name="ball", parent_node_name="bolt 1", transform=translation_matrix([0, 5, 0]))
    return scene


def describe(shape):
    return [(node.name, node.parent, node.transform[:3, 3].tolist()) for node in shape.hierarchy.nodes]


def test_glb_has_its_nodes_in_their_places(scene, tmp_path):
    scene.export(tmp_path / "a.glb")
    shape = load_shape(tmp_path / "a.glb")
    assert describe(shape) == [
        ("bolt 0", -1, [0, 0, 0]),
        ("bolt 1", -1, [4, 0, 0]),
        ("ball", 1, [4, 5, 0]),
        ("bolt 2", -1, [8, 0, 0]),
    ]
    assert np.bincount(shape.hierarchy.face_nodes).tolist() == [12, 12, 80, 12]
    corners = shape.points[shape.mesh.faces[shape.hierarchy.face_nodes == 2]]
    np.testing.assert_allclose(corners.reshape(-1, 3).mean(axis=0), [4, 5, 0], atol=1e-5)


def test_3mf_has_its_items_and_their_components(tmp_path):
    mesh = (
        "<mesh><vertices>" + "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in np.eye(4, 3)) + "</vertices>"
        '<triangles><triangle v1="0" v2="1" v3="2"/><triangle v1="0" v2="1" v3="3"/></triangles></mesh>'
    )
    model = (
        '<model xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>'
        f'<object id="1" name="bolt">{mesh}</object><object id="2" name="pair"><components>'
        '<component objectid="1"/><component objectid="1" transform="1 0 0 0 1 0 0 0 1 4 5 0"/></components></object>'
        '</resources><build><item objectid="2" transform="1 0 0 0 1 0 0 0 1 0 0 7"/>'
        '<item objectid="1"/></build></model>'
    )
    with zipfile.ZipFile(tmp_path / "a.3mf", "w") as archive:
        archive.writestr("3D/3dmodel.model", model)
    shape = load_shape(tmp_path / "a.3mf")
    assert describe(shape) == [
        ("pair", -1, [0, 0, 7]),
        ("bolt", 0, [0, 0, 7]),
        ("bolt", 0, [4, 5, 7]),
        ("bolt", -1, [0, 0, 0]),
    ]
    assert [node.kind for node in shape.hierarchy.nodes] == ["item", "component", "component", "item"]
    assert np.bincount(shape.hierarchy.face_nodes).tolist() == [0, 2, 2, 2]


CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"


@pytest.mark.parametrize(
    ("lines", "names", "faces"),
    [
        ("o lid\nf 1 2 3\no box\nf 1 2 4\nf 2 3 4\n", ["lid", "box"], [0, 1, 1]),
        ("o box\ng left\nf 1 2 3\ng right\nf 1 2 4\n", ["box", "left", "right"], [1, 2]),
        ("f 1 2 3\ng wheel\nf 1 2 4\n", ["", "wheel"], [0, 1]),
        ("usemtl red\nf 1 2 3\nusemtl blue\nf 1 2 4\nusemtl red\nf 2 3 4\n", ["blue", "red"], [1, 0, 1]),
    ],
)
def test_obj_has_objects_and_groups_or_else_materials(lines, names, faces, tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(CORNERS + lines)
    hierarchy = load_shape(path).hierarchy
    found = [hierarchy.nodes[number].name for number in hierarchy.face_nodes]
    assert sorted({node.name for node in hierarchy.nodes}) == sorted(names)
    assert found == [names[number] for number in faces]


def test_one_group_is_no_hierarchy(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(CORNERS + "o box\nusemtl red\nf 1 2 3\nf 1 2 4\n")
    assert load_shape(path).hierarchy is None


def test_instances_of_one_node_are_nodes_below_it():
    nodes = [Node("bolts"), Node("bolts", 0, kind="instance"), Node("bolts", 0, kind="instance")]
    assert join_face_nodes(nodes, [1, 2], [3, 3]).face_nodes.tolist() == [1, 1, 1, 2, 2, 2]


def test_parts_without_nodes_have_no_hierarchy():
    assert join_face_nodes([Node("a")], [0, None], [1, 1]) is None


def test_a_cloud_knows_which_points_were_left_out(tmp_path):
    points = np.arange(30.0).reshape(10, 3)
    points[3, 1] = np.nan
    np.save(tmp_path / "a.npy", points)
    assert np.flatnonzero(~load_shape(tmp_path / "a.npy").kept).tolist() == [3]


def test_collada_has_its_nodes_and_those_above_them(tmp_path):
    mesh = (
        '<geometry id="g"><mesh><source id="p"><float_array id="a" count="9">0 0 0 1 0 0 0 1 0</float_array>'
        '<technique_common><accessor source="#a" count="3" stride="3"/></technique_common></source>'
        '<vertices id="v"><input semantic="POSITION" source="#p"/></vertices><triangles count="1">'
        '<input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles></mesh></geometry>'
    )
    leaf = '<node name="{}"><translate>{} 0 0</translate><instance_geometry url="#g"/></node>'
    (tmp_path / "a.dae").write_text(
        '<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><library_geometries>'
        f'{mesh}</library_geometries><library_visual_scenes><visual_scene id="s"><node name="bone"/><node name="pair">'
        f"<translate>0 0 7</translate>{leaf.format('left', 1)}{leaf.format('right', 2)}</node></visual_scene>"
        '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    )
    shape = load_shape(tmp_path / "a.dae")
    assert describe(shape) == [("pair", -1, [0, 0, 7]), ("left", 0, [1, 0, 7]), ("right", 0, [2, 0, 7])]
    assert shape.hierarchy.face_nodes.tolist() == [1, 2]


def test_names_cannot_steer_a_terminal(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(CORNERS + "o li\x1b[31md\nf 1 2 3\no " + "x" * 500 + "\nf 1 2 4\n")
    names = [node.name for node in load_shape(path).hierarchy.nodes]
    assert names == ["li [31md", "x" * 200]


def test_a_scaled_hierarchy_has_places_in_the_new_unit():
    node = Node("a", transform=translation_matrix([1000, 0, 0]))
    scaled = join_face_nodes([node], [0], [1]).scale(0.001)
    np.testing.assert_allclose(scaled.nodes[0].transform, translation_matrix([1, 0, 0]))
