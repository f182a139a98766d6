"""DAE: scenes, instances, primitives, materials."""

import re

import numpy as np
import pytest
import trimesh
from PIL import Image
from sample_files import FACES, TEXTURE, VERTICES, box, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><up_axis>{up}</up_axis></asset>
<library_images><image id="picture"><init_from>./skin%20a.png</init_from></image></library_images>
<library_effects>
  <effect id="painted"><profile_COMMON>
    <newparam sid="surface"><surface type="2D"><init_from>picture</init_from></surface></newparam>
    <newparam sid="sampler"><sampler2D><source>surface</source></sampler2D></newparam>
    <technique sid="t"><lambert><diffuse><texture texture="sampler" texcoord="UV"/></diffuse></lambert></technique>
  </profile_COMMON></effect>
  <effect id="red"><profile_COMMON><technique sid="t"><phong><diffuse><color>1 0 0 0.5</color></diffuse></phong>
  </technique></profile_COMMON></effect>
</library_effects>
<library_materials>
  <material id="m_painted"><instance_effect url="#painted"/></material>
  <material id="m_red"><instance_effect url="#red"/></material>
</library_materials>
<library_geometries><geometry id="square"><mesh>
  <source id="p"><float_array id="pa" count="12">0 0 0 1 0 0 1 1 0 0 1 0.5</float_array>
    <technique_common><accessor source="#pa" count="4" stride="3"/></technique_common></source>
  <source id="t"><float_array id="ta" count="6">0 0 1 0 1 1</float_array>
    <technique_common><accessor source="#ta" count="3" stride="2"/></technique_common></source>
  <source id="c"><float_array id="ca" count="6">1 0 0 0 0 1</float_array>
    <technique_common><accessor source="#ca" count="2" stride="3"/></technique_common></source>
  <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
  {primitives}
</mesh></geometry></library_geometries>
<library_nodes><node id="shared"><translate>0 0 1</translate><instance_geometry url="#square"/></node></library_nodes>
<library_visual_scenes><visual_scene id="scene">{nodes}</visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#scene"/></scene>
</COLLADA>"""
TRIANGLES = (
    '<triangles material="{0}" count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles>'
)
PLACED = '<node><instance_geometry url="#square"/></node>'


def load(tmp_path, primitives=TRIANGLES, nodes=PLACED, up="Z_UP", page=PAGE):
    path = tmp_path / "shape.dae"
    path.write_text(page.format(primitives=primitives, nodes=nodes, up=up))
    return load_shape(path)


def test_a_mesh_of_trimesh_is_read(tmp_path):
    mesh = load_shape(write_sample("box.dae", tmp_path)).mesh
    np.testing.assert_allclose(mesh.vertices[mesh.faces], VERTICES[FACES])


def test_a_scene_of_trimesh_is_read(tmp_path):
    boxes = [box().apply_translation([i, 0, 0]) for i in range(2)]
    (tmp_path / "two.dae").write_bytes(trimesh.exchange.dae.export_collada(boxes))
    mesh = load_shape(tmp_path / "two.dae").mesh
    np.testing.assert_allclose(mesh.vertices[mesh.faces[12:]], VERTICES[FACES] + np.array([1, 0, 0]))


@pytest.mark.parametrize(("axis", "up"), [("X_UP", "x"), ("Y_UP", "y"), ("Z_UP", "z"), ("", "y"), ("W_UP", "auto")])
def test_the_up_axis_is_declared_and_not_applied(tmp_path, axis, up):
    shape = load(tmp_path, up=axis)
    assert shape.up == up
    np.testing.assert_array_equal(shape.points[:3], [[0, 0, 0], [1, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("primitive", "faces"),
    [
        ('<polylist><input semantic="VERTEX" source="#v" offset="0"/><vcount>4 3</vcount>'
         "<p>0 1 2 3 0 1 3</p></polylist>", [[0, 1, 2], [0, 2, 3], [0, 1, 3]]),
        ('<polygons><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 3</p><p>0 1 3</p></polygons>',
         [[0, 1, 2], [0, 2, 3], [0, 1, 3]]),
        ('<tristrips><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 3</p></tristrips>',
         [[0, 1, 2], [1, 3, 2]]),
        ('<trifans><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 3</p></trifans>', [[0, 1, 2], [0, 2, 3]]),
        ('<triangles><input semantic="NORMAL" source="#p" offset="0"/><input semantic="VERTEX" source="#v" offset="1"/>'
         "<p>9 0 9 1 9 2</p></triangles>", [[0, 1, 2]]),
    ],
)  # fmt: skip
def test_all_kinds_of_primitives_become_triangles(tmp_path, primitive, faces):
    assert load(tmp_path, primitive).mesh.faces.tolist() == faces


def test_textures_seams_and_bound_materials_are_read(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "skin a.png")
    primitives = (
        '<triangles material="symbol"><input semantic="VERTEX" source="#v" offset="0"/>'
        '<input semantic="TEXCOORD" source="#t" offset="1"/><p>0 0 1 1 2 2 0 1 2 2 3 0</p></triangles>'
    )
    bound = (
        '<node><instance_geometry url="#square"><bind_material><technique_common>'
        '<instance_material symbol="symbol" target="#{}"/>'
        "</technique_common></bind_material></instance_geometry></node>"
    )
    mesh = load(tmp_path, primitives, bound.format("m_painted") + bound.format("m_red")).mesh
    assert mesh.uv[mesh.faces[:2]].tolist() == [[[0, 0], [1, 0], [1, 1]], [[1, 0], [1, 1], [0, 0]]]
    np.testing.assert_array_equal(mesh.materials[mesh.face_materials[0]].texture, TEXTURE)
    assert mesh.materials[mesh.face_materials[2]].color == (1, 0, 0, 0.5)
    (tmp_path / "skin a.png").unlink()
    assert load(tmp_path, primitives, bound.format("m_painted")).mesh.materials[0].texture is None


def test_colors_of_corners_are_read(tmp_path):
    primitives = (
        '<triangles><input semantic="VERTEX" source="#v" offset="0"/><input semantic="COLOR" source="#c" offset="1"/>'
        "<p>0 0 1 1 2 1</p></triangles>"
    )
    assert load(tmp_path, primitives).mesh.vertex_colors.tolist() == [[255, 0, 0], [0, 0, 255], [0, 0, 255]]


def test_transforms_are_applied_in_their_order(tmp_path):
    nodes = (
        "<node><translate>10 0 0</translate><rotate>0 0 1 90</rotate><scale>2 2 2</scale>"
        "<node><matrix>1 0 0 0 0 1 0 0 0 0 1 5 0 0 0 1</matrix><instance_node url='#shared'/></node></node>"
    )
    mesh = load(tmp_path, nodes=nodes).mesh
    np.testing.assert_allclose(mesh.vertices[mesh.faces[0]], [[10, 0, 12], [10, 2, 12], [8, 2, 12]], atol=1e-6)


def test_skins_are_read_in_their_pose_of_rest(tmp_path):
    page = PAGE.replace(
        "<library_nodes>",
        '<library_controllers><controller id="body"><skin source="#square"/></controller></library_controllers>'
        "<library_nodes>",
    )
    assert len(load(tmp_path, nodes='<node><instance_controller url="#body"/></node>', page=page).mesh.faces) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<COLLADA", "<!DOCTYPE x><COLLADA", "declares an XML document type or entities"),
        ("</COLLADA>", "", "is not well-formed XML"),
        ("COLLADA", "X3D", "has the root <X3D>: expected <COLLADA>"),
        ('<instance_visual_scene url="#scene"/>', '<instance_visual_scene url="#none"/>', "has no visual scene"),
        ('geometry url="#square"/></node><', 'geometry url="#none"/></node><', "places the geometry '#none'"),
        (PLACED, "", "holds no triangles and no points"),
        (PLACED, '<node id="a"><instance_node url="#a"/></node>', "nodes, or a circle of them"),
        ("1 1 0 0 1 0.5", "1 nan 0 0 1 0.5", "NaN or infinite coordinates in 1 of 3 points"),
        ("0 1 0.5", "0 1 half", "has text where numbers were expected"),
        ("0 1 0.5", "0 1", "declares 4 values in a source that has fewer"),
        ('count="4" stride="3"', 'count="1000000000" stride="3"', "declares 1,000,000,000 values in a source"),
        ('count="4" stride="3"', 'count="4" stride="0"', "has a source that contradicts itself"),
        ("<p>0 1 2</p>", "<p>0 1 4</p>", "names vertices which do not exist"),
        ("<p>0 1 2</p>", "<p>0 1 x</p>", "has text where integers were expected"),
        ('offset="0"', 'offset="1000000000"', "has an input at offset 1000000000"),
        ('semantic="POSITION"', 'semantic="NORMAL"', "has triangles without positions"),
        (PLACED, "<node><scale>1 2</scale></node>", "has <scale> with 2 numbers: expected 3"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(tmp_path, old, new, message):
    page = PAGE.replace("{primitives}", TRIANGLES.format("none")).replace("{nodes}", PLACED).replace("{up}", "Y_UP")
    assert old in page
    (tmp_path / "bad.dae").write_text(page.replace(old, new))
    with pytest.raises(ShapeError, match=message):
        load_shape(tmp_path / "bad.dae")


@pytest.mark.slow
def test_nested_instances_cannot_grow_without_bound(tmp_path):
    nodes = "".join(f'<node id="n{i}">' + f'<instance_node url="#n{i + 1}"/>' * 2 + "</node>" for i in range(40))
    with pytest.raises(ShapeError, match="has more than 100,000 nodes"):
        load(tmp_path, nodes=nodes + '<node id="n40"/>')


@pytest.mark.parametrize(("text", "color"), [("0,5 0,25 1 1", (0.5, 0.25, 1, 1)), ("red", None)])
def test_colours_may_have_decimal_commas_and_never_refuse_a_shape(tmp_path, text, color):
    mesh = load(tmp_path, TRIANGLES.format("m_red"), page=PAGE.replace("1 0 0 0.5", text)).mesh
    assert mesh.materials[0].color == (color or (0.7, 0.7, 0.7, 1.0))


def test_holes_of_polygons_stay_open(tmp_path):
    """A wall of 4 x 3 with a window of 1 x 1, beside a plain square of 1 x 1."""
    wall = [(0, 0), (4, 0), (4, 3), (0, 3), (1, 1), (2, 1), (2, 2), (1, 2), (5, 0), (6, 0), (6, 1), (5, 1)]
    numbers = " ".join(f"{x} {y} 0" for x, y in wall)
    page = re.sub(
        r"<float_array.*?</float_array>", f'<float_array count="36">{numbers}</float_array>', PAGE, count=1, flags=re.S
    )
    page = page.replace('count="4" stride="3"', 'count="12" stride="3"')
    start = '<polygons count="2"><input semantic="VERTEX" source="#v" offset="0"/>'
    polygons = start + "<ph><p>0 1 2 3</p><h>4 5 6 7</h></ph><p>8 9 10 11</p></polygons>"
    mesh = load(tmp_path, polygons, page=page).mesh
    assert triangle_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(12 - 1 + 1)
    with pytest.raises(ShapeError, match="polygons that name positions which do not exist"):
        load(tmp_path, polygons.replace("4 5 6 7", "4 5 6 70"), page=page)


def test_concave_polygons_keep_their_outline(tmp_path):
    start = '<polylist count="1"><input semantic="VERTEX" source="#v" offset="0"/><vcount>6</vcount>'
    page = re.sub(
        r"<float_array.*?</float_array>",
        '<float_array count="18">2 2 0 0 2 0 0 0 0 4 0 0 4 1 0 2 1 0</float_array>',
        PAGE,
        count=1,
        flags=re.S,
    ).replace('count="4" stride="3"', 'count="6" stride="3"')
    mesh = load(tmp_path, start + "<p>3 4 5 0 1 2</p></polylist>", page=page).mesh
    assert triangle_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(6)
