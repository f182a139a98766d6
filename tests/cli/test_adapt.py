import json
import re

import numpy as np
import pytest

import clip2point
from clip2point.cli.main import main
from clip2point.core.registries import HEADS
from clip2point_shapes import generate, write_mesh

CLASSES = ("chair", "lamp", "table")


@pytest.fixture
def arguments(labelled, tiny_clip, tmp_path):
    rendering = ["--model", str(tiny_clip), "--dtype", "fp32", "--points", "64", "--views", "ring-2"]
    return ["adapt", f"folder:{labelled}", "--up", "y", "--out", str(tmp_path / "mine"), *rendering]


@pytest.mark.slow
def test_a_model_is_learned_written_and_used(arguments, labelled, tiny_clip, tmp_path, capsys):
    assert main([*arguments, "--head", "nearest-mean"]) == 0
    printed = capsys.readouterr().out
    assert "Learned 3 classes from 15 shapes; augmented views of each: 2" in printed
    assert f"nearest-mean on the features of {tiny_clip}" in printed
    for words in ("validation accuracy", "of 3 held-out shapes", "temperature", "threshold", "for features"):
        assert words in printed
    command = next(line for line in printed.splitlines() if line.startswith("Use it: "))
    words = command.removeprefix("Use it: clip2point ").replace("FILES", str(labelled / "chair")).split()
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    results = json.loads(captured.out)["results"]
    assert len(results) == 5
    assert {guess["label"] for guess in results[0]["guesses"]} == set(CLASSES)
    assert "ModelNet40" not in captured.err
    model = clip2point.load(tmp_path / "mine")
    assert (model.settings.points, model.settings.views) == (64, "ring-2")
    assert model.adapted.record["data"]["dataset"] == f"folder:{labelled}"


def test_json_has_every_number(arguments, capsys):
    assert main([*arguments, "--head", "linear", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["classes"] == dict.fromkeys(CLASSES, 5)
    assert (record["head"], record["copies"], record["failures"]) == ("linear", 2, [])
    assert record["validation"]["samples"] == 3
    assert 0 <= record["validation"]["accuracy"] <= 1
    assert record["temperature"] > 0
    assert record["trials"]
    assert all(trial["head"] == "linear" for trial in record["trials"])
    assert record["seconds"].keys() == {"points", "features", "fitting"}


def test_the_same_command_writes_the_same_model(arguments, tmp_path, capsys):
    written = []
    for _ in range(2):
        assert main([*arguments, "--head", "linear"]) == 0
        written.append([(tmp_path / "mine" / name).read_bytes() for name in ("config.json", "model.safetensors")])
    assert written[0] == written[1]


def test_shots_and_the_choice_of_a_head(arguments, monkeypatch, capsys):
    monkeypatch.setattr(HEADS, "built_in", {name: HEADS.built_in[name] for name in ("zero-shot", "linear")})
    assert main([*arguments, "--head", "auto", "--shots", "2", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["classes"] == dict.fromkeys(CLASSES, 2)
    assert {trial["head"] for trial in record["trials"]} == {"zero-shot", "linear"}
    assert record["head"] in ("zero-shot", "linear")


def test_one_shot_goes_without_validation(arguments, capsys):
    assert main([*arguments, "--head", "nearest-mean", "--shots", "1"]) == 0
    captured = capsys.readouterr()
    assert "warning: no class has two examples" in captured.err
    assert "threshold" not in captured.out


def test_a_learned_model_can_learn_again(arguments, tiny_clip, tmp_path, capsys):
    assert main([*arguments, "--head", "nearest-mean", "--json"]) == 0
    again = [*arguments, "--head", "linear", "--json"]
    again[again.index(str(tiny_clip))] = str(tmp_path / "mine")
    capsys.readouterr()
    assert main(again) == 0
    assert json.loads(capsys.readouterr().out)["base"] == str(tiny_clip)


def test_broken_files_are_listed_and_the_model_is_written(arguments, own, tmp_path, capsys):
    (own / "lamp" / "broken.off").write_text("OFF\nnonsense")
    arguments[1] = f"folder:{own}"
    assert main([*arguments, "--head", "nearest-mean"]) == 1
    captured = capsys.readouterr()
    assert "1 of 16 could not be read" in captured.err
    assert "broken.off" in captured.err
    assert clip2point.load(tmp_path / "mine").adapted.classes == CLASSES


@pytest.mark.slow
def test_train_is_what_is_learned_from(tiny_clip, tmp_path, capsys):
    for split in ("train", "test"):
        for name in ("chair", "table"):
            (tmp_path / "set" / split / name).mkdir(parents=True)
            for seed in range(2):
                write_mesh(generate(name, seed=seed), tmp_path / "set" / split / name / f"{seed}.off")
    arguments = ["adapt", f"folder:{tmp_path / 'set'}", "--up", "y", "--model", str(tiny_clip), "--points", "64"]
    arguments += ["--out", str(tmp_path / "mine"), "--head", "nearest-mean", "--views", "ring-2"]
    assert main([*arguments, "--json"]) == 0
    assert clip2point.load(tmp_path / "mine").adapted.record["data"]["split"] == "train"
    capsys.readouterr()
    assert main([*arguments, "--split", "test", "--json"]) == 0
    assert "Learning from the test split" in capsys.readouterr().err


def test_unknown_shapes_are_called_so(arguments, labelled, tmp_path, capsys):
    assert main([*arguments, "--head", "nearest-mean"]) == 0
    use = ["classify", str(labelled / "lamp" / "0.off"), "--model", str(tmp_path / "mine"), "--up", "y"]
    capsys.readouterr()
    assert main([*use, "--unknown-below", "1"]) == 0
    assert "unknown (" in capsys.readouterr().out
    assert main([*use, "--unknown-below", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["unknown"] is False


@pytest.mark.slow
def test_evaluate_measures_the_head(arguments, labelled, tmp_path, capsys):
    assert main([*arguments, "--head", "linear"]) == 0
    capsys.readouterr()
    use = ["evaluate", f"folder:{labelled}", "--up", "y", "--model", str(tmp_path / "mine"), "--json"]
    assert main(use) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["protocol"] == "learned head"
    assert set(record["per_class"]) == set(CLASSES)
    assert np.array(record["confusion"]).sum() == 15
    for name in ("chair", "night_stand"):
        (tmp_path / "other" / name).mkdir(parents=True)
        write_mesh(generate(name), tmp_path / "other" / name / "0.off")
    use[1] = f"folder:{tmp_path / 'other'}"
    assert main(use) == 2
    assert "the label 'night_stand': the head 'linear' knows only the classes" in capsys.readouterr().err
    assert main([*arguments, "--head", "zero-shot"]) == 0
    capsys.readouterr()
    assert main(use) == 0
    assert set(json.loads(capsys.readouterr().out)["per_class"]) == {"chair", "night_stand"}


def test_verify_checks_the_model_below_the_head(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("clip2point.evaluation.verification.CLASSES", ("bottle", "cup"))
    assert main([*arguments, "--head", "nearest-mean"]) == 0
    capsys.readouterr()
    assert main(["verify", "--model", str(tmp_path / "mine")]) == 0
    captured = capsys.readouterr()
    assert "its head is intact" in captured.err
    assert "of 2 demo shapes correct" in captured.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shots", "9"], "at most 5"),
        (["--epochs", "3"], "--epochs is an option of fine-tuning"),
        (["--unfreeze", "toes"], "toes"),
        (["--split", "train"], "has no split 'train'"),
        (["--model", "poket"], "unknown model 'poket'"),
    ],
)
def test_invalid_options_are_refused(arguments, words, message, capsys):
    assert main([*arguments, *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_the_up_axis_and_the_folder_are_checked_first(arguments, tiny_clip, tmp_path, capsys):
    assert main([word for word in arguments if word not in ("--up", "y")]) == 2
    assert "does not say which axis points up; give --up y or --up z" in capsys.readouterr().err
    arguments[arguments.index(str(tmp_path / "mine"))] = str(tiny_clip)
    assert main(arguments) == 2
    assert "is the folder of the model to learn with" in capsys.readouterr().err


@pytest.mark.slow
def test_a_tower_is_trained_before_the_head(arguments, tmp_path, capsys):
    pytest.importorskip("lightning_fabric")
    assert main([*arguments, "--head", "nearest-mean", "--unfreeze", "last-1", "--epochs", "1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert "fine_tuning" in record["seconds"]
    config = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert (config["base"], config["record"]["fine_tuned"]) == ("./base", "last-1")
    (tmp_path / "mine").rename(tmp_path / "moved")
    assert clip2point.load(tmp_path / "moved").adapted.classes == CLASSES


def test_unknown_heads_are_answered_with_the_nearest(arguments, capsys, monkeypatch):
    monkeypatch.setattr(HEADS, "_offered", {})
    for name, answer in (
        ("gpda", "unknown head 'gpda': expected one of zero-shot, .*; the nearest is gdpa"),
        ("dgcnn", "'dgcnn' is not installed: .*pip install ./benchmarks/baselines"),
    ):
        with pytest.raises(SystemExit):
            main([*arguments, "--head", name])
        assert re.search(answer, capsys.readouterr().err)


@pytest.mark.slow
def test_former_names_of_options_still_work_and_warn(arguments, tmp_path, capsys):
    pytest.importorskip("lightning_fabric")
    tuned = [*arguments, "--head", "nearest-mean", "--unfreeze", "last-1", "--epochs", "1", "--json"]
    weights = []
    for words in (["--copies", "1", "--keep", "0.75"], ["--augmented-views", "1", "--wise-ft-alpha", "0.25"]):
        assert main([*tuned, *words]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["copies"] == 1
        for former, present in (
            ("--copies", "--augmented-views"),
            ("--keep", "--wise-ft-alpha, which is 1 minus that"),
        ):
            assert (f"{former} is deprecated and will be removed in version 0.3: use {present}" in captured.err) == (
                former in words
            )
        weights.append((tmp_path / "mine" / "base" / "model.safetensors").read_bytes())
        (tmp_path / "mine").rename(tmp_path / words[0])
    assert weights[0] == weights[1]
    with pytest.raises(SystemExit):
        main(["adapt", "--help"])
    printed = capsys.readouterr().out
    assert "--wise-ft-alpha" in printed
    assert "--keep" not in printed
    assert "--copies" not in printed
