import importlib.util
import json
from pathlib import Path

import pytest

from clip2point.cli.main import main

pytest.importorskip("lancedb", reason="needs the extra: pip install 'clip2point[search]'")


@pytest.fixture(scope="module")
def plain():
    path = Path(__file__).parent.parent / "search" / "killed_runs.py"
    spec = importlib.util.spec_from_file_location("killed_runs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def index(tmp_path, plain, monkeypatch):
    """Three boxes, and the command with a model that needs no loading."""
    for number in range(3):
        plain.write_box(tmp_path / "boxes" / f"{number}.off", 1 + number, 2, 3)
    monkeypatch.setattr("clip2point.cli.options.load_model", lambda arguments: plain.make_model())
    monkeypatch.setattr("clip2point.core.machine.available_cores", lambda: 0)  # this process reads
    monkeypatch.chdir(tmp_path)
    return lambda *words: main(["index", "--db", "lib", "boxes", *words])


def test_the_report_is_a_table_or_json_and_failures_are_listed(index, capsys, tmp_path):
    assert index() == 0
    captured = capsys.readouterr()
    assert captured.out.split()[:6] == ["added", "changed", "moved", "removed", "unchanged", "failed"]
    assert "3 shapes in lib, embedded by plain" in captured.out
    (tmp_path / "boxes" / "bad.off").write_text("<html></html>")
    for again in (False, True):
        assert index("--json", *["--retry-failed"] * again) == 1
        captured = capsys.readouterr()
        report = json.loads(captured.out)
        seconds = report.pop("seconds")
        assert seconds > 0
        error = report["failed"][0]["error"]
        path = str(tmp_path / "boxes" / "bad.off")
        assert error.startswith(path)
        counts = dict.fromkeys(("added", "changed", "moved", "removed"), 0)
        assert report == {**counts, "unchanged": 3, "failed": [{"path": path, "error": error}]}
        assert f"1 of 4 could not be read:\n  {error}\n" in captured.err


def test_invalid_options_are_one_error_and_make_no_library(index, capsys, tmp_path):
    for words, message in (
        (("none",), "none: no such folder"),
        (("--labels", "a,,b"), "an empty label"),
        (("--labels-file", "none.txt"), "none.txt: cannot read labels"),
    ):
        assert index(*words) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "lib").exists()


def test_labels_and_up_axis_reach_the_entries(index, tmp_path):
    from clip2point.search.library import Library

    assert index("--labels", "box, crate", "--up=-z", "--seed", "3") == 0
    entries = list(Library.open(tmp_path / "lib").entries())
    assert {entry.up for entry in entries} == {"-z"}
    assert {frozenset(entry.labels) for entry in entries} == {frozenset({"box", "crate"})}
