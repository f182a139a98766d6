"""Small files whose parts, lines or promises multiply: each is refused before it costs anything, or read aright."""

import base64
import json
import struct

import numpy as np
import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape

TRIANGLE = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)


def write_gltf(path, primitives, nodes, **more):
    """A glTF file in which every node places all primitives."""
    uri = "data:;base64," + base64.b64encode(TRIANGLE).decode()
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": 36, "uri": uri}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "meshes": [{"primitives": primitives}],
        "nodes": [{"mesh": 0}] * nodes,
        "scenes": [{"nodes": list(range(nodes))}],
    }
    path.write_text(json.dumps(tree | more))
    return path


@pytest.mark.parametrize("mode", [4, 1])
def test_primitives_times_nodes_are_bounded(tmp_path, mode):
    path = write_gltf(tmp_path / "a.gltf", [{"attributes": {"POSITION": 0}, "mode": mode}] * 400, 400)
    with pytest.raises(ShapeError, match="places 160,000 parts: expected at most 100,000; join them first"):
        load_shape(path)


def test_a_mesh_that_many_nodes_place_is_decoded_once(tmp_path, monkeypatch):
    from clip2point.shapes.formats import gltf

    decoded = []
    original = gltf._Reader._primitive
    monkeypatch.setattr(gltf._Reader, "_primitive", lambda self, *a: decoded.append(1) or original(self, *a))
    shape = load_shape(write_gltf(tmp_path / "a.gltf", [{"attributes": {"POSITION": 0}}] * 3, 50))
    assert len(decoded) == 3
    assert len(shape.mesh.faces) == 150


def test_colours_of_another_length_are_not_decoded(tmp_path):
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": 0, "componentType": 5121, "count": 10**9, "type": "VEC4", "normalized": True},
    ]
    primitives = [{"attributes": {"POSITION": 0, "COLOR_0": 1}}]
    assert len(load_shape(write_gltf(tmp_path / "a.gltf", primitives, 1, accessors=accessors)).mesh.faces) == 1


DAE = """<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema"><library_geometries><geometry id="g"><mesh>
<source id="s"><float_array count="9">0 0 0 1 0 0 0 1 0</float_array></source>
<vertices id="v"><input semantic="POSITION" source="#s"/></vertices>{parts}</mesh></geometry></library_geometries>
<library_nodes><node id="n">{shared}</node></library_nodes>
<library_visual_scenes><visual_scene id="scene"><node>{instances}</node></visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#scene"/></scene></COLLADA>"""
PART = '<triangles><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles>'


def test_parts_times_instances_of_collada_are_bounded(tmp_path):
    path = tmp_path / "a.dae"
    path.write_text(DAE.format(parts=PART * 400, shared="", instances='<instance_geometry url="#g"/>' * 400))
    with pytest.raises(ShapeError, match="places 100,400 parts: expected at most 100,000"):
        load_shape(path)


def test_bindings_of_an_instance_in_many_places_are_read_once(tmp_path):
    bindings = '<instance_material symbol="a" target="#b"/>' * 20_000
    bound = f"<bind_material><technique_common>{bindings}</technique_common></bind_material>"
    shared = f'<instance_geometry url="#g">{bound}</instance_geometry>'
    path = tmp_path / "a.dae"
    path.write_text(DAE.format(parts=PART, shared=shared, instances='<instance_node url="#n"/>' * 2_000))
    assert len(load_shape(path).mesh.faces) == 2_000


def test_a_header_of_newlines_is_given_up(tmp_path):
    path = tmp_path / "a.pcd"
    path.write_bytes(b"\n" * 10_000_000)
    with pytest.raises(ShapeError, match="has no PCD header up to 'DATA'"):
        load_shape(path)


def test_faces_in_thousands_of_ways_are_read_in_one_go(tmp_path):
    words = ["1", "1/1", "1/1/1", "1//1"]
    mixed = [f"f {' '.join(words[(i >> 2 * k) & 3] for k in range(5))}" for i in range(1024)]
    path = tmp_path / "a.obj"
    path.write_text("\n".join(["v 0 0 0", "v 1 0 0", "v 0 1 0", *["f 1 2 3"] * 50_000, *mixed]))
    faces = load_shape(path).mesh.faces
    assert len(faces) == 50_000 + 3 * 1024
    np.testing.assert_array_equal(np.unique(faces[50_000:]), [0])
