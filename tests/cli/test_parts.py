"""The command ``parts``: tables, JSON, CSV, and the files that it writes."""

import csv
import io
import json

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.transformations import translation_matrix

from clip2point.cli.main import main
from clip2point.shapes import load_shape
from scene_fixtures import scan


@pytest.fixture
def assembly(tmp_path):
    scene = trimesh.Scene()
    for number in range(3):
        scene.add_geometry(
            trimesh.creation.cone(1, 3), node_name=f"bolt {number}", transform=translation_matrix([4 * number, 0, 0])
        )
    scene.add_geometry(trimesh.creation.box((20, 1, 20)), node_name="plate/left")
    path = tmp_path / "a.glb"
    scene.export(path)
    return path


@pytest.fixture
def cloud(tmp_path):
    path = tmp_path / "scan.npy"
    np.save(path, scan(resolution=200)[0].astype(np.float32))
    return path


def model(tiny_clip):
    return ["--model", str(tiny_clip), "--labels", "cone,box"]


def test_a_table_counts_equal_parts(assembly, tiny_clip, capsys):
    assert main(["parts", str(assembly), *model(tiny_clip)]) == 0
    printed = capsys.readouterr().out
    assert "4 nodes of the file, 2 kinds" in printed
    row = next(line.split() for line in printed.splitlines() if "bolt" in line)
    assert row[:4] == ["0", "3", "bolt", "0"]


def test_json_has_every_part_with_its_name(assembly, tiny_clip, capsys):
    assert main(["parts", str(assembly), *model(tiny_clip), "--json", "--find", "a cone"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert [part["name"] for part in result["parts"]] == ["bolt 0", "bolt 1", "bolt 2", "plate/left"]
    assert {part["label"] for part in result["parts"]} <= {"cone", "box"}
    assert result["parts"][0]["fits"] == result["parts"][1]["fits"]
    assert result["model"] == str(tiny_clip)


def test_phrases_show_the_parts_that_fit_best_first(assembly, tiny_clip, capsys):
    assert main(["parts", str(assembly), "--model", str(tiny_clip), "--find", "a cone"]) == 0
    printed = capsys.readouterr().out
    fits = [float(line.split()[-8]) for line in printed.splitlines() if "bolt" in line or "plate" in line]
    assert "Fits 'a cone', best first" in printed
    assert len(fits) == 4
    assert fits == sorted(fits, reverse=True)


def test_csv_has_a_row_for_each_part(assembly, capsys):
    assert main(["parts", str(assembly), "--no-names", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["kind"] for row in rows] == ["0", "0", "0", "1"]
    assert float(rows[2]["x"]) == pytest.approx(8)


def test_files_of_an_assembly(assembly, tmp_path, capsys):
    words = ["--instances", tmp_path / "i.npy", "--split", tmp_path / "out", "--colored", tmp_path / "c.glb"]
    assert main(["parts", str(assembly), "--no-names", *map(str, words), "--report", str(tmp_path / "r.png")]) == 0
    whole = load_shape(assembly)
    instances = np.load(tmp_path / "i.npy")
    assert instances.shape == (len(whole.mesh.faces),)
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written][::3] == ["0000_bolt_0.glb", "0003_plate_left.glb"]
    for number, path in enumerate(written):
        own = load_shape(path)
        assert len(own.mesh.faces) == np.count_nonzero(instances == number)
        assert own.hierarchy.nodes[0].name in ("bolt 0", "bolt 1", "bolt 2", "plate/left")
    colored = load_shape(tmp_path / "c.glb")
    assert len(colored.mesh.materials) == 4
    np.testing.assert_allclose(np.sort(colored.points.max(axis=0)), np.sort(whole.points.max(axis=0)), rtol=1e-5)
    legend = (tmp_path / "c.legend.csv").read_text().splitlines()
    assert legend[0] == "number,color,name,label,confidence"
    assert len(legend) == 5
    assert Image.open(tmp_path / "r.png").size[0] == 960


def test_files_of_a_scan(cloud, tmp_path, tiny_clip, capsys):
    words = ["--instances", tmp_path / "i.npy", "--split", tmp_path / "out", "--colored", tmp_path / "c.ply"]
    assert main(["parts", str(cloud), "--up", "y", *model(tiny_clip), *map(str, words)]) == 0
    assert "3 things of a scan, 1 support" in capsys.readouterr().out
    instances = np.load(tmp_path / "i.npy")
    assert len(load_shape(tmp_path / "c.ply").points) == len(instances) == len(load_shape(cloud).points)
    sizes = [len(load_shape(path).points) for path in sorted((tmp_path / "out").iterdir())]
    assert sizes == np.bincount(instances[instances >= 0]).tolist()


def test_a_broken_file_lets_the_others_through(assembly, tmp_path, capsys):
    (tmp_path / "b.obj").write_text("nonsense")
    assert main(["parts", str(tmp_path / "b.obj"), str(assembly), "--no-names", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["results"]) == len(document["failures"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--instances", "a.txt"], "expected a name that ends with .npy"),
        (["--colored", "a.glb", "--no-names"], "expected a name that ends with .ply"),
        (["--no-names", "--find", "a mug"], "asks no model"),
    ],
)
def test_what_cannot_be_done_is_refused(cloud, words, message, capsys):
    assert main(["parts", str(cloud), *words]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_for_parts_must_be_empty(assembly, tmp_path, capsys):
    assert main(["parts", str(assembly), "--no-names", "--split", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
