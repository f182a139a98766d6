"""3MF: archives, components, colours."""

import io
import zipfile

import numpy as np
import pytest
import trimesh
from sample_files import FACES, VERTICES, box, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

SQUARE = """<mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="1" y="1" z="0"/>
<vertex x="0" y="1" z="0.5"/></vertices><triangles><triangle v1="0" v2="1" v3="2"/>
<triangle v1="0" v2="2" v3="3"/></triangles></mesh>"""
PAGE = """<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
 xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
 xmlns:m="http://schemas.microsoft.com/3dmanufacturing/material/2015/02">
<resources>{}</resources><build>{}</build></model>"""


def write(path, resources, build='<item objectid="1"/>', members=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", PAGE.format(resources, build))
        for name, text in members:
            archive.writestr(name, text)
    return path


def load(tmp_path, *args, **more):
    return load_shape(write(tmp_path / "shape.3mf", *args, **more))


def test_a_mesh_of_trimesh_is_read(tmp_path):
    shape = load_shape(write_sample("box.3mf", tmp_path))
    np.testing.assert_array_equal(shape.mesh.vertices, VERTICES)
    np.testing.assert_array_equal(shape.mesh.faces, FACES)
    assert shape.up == "z"


def test_a_scene_of_trimesh_is_read(tmp_path):
    move = trimesh.transformations.compose_matrix(scale=[1, 2, 3], angles=[0.1, 0.2, 0.3], translate=[4, 5, 6])
    scene = trimesh.Scene([box()])
    scene.add_geometry(box(), transform=move)
    scene.export(tmp_path / "scene.3mf")
    mesh = load_shape(tmp_path / "scene.3mf").mesh
    places = sorted([VERTICES[FACES], trimesh.transform_points(VERTICES, move)[FACES]], key=np.sum)
    ours = sorted([mesh.vertices[mesh.faces[:12]], mesh.vertices[mesh.faces[12:]]], key=np.sum)
    np.testing.assert_allclose(ours, places, rtol=1e-5)


def test_components_are_placed_by_their_transforms(tmp_path):
    resources = (
        f'<object id="1">{SQUARE}</object><object id="2"><components>'
        '<component objectid="1" transform="1 0 0 0 1 0 0 0 1 0 0 5"/><component objectid="1"/></components></object>'
    )
    # 4 x 3 on row vectors: x to y, y to -x, then 10 along x
    mesh = load(tmp_path, resources, '<item objectid="2" transform="0 1 0 -1 0 0 0 0 1 10 0 0"/>').mesh
    np.testing.assert_array_equal(mesh.vertices[:3], [[10, 0, 5], [10, 1, 5], [9, 1, 5]])
    assert len(mesh.faces) == 4


def test_objects_in_other_members_are_found(tmp_path):
    resources = '<object id="2"><components><component objectid="1" p:path="/3D/parts/a.model"/></components></object>'
    part = PAGE.format(f'<object id="1">{SQUARE}</object>', "")
    assert len(load(tmp_path, resources, '<item objectid="2"/>', [("3D/parts/a.model", part)]).mesh.faces) == 2


def test_colors_become_materials(tmp_path):
    resources = (
        '<basematerials id="7"><base name="a" displaycolor="#FF0000"/><base name="b" displaycolor="#0000FF80"/>'
        '</basematerials><m:colorgroup id="8"><m:color color="#00FF00"/></m:colorgroup>'
    )
    square = SQUARE.replace('v3="2"/>', 'v3="2" p1="1"/>').replace('v3="3"/>', 'v3="3" pid="8" p1="0"/>')
    square = square.replace("<triangles>", '<triangles><triangle v1="1" v2="2" v3="3"/>')
    mesh = load(tmp_path, f'{resources}<object id="1" pid="7" pindex="0">{square}</object>').mesh
    colors = [mesh.materials[i].color for i in mesh.face_materials]
    assert colors == [(1, 0, 0, 1), (0, 0, 1, 128 / 255), (0, 1, 0, 1)]


@pytest.mark.parametrize(
    ("resources", "build", "message"),
    [
        (f'<object id="1">{SQUARE}</object>', "", "has no build items"),
        ("", '<item objectid="1"/>', "places the object '1', which is not there"),
        ('<object id="1"/>', '<item objectid="1"/>', "holds no triangles and no points"),
        (f'<object id="1">{SQUARE}</object>', '<item objectid="1" transform="1 0 0"/>', "has a transform of 3 numbers"),
        (f'<object id="1">{SQUARE}</object>', '<item objectid="1" p:path="/../a"/>', "has no member 'a'"),
        (
            '<object id="1"><components><component objectid="1"/></components></object>',
            '<item objectid="1"/>',
            "has objects that contain themselves",
        ),
        (f'<object id="1">{SQUARE.replace("0.5", "nan")}</object>', '<item objectid="1"/>', "NaN or infinite"),
        (
            f'<object id="1">{SQUARE.replace("0.5", "up")}</object>',
            '<item objectid="1"/>',
            "has text where numbers were expected",
        ),
        (
            f'<object id="1">{SQUARE.replace("v3=", "v4=")}</object>',
            '<item objectid="1"/>',
            "has text where integers were expected",
        ),
        (f'<object id="1">{SQUARE.replace("""v3="3""", """v3="4""")}</object>', '<item objectid="1"/>', "do not exist"),
        ("<object", '<item objectid="1"/>', "is not well-formed XML"),
    ],
)
def test_damaged_models_are_refused(tmp_path, resources, build, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, resources, build)


def test_nested_components_cannot_grow_without_bound(tmp_path):
    twice = '<object id="{0}"><components><component objectid="{1}"/><component objectid="{1}"/></components></object>'
    resources = f'<object id="0">{SQUARE}</object>' + "".join(twice.format(i + 1, i) for i in range(60))
    with pytest.raises(ShapeError, match=r"has [\d,]+ faces: expected at most 50,000,000"):
        load(tmp_path, resources, '<item objectid="60"/>')
    with pytest.raises(ShapeError, match="has more than 100,000 parts"):
        load(tmp_path, resources, '<item objectid="20"/>')


@pytest.mark.slow
def test_bombs_and_broken_archives(tmp_path):
    path = write(tmp_path / "shape.3mf", f'<object id="1">{SQUARE}</object>' + " " * 70_000_000)
    with pytest.raises(ShapeError, match="decompresses to more than 16,777,216 bytes: this is a zip bomb"):
        load_shape(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ShapeError, match=r"is not a whole 3MF \(zip\) archive"):
        load_shape(path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("3D/3dmodel.model", '<!DOCTYPE a [<!ENTITY b "bb">]><model>&b;</model>')
    path.write_bytes(stream.getvalue())
    with pytest.raises(ShapeError, match="declares an XML document type or entities"):
        load_shape(path)


@pytest.mark.parametrize(
    ("mark", "note"),
    [
        ('type="support"', "supports of the print: left out"),
        ('type="solidsupport"', "supports of the print: left out"),
        ('name="seat_collider"', "1 part for collision ('seat_collider'), which engines do not draw: left out"),
    ],
)
def test_supports_and_bodies_for_collision_are_left_out(tmp_path, mark, note):
    resources = f'<object id="1" {mark}>{SQUARE}</object><object id="2" type="model">{SQUARE}</object>'
    both = '<item objectid="1" transform="1 0 0 0 1 0 0 0 1 9 0 0"/><item objectid="2"/>'
    shape = load(tmp_path, resources, both)
    assert shape.points.max() == 1
    assert shape.notes == (note,)
    alone = load(tmp_path, resources, '<item objectid="1"/>')
    assert len(alone.mesh.faces) == 2
    assert alone.notes == ()


def test_beam_lattices_are_refused_or_left_out_and_said(tmp_path):
    beams = '<b:beamlattice xmlns:b="urn:beams"><b:beams><b:beam v1="0" v2="1"/></b:beams></b:beamlattice></mesh>'
    lattice = SQUARE.replace("</mesh>", beams)
    assert load(tmp_path, f'<object id="1">{lattice}</object>').notes == ("a beam lattice: left out",)
    start, end = lattice.index("<triangles>"), lattice.index("</triangles>") + len("</triangles>")
    with pytest.raises(ShapeError, match="has a beam lattice, which is not supported: expected triangles"):
        load(tmp_path, f'<object id="1">{lattice[:start] + lattice[end:]}</object>')


def test_a_shape_of_alpha_zero_is_shown(tmp_path):
    colors = '<m:colorgroup id="5"><m:color color="#FF000000"/></m:colorgroup>'
    shape = load(tmp_path, colors + f'<object id="1" pid="5" pindex="0">{SQUARE}</object>')
    assert shape.mesh.materials[0].color == (1, 0, 0, 1)
    assert shape.notes == ("all materials are fully transparent: shown opaque",)
