import json

import pytest

from clip2point.cli import output
from clip2point.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture
def arguments(labelled, tiny_clip):
    rendering = ["--points", "64", "--views", "ring-2"]
    return ["evaluate", f"folder:{labelled}", "--up", "y", "--model", str(tiny_clip), *rendering]


def test_few_shot_as_json(arguments, labelled, capsys):
    words = [*arguments, "--protocol", "few-shot", "--heads", "nearest-mean,linear", "--seeds", "2", "--json"]
    assert main([*words, "--shots", "1,2", "--compare"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert "comes without splits: 3 of its 15 shapes" in captured.err
    assert record["protocol"] == "few-shot"
    assert (record["shots"], record["seeds"], record["heads"]) == ([1, 2], [0, 1], ["nearest-mean", "linear"])
    assert len(record["fits"]) == 8
    assert record["samples"] == 3
    assert record["dataset"] == f"folder:{labelled}"
    assert record["settings"]["copies"]["count"] == 2
    assert record["quoted_not_measured"] == []
    assert main([*words, "--shots", "2,1", "--compare"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again.pop("command").endswith("--shots 2,1 --compare")
    assert record.pop("command").endswith("--shots 1,2 --compare")
    assert again == record


def test_few_shot_as_tables_and_report(arguments, tmp_path, capsys):
    words = [*arguments, "--protocol", "few-shot", "--heads", "nearest-mean,linear", "--seeds", "2"]
    assert main([*words, "--shots", "1,2", "--report", str(tmp_path / "report")]) == 0
    captured = capsys.readouterr()
    for shown in ("zero-shot", "nearest-mean", "linear", "±", "2 shots", "* best on validation", "Seconds"):
        assert shown in captured.out
    assert "report.html" in captured.err
    assert (tmp_path / "report" / "accuracy.png").is_file()


def test_supervised(arguments, capsys):
    assert main([*arguments, "--protocol", "supervised", "--heads", "nearest-mean"]) == 0
    printed = capsys.readouterr().out
    assert "supervised, 1 seed" in printed
    assert "all of train" in printed


@pytest.mark.parametrize("protocol", ["few-shot", "supervised"])
def test_a_tower_is_trained_once(protocol, arguments, tmp_path, monkeypatch, capsys):
    pytest.importorskip("lightning_fabric")
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path))
    words = [*arguments, "--heads", "nearest-mean", "--unfreeze", "last-1", "--epochs", "1", "--json"]
    words += ["--protocol", protocol, *(["--shots", "2"] if protocol == "few-shot" else []), "--seeds", "2"]
    assert main(words) == 0
    first = capsys.readouterr()
    towers = {path: path.stat().st_mtime_ns for path in (tmp_path / "towers").glob("*/model/*")}
    assert len({path.parent for path in towers}) == (2 if protocol == "few-shot" else 1)
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["fits"] == json.loads(first.out)["fits"]
    assert main([*words, "--wise-ft-alpha", "0"]) == 0  # nothing is left of the training, and nothing trained again
    kept = json.loads(capsys.readouterr().out)["fits"]
    assert main([word for word in words if word not in ("--unfreeze", "last-1", "--epochs", "1")]) == 0
    untrained = json.loads(capsys.readouterr().out)["fits"]
    assert [fit["accuracy"] for fit in kept] == [fit["accuracy"] for fit in untrained]
    assert towers == {path: path.stat().st_mtime_ns for path in (tmp_path / "towers").glob("*/model/*")}


def test_broken_files_are_listed(arguments, own, capsys):
    for path in (own / "chair").iterdir():
        if path.stem != "0":
            path.write_text("nothing")
    arguments[1] = f"folder:{own}"
    words = [*arguments, "--protocol", "supervised", "--heads", "zero-shot,nearest-mean"]
    assert main(words) in (1, 2)
    assert "chair" in capsys.readouterr().err


def test_long_work_says_how_far_it_is_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(output, "_LINE_SECONDS", -1)
    assert list(output.progress("abc", "letters", 3)) == ["a", "b", "c"]
    captured = capsys.readouterr()
    lines = [line.partition(",") for line in captured.err.splitlines()]
    assert [done for done, _, _ in lines] == ["letters: 0 of 3", "letters: 1 of 3", "letters: 2 of 3"]
    assert all(left.endswith("left") for _, _, left in lines)
    assert captured.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shots", "1"], "--shots cannot be used with --protocol zero-shot, only with few-shot"),
        (["--heads", "gdpa"], "--heads cannot be used with --protocol zero-shot, only with few-shot and supervised"),
        (["--protocol", "supervised", "--shots", "1"], "--shots cannot be used with --protocol supervised"),
        (["--protocol", "supervised", "--validation-shots", "1"], "--validation-shots cannot be used with"),
        (["--protocol", "few-shot", "--split", "train"], "--split cannot be used with --protocol few-shot"),
        (["--protocol", "few-shot", "--sweep", "points=1,2"], "--sweep cannot be used with --protocol few-shot"),
        (["--protocol", "few-shot", "--wise-ft-alpha", "0"], "--wise-ft-alpha is an option of fine-tuning"),
        (["--protocol", "supervised", "--epochs", "2"], "--epochs is an option of fine-tuning"),
        (["--protocol", "few-shot", "--shots", "1,x"], "--shots 1,x: expected integers"),
        (["--protocol", "few-shot", "--heads", "oracle"], "unknown head 'oracle': expected one of"),
        (["--protocol", "few-shot", "--shots", "9"], "the class 'chair' has 3 in train-minus-validation"),
        (["--protocol", "supervised", "--unfreeze", "most"], "unfreeze is 'most': expected all, lora, or last-N"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words, message, capsys):
    assert main([*arguments, *words]) == 2
    assert message in capsys.readouterr().err
