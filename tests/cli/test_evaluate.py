import json
import os

import numpy as np
import pytest

from clip2point.cli.main import main
from clip2point_shapes import generate, write_mesh


@pytest.fixture
def arguments(labelled, tiny_clip):
    return ["evaluate", f"folder:{labelled}", "--up", "y", "--model", str(tiny_clip), "--points", "64"]


def test_json_has_every_number(arguments, tiny_clip, labelled, capsys):
    assert main([*arguments, "--json", "--seeds", "2", "--compare"]) == 0
    record = json.loads(capsys.readouterr().out)
    for name in ("accuracy", "mean_class_accuracy", "top3", "top5"):
        assert 0 <= record[name] <= 1
    assert record["top3"] >= record["accuracy"]
    assert record["samples"] == 15
    assert record["seeds"] == [0, 1]
    assert record["model"] == str(tiny_clip)
    assert record["dataset"] == f"folder:{labelled}"
    assert set(record["per_class"]) == {"chair", "lamp", "table"}
    assert record["settings"]["points"] == 64
    assert record["quoted_not_measured"] == []
    assert np.array(record["confusion"]).sum() == 15


def test_the_same_command_prints_the_same(arguments, capsys):
    assert main([*arguments, "--json"]) == 0
    first = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert capsys.readouterr().out == first


def test_tables_and_broken_files(arguments, own, capsys):
    (own / "chair" / "broken.off").write_text("OFF\nnonsense")
    arguments[1] = f"folder:{own}"
    assert main([*arguments, "--seeds", "2"]) == 1
    captured = capsys.readouterr()
    assert "15 shapes" in captured.out
    assert "±" in captured.out
    assert "1 of 16 could not be read" in captured.err
    assert "broken.off" in captured.err


@pytest.mark.slow
def test_files_of_equal_size_and_date_that_change_places_give_new_figures(own, tmp_path, monkeypatch, capsys):
    def measure():
        for path in paths:
            os.utime(path, ns=(0, 0))
        assert main(["evaluate", f"folder:{own}", "--up", "y", "--points", "256", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    paths = sorted(own.rglob("*.off"))
    contents = [path.read_bytes() for path in paths]
    length = max(map(len, contents))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.ljust(length, b"\n"))
    before = measure()
    for path, content in zip(paths, contents[5:] + contents[:5], strict=True):  # every shape into another class
        path.write_bytes(content.ljust(length, b"\n"))
    after = measure()
    assert before["confusion"] != after["confusion"]
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "fresh"))
    assert measure()["confusion"] == after["confusion"]


def test_a_cache_that_cannot_be_used_costs_one_line_and_no_figure(arguments, tmp_path, monkeypatch, capsys):
    assert main([*arguments, "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    (tmp_path / "file").write_text("no folder can be made here")
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "file"))
    assert main([*arguments, "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("the cache cannot be used") == printed.err.count("warning:") == 1
    assert json.loads(printed.out)["confusion"] == expected["confusion"]


def test_a_doubtful_up_axis_is_remarked_on(arguments, monkeypatch, capsys):
    from clip2point.evaluation import up_axis

    monkeypatch.setattr(up_axis, "_RATIO", 0.0)
    monkeypatch.setattr(up_axis, "_SHARE", 0.0)
    assert main([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert "Note: with --up z " in captured.err
    assert "of 15 sampled shapes are recognised more confidently than with the declared y." in captured.err
    assert json.loads(captured.out)["settings"]["up"] == "y"


def test_limit(arguments, capsys):
    assert main([*arguments, "--limit", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["samples"] == 3
    assert len(record["per_class"]) == 3


@pytest.mark.slow
def test_a_report_is_written(arguments, tmp_path, capsys):
    assert main([*arguments, "--report", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").is_file()
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == written["metrics"][0]["accuracy"]


def test_a_sweep_gives_one_row_for_each_combination(arguments, capsys):
    sweep = ["--sweep", "radius=0.05,0.1", "--sweep", "views=clip2point-6,ring-4"]
    assert main([*arguments, *sweep, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["radius"], row["views"]) for row in rows] == [
        (0.05, "clip2point-6"),
        (0.05, "ring-4"),
        (0.1, "clip2point-6"),
        (0.1, "ring-4"),
    ]
    assert main([*arguments, "--sweep", "prompts=a {},image of a {}"]) == 0
    assert "image of a {}" in capsys.readouterr().out


def test_a_sweep_equals_single_measurements(arguments, capsys):
    assert main([*arguments, "--sweep", "radius=0.05,0.1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    for row in rows:
        assert main([*arguments, "--radius", str(row["radius"]), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["accuracy"] == row["accuracy"]["mean"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sweep", "colour=1,2"], "error: --sweep colour=1,2: expected KEY=A,B,C"),
        (["--sweep", "points=many"], "error: --sweep points=many: expected numbers for points"),
        (["--sweep", "points=1,2", "--report", "x"], "error: --report shows one measurement"),
    ],
)
def test_invalid_sweeps_are_refused(arguments, words, message, capsys):
    assert main([*arguments, *words]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_missing_data_sets_say_what_to_do(tmp_path, capsys):
    assert main(["evaluate", "modelnet40", "--root", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert str(tmp_path) in error


@pytest.mark.slow
def test_published_rows_are_marked_as_quoted(tmp_path, tiny_clip, capsys):
    root = tmp_path / "ModelNet10"
    names = ("bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet")
    for name in names:
        for split in ("train", "test"):
            (root / name / split).mkdir(parents=True)
            write_mesh(generate(name), root / name / split / f"{name}_0001.off")
    arguments = ["evaluate", "modelnet10", "--root", str(root), "--model", str(tiny_clip), "--points", "64"]
    assert main([*arguments, "--compare"]) == 0
    printed = capsys.readouterr().out
    assert "Quoted from the papers, not measured here" in printed
    assert "66.6" in printed
