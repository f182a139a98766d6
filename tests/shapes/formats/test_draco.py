"""Draco, alone and inside glTF."""

import numpy as np
import pytest
from gltf_builder import Builder
from PIL import Image
from sample_files import COLORS, FACES, TEXTURE, UV, VERTICES

from clip2point.core import native
from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.triangles import triangle_areas

draco = pytest.importorskip("DracoPy")
NAME = "KHR_draco_mesh_compression"


def area(mesh):
    return triangle_areas(mesh.vertices, mesh.faces).sum()


BOX_AREA = 2 * (1 * 2.25 + 1 * 3.5 + 2.25 * 3.5)


def pack(vertices=VERTICES, **more):
    return draco.encode(vertices, FACES, quantization_bits=20, **more)


def test_a_mesh_with_colours(tmp_path):
    path = tmp_path / "box.drc"
    path.write_bytes(pack(colors=COLORS))
    mesh = load_shape(path).mesh
    assert area(mesh) == pytest.approx(BOX_AREA, rel=1e-4)
    nearest = np.linalg.norm(mesh.vertices[:, None] - VERTICES, axis=2).argmin(axis=1)
    assert np.array_equal(mesh.vertex_colors, COLORS[nearest])


def test_a_cloud(tmp_path):
    path = tmp_path / "cloud.drc"
    path.write_bytes(draco.encode(VERTICES, quantization_bits=20))
    shape = load_shape(path)
    assert shape.mesh is None
    assert sorted(shape.points.round(3).tolist()) == sorted(VERTICES.round(3).tolist())


class Packed(Builder):
    """A builder of primitives that Draco compresses."""

    def primitive(self, vertices, colors=None, material=None, **more):
        packed = pack(vertices, tex_coord=UV.astype(np.float64), colors=colors, **more)
        decoded = draco.decode(packed)
        kinds = {0: ("POSITION", 5126, "VEC3"), 2: ("COLOR_0", 5121, "VEC3"), 3: ("TEXCOORD_0", 5126, "VEC2")}
        attributes, ids = {}, {}
        for attribute in decoded.attributes:
            name, component, kind = kinds[attribute["attribute_type"]]
            entry = {"componentType": component, "count": len(attribute["data"]), "type": kind}
            attributes[name], ids[name] = len(self.tree["accessors"]), attribute["unique_id"]
            self.tree["accessors"].append(entry | {"normalized": name == "COLOR_0"})
        self.tree["accessors"].append({"componentType": 5125, "count": FACES.size, "type": "SCALAR"})
        extension = {"bufferView": self.view(packed), "attributes": ids}
        primitive = {"attributes": attributes, "indices": len(self.tree["accessors"]) - 1}
        return primitive | {"extensions": {NAME: extension}} | ({} if material is None else {"material": material})


def test_primitives_of_gltf_with_transforms_colours_and_textures(tmp_path):
    builder = Packed()
    builder.tree["extensionsRequired"] = builder.tree["extensionsUsed"] = [NAME]
    Image.fromarray(TEXTURE).save(tmp_path / "skin.png")
    builder.tree["images"], builder.tree["textures"] = [{"uri": "skin.png"}], [{"source": 0}]
    builder.tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    builder.mesh(builder.primitive(VERTICES, material=0))
    builder.tree["meshes"][0]["primitives"].append(builder.primitive(VERTICES + 10, COLORS))
    builder.mesh(
        {
            "attributes": {"POSITION": builder.accessor(VERTICES)},
            "indices": builder.accessor(FACES.astype("u4").ravel()),
        }
    )
    builder.tree["nodes"] = [
        {"mesh": 0, "scale": [2, 2, 2]},
        {"mesh": 1, "translation": [100, 0, 0]},
        {"mesh": 0, "translation": [0, 50, 0]},
    ]
    mesh = builder.load(tmp_path).mesh
    assert area(mesh) == pytest.approx((8 + 1 + 2) * BOX_AREA, rel=1e-3)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), [101.5, 60.25, 33], atol=1e-3)
    assert mesh.uv is not None
    assert np.array_equal(mesh.materials[0].texture, TEXTURE)
    assert {tuple(color) for color in mesh.vertex_colors.tolist()} >= {tuple(color) for color in COLORS.tolist()}
    first = mesh.vertices[:, 0] < 3.1  # the larger box: its texture coordinates are those of its corners
    nearest = np.linalg.norm(mesh.vertices[first, None] - 2 * VERTICES, axis=2).argmin(axis=1)
    close = np.linalg.norm(mesh.vertices[first] - 2 * VERTICES[nearest], axis=1) < 1e-3
    assert close.sum() >= 8
    np.testing.assert_allclose(mesh.uv[first][close], (UV * (1, -1) + (0, 1))[nearest[close]], atol=1e-3)


def test_all_buffers_are_decoded_by_one_child(tmp_path, monkeypatch):
    from clip2point.shapes.formats import draco as module

    calls = []
    original = module.run_native
    monkeypatch.setattr(module, "run_native", lambda *a, **b: calls.append(a) or original(*a, **b))
    builder = Packed()
    builder.tree["meshes"] = [{"primitives": [builder.primitive(VERTICES + i) for i in range(5)]}]
    assert area(builder.load(tmp_path).mesh) == pytest.approx(5 * BOX_AREA, rel=1e-3)
    assert len(calls) == 1


def test_plain_buffers_beside_the_compressed_ones_need_no_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    builder = Packed()
    plain = {"POSITION": builder.accessor(VERTICES)}
    extension = {NAME: {"bufferView": builder.view(b"no matter"), "attributes": {"POSITION": 0}}}
    indices = builder.accessor(FACES.astype("u4").ravel())
    builder.mesh({"attributes": plain, "indices": indices, "extensions": extension})
    assert area(builder.load(tmp_path).mesh) == pytest.approx(BOX_AREA)


def test_the_package_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda module: None)
    path = tmp_path / "box.drc"
    path.write_bytes(pack())
    with pytest.raises(
        ShapeError, match=r"box.drc: reading Draco needs DracoPy: run pip install 'clip2point\[formats\]'"
    ):
        load_shape(path)


def test_damaged_files_are_one_line(tmp_path):
    path = tmp_path / "box.drc"
    whole = pack()
    for data in (b"OBJ", whole[:40], whole[:-9], whole[:11] + b"\xff\xff\xff\x7f" + whole[15:]):
        path.write_bytes(data)
        with pytest.raises(ShapeError, match=r"^[^\n]*box.drc: [^\n]*(no Draco file|damaged|decode)[^\n]*$"):
            load_shape(path)


def test_an_attribute_that_the_data_does_not_have(tmp_path):
    builder = Packed()
    primitive = builder.primitive(VERTICES)
    primitive["extensions"][NAME]["attributes"]["POSITION"] = 77
    builder.mesh(primitive)
    with pytest.raises(ShapeError, match="has Draco data without POSITION"):
        builder.load(tmp_path)
