"""The demo folder: its files, manifest and up-axes, and that the room imports nothing heavy."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from clip2point.core.errors import OptionError
from clip2point.shapes.orientation import to_y_up
from clip2point_shapes import generate, list_styles, write_samples

ENDINGS = {".off", ".obj", ".ply", ".stl", ".glb", ".xyz", ".pcd", ".npy", ".npz"}
CLASSES = ("chair", "lamp", "bottle", "cup", "table")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def samples(folder):
    return write_samples(folder, classes=CLASSES)


@pytest.mark.slow
def test_every_style_is_there_once(samples):
    assert [(sample.label, sample.style) for sample in samples] == [(c, s) for c in CLASSES for s in list_styles(c)]
    assert all(sample.path.stem == f"{sample.label}_{sample.style}" for sample in samples)


def test_manifest_names_every_file(folder, samples):
    with (folder / "samples.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0]) == ["file", "label", "style", "up", "kind"]
    assert [tuple(row.values()) for row in rows] == [(s.path.name, s.label, s.style, s.up, s.kind) for s in samples]
    written = {path.name for path in folder.iterdir() if path.suffix not in (".tsv", ".mtl")}
    assert written == {row["file"] for row in rows}


def test_formats_kinds_and_axes_are_mixed(samples):
    assert {sample.path.suffix for sample in samples} == ENDINGS
    assert {sample.kind for sample in samples} == {"mesh", "cloud", "scan"}
    assert {sample.up for sample in samples} == {"y", "z"}
    assert all(sample.up == "y" for sample in samples if sample.path.suffix == ".glb")
    assert len({sample.path.suffix for sample in samples if sample.label == "chair"}) > 3


def test_meshes_stand_upright_in_their_declared_axis(samples):
    for sample in samples:
        if sample.kind == "mesh":
            loaded = trimesh.load(sample.path, force="mesh", process=False).vertices
            expected = generate(sample.label, sample.style, 0).vertices
            upright = to_y_up(np.asarray(loaded), sample.up)
            np.testing.assert_allclose(upright.min(axis=0), expected.min(axis=0), atol=1e-5)
            np.testing.assert_allclose(upright.max(axis=0), expected.max(axis=0), atol=1e-5)


@pytest.mark.slow
def test_same_call_same_bytes(tmp_path, samples, folder):
    write_samples(tmp_path, classes=CLASSES)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_several_of_a_style(tmp_path):
    samples = write_samples(tmp_path / "new" / "folder", classes=["cup"], per_style=2, seed=5)
    assert [sample.path.stem for sample in samples][:3] == ["cup_mug_1", "cup_mug_2", "cup_tea_1"]
    assert all(sample.path.is_file() for sample in samples)


def test_bad_requests(tmp_path):
    with pytest.raises(OptionError, match="no generator of class 'unicorn'"):
        write_samples(tmp_path / "a", classes=["unicorn"])
    with pytest.raises(OptionError, match="per_style 0"):
        write_samples(tmp_path / "a", per_style=0)
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot make the folder"):
        write_samples(tmp_path / "file")


def test_room_imports_nothing_heavy():
    heavy = ("trimesh", "torch", "scipy", "numba", "PIL")
    code = f"import sys, clip2point_shapes; print([name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
