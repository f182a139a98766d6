import json
import os
import shutil
import signal
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

import clip2point
from clip2point.adaptation.fine_tuning import fine_tune as run_fine_tuning
from clip2point.adaptation.fine_tuning_settings import FineTuningRun, FineTuningSettings
from clip2point.adaptation.shape_batches import ShapeBatches, ViewingSettings, draw_shapes
from clip2point.core.errors import InterruptedTrainingError, OptionError
from clip2point.data import open_dataset, sample_dataset
from clip2point.features.view_features import encode_views
from clip2point.model.settings import Settings
from clip2point.shapes.augmentation import AugmentationSettings
from clip2point.training.distributed import Process
from clip2point.training.metrics_log import read_metrics
from clip2point.training.training_settings import (
    OptimizerSettings,
    ScheduleSettings,
    SelectionSettings,
    TrainingSettings,
)

pytestmark = pytest.mark.slow

pytest.importorskip("lightning_fabric")
POINTS = 64


@pytest.fixture(scope="module")
def shapes(meshes, tmp_path_factory):
    """Four chairs and four tables as meshes, and a file that is no shape."""
    folder = shutil.copytree(meshes, tmp_path_factory.mktemp("shapes") / "set")
    (folder / "chair" / "broken.off").write_text("OFF\n1 2")
    return open_dataset(f"folder:{folder}", up="y")


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Upright needles and flat plates: no two classes are easier told apart."""
    rng = np.random.default_rng(0)
    sizes = np.where((np.arange(24) % 2 == 0)[:, None, None], (0.1, 1, 0.1), (1, 0.1, 1))
    points = (rng.uniform(-1, 1, (24, POINTS, 3)) * sizes).astype(np.float32)
    path = tmp_path_factory.mktemp("toys") / "toys.npz"
    split = np.array(["train"] * 16 + ["test"] * 8)
    np.savez(path, points=points, labels=np.arange(24) % 2, classes=["chair", "table"], split=split, up="y")
    return {split: open_dataset(f"npz:{path}", split=split) for split in ("train", "test")}


@pytest.fixture(scope="module")
def model(tiny_clip):
    settings = Settings(views="ring-3@20", points=POINTS, radius=0.15)
    return clip2point.load(tiny_clip, dtype="fp32").with_settings(settings)


SETTINGS = FineTuningSettings(
    unfreeze="last-1",
    viewing=ViewingSettings(views=2, drawings=2),
    optimizer=OptimizerSettings(lr=3e-3),
    schedule=ScheduleSettings(warmup_epochs=0),
    training=TrainingSettings(epochs=4, batch_size=4, average_decay=0.5, checkpoint_steps=3),
)


def fine_tune(model, train, validation, settings, folder, *, resume=False, callback=None):
    """The tuned model of a fine-tuning that is not interrupted."""
    watch = None if callback is None else lambda watched: nullcontext(callback)
    run = FineTuningRun(folder, resume=resume, watch=watch)
    return run_fine_tuning(model, train, validation, settings, run).require_model()


class Crash:
    """Ends the process's training after a step."""

    def __init__(self, at):
        self.at = at

    def on_start(self, step, total):
        self.began = (step, total)

    def on_step(self, metrics):
        if metrics.step == self.at:
            raise RuntimeError("crash")

    on_validation = on_step


def tower(model):
    return model.backbone.depth_tower().state_dict()


def changed(model, tuned):
    before, after = tower(model), tower(tuned)
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_last_block_learns_and_the_rest_stays_bit_for_bit(model, shapes, tmp_path):
    fingerprint, scale = model.backbone.fingerprint(), model.backbone.logit_scale
    tuned = fine_tune(model, shapes, None, SETTINGS, tmp_path)
    moved = changed(model, tuned)
    assert "projection.weight" in moved
    assert "vision.encoder.layers.1.mlp.fc1.weight" in moved
    assert all(name.startswith(("vision.encoder.layers.1.", "vision.post_layernorm", "projection")) for name in moved)
    # The model that was given is as it was, and so is the other path.
    assert (model.backbone.fingerprint(), model.backbone.logit_scale) == (fingerprint, scale)
    assert tuned.backbone.fingerprint("image") == model.backbone.fingerprint("image")
    assert tuned.settings == model.settings
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert all(0 <= row["train_accuracy"] <= 1 and row["shapes_per_second"] > 0 for row in rows)


def test_the_folder_holds_the_same_model_and_says_what_made_it(model, toys, tmp_path):
    tuned = fine_tune(model, toys["train"], toys["test"], SETTINGS, tmp_path)
    loaded = clip2point.load(tmp_path / "model", dtype="fp32")
    assert loaded.name == tuned.name
    assert loaded.backbone.fingerprint() == tuned.backbone.fingerprint()
    assert loaded.backbone.logit_scale == pytest.approx(tuned.backbone.logit_scale)
    assert loaded.settings == tuned.settings
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["fine_tuning"]["unfreeze"] == "last-1"
    assert config["fine_tuned_from"] == model.name
    assert config["fine_tuned_on"]["shapes"] == 16
    assert 0 < config["trained_weights"] < sum(tensor.numel() for tensor in tower(model).values())
    best = max(row["accuracy"] for row in read_metrics(tmp_path) if row["accuracy"] is not None)
    assert config["validation"]["accuracy"] == pytest.approx(best, abs=1e-6)
    assert config["trained_steps"] <= 16


@pytest.mark.parametrize("how", ["all", "last-1", "lora"])
def test_shapes_that_are_easily_told_apart_are_learned(model, toys, how, tmp_path):
    # Without dropped points and stretches nothing but the view differs from one step to the next.
    viewing = ViewingSettings(views=3, part=1.0, distance=0.0, augmentation=AugmentationSettings())
    training = replace(SETTINGS.training, epochs=8, batch_size=8)
    settings = replace(SETTINGS, unfreeze=how, viewing=viewing, training=training)
    tuned = fine_tune(model, toys["train"], toys["test"], settings, tmp_path)
    rows = read_metrics(tmp_path)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["train_accuracy"] == 1
    assert max(row["accuracy"] or 0 for row in rows) == 1
    # The features of the two classes lie further apart than before, on shapes that were not trained on.
    sampled = sample_dataset(toys["test"], POINTS)
    apart = [separation(torch.from_numpy(encode_views(m, sampled)), sampled.labels) for m in (model, tuned)]
    assert apart[1] > apart[0]


def separation(features, labels):
    """Distance of the means of two classes over the mean deviation within them."""
    units = torch.nn.functional.normalize(features, dim=-1).mean(1)
    classes = [units[labels == label] for label in (0, 1)]
    within = sum((units - units.mean(0)).norm(dim=-1).mean() for units in classes)
    return float((classes[0].mean(0) - classes[1].mean(0)).norm() / within)


@pytest.mark.parametrize("how", ["last-1", "lora"])
def test_a_crashed_run_goes_on_as_if_it_had_not(model, shapes, toys, how, tmp_path):
    settings = replace(SETTINGS, unfreeze=how, validation=SelectionSettings("cross_entropy", 2))
    train, validation = shapes, toys["test"]
    whole = fine_tune(model, train, validation, settings, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crash"):
        fine_tune(model, train, validation, settings, tmp_path / "parts", callback=Crash(5))
    with pytest.raises(OptionError, match="holds a training that was started"):
        fine_tune(model, train, validation, settings, tmp_path / "parts")
    callback = Crash(None)
    parts = fine_tune(model, train, validation, settings, tmp_path / "parts", resume=True, callback=callback)
    assert callback.began == (4, 8)
    assert not changed(whole, parts)
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]
    other = replace(settings, label_smoothing=0.2)
    with pytest.raises(OptionError, match=r"another recipe: label_smoothing was 0.1 and is now 0.2"):
        fine_tune(model, train, validation, other, tmp_path / "parts", resume=True)


@pytest.mark.parametrize("keep", [True, False])
def test_an_interrupted_run_is_an_outcome_without_a_model(model, toys, keep, tmp_path):
    def interrupt(metrics):
        if metrics.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    callback = Crash(None)
    callback.on_step = callback.on_validation = interrupt
    run = FineTuningRun(tmp_path / "out" if keep else None, watch=lambda folder: nullcontext(callback))
    result = run_fine_tuning(model, toys["train"], None, SETTINGS, run)
    assert result.model is None
    assert result.outcome.interrupted
    assert result.outcome.checkpoint == (tmp_path / "out" / "checkpoints" / "last.pt" if keep else None)
    with pytest.raises(InterruptedTrainingError, match=r"stopped after step \d of"):
        result.require_model()
    assert not (tmp_path / "out" / "model").exists()


def test_without_a_folder_the_same_model_comes_out_and_nothing_stays(model, toys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    kept = fine_tune(model, toys["train"], toys["test"], SETTINGS, tmp_path / "out")
    tuned = fine_tune(model, toys["train"], toys["test"], SETTINGS, None)
    assert not changed(kept, tuned)
    assert tuned.name == model.name
    assert not list((tmp_path / "temporary").iterdir())


def test_bfloat16_and_half_precision(model, toys, tmp_path):
    training = replace(SETTINGS.training, precision="bf16-mixed", half=True, epochs=1)
    tuned = fine_tune(model, toys["train"], None, replace(SETTINGS, training=training), tmp_path)
    assert changed(model, tuned)
    loaded = clip2point.load(tmp_path / "model", dtype="fp32")
    assert loaded.backbone.fingerprint() == tuned.backbone.fingerprint()


@pytest.mark.parametrize("how", ["all", "lora"])
def test_pocket_is_tuned_and_keeps_its_statistics(toys, how):
    model = clip2point.load("pocket", dtype="fp32")
    backbone = model.backbone.with_depth_tower(tower(model), image_size=32)
    model = type(model)(backbone, replace(model.settings, points=POINTS, views="ring-2"), model.name)
    training = TrainingSettings(epochs=1, batch_size=4, average_decay=0.0)
    settings = replace(SETTINGS, unfreeze=how, training=training)
    moved = changed(model, fine_tune(model, toys["train"].take(range(4)), None, settings, None))
    assert "head.weight" in moved
    assert not any("running_" in name for name in moved)
    assert ("network._conv_stem.weight" in moved) == (how == "all")
    assert ("network._bn1.weight" in moved) == (how != "lora")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unfreeze": "last-9"}, "this tower has 2 blocks"),
        ({"viewing": ViewingSettings(views=4)}, "views is 4: expected at most 3"),
    ],
)
def test_settings_that_do_not_fit_the_model(model, toys, change, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        fine_tune(model, toys["train"], None, replace(SETTINGS, **change), tmp_path)
    assert not list(tmp_path.iterdir())


def test_data_and_folders_that_do_not_fit(model, toys, shapes, tmp_path):
    train = toys["train"]
    with pytest.raises(OptionError, match="does not say which axis points up"):
        fine_tune(model, replace(train, up="auto"), None, SETTINGS, tmp_path)
    with pytest.raises(OptionError, match="has other classes than"):
        fine_tune(model, train, replace(train, classes=("table", "chair")), SETTINGS, tmp_path)
    with pytest.raises(OptionError, match="needs a folder"):
        fine_tune(model, train, None, SETTINGS, None, resume=True)
    with pytest.raises(OptionError, match="holds no checkpoint to resume from"):
        fine_tune(model, train, None, SETTINGS, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (FineTuningSettings, {"unfreeze": "last"}),
        (FineTuningSettings, {"label_smoothing": 1.0}),
        (SelectionSettings, {"every_epochs": 0}),
        (ViewingSettings, {"views": 0}),
        (ViewingSettings, {"distance": 1.0}),
        (ViewingSettings, {"part": 0.0}),
        (ViewingSettings, {"drawings": 0}),
    ],
)
def test_settings_out_of_range(settings, values):
    with pytest.raises(OptionError, match=f"{next(iter(values))} is .*: expected"):
        settings(**values)


def batches(model, drawings, **changes):
    settings = changes.pop("settings", ViewingSettings(views=2))
    return ShapeBatches(drawings, model, settings, **{"batch_size": 4, **changes})


def test_a_batch_depends_on_its_number_alone_and_processes_share_it(model, shapes):
    drawings = draw_shapes(shapes, POINTS, 3)
    first, second = batches(model, drawings), batches(model, drawings)
    second.batch(0)
    assert all(map(torch.equal, first.batch(3), second.batch(3)))
    assert not torch.equal(first.batch(3).depth, first.batch(4).depth)
    parts = [batches(model, drawings, process=Process(rank, 2)).batch(3) for rank in range(2)]
    whole = first.batch(3)
    assert torch.equal(torch.cat([part.depth for part in parts]), whole.depth)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
    with pytest.raises(OptionError, match="expected a multiple of the number of processes, 3"):
        batches(model, drawings, process=Process(0, 3))


def test_every_shape_comes_once_a_round_whatever_the_size_of_a_batch(model, shapes):
    drawings = draw_shapes(shapes, POINTS, 1)
    assert len(drawings[0]) == 8
    one_by_one = batches(model, drawings, batch_size=1)
    assert one_by_one.steps_per_epoch == 8
    labels = [one_by_one.batch(step).labels.item() for step in range(16)]
    assert sum(labels[:8]) == sum(labels[8:]) == 4
    large = batches(model, drawings, batch_size=10)
    assert large.steps_per_epoch == 1
    assert large.batch(0).labels.tolist() == labels[:10]


def test_unchanged_shapes_look_as_the_model_sees_them(model, toys):
    drawings = draw_shapes(toys["test"], POINTS, 4)
    assert len(drawings) == 1  # a cloud of just so many points is the same each time
    settings = ViewingSettings(views=3, distance=0, part=1, augmentation=AugmentationSettings())
    batch = batches(model, drawings, settings=settings, batch_size=8).batch(0)
    seen = model.depth_maps(np.stack([clip2point.shapes.to_unit_sphere(cloud) for cloud in drawings[0].points]))
    known = {image.tobytes() for images in seen for image in images}
    assert {image.numpy().tobytes() for images in batch.depth for image in images} == known


def test_meshes_are_drawn_anew_and_points_left_out(model, shapes):
    drawings = draw_shapes(shapes, POINTS, 3)
    assert len(drawings) == 3
    assert len(drawings[0].failures) == 1
    assert not np.array_equal(drawings[0].points, drawings[1].points)
    assert drawings[0].names == drawings[1].names
    thin = ViewingSettings(views=3, distance=0, part=0.05, drawings=3, augmentation=AugmentationSettings())
    whole = replace(thin, part=1.0)
    counts = [
        float((batches(model, drawings, settings=settings, batch_size=6).batch(0).depth < 1).float().mean())
        for settings in (thin, whole)
    ]
    assert counts[0] < 0.8 * counts[1]
