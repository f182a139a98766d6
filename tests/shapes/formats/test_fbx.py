"""FBX."""

import io

import numpy as np
import pytest
from fbx_writer import Scene, binary, layer, text
from PIL import Image
from sample_files import TEXTURE, VERTICES

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]


def load(folder, scene, form=binary):
    (folder / "a.fbx").write_bytes(form(scene.nodes()))
    return load_shape(folder / "a.fbx")


def area(shape):
    return triangle_areas(shape.mesh.vertices, shape.mesh.faces).sum()


def simple(**settings):
    scene = Scene(**settings)
    scene.mesh(VERTICES, QUADS, scene.model("box"))
    return scene


FORMS = {
    "7.4": binary,
    "7.5": lambda nodes: binary(nodes, 7500),
    "plain": lambda nodes: binary(nodes, packed=False),
    "text": text,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_box_with_its_axis_and_unit(tmp_path, form):
    shape = load(tmp_path, simple(UpAxis=2, UpAxisSign=1, UnitScaleFactor=100.0), form)
    assert np.array_equal(shape.mesh.vertices, VERTICES)
    assert area(shape) == pytest.approx(AREA)
    assert shape.up == "z"
    assert shape.notes == ("size 1 x 2.25 x 3.5 m",)
    other = load(tmp_path, simple(UpAxis=1, UpAxisSign=-1), form)
    assert other.up == "-y"
    assert other.notes == ("size 0.01 x 0.0225 x 0.035 m",)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_models_stand_where_those_above_put_them(tmp_path, form):
    scene = Scene()
    top = scene.model("top", 0, "Null", Lcl__Translation=(100.0, 0.0, 0.0), Lcl__Rotation=(0.0, 0.0, 90.0))
    below = scene.model("below", top, Lcl__Scaling=(2.0, 2.0, 2.0), GeometricTranslation=(0.0, 0.0, 10.0))
    scene.mesh(VERTICES, QUADS, below)
    found = load(tmp_path, scene, form).mesh.vertices
    x, y, z = 2 * (VERTICES + np.array([0, 0, 10])).T
    np.testing.assert_allclose(found, np.stack([100 - y, x, z], axis=1), atol=1e-5)


def test_rotations_before_and_pivots(tmp_path):
    scene = Scene()
    turned = {"PreRotation": (0.0, 0.0, 90.0), "RotationPivot": (1.0, 0.0, 0.0), "Lcl__Rotation": (90.0, 0.0, 0.0)}
    scene.mesh(VERTICES, QUADS, scene.model("box", 0, RotationActive=1, **turned))
    x, y, z = (VERTICES - np.array([1, 0, 0])).T
    np.testing.assert_allclose(load(tmp_path, scene).mesh.vertices, np.stack([1 + z, x, y], axis=1), atol=1e-5)


def test_orders_of_rotation(tmp_path):
    scene = Scene()
    angles = {"RotationActive": 1, "RotationOrder": 5, "Lcl__Rotation": (90.0, 0.0, 90.0)}  # z, y, x
    scene.mesh(VERTICES, QUADS, scene.model("box", 0, **angles))
    x, y, z = VERTICES.T
    np.testing.assert_allclose(load(tmp_path, scene).mesh.vertices, np.stack([-y, -z, x], axis=1), atol=1e-5)


def test_materials_textures_and_colours(tmp_path):
    Image.fromarray(TEXTURE).save(tmp_path / "skin.png")
    scene = Scene()
    model = scene.model("box")
    uv = layer(
        "LayerElementUV", "UV", np.linspace(0, 1, 16), "ByPolygonVertex", np.arange(24, dtype="i4") % 8, "UVIndex"
    )
    chosen = layer("LayerElementMaterial", "Materials", np.array([0, 0, 0, 1, 1, 1], "i4"), "ByPolygon")
    colors = layer("LayerElementColor", "Colors", np.tile([1.0, 0.5, 0.0, 1.0], 8), "ByVertice")
    scene.mesh(VERTICES, QUADS, model, uv, chosen, colors)
    properties = ("Properties70", [], [("P", ["DiffuseColor", "", "", "A", 1.0, 0.0, 0.0], [])])
    painted = scene.add("Material", "painted", "", [], model)
    scene.add("Material", "red", "", [properties], model)
    scene.add("Texture", "skin", "", [("RelativeFilename", ["..\\textures\\skin.png"], [])], painted, "DiffuseColor")
    mesh = load(tmp_path, scene).mesh
    assert area(load(tmp_path, scene)) == pytest.approx(AREA)
    assert np.array_equal(mesh.materials[0].texture, TEXTURE)
    assert mesh.materials[1].color == (1, 0, 0, 1)
    assert mesh.face_materials.tolist() == [0] * 6 + [1] * 6
    assert set(map(tuple, mesh.vertex_colors.tolist())) == {(255, 128, 0)}
    first = mesh.uv[mesh.faces[0]]
    np.testing.assert_allclose(first, np.linspace(0, 1, 16).reshape(8, 2)[:3], atol=1e-6)


def test_embedded_textures(tmp_path):
    image = io.BytesIO()
    Image.fromarray(TEXTURE).save(image, "PNG")
    scene = Scene()
    model = scene.model("box")
    scene.mesh(VERTICES, QUADS, model, layer("LayerElementUV", "UV", np.linspace(0, 1, 48), "ByPolygonVertex"))
    texture = scene.add("Texture", "t", "", [], scene.add("Material", "m", "", [], model), "DiffuseColor")
    scene.add("Video", "v", "Clip", [("Content", [image.getvalue()], [])], texture)
    assert np.array_equal(load(tmp_path, scene).mesh.materials[0].texture, TEXTURE)


def test_skins_are_in_the_pose_of_the_file(tmp_path):
    scene = Scene()
    model, bone = scene.model("box"), scene.model("bone", 0, "LimbNode", Lcl__Translation=(0.0, 7.0, 0.0))
    skin = scene.add("Deformer", "skin", "Skin", [], scene.mesh(VERTICES, QUADS, model))
    bind = np.eye(4)
    bind[3, 0] = 5  # by columns
    arrays = {"Indexes": np.arange(4, dtype="i4"), "Weights": np.full(4, 0.5), "Transform": bind.ravel()}
    cluster = scene.add("Deformer", "c", "Cluster", [(name, [array], []) for name, array in arrays.items()], skin)
    scene.link(bone, cluster)
    expected = VERTICES + np.where(np.arange(8) < 4, 1, 0)[:, None] * np.array([5, 7, 0])
    np.testing.assert_allclose(load(tmp_path, scene).mesh.vertices, expected, atol=1e-5)


def test_hidden_models_levels_of_detail_and_bodies_for_collision(tmp_path):
    scene = simple()
    scene.mesh(VERTICES, QUADS, scene.model("hidden", 0, Visibility=0))
    scene.mesh(VERTICES, QUADS, scene.model("UCX_box"))
    group = scene.model("levels", 0, "LodGroup")
    for i in range(3):
        scene.mesh(VERTICES, QUADS, scene.model(f"level {i}", group))
    shape = load(tmp_path, scene)
    assert area(shape) == pytest.approx(2 * AREA)
    assert shape.notes[0].startswith("1 part for collision ('UCX_box')")


def test_concave_polygons_follow_their_outline(tmp_path):
    scene = Scene()
    scene.mesh([(0, 0, 0), (4, -4, 0), (0, 4, 0), (-4, -4, 0)], [[1, 2, 3, 0]], scene.model("arrow"))
    assert area(load(tmp_path, scene)) == pytest.approx(16)


def spoil(change):
    scene = simple()
    change(scene)
    return binary(scene.nodes())


def put(array):
    """Put another array of faces into the mesh."""
    return lambda scene: scene.objects[1][2].__setitem__(1, ("PolygonVertexIndex", [np.array(array, "i4")], []))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"some words", "is no FBX file"),
        (binary(simple().nodes(), 6100), "is of FBX version 6.1: expected 7.0 or later"),
        (text(Scene(6100).nodes()), "is of FBX version 6.1"),
        (binary(simple().nodes())[:26], "cut off"),
        (binary(simple().nodes())[:400], "cut off"),
        (text(simple().nodes())[:-300], "cut off"),
        (text(simple().nodes()).replace(b"*24", b"*99"), "cut off"),
        (binary(Scene().nodes()), "holds no triangles"),
        (spoil(put([0, 1, -9])), "faces of vertices that do not exist: expected 0 to 7"),
        (spoil(put([0, 1, 2])), "holds no triangles"),
        (spoil(lambda scene: scene.link(101, 101)), "in a circle"),
        (b"; FBX 7.4\n" + b"a: {" * 100, "cut off"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, data, message):
    (tmp_path / "a.fbx").write_bytes(data)
    with pytest.raises(ShapeError, match=message) as caught:
        load_shape(tmp_path / "a.fbx")
    assert "\n" not in str(caught.value)


def test_every_cut_is_one_line(tmp_path):
    for whole in (binary(simple().nodes())[:-160], text(simple().nodes())):
        for size in range(30, len(whole), 37):
            (tmp_path / "a.fbx").write_bytes(whole[:size])
            try:
                load_shape(tmp_path / "a.fbx")
            except ShapeError as error:
                message = str(error)
            else:
                message = ""  # what is missing is the last connection
            assert "\n" not in message
