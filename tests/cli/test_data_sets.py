import json
import os
import shutil

import pytest

from clip2point.cli.main import main


@pytest.fixture
def split_set(labelled, tmp_path):
    """The labelled shapes below Train, Val and Test, one level deeper, one of them with a name that is no UTF-8."""
    root = tmp_path / "set"
    for name in ("chair", "lamp", "table"):
        for index, path in enumerate(sorted((labelled / name).iterdir())):
            split = ("Train", "Train", "Train", "Val", "Test")[index]
            (root / "meshes" / split / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / "meshes" / split / name / path.name)
    first = next((root / "meshes" / "Train" / "lamp").iterdir())
    first.rename(first.with_name(os.fsdecode(b"l\xe4mp") + first.suffix))
    return root


@pytest.fixture
def model(tiny_clip):
    return ["--up", "y", "--model", str(tiny_clip), "--points", "64", "--views", "ring-2"]


def test_classes_and_what_was_assumed_are_told_before_work_begins(split_set, model, capsys):
    assert main(["evaluate", f"folder:{split_set}", *model, "--json"]) == 0
    captured = capsys.readouterr()
    first, second = captured.err.splitlines()[:2]
    assert first == f"folder:{split_set} (test): 3 shapes of 3 classes: chair, lamp, table"
    assert second == f"note: folder:{split_set}: folders that are no classes: meshes"
    record = json.loads(captured.out)
    assert set(record["per_class"]) == {"chair", "lamp", "table"}
    assert record["notes"][0] == "folders that are no classes: meshes"
    assert main(["evaluate", f"folder:{split_set}", *model, "--split", "val", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["split"] == "validation"


def test_adapt_learns_from_train_alone(split_set, model, tmp_path, capsys):
    words = ["adapt", f"folder:{split_set}", *model, "--dtype", "fp32", "--head", "nearest-mean", "--json"]
    assert main([*words, "--out", str(tmp_path / "mine")]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["classes"] == {"chair": 3, "lamp": 3, "table": 3}
    assert "(train): 9 shapes of 3 classes: chair, lamp, table" in captured.err
    shutil.rmtree(split_set / "meshes" / "Train")
    assert main([*words, "--out", str(tmp_path / "other")]) == 2
    assert "has no split 'train': expected one of test, validation" in capsys.readouterr().err


def test_few_shot_with_splits_of_its_own(split_set, model, capsys):
    words = ["--protocol", "few-shot", "--heads", "nearest-mean", "--shots", "1", "--seeds", "1", "--json"]
    assert main(["evaluate", f"folder:{split_set}", *model, *words]) == 0
    captured = capsys.readouterr()
    assert "comes without splits" not in captured.err
    assert json.loads(captured.out)["samples"] == 3


def test_a_manifest(labelled, model, tmp_path, capsys):
    files = [path.relative_to(labelled) for path in sorted(labelled.rglob("*.*"))]
    lines = [f"{path},{'seat' if path.parts[0] == 'chair' else 'thing'}" for path in files]
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *lines]))
    words = ["--manifest", str(tmp_path / "list.csv")]
    assert main(["evaluate", f"folder:{labelled}", *words, *model, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["per_class"]) == {"seat", "thing"}
    assert main(["evaluate", "modelnet40", *words, *model]) == 2
    assert "lists the files of folder:PATH" in capsys.readouterr().err


def test_numbers_are_refused_in_one_line(labelled, model, tmp_path, capsys):
    shutil.copytree(labelled / "chair", tmp_path / "set" / "glbs" / "000-000")
    assert main(["evaluate", f"folder:{tmp_path / 'set'}", *model]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "lie directly in 000-000, which are numbers" in captured.err
