"""Compressed buffer views of glTF, against meshoptimizer itself."""

import json

import numpy as np
import pytest
from gltf_builder import Builder
from sample_files import FACES, VERTICES

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.formats.meshopt import decode_view

NAMES = ("EXT_meshopt_compression", "KHR_meshopt_compression")
RNG = np.random.default_rng(0)

# The example of Khronos' text: sixteen differences of one byte, with four bits each and two of them behind.
EXAMPLE = bytes.fromhex("175ff0bc77a9210034b5")
DIFFERENCES = [-1, -4, -3, 26, -91, 0, -6, 6, -4, -4, 5, -5, 1, -1, 0, 0]


def entry(count, stride, mode="ATTRIBUTES", change="NONE"):
    return {"count": count, "byteStride": stride, "mode": mode, "filter": change}


def test_the_example_of_the_specification():
    packed = b"\xa0" + b"\x02" + EXAMPLE + 3 * b"\0" + bytes(28) + b"\7\0\0\0"
    plain = np.frombuffer(decode_view(packed, entry(16, 4)), np.uint8).reshape(16, 4)
    assert np.array_equal(plain[:, 0], ((7 + np.cumsum(DIFFERENCES)) % 256).astype(np.uint8))
    assert not plain[:, 1:].any()


def make_rows(stride, count, smooth):
    values = RNG.integers(-3, 4, (count, stride)).cumsum(axis=0) if smooth else RNG.integers(0, 256, (count, stride))
    return values.astype(np.uint8)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("stride", [4, 12, 64, 256])
@pytest.mark.parametrize("count", [1, 16, 255, 1000])
@pytest.mark.parametrize("smooth", [True, False])
def test_attributes(version, stride, count, smooth):
    meshopt = pytest.importorskip("meshopt")
    rows = make_rows(stride, count, smooth)
    for level in range(4):
        packed = meshopt.encode_vertex_buffer_level(rows, level, version)
        assert decode_view(packed, entry(count, stride)) == rows.tobytes()


@pytest.mark.parametrize("kind", ["<u2", "<f4", "<u4"])
def test_attributes_of_wider_numbers(kind):
    meshopt = pytest.importorskip("meshopt")
    rows = (np.cumsum(RNG.normal(size=(777, 4)), axis=0) * 50 + 1000).astype(kind)
    for level in range(4):
        packed = meshopt.encode_vertex_buffer_level(rows, level, 1)
        assert decode_view(packed, entry(777, rows.itemsize * 4)) == rows.tobytes()


def make_triangles(grid=40):
    i = np.arange(grid * (grid - 1)).reshape(grid - 1, grid)[:, :-1].ravel()
    strips = np.concatenate([np.stack([i, i + 1, i + grid], 1), np.stack([i + 1, i + grid + 1, i + grid], 1)])
    return {"ordered": strips, "mixed": RNG.permutation(strips), "random": RNG.integers(0, 2**29, (300, 3))}


@pytest.mark.parametrize("kind", ["ordered", "mixed", "random"])
@pytest.mark.parametrize("size", [2, 4])
def test_triangles_and_indices(kind, size):
    meshopt = pytest.importorskip("meshopt")
    indices = make_triangles()[kind].astype(np.uint32).ravel()
    if size == 2:
        indices %= 65536
    packed = meshopt.encode_gltf_buffer(indices, "TRIANGLES")
    expected = meshopt.decode_index_buffer(packed, len(indices), size)
    assert decode_view(packed, entry(len(indices), size, "TRIANGLES")) == expected.tobytes()
    packed = meshopt.encode_gltf_buffer(indices, "INDICES")
    assert decode_view(packed, entry(len(indices), size, "INDICES")) == indices.astype(f"<u{size}").tobytes()


@pytest.mark.parametrize(
    ("change", "stride", "kind"),
    [
        ("OCTAHEDRAL", 4, "i1"),
        ("OCTAHEDRAL", 8, "<i2"),
        ("QUATERNION", 8, "<i2"),
        ("EXPONENTIAL", 12, "<f4"),
        ("COLOR", 4, "u1"),
        ("COLOR", 8, "<u2"),
    ],
)
def test_filters(change, stride, kind):
    meshopt = pytest.importorskip("meshopt")
    if change == "EXPONENTIAL":
        values = RNG.normal(size=(100, 3)).astype(np.float32)
        filtered = meshopt.encode_filter_exp(values, 15)
    elif change == "COLOR":
        filtered = meshopt.encode_filter_color(RNG.random((100, 4)).astype(np.float32), stride, stride * 2 - 1)
    else:
        values = RNG.normal(size=(100, 4)).astype(np.float32)
        values /= np.linalg.norm(values[:, : 3 if change == "OCTAHEDRAL" else 4], axis=1, keepdims=True)
        encode = meshopt.encode_filter_oct if change == "OCTAHEDRAL" else meshopt.encode_filter_quat
        filtered = encode(values, stride, 7) if change == "OCTAHEDRAL" else encode(values, 8, 12)
    packed = meshopt.encode_gltf_buffer(filtered, "ATTRIBUTES")
    ours = np.frombuffer(decode_view(packed, entry(100, stride, change=change)), kind)
    theirs = np.frombuffer(meshopt.decode_gltf_buffer(packed, 100, stride, "ATTRIBUTES", change).tobytes(), kind)
    if change == "EXPONENTIAL":
        assert np.array_equal(ours, theirs)
    else:  # the specification leaves the last unit open
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def build(name):
    """A glTF file whose box is compressed, with room to unfold to as its second buffer; without meshoptimizer."""
    builder = Builder()
    rows = np.ascontiguousarray(VERTICES)
    packed = b"\xa0" + pack_rows(rows.view(np.uint8)) + bytes(32 - rows.itemsize * 3) + bytes(rows.itemsize * 3)
    indices = b"\xd1" + pack_indices(FACES.ravel()) + bytes(4)
    for data, count, stride, mode in ((packed, 8, 12, "ATTRIBUTES"), (indices, FACES.size, 2, "INDICES")):
        view = builder.tree["bufferViews"][builder.view(data)]
        extension = dict(view) | {"count": count, "byteStride": stride, "mode": mode}
        view.update(buffer=1, byteOffset=0, byteLength=count * stride, extensions={name: extension})
    builder.tree["accessors"] = [
        {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5123, "count": FACES.size, "type": "SCALAR"},
    ]
    builder.mesh({"attributes": {"POSITION": 0}, "indices": 1})
    builder.tree["extensionsRequired"] = [name]
    return builder


def pack_rows(rows):
    """Blocks of up to 16 rows, all differences as whole bytes."""
    differences = np.diff(rows.astype(int), axis=0, prepend=0)
    signed = (differences + 128) % 256 - 128
    codes = np.where(signed < 0, -2 * signed - 1, 2 * signed).astype(np.uint8)
    return b"".join(b"\3" + column.tobytes() + bytes(16 - len(column)) for column in codes.T)


def pack_indices(indices):
    differences = np.diff(indices, prepend=0)
    codes = np.where(differences < 0, -2 * differences - 1, 2 * differences) * 2
    return codes.astype(np.uint8).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_compressed_gltf(tmp_path, name):
    builder = build(name)
    builder.save(tmp_path / "box.gltf")
    builder.tree["buffers"].append({"byteLength": 10_000, "extensions": {name: {"fallback": True}}})
    (tmp_path / "box.gltf").write_text(json.dumps(builder.tree))
    mesh = load_shape(tmp_path / "box.gltf").mesh
    assert np.array_equal(mesh.vertices, VERTICES)
    assert np.array_equal(mesh.faces, FACES)


@pytest.mark.parametrize(
    ("view", "change", "message"),
    [
        (0, {"count": 300}, "damaged buffer view .attributes."),
        (0, {"count": 10**9}, "decompression bomb"),
        (0, {"byteStride": 10}, "elements of 10 bytes"),
        (0, {"byteLength": 20}, "damaged buffer view .attributes."),
        (0, {"filter": "OCTAHEDRAL"}, "filter 'OCTAHEDRAL' on elements of 12 bytes"),
        (0, {"filter": "MAGIC"}, "filter 'MAGIC'"),
        (0, {"mode": "MAGIC"}, "mode 'MAGIC'"),
        (1, {"mode": "TRIANGLES"}, "damaged buffer view .indices."),
        (1, {"count": 40}, "damaged buffer view .indices."),
        (1, {"byteLength": 3}, "indices"),
        (1, {"filter": "COLOR"}, "mode 'INDICES'"),
    ],
)
def test_damaged_views_are_one_line(tmp_path, view, change, message):
    builder = build(NAMES[0])
    builder.tree["bufferViews"][view]["extensions"][NAMES[0]].update(change)
    with pytest.raises(ShapeError, match=message):
        builder.load(tmp_path)


@pytest.mark.parametrize("mode", ["ATTRIBUTES", "TRIANGLES", "INDICES"])
def test_random_bytes_are_refused_or_read_whatever_they_are(mode):
    for head in (b"\xa0", b"\xa1", b"\xe1", b"\xd1"):
        for size in (0, 3, 20, 40, 300):
            try:
                plain = decode_view(head + RNG.bytes(size), entry(30, 4, mode))
            except ShapeError:
                continue
            assert len(plain) == 120
