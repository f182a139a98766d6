import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import clip2point
from clip2point.cli.main import main
from clip2point.cli.training_console import TrainingConsole
from clip2point.pretraining.pairs import PairFolder, open_source
from clip2point.pretraining.recipe import read_recipe

pytestmark = pytest.mark.slow

pytest.importorskip("lightning_fabric")
STEPS, BATCH = 12, 4


@pytest.fixture(scope="module")
def pairs(meshes, in_threads, tmp_path_factory):
    folder = PairFolder(tmp_path_factory.mktemp("pairs"), open_source(f"folder:{meshes}"))
    with pytest.MonkeyPatch.context() as patch:
        in_threads(patch)
        list(folder.render())
    return folder.path


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Labelled shapes with a train and a test split."""
    path = tmp_path_factory.mktemp("shapes") / "shapes.npz"
    points = np.random.default_rng(0).standard_normal((12, 64, 3)).astype(np.float32)
    split = np.array(["train"] * 8 + ["test"] * 4)
    np.savez(path, points=points, labels=np.arange(12) % 2, classes=["chair", "lamp"], split=split, up="y")
    return path


@pytest.fixture(scope="module")
def recipe(tiny_clip, pairs, shapes, tmp_path_factory):
    """All parts of a recipe at once, small."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(
        f"""
        description: a test
        backbone: {tiny_clip}
        data: {{pairs: [{pairs}], balance: 0.5}}
        rendering: {{points: [64, 128], radius: [0.02, 0.05]}}
        augmentation: {{yaw: 20, noise: 0.01, independent: true}}
        loss: {{caption: 0.5, distance: 0.1}}
        optimizer: {{name: lamb, lr: 1e-2}}
        training: {{epochs: {STEPS // 2}, batch_size: {BATCH}, average_decay: 0.9, checkpoint_steps: 3}}
        validation: {{dataset: "npz:{shapes}", split: validation, every_epochs: 2}}
        """
    )
    return path


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """The folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(["pretrain", str(recipe), "--out", str(out)]) == 0
    return out


def test_the_model_can_be_loaded_and_has_its_recipe(whole, tiny_clip, recipe):
    config = json.loads((whole / "model" / "config.json").read_text())
    assert config["recipe"]["optimizer"]["name"] == "lamb"
    assert config["recipe"] == json.loads((whole / "recipe.json").read_text())
    assert read_recipe(whole / "recipe.json") == read_recipe(recipe)
    assert config["training_models"] == 2 * BATCH
    assert list(config["training_data_licences"].values()) == [{"not stated": 2 * BATCH}]
    assert config["points"] == 128
    assert config["validation"]["split"] == "validation"
    assert 0 <= config["validation"]["accuracy"] <= 1
    depth = torch.rand(1, 2, 32, 32)
    trained, untrained = (clip2point.load(model).backbone for model in (whole / "model", tiny_clip))
    assert not torch.allclose(trained.encode_depth(depth), untrained.encode_depth(depth))
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(trained.encode_image(images), untrained.encode_image(images))


def test_metrics_and_curve_are_written(whole):
    with (whole / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    assert [int(row["step"]) for row in rows if row["accuracy"]] == [4, 8, 12]
    assert {"epoch", "lr", "gradient_norm", "loss", "cross", "intra", "sigma", "caption", "distance"} < set(rows[0])
    assert (whole / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_killed_run_resumes_to_the_same_bits(whole, recipe, tmp_path):
    out = tmp_path / "out"
    command = ["pretrain", str(recipe), "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "clip2point.cli.main", *command], stderr=subprocess.DEVNULL)
    try:
        checkpoint, deadline = out / "checkpoints" / "last.pt", time.monotonic() + 300
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main(command) == 2
    assert main([*command, "--resume"]) == 0
    model = out / "model" / "model.safetensors"
    assert model.read_bytes() == (whole / "model" / "model.safetensors").read_bytes()
    assert len((out / "metrics.csv").read_text().splitlines()) == STEPS + 1


def test_an_interrupted_run_names_its_checkpoint_and_the_command_that_continues(whole, recipe, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["pretrain", str(recipe), "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:

        def interrupt(console, metrics):
            if metrics.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

        patch.setattr(TrainingConsole, "on_step", interrupt)
        assert main(command) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    message, line = captured.err.splitlines()[-2:]
    assert re.fullmatch(rf"Interrupted: stopped after step [23] of {STEPS}; the checkpoint is .*last.pt. .*", message)
    assert line == f"  clip2point {shlex.join(command)} --resume"
    assert not (out / "model").exists()
    assert main([*command, "--resume"]) == 0
    model = out / "model" / "model.safetensors"
    assert model.read_bytes() == (whole / "model" / "model.safetensors").read_bytes()


def test_without_a_recipe_the_defaults_train(tiny_clip, pairs, tmp_path, capsys):
    command = ["pretrain", "--pairs", str(pairs), "--backbone", str(tiny_clip), "--out", str(tmp_path / "out")]
    assert main([*command, "--epochs", "1", "--batch-size", "4", "--precision", "bf16-mixed"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Trained 2 steps")
    assert "step 2 of 2" in captured.err
    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["optimizer"]["name"] == "adamw"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("validation: {{dataset: 'folder:{meshes}', up: y}}", "are among the pairs"),
        ("validation: {{dataset: 'npz:{shapes}'}}", "set validation.allow_test"),
        ("training: {{batch_size: 9}}", "at most the number of models"),
        ("training: {{batchsize: 9}}", "unexpected key training.batchsize"),
        ("data: {{pairs: []}}", "data.pairs is empty"),
        ("data: {{pairs: [nowhere]}}", "nowhere: holds no pairs"),
        ("backbone: nobody", "unknown model 'nobody'"),
        ("schedule: {{min_lr: 0.5}}", "schedule.min_lr 0.5 is above optimizer.lr"),
    ],
)
def test_an_impossible_training_is_one_error(change, message, meshes, shapes, tiny_clip, pairs, tmp_path, capsys):
    defaults = {"backbone": tiny_clip, "data": f"{{pairs: [{pairs}]}}", "training": "{batch_size: 4}"}
    key = change.partition(":")[0]
    lines = [f"{name}: {value}" for name, value in defaults.items() if name != key]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join([*lines, change.format(meshes=meshes, shapes=shapes)]))
    assert main(["pretrain", str(path), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_neither_recipe_nor_pairs(tmp_path, capsys):
    assert main(["pretrain", "--out", str(tmp_path)]) == 2
    assert "give a RECIPE, or --pairs" in capsys.readouterr().err


def test_resuming_needs_a_checkpoint(recipe, tmp_path, capsys):
    assert main(["pretrain", str(recipe), "--out", str(tmp_path), "--resume"]) == 2
    assert "holds no checkpoint to resume from" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_recipe_renders_its_sources_and_validates_on_held_out_models(
    meshes, tiny_clip, in_threads, tmp_path, monkeypatch, capsys
):
    """Relative sources count from the recipe's folder; the model has the recipe's settings, and half the size."""
    monkeypatch.setattr("clip2point.pretraining.pairs.pair_folder.available_cores", lambda: 1)
    in_threads(monkeypatch)
    link = tmp_path / "recipes" / "shapes"
    link.parent.mkdir()
    link.symlink_to(meshes)
    path = link.parent / "small.yaml"
    path.write_text(
        f"""
        backbone: {tiny_clip}
        data: {{sources: [{{name: all, source: shapes}}], without: ["*/*/chair-chair_0", "*/*/table-table_1"]}}
        training: {{epochs: 2, batch_size: {BATCH}, half: true}}
        recognition: {{views: ring-2, points: 100, radius: 0.03, templates: ["depth map of a {{}}"]}}
        validation: {{dataset: held-out}}
        """
    )
    out = tmp_path / "out"
    assert main(["pretrain", str(path), "--out", str(out)]) == 0
    assert "of the validation shapes correct" in capsys.readouterr().out
    assert (out / "pairs" / "all" / "index.json").is_file()
    model = clip2point.load(out / "model")
    assert model.settings.to_dict() == read_recipe(path).recognition.to_dict()
    config = json.loads((out / "model" / "config.json").read_text())
    assert config["training_models"] == 2 * BATCH - 2
    assert config["validation"]["dataset"] == "held-out"
    assert config["logit_scale"] == model.backbone.logit_scale
    from safetensors.torch import load_file

    kinds = {tensor.dtype for tensor in load_file(out / "model" / "model.safetensors").values()}
    assert kinds == {torch.float16, torch.float32}
