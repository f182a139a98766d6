"""The container of GLB files."""

import json
import struct

from clip2point.shapes.glb import FLOAT, pack_glb


def test_every_length_and_offset_is_right():
    chunks = [struct.pack("<3f", 1, 2, 3), struct.pack("<6f", *range(6))]
    accessors = [{"bufferView": number, "componentType": FLOAT} for number in range(2)]
    content = pack_glb([{"attributes": {"POSITION": 0}}], accessors, chunks)
    magic, version, length, text_length, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
    assert text_length % 4 == 0
    scene = json.loads(content[20 : 20 + text_length])
    assert "materials" not in scene
    binary_length, kind = struct.unpack_from("<I4s", content, 20 + text_length)
    binary = content[28 + text_length :]
    assert (kind, binary_length, scene["buffers"]) == (b"BIN\0", len(binary), [{"byteLength": len(binary)}])
    views = scene["bufferViews"]
    assert [binary[view["byteOffset"] :][: view["byteLength"]] for view in views] == chunks


def test_materials_are_there_if_given():
    content = pack_glb([], [], [b"\0\0\0\0"], [{"name": "red"}])
    assert b'"materials":[{"name":"red"}]' in content
