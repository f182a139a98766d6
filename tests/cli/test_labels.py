"""``clip2point labels``."""

import json

from clip2point.cli.main import main


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
    path.write_text("chair\nchair\n")
    assert main(["labels", str(path)]) == 2
    assert "repeated labels: chair (lines 1, 2)" in capsys.readouterr().err
