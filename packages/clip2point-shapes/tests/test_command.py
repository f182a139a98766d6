"""The command writes what it says, and says what it cannot write."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import trimesh

from clip2point.pretraining.pairs import open_source
from clip2point_shapes import generate, list_classes
from clip2point_shapes.command import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_files_and_manifest_belong_together(tmp_path, capsys):
    assert main(["--count", "3", "--out", str(tmp_path / "new"), "--seed", "2", "--classes", "desk", "stool"]) == 0
    assert "6 shapes, 2 classes" in capsys.readouterr().out
    with (tmp_path / "new" / "shapes.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["label"], row["style"], row["seed"]) for row in rows[:3]] == [
        ("desk", "office", "2000000"),
        ("desk", "secretary", "2000000"),
        ("desk", "corner", "2000000"),
    ]
    written = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*.glb")}
    assert written == {row["file"] for row in rows}
    for row in rows:
        loaded = trimesh.load(tmp_path / "new" / row["file"], force="mesh", process=False)
        drawn = generate(row["label"], row["style"], int(row["seed"]))
        np.testing.assert_array_equal(np.sort(loaded.triangles.ravel()), np.sort(drawn.vertices[drawn.faces].ravel()))


def test_shapes_are_those_of_the_pairs_source(tmp_path):
    assert main(["--count", "4", "--out", str(tmp_path), "--seed", "1", "--classes", "laptop"]) == 0
    generated = {
        model.key: model for model in open_source("samples:2", seed=1).models if model.info.category == "laptop"
    }
    folder = {model.info.captions[1]: model for model in open_source(str(tmp_path)).models}
    assert set(folder) == {"slim laptop", "old laptop"}
    names = {f"{style}_{name}_{number}" for name, style, number in (key.split("-") for key in generated)}
    assert names == {path.stem for path in tmp_path.rglob("*.glb")}


@pytest.mark.slow
def test_all_classes_by_default(tmp_path):
    assert main(["--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set(list_classes())


def test_another_run_gives_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        assert main(["--out", str(tmp_path / name), "--count", "2", "--classes", "cup"]) == 0
    for path in (tmp_path / "first").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "chair", "unicorn"], "no generator of class 'unicorn': expected one of airplane"),
        (["--count", "0"], "expected count >= 1"),
        (["--seed", "-1"], "seed >= 0"),
    ],
)
def test_bad_requests_are_one_error_and_write_nothing(tmp_path, arguments, message, capsys):
    assert main(["--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unwritable_folder_is_one_error(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file"), "--classes", "cup"]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


def test_readme_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = re.findall(r"^    (clip2point-shapes .*)$", README, re.MULTILINE)
    assert main(shlex.split(line)[1:]) == 0
    assert len(list(tmp_path.rglob("*.glb"))) == 6
