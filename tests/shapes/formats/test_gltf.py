"""GLB and glTF: containers, accessors, nodes, materials, and files that lie about them."""

import base64
import json
import struct

import numpy as np
import pytest
import trimesh
from gltf_builder import POSITIONS, Builder
from sample_files import COLORS, FACES, TEXTURE, UV, VERTICES, box, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


@pytest.fixture
def built():
    builder = Builder()
    builder.mesh(
        {
            "attributes": {"POSITION": builder.accessor(POSITIONS)},
            "indices": builder.accessor(np.array([0, 1, 2], "u2")),
        }
    )
    return builder


@pytest.mark.parametrize("name", ["box.glb", "box.gltf"])
def test_textured_meshes_of_trimesh_are_read(tmp_path, name):
    shape = load_shape(write_sample(name, tmp_path))
    mesh = shape.mesh
    assert shape.up == "y"
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_allclose(mesh.uv, UV, atol=1e-6)
    np.testing.assert_array_equal(mesh.materials[0].texture, TEXTURE)


def test_scenes_of_trimesh_are_read(tmp_path):
    red = box()
    red.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(baseColorFactor=[255, 0, 0, 128], alphaMode="BLEND")
    )
    colored = box()
    colored.visual.vertex_colors = COLORS
    scene = trimesh.Scene()
    move = trimesh.transformations.compose_matrix(scale=[1, 2, 3], angles=[0.1, 0.2, 0.3], translate=[4, 5, 6])
    scene.add_geometry(red, node_name="group", transform=move)
    scene.add_geometry(colored, parent_node_name="group", transform=move)
    scene.export(tmp_path / "scene.glb")
    mesh = load_shape(tmp_path / "scene.glb").mesh
    first, second = mesh.vertices[mesh.faces[:12]], mesh.vertices[mesh.faces[12:]]
    once = trimesh.transform_points(VERTICES, move)
    np.testing.assert_allclose(first, once[FACES], rtol=1e-5)
    np.testing.assert_allclose(second, trimesh.transform_points(once, move)[FACES], rtol=1e-5)
    np.testing.assert_allclose(mesh.materials[mesh.face_materials[0]].color, [1, 0, 0, 128 / 255])
    assert mesh.materials[mesh.face_materials[12]].color == (1, 1, 1, 1)
    np.testing.assert_array_equal(mesh.vertex_colors, np.vstack([np.full((8, 3), 255), COLORS]))


def test_strips_fans_points_and_lines(tmp_path):
    builder = Builder()
    attributes = {"POSITION": builder.accessor(POSITIONS)}
    builder.mesh({"attributes": attributes}, mode=5)
    builder.mesh({"attributes": attributes}, mode=6)
    builder.mesh({"attributes": attributes}, mode=1)
    assert builder.load(tmp_path).mesh.faces.tolist() == [[0, 1, 2], [1, 3, 2], [4, 5, 6], [4, 6, 7]]
    builder = Builder()
    builder.mesh({"attributes": {"POSITION": builder.accessor(POSITIONS)}}, mode=0)
    cloud = builder.load(tmp_path)
    assert cloud.mesh is None
    np.testing.assert_array_equal(cloud.points, POSITIONS)


def test_normalised_strided_and_sparse_accessors_are_read(tmp_path):
    builder = Builder()
    rows = np.zeros(4, np.dtype([("p", "<f4", 3), ("c", "u1", 4)]))
    rows["p"], rows["c"] = POSITIONS, [[255, 0, 51, 255]] * 4
    view = builder.view(rows.tobytes())
    builder.tree["bufferViews"][view]["byteStride"] = 16
    sparse = {
        "count": 1,
        "indices": {"bufferView": builder.view(np.array([3], "<u2").tobytes()), "componentType": 5123},
        "values": {"bufferView": builder.view(np.array([7, 8, 9], "<f4").tobytes())},
    }
    builder.tree["accessors"] = [
        {"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3", "sparse": sparse},
        {"bufferView": view, "byteOffset": 12, "componentType": 5121, "count": 4, "type": "VEC4", "normalized": True},
    ]
    uv = builder.accessor(np.array([[0, 0], [65535, 0], [0, 65535], [65535, 65535]], "<u2"), normalized=True)
    attributes = {"POSITION": 0, "COLOR_0": 1, "TEXCOORD_1": uv}
    builder.mesh({"attributes": attributes, "material": 0}, mode=5)
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(TEXTURE).save(stream, "PNG")
    builder.tree["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()}]
    builder.tree["textures"] = [{"source": 0}]
    texture = {"index": 0, "texCoord": 1}
    builder.tree["materials"] = [
        {"pbrMetallicRoughness": {"baseColorTexture": texture, "baseColorFactor": [1, 0.5, 0, 2]}}
    ]
    mesh = builder.load(tmp_path).mesh
    np.testing.assert_array_equal(mesh.vertices, [*POSITIONS[:3], [7, 8, 9]])
    assert mesh.vertex_colors.tolist() == [[255, 0, 51]] * 4
    assert mesh.uv.tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert mesh.materials[0].color == (1, 0.5, 0, 1)
    np.testing.assert_array_equal(mesh.materials[0].texture, TEXTURE)


def test_nodes_rotate_scale_and_move(tmp_path, built):
    half = np.sqrt(0.5)
    built.tree["nodes"] = [
        {"children": [1], "translation": [10, 0, 0], "rotation": [0, 0, half, half], "scale": [2, 2, 2]},
        {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
        {"mesh": 0, "translation": [100, 0, 0]},
    ]
    built.tree["scenes"] = [{"nodes": [2]}, {"nodes": [0]}]
    built.tree["scene"] = 1
    mesh = built.load(tmp_path).mesh  # a quarter turn about z: x to y
    np.testing.assert_allclose(mesh.vertices, [[10, 0, 10], [10, 2, 10], [8, 0, 10]], atol=1e-6)
    del built.tree["scenes"], built.tree["scene"]
    assert len(built.load(tmp_path).mesh.faces) == 2


def test_parts_of_one_long_list_of_vertices_stay_small(tmp_path):
    builder = Builder()
    many = builder.accessor(np.random.default_rng(0).random((1000, 3), np.float32))
    for start in range(5):
        builder.mesh(
            {"attributes": {"POSITION": many}, "indices": builder.accessor(np.arange(start, start + 3, dtype="u4"))}
        )
    assert len(builder.load(tmp_path).points) == 15


def test_a_lost_image_is_no_error_but_a_lost_buffer_is(tmp_path):
    path = write_sample("box.gltf", tmp_path)
    for name in [p for p in tmp_path.iterdir() if p.suffix == ".png"]:
        name.unlink()
    tree = json.loads(path.read_text())
    tree["images"] = [{"uri": "lost.png"}]
    path.write_text(json.dumps(tree))
    assert load_shape(path).mesh.materials[0].texture is None
    tree["buffers"][0]["uri"] = "../outside.bin"
    (tmp_path.parent / "outside.bin").write_bytes(bytes(1000))
    path.write_text(json.dumps(tree))
    with pytest.raises(ShapeError, match=r"needs the buffer '../outside.bin', which is not beside it"):
        load_shape(path)


@pytest.mark.parametrize(
    "name",
    [
        "KHR_materials_unlit",
        "EXT_texture_webp",
        "KHR_texture_transform",
        "KHR_mesh_quantization",
        "KHR_lights_punctual",
    ],
)
def test_required_extensions_that_do_not_change_the_shape_are_no_obstacle(tmp_path, built, name):
    built.tree["extensionsRequired"] = [name]
    assert len(built.load(tmp_path).mesh.faces) == 1


@pytest.mark.parametrize(("mode", "alpha"), [("OPAQUE", 1.0), ("BLEND", 0.25), (None, 1.0)])
def test_opaque_materials_have_no_alpha(tmp_path, built, mode, alpha):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 0.25]}}
    built.tree["materials"] = [material if mode is None else material | {"alphaMode": mode}]
    built.tree["meshes"][0]["primitives"][0]["material"] = 0
    assert built.load(tmp_path).mesh.materials[0].color == (1, 0, 0, alpha)


def test_texture_coordinates_are_transformed(tmp_path):
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(TEXTURE).save(stream, "PNG")
    builder = Builder()
    uv = builder.accessor(np.array([[0, 0], [1, 0], [0, 1]], "f4"))
    attributes = {"POSITION": builder.accessor(POSITIONS[:3]), "TEXCOORD_1": uv}
    builder.mesh({"attributes": attributes, "material": 0})
    builder.tree["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()}]
    builder.tree["textures"] = [{"source": 0}]
    change = {"offset": [0.5, 0.25], "rotation": np.pi / 2, "scale": [2, 4], "texCoord": 1}
    texture = {"index": 0, "extensions": {"KHR_texture_transform": change}}
    builder.tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": texture}}]
    # With v down, a quarter turn counter-clockwise takes (1, 0) to (0, -1) and (0, 1) to (1, 0); rows hold 1 - v.
    expected = [[0.5, 0.75], [0.5, 2.75], [4.5, 0.75]]
    np.testing.assert_allclose(builder.load(tmp_path).mesh.uv, expected, atol=1e-6)


def spoil(tree, path, value):
    *keys, last = path
    for key in keys:
        tree = tree[key]
    tree[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["asset", "version"], "1.0", "is not of glTF version 2"),
        (
            ["extensionsRequired"],
            ["KHR_spz_gaussian_splats_compression"],
            "'KHR_spz_gaussian_splats_compression', which",
        ),
        (["accessors", 0, "count"], 10**9, "declares 1,000,000,000 accessor values, but only 48 bytes"),
        (["accessors", 0], {"componentType": 5126, "count": 10**9, "type": "VEC3"}, "declares 1,000,000,000 accessor"),
        (["accessors", 0, "count"], -4, "declares -4 accessor values"),
        (["accessors", 0, "byteOffset"], 99, "has an accessor outside its buffer view"),
        (["accessors", 0, "byteOffset"], -4, "has an accessor outside its buffer view"),
        (["accessors", 0, "type"], "VEC2", r"has positions \[4, 2\]: expected \[N, 3\]"),
        (["accessors", 0, "type"], "VEC9", "is damaged or no valid GLTF file .*VEC9.* is missing"),
        (["bufferViews", 0, "byteLength"], 10**9, "declares 1,000,000,000 bytes of a buffer view"),
        (["bufferViews", 0, "byteOffset"], -1, "has a buffer view outside its buffer"),
        (["bufferViews", 0, "byteStride"], 4, "has an accessor outside its buffer view"),
        (["bufferViews", 0, "byteStride"], 10**9, "has an accessor outside its buffer view"),
        (["meshes", 0, "primitives", 0, "indices"], 77, "is damaged or no valid GLTF file .*out of range"),
        (["nodes"], [{"children": [0]}], "holds no triangles and no points"),
        (["nodes"], [{"children": [1]}, {"children": [2, 2]}, {"mesh": 0}], "has node 2 in two places or in a circle"),
        (["nodes"], [{"mesh": 0, "rotation": [1, 2]}], "is damaged or no valid GLTF file"),
        (["nodes"], [{"mesh": 0, "scale": [1e300, 1, 1]}], r"coordinates up to 1e\+300"),
        (["nodes"], [{"mesh": 0, "translation": [1e999, 1, 1]}], "NaN or infinite"),
        (["meshes"], [], "holds no triangles and no points"),
        (["meshes", 0, "primitives", 0, "attributes"], {}, "holds no triangles and no points"),
        (["accessors", 1, "count"], 2, "has triangles with 2 corners in all"),
    ],
)
def test_damaged_trees_are_refused(tmp_path, built, path, value, message):
    spoil(built.tree, path, value)
    with pytest.raises(ShapeError, match=message):
        built.load(tmp_path)


def test_overlapping_accessors_cannot_grow_without_bound(tmp_path, built, monkeypatch):
    monkeypatch.setattr("clip2point.shapes.formats.gltf._MAX_VALUES", 40)
    for _ in range(5):
        built.tree["accessors"].append(dict(built.tree["accessors"][0]))
        built.mesh({"attributes": {"POSITION": len(built.tree["accessors"]) - 1}}, mode=0)
    with pytest.raises(ShapeError, match="has accessors of more than 40 values"):
        built.load(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello", "is neither GLB nor glTF"),
        (b"[]", "is not of glTF version 2"),
        (b"[" * 100_000, "its parts are nested too deeply|is neither GLB nor glTF"),
        (b"glTF\2\0\0\0", "has 8 bytes, too few for a GLB file"),
        (b"glTF" + struct.pack("<II", 1, 20) + bytes(8), "is of GLB version 1: expected 2"),
        (b"glTF" + struct.pack("<II", 2, 10**9) + bytes(8), "declares 1,000,000,000 bytes, but only 20"),
        (b"glTF" + struct.pack("<III", 2, 20, 99) + b"JSON", "declares 99 bytes of a chunk, but only 0"),
        (b"glTF" + struct.pack("<III", 2, 20, 0) + b"BIN\0", "has no JSON chunk"),
    ],
)
def test_damaged_containers_are_refused(tmp_path, data, message):
    (tmp_path / "bad.glb").write_bytes(data)
    with pytest.raises(ShapeError, match=message):
        load_shape(tmp_path / "bad.glb")
