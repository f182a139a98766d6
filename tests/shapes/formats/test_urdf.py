"""URDF: links with meshes of other formats and simple solids."""

import gzip

import numpy as np
import pytest
from sample_files import FACES, VERTICES, box, write_obj

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.contents import hash_content
from clip2point.shapes.triangles import triangle_areas

AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)


def write(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0"?>\n<robot name="r">{body}</robot>')
    return path


def visual(geometry, more="", kind="visual"):
    return f"<{kind}>{more}<geometry>{geometry}</geometry></{kind}>"


def link(name, *parts):
    return f'<link name="{name}">{"".join(parts)}</link>'


def joint(parent, child, xyz="0 0 0", rpy="0 0 0"):
    return (
        f'<joint name="{child}" type="revolute"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{xyz}" rpy="{rpy}"/></joint>'
    )


def area(shape):
    return triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum()


BOX = visual('<box size="1 2 3"/>')


def test_links_stand_where_their_joints_put_them(tmp_path):
    body = link("arm", visual('<box size="1 1 1"/>', '<origin xyz="1 0 0"/>')) + link("base", BOX)
    body += joint("base", "arm", "10 0 0", "0 0 1.5707963267948966")
    shape = load_shape(write(tmp_path / "r.urdf", body))
    arm = shape.mesh.vertices[shape.mesh.vertices[:, 0] > 5]
    np.testing.assert_allclose([arm.min(axis=0), arm.max(axis=0)], [[9.5, 0.5, -0.5], [10.5, 1.5, 0.5]], atol=1e-6)
    assert area(shape) == pytest.approx(6 + 22)
    assert shape.up == "z"
    assert shape.notes == ("size 11 x 2.5 x 3 m",)


@pytest.mark.parametrize(
    ("rpy", "moved"),
    [("1.5707963 0 0", (1, -3, 2)), ("0 1.5707963 0", (3, 2, -1)), ("1.5707963 0 1.5707963", (3, 1, 2))],
)
def test_roll_pitch_and_yaw_turn_about_fixed_axes(tmp_path, rpy, moved):
    box().export(tmp_path / "box.stl")
    geometry = '<mesh filename="box.stl"/>'
    still = load_shape(write(tmp_path / "a.urdf", link("a", visual(geometry)))).mesh.vertices
    turned = load_shape(write(tmp_path / "b.urdf", link("a", visual(geometry, f'<origin rpy="{rpy}"/>')))).mesh.vertices
    expected = np.stack([np.sign(axis) * still[:, abs(axis) - 1] for axis in moved], axis=1)
    np.testing.assert_allclose(turned, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("solid", "expected"),
    [
        ('<sphere radius="2"/>', 16 * np.pi),
        ('<cylinder radius="1" length="3"/>', 8 * np.pi),
        ('<capsule radius="1" length="3"/>', 10 * np.pi),
        ('<box size="1 2 3"/>', 22),
    ],
)
def test_simple_solids(tmp_path, solid, expected):
    mesh = load_shape(write(tmp_path / "a.urdf", link("a", visual(solid)))).mesh
    assert triangle_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(expected, rel=0.02)
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    assert ((a + b + c) * np.cross(b - a, c - a)).sum(axis=1).min() > -1e-6  # they look outwards


@pytest.mark.parametrize(
    ("place", "filename"),
    [
        ("robot/urdf/r.urdf", "package://robot/meshes/box.stl"),
        ("robot/r.urdf", "package://robot/meshes/box.stl"),
        ("robot/urdf/r.urdf", "../meshes/box.stl"),
        ("robot/r.urdf", "meshes/box.stl"),
        ("r.urdf", "package://robot/meshes/box.stl"),
    ],
)
def test_meshes_are_found_in_their_packages(tmp_path, place, filename):
    (tmp_path / "robot" / "meshes").mkdir(parents=True)
    box().export(tmp_path / "robot" / "meshes" / "box.stl")
    shape = load_shape(write(tmp_path / place, link("a", visual(f'<mesh filename="{filename}" scale="2 2 2"/>'))))
    assert area(shape) == pytest.approx(4 * AREA, rel=1e-5)


def test_meshes_bring_their_materials_and_textures(tmp_path):
    (tmp_path / "robot" / "meshes").mkdir(parents=True)
    write_obj(tmp_path / "robot" / "meshes" / "box.obj")
    body = '<material name="green"><color rgba="0 1 0 1"/></material>'
    body += link("a", visual('<mesh filename="package://robot/meshes/box.obj"/>'))
    body += link("b", visual('<box size="1 1 1"/>', '<material name="green"/>'))
    mesh = load_shape(write(tmp_path / "robot" / "urdf" / "r.urdf", body)).mesh
    assert any(material.texture is not None for material in mesh.materials)
    assert (0, 1, 0, 1) in [material.color for material in mesh.materials]


def test_collada_in_millimetres(tmp_path):
    box().export(tmp_path / "box.dae")
    text = (tmp_path / "box.dae").read_text()
    (tmp_path / "box.dae").write_text(text.replace("<asset>", '<asset><unit name="millimeter" meter="0.001"/>'))
    shape = load_shape(write(tmp_path / "r.urdf", link("a", visual('<mesh filename="box.dae"/>'))))
    assert area(shape) == pytest.approx(AREA * 1e-6, rel=1e-4)


def test_meshes_that_are_missing_are_told(tmp_path):
    missing = visual('<mesh filename="package://robot/meshes/arm.stl"/>')
    shape = load_shape(write(tmp_path / "r.urdf", link("a", BOX, missing)))
    assert "1 meshes could not be read ('package://robot/meshes/arm.stl'): left out" in shape.notes
    with pytest.raises(
        ShapeError, match=r"names 1 meshes, none of which is there \('package://robot/meshes/arm.stl'\)"
    ):
        load_shape(write(tmp_path / "r.urdf", link("a", missing, missing)))


def test_parts_for_collision_count_only_where_there_are_no_others(tmp_path):
    body = visual('<box size="9 9 9"/>', kind="collision")
    assert area(load_shape(write(tmp_path / "a.urdf", link("a", BOX, body)))) == pytest.approx(22)
    shape = load_shape(write(tmp_path / "b.urdf", link("a", body)))
    assert area(shape) == pytest.approx(6 * 81)
    assert "no visual parts: read the parts for collision" in shape.notes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (link("a", BOX) + joint("a", "b") + joint("b", "a") + link("b"), "in a circle of joints"),
        (link("a"), "has no link with a mesh"),
        (link("a", visual('<box size="1 2"/>')), "has '1 2' where 3 numbers are expected"),
        (link("a", visual('<box size="1 2 inf"/>')), "where 3 numbers are expected"),
        (link("a", visual('<mesh filename="/etc/passwd.stl"/>')), "none of which is there"),
        (link("a", visual('<mesh filename="../../box.stl"/>')), "none of which is there"),
        (link("a", visual('<mesh filename="r.urdf"/>')), "none of which is there"),
        (link("a", BOX * 100_001), "places 100,001 parts"),
        ('<xacro:macro xmlns:xacro="http://x" name="a"/>', "template for xacro"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, body, message):
    box().export(tmp_path / "box.stl")
    with pytest.raises(ShapeError, match=message):
        load_shape(write(tmp_path / "a" / "urdf" / "r.urdf", body))


def test_other_xml_is_refused(tmp_path):
    (tmp_path / "a.urdf").write_text("<sdf/>")
    with pytest.raises(ShapeError, match="holds <sdf>: expected a <robot>"):
        load_shape(tmp_path / "a.urdf")


def test_a_changed_mesh_is_another_content(tmp_path):
    path = write(
        tmp_path / "robot" / "urdf" / "r.urdf", link("a", visual('<mesh filename="package://robot/m/a.stl"/>'))
    )
    before = hash_content(str(path))
    (tmp_path / "robot" / "m").mkdir()
    box().export(tmp_path / "robot" / "m" / "a.stl")
    after = hash_content(str(path))
    assert len({before, after}) == 2
    packed = path.with_name("r.urdf.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(load_shape(packed).points, load_shape(path).points)
    assert len(VERTICES) == 8
    assert len(load_shape(path).mesh.faces) == len(FACES)
