"""Writers: an independent reader (trimesh, or a few lines here) gets back what was written."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from clip2point.core.errors import OptionError
from clip2point.shapes.shape import Mesh
from clip2point_shapes import generate, write_cloud, write_mesh
from clip2point_shapes.primitives import box

CHAIR = generate("chair", "office", 0)
POINTS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def test_obj_round_trip(tmp_path):
    write_mesh(CHAIR, tmp_path / "chair.obj")
    rows = [line.split() for line in (tmp_path / "chair.obj").read_text().splitlines()]
    vertices = np.array([row[1:] for row in rows if row[0] == "v"], dtype=float)
    faces = np.array([row[1:] for row in rows if row[0] == "f"], dtype=int) - 1
    np.testing.assert_allclose(vertices, CHAIR.vertices, atol=1e-5)
    np.testing.assert_array_equal(faces, CHAIR.faces[np.argsort(CHAIR.face_materials, kind="stable")])
    assert rows[0] == ["mtllib", "chair.mtl"]


@pytest.mark.parametrize("ending", [".off", ".ply", ".stl", ".glb"])
def test_mesh_round_trip(tmp_path, ending):
    path = tmp_path / f"chair{ending}"
    write_mesh(CHAIR, path)
    loaded = trimesh.load(path, process=False, force="mesh")
    expected = CHAIR.vertices[CHAIR.faces]
    assert loaded.triangles.shape == expected.shape
    order = np.argsort(CHAIR.face_materials, kind="stable") if ending == ".glb" else slice(None)
    np.testing.assert_allclose(loaded.triangles, expected[order], atol=1e-5)


@pytest.mark.parametrize("ending", [".obj", ".glb"])
def test_mesh_keeps_its_base_colours(tmp_path, ending):
    path = tmp_path / f"chair{ending}"
    write_mesh(CHAIR, path)
    scene = trimesh.load(path, force="scene", process=False)
    found = set()
    for part in scene.geometry.values():
        material = part.visual.material
        color = material.baseColorFactor if ending == ".glb" else material.diffuse
        found.add(tuple(int(c) for c in color[:3]))
    wanted = {tuple(round(255 * c) for c in material.color[:3]) for material in CHAIR.materials}
    assert len(found) == len(wanted)
    assert all(min(max(abs(a - b) for a, b in zip(f, w, strict=True)) for w in wanted) <= 1 for f in found)


def test_ply_has_a_colour_for_each_face(tmp_path):
    write_mesh(CHAIR, tmp_path / "chair.ply")
    loaded = trimesh.load(tmp_path / "chair.ply", process=False)
    wanted = np.array([material.color for material in CHAIR.materials])[CHAIR.face_materials]
    np.testing.assert_allclose(loaded.visual.face_colors / 255, wanted, atol=0.003)


def test_glb_has_a_primitive_only_for_materials_in_use(tmp_path):
    mesh = generate("lamp", "table", 0)
    lone = Mesh(mesh.vertices, mesh.faces, (*mesh.materials, *mesh.materials), mesh.face_materials)
    write_mesh(lone, tmp_path / "lamp.glb")
    assert len(trimesh.load(tmp_path / "lamp.glb", force="scene").geometry) == len(np.unique(mesh.face_materials))


def test_glb_is_aligned_and_as_long_as_it_says(tmp_path):
    solid = box(1, 1, 1)
    write_mesh(Mesh.plain(solid.vertices, solid.faces), tmp_path / "box.glb")
    data = (tmp_path / "box.glb").read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[8:12], "little") == len(data)
    assert len(data) % 4 == 0
    assert int.from_bytes(data[12:16], "little") % 4 == 0


def read_cloud(path):
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".npz":
        return np.load(path, allow_pickle=False)["points"]
    if path.suffix == ".xyz":
        return np.loadtxt(path)
    end = {".ply": b"end_header\n", ".pcd": b"DATA binary\n"}[path.suffix]
    header, body = path.read_bytes().split(end, 1)
    assert b"50" in header
    return np.frombuffer(body, "<f4").reshape(-1, 3)


@pytest.mark.parametrize("ending", [".ply", ".xyz", ".pcd", ".npy", ".npz"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cloud_round_trip(tmp_path, ending, dtype):
    path = tmp_path / f"cloud{ending}"
    write_cloud(POINTS.astype(dtype), path)
    np.testing.assert_allclose(read_cloud(path), POINTS, rtol=1e-5)
    if ending == ".ply":
        np.testing.assert_array_equal(trimesh.load(path).vertices, POINTS)


def test_writing_is_repeatable_and_leaves_nothing_else_behind(tmp_path):
    write_mesh(CHAIR, tmp_path / "chair.obj")
    first = (tmp_path / "chair.obj").read_bytes()
    write_mesh(CHAIR, tmp_path / "chair.obj")
    assert (tmp_path / "chair.obj").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chair.mtl", "chair.obj"]


@pytest.mark.parametrize("name", ["chair.fbx", "chair", "chair.xyz"])
def test_unknown_mesh_format(tmp_path, name):
    with pytest.raises(OptionError, match=r"cannot write .*expected one of \.glb, \.obj, \.off, \.ply, \.stl"):
        write_mesh(CHAIR, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_unwritable_targets(tmp_path):
    with pytest.raises(OptionError, match="cannot write the file"):
        write_mesh(CHAIR, Path(__file__) / "chair.off")
    (tmp_path / "cloud.npy").mkdir()
    with pytest.raises(OptionError, match="cannot write the file"):
        write_cloud(POINTS, tmp_path / "cloud.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.npy"]


def test_cloud_of_another_form(tmp_path):
    with pytest.raises(OptionError, match=r"expected points as \[N, 3\], got \[50, 2\]"):
        write_cloud(POINTS[:, :2], tmp_path / "cloud.npy")
