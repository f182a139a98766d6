import itertools
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from clip2point.core.errors import InterruptedTrainingError, ModelError, OptionError
from clip2point.pretraining.recipe import Recipe, ValidationSettings
from clip2point.training import loop
from clip2point.training.checkpoints import CheckpointFolder
from clip2point.training.distributed import make_fabric
from clip2point.training.loop import Training
from clip2point.training.metrics_log import MetricsLog, read_metrics
from clip2point.training.training_results import ValidationResult
from clip2point.training.training_settings import TrainingSettings

pytest.importorskip("lightning_fabric")


class Model(torch.nn.Module):
    """A tower with dropout and batch norm, which both have states of their own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layers = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.3), torch.nn.Linear(4, 2)
        self.tower = torch.nn.Sequential(*layers)
        self.sigma = torch.nn.Parameter(torch.ones(()))

    def forward(self, batch):
        return self.tower(batch)

    def losses(self, features):
        part = features.square().mean()
        return {"part": part, "total": part * self.sigma**2 + self.sigma}


class Batches:
    steps_per_epoch = 5
    unit = "pairs"

    def batch(self, step):
        return torch.randn(4, 3, generator=torch.Generator().manual_seed(step))


class PoisonedBatches(Batches):
    def batch(self, step):
        return super().batch(step) * (float("inf") if step == 4 else 1)


class At:
    """Callback that acts after a step."""

    def __init__(self, step, action):
        self.at, self.action = step, action

    def on_start(self, step, total):
        self.began = (step, total)

    def on_step(self, metrics):
        if metrics.step == self.at:
            self.action()

    on_validation = on_step


RECIPE = Recipe(training=TrainingSettings(epochs=3, batch_size=4, average_decay=0.9, checkpoint_steps=4))


def crash():
    raise RuntimeError("crash")


def train(folder, recipe=RECIPE, *, callback=None, resume=False, batches=None, validate=None, pairs="p", model=None):
    fabric = make_fabric()
    checkpoints = CheckpointFolder(folder, recipe.to_dict(), pairs)
    training = Training(fabric, model or Model(), batches or Batches(), recipe, checkpoints, validate, resume=resume)
    log = MetricsLog(folder, training.step)
    try:
        return training, training.run(log, callback)
    finally:
        log.close()


def without_speed(folder):
    return [{name: cell for name, cell in row.items() if name != "pairs_per_second"} for row in read_metrics(folder)]


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=replace(RECIPE.optimizer, name=optimizer))
    whole, outcome = train(tmp_path / "whole", recipe)
    assert not outcome.interrupted
    assert whole.step == whole.total == 15
    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path / "parts", recipe, callback=At(10, crash))
    assert len(read_metrics(tmp_path / "parts")) == 10
    callback = At(0, None)
    parts, outcome = train(tmp_path / "parts", recipe, callback=callback, resume=True)
    assert not outcome.interrupted
    assert callback.began == (8, 15)
    expected, found = whole.tower_state(), parts.tower_state()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert without_speed(tmp_path / "parts") == without_speed(tmp_path / "whole")
    assert [row["step"] for row in read_metrics(tmp_path / "parts")] == list(range(1, 16))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_the_run_after_its_step_with_a_checkpoint(tmp_path, number):
    before = signal.getsignal(number)
    training, outcome = train(tmp_path, callback=At(3, lambda: os.kill(os.getpid(), number)))
    assert outcome.interrupted
    assert outcome.step == training.step
    assert outcome.step in (3, 4)
    assert outcome.checkpoint == tmp_path / "checkpoints" / "last.pt"
    assert outcome.checkpoint.is_file()
    assert str(outcome) == f"stopped after step {outcome.step} of 15"
    with pytest.raises(InterruptedTrainingError, match=r"stopped after step \d of 15; its checkpoint is .*last.pt"):
        outcome.require_end()
    assert signal.getsignal(number) is before
    resumed, outcome = train(tmp_path, resume=True)
    outcome.require_end()
    assert str(outcome) == "done: step 15 of 15"
    whole, _ = train(tmp_path / "whole")
    expected = whole.tower_state()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.tower_state().items())


def test_a_loss_that_is_not_finite_never_reaches_the_weights(tmp_path):
    with pytest.raises(OptionError, match=r"step 5: the loss or its gradient is not finite .*optimizer.lr \(0.0003\)"):
        train(tmp_path, batches=PoisonedBatches())
    state = CheckpointFolder(tmp_path, RECIPE.to_dict(), "p").load()
    assert state["step"] == 4
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


class Record:
    """Callback that copies the tower after each step."""

    def __init__(self, model):
        self.model, self.towers = model, []

    def on_start(self, step, total):
        self.on_step(None)

    def on_step(self, metrics):
        self.towers.append({name: tensor.clone() for name, tensor in self.model.tower.state_dict().items()})


def test_the_moving_average_is_exported(tmp_path):
    model = Model()
    record = Record(model)
    training, _ = train(tmp_path / "average", model=model, callback=record)
    average = record.towers[0]["0.weight"]
    for step, tower in enumerate(record.towers[1:]):
        decay = min(0.9, (step + 1) / (step + 10))
        average = decay * average + (1 - decay) * tower["0.weight"]
    torch.testing.assert_close(training.tower_state()["0.weight"], average)
    plain, _ = train(tmp_path / "plain", replace(RECIPE, training=replace(RECIPE.training, average_decay=0.0)))
    assert torch.equal(plain.tower_state()["0.weight"], record.towers[-1]["0.weight"])


def test_each_batch_is_learned_from_once_and_in_its_order(tmp_path):
    seen = []

    class Watched(Model):
        def forward(self, batch):
            seen.append(batch)
            return super().forward(batch)

    train(tmp_path, model=Watched())
    assert len(seen) == 15
    assert all(torch.equal(batch, Batches().batch(step)) for step, batch in enumerate(seen))


def test_metrics_of_a_step_are_those_of_its_loss_and_gradient(tmp_path):
    model = Model()
    optimizer = replace(RECIPE.optimizer, lr=0.1, clip=0.05)
    schedule = replace(RECIPE.schedule, warmup_epochs=0.4)
    train(tmp_path, replace(RECIPE, optimizer=optimizer, schedule=schedule), model=model)
    first, *_ = rows = read_metrics(tmp_path)
    assert first["lr"] == pytest.approx(0.05)
    assert rows[1]["lr"] == pytest.approx(0.1)
    assert [row["epoch"] for row in rows] == pytest.approx([step / 5 for step in range(1, 16)])
    assert first["loss"] == pytest.approx(first["part"] + 1, rel=1e-5)  # sigma is 1 at the start
    assert first["gradient_norm"] > 0.05  # before clipping


def test_a_long_gradient_is_scaled_down(tmp_path):
    def first_step(clip, lr):
        model = Model()
        record = Record(model)
        optimizer = replace(RECIPE.optimizer, lr=lr, eps=0.9, weight_decay=0.0, clip=clip)
        train(tmp_path / f"{clip}", replace(RECIPE, optimizer=optimizer), model=model, callback=record)
        return (record.towers[1]["3.weight"] - record.towers[0]["3.weight"]).norm()

    # With an eps that dwarfs the gradients, a step of Adam is about proportional to the gradient.
    assert first_step(1e-3, 0.1) < 0.1 * first_step(0.0, 0.1)


def test_checkpoints_come_by_time_too(tmp_path, monkeypatch):
    clock = itertools.count(0, 25)  # seconds that pass from one look at the clock to the next
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    saved = []
    monkeypatch.setattr(CheckpointFolder, "save", lambda folder, state: saved.append(state["step"]))
    by_time = replace(RECIPE.training, checkpoint_steps=0, checkpoint_minutes=4.0)
    train(tmp_path, replace(RECIPE, training=by_time))
    assert 2 < len(saved) < 8
    assert saved[-1] == 15
    assert len({after - before for before, after in itertools.pairwise(saved[:-1])}) == 1


def test_the_best_weights_are_saved_over_resumed_runs(tmp_path):
    recipe = replace(RECIPE, validation=ValidationSettings(dataset="x", every_epochs=1))
    accuracies = [0.3, 0.5, 0.4]
    seen = []

    def validate(tower):
        seen.append(tower)
        return ValidationResult(accuracies[len(seen) - 1], 0.1, 1.0, 10.0)

    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path, recipe, validate=validate, callback=At(12, crash))
    train(tmp_path, recipe, validate=validate, resume=True)
    best = CheckpointFolder(tmp_path, recipe.to_dict(), "p").load_best()
    assert (best["step"], best["accuracy"], best["mean_class_accuracy"]) == (10, 0.5, 0.1)
    assert torch.equal(best["tower"]["0.weight"], seen[1]["0.weight"])
    accuracy = [row["accuracy"] for row in read_metrics(tmp_path)]
    assert [(step, value) for step, value in enumerate(accuracy, 1) if value is not None] == [
        (5, 0.3),
        (10, 0.5),
        (15, 0.4),
    ]


def test_another_recipe_or_other_pairs_cannot_resume(tmp_path):
    train(tmp_path)
    changed = replace(RECIPE, optimizer=replace(RECIPE.optimizer, lr=0.5))
    with pytest.raises(OptionError, match=r"another recipe: optimizer.lr was 0.0003 and is now 0.5"):
        train(tmp_path, changed, resume=True)
    with pytest.raises(OptionError, match=r"pairs was 'p' and is now 'q'"):
        train(tmp_path, pairs="q", resume=True)
    free = replace(
        RECIPE, training=replace(RECIPE.training, checkpoint_steps=1), data=replace(RECIPE.data, pairs=("b",))
    )
    assert not train(tmp_path, free, resume=True)[1].interrupted


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("content", ["half", "text", "malicious", "list"])
def test_a_damaged_or_malicious_checkpoint_is_one_error(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    train(tmp_path)
    path = tmp_path / "checkpoints" / "last.pt"
    if content == "half":
        path.write_bytes(path.read_bytes()[:1000])
    elif content == "text":
        path.write_text("no state")
    else:
        torch.save(Malicious() if content == "malicious" else [1], path)
    with pytest.raises(ModelError, match=r"last.pt: .*start again"):
        train(tmp_path, resume=True)
    assert not (tmp_path / "executed").exists()
