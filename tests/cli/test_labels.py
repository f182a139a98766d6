"""``clip2point labels``."""

import json

from clip2point.cli.main import main
from clip2point.shapes.demo_shapes import demo_files


def test_presets_are_listed_and_printed(capsys):
    assert main(["labels"]) == 0
    assert "@everyday" in (listed := capsys.readouterr().out)
    assert "@shapenet55" in listed
    assert main(["labels", "@modelnet10"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["bathtub", "bed"]
    assert main(["labels", "--json"]) == 0
    assert next(preset["name"] for preset in json.loads(capsys.readouterr().out)["presets"]) == "@everyday"


def test_lists_and_files_are_checked(tmp_path, capsys):
    path = tmp_path / "own.txt"
    path.write_text("chair\nbed\n")
    assert main(["labels", str(path), "--check"]) == 0
    assert capsys.readouterr() == ("chair\nbed\n", "")
    assert main(["labels", "chair,Chair,bed", "--check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == ["chair", "Chair", "bed"]
    assert "cannot tell these labels apart: 'chair', 'Chair'" in found["notes"][0]
    assert main(["labels", "chair,Chair", "--model", "pocket"]) == 1
    assert "cannot tell these labels apart" in capsys.readouterr().err
    assert main(["labels", str(tmp_path / "none.txt")]) == 2
    assert "none.txt: cannot read labels (No such file" in capsys.readouterr().err
    path.write_text("chair\nchair\n")
    assert main(["labels", str(path)]) == 2
    assert "repeated labels: chair (lines 1, 2)" in capsys.readouterr().err


def test_doubts_about_labels_are_said_once_and_are_in_each_answer(tmp_path, capsys):
    files = [str(demo_files([name])[name]) for name in ("chair", "bed")]
    assert main(["classify", *files, "--labels", "chair,Chair", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("cannot tell these labels apart: 'chair', 'Chair'") == 1
    for answer in json.loads(printed.out)["results"]:
        assert "cannot tell these labels apart" in answer["notes"][0]
    assert main(["classify", *files, "--labels", "chair,Chair"]) == 0
    assert capsys.readouterr().err.count("cannot tell these labels apart") == 1
    assert main(["parts", files[0], "--labels", "chair,Chair", "--json"]) == 0
    printed = capsys.readouterr()
    assert "cannot tell these labels apart" in json.loads(printed.out)["results"][0]["notes"][0]
    assert printed.err.count("cannot tell these labels apart") == 1
    assert main(["classify", files[0], "--labels", str(tmp_path / "own.txt")]) == 2
    assert "Give it as --labels-file" in capsys.readouterr().err
