import os
import signal
from dataclasses import replace

import pytest
import torch

from clip2point.core.errors import ModelError, OptionError
from clip2point.pretraining.recipe import Recipe, ValidationSettings
from clip2point.training.distributed import make_fabric
from clip2point.training.loop import Training
from clip2point.training.metrics_log import MetricsLog, read_metrics
from clip2point.training.settings import TrainingSettings
from clip2point.training.state import StateFolder
from clip2point.training.validation import ValidationResult

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
    """Does something once a step is done."""

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


def train(folder, recipe=RECIPE, *, callback=None, resume=False, batches=None, validate=None, pairs="p"):
    fabric = make_fabric("cpu")
    states = StateFolder(folder, recipe.to_dict(), pairs)
    training = Training(fabric, Model(), batches or Batches(), recipe, states, validate, resume=resume)
    log = MetricsLog(folder, training.step)
    try:
        return training, training.run(log, callback)
    finally:
        log.close()


def without_speed(folder):
    return [{name: cell for name, cell in row.items() if name != "pairs_per_second"} for row in read_metrics(folder)]


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_a_crashed_run_goes_on_as_if_it_had_not(tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=replace(RECIPE.optimizer, name=optimizer))
    whole, finished = train(tmp_path / "whole", recipe)
    assert finished
    assert whole.step == whole.total == 15
    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path / "parts", recipe, callback=At(10, crash))
    assert len(read_metrics(tmp_path / "parts")) == 10
    callback = At(0, None)
    parts, finished = train(tmp_path / "parts", recipe, callback=callback, resume=True)
    assert finished
    assert callback.began == (8, 15)
    expected, found = whole.tower_state(), parts.tower_state()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert without_speed(tmp_path / "parts") == without_speed(tmp_path / "whole")
    assert [row["step"] for row in read_metrics(tmp_path / "parts")] == list(range(1, 16))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_the_step_with_a_checkpoint(tmp_path, number):
    before = signal.getsignal(number)
    training, finished = train(tmp_path, callback=At(3, lambda: os.kill(os.getpid(), number)))
    assert not finished
    assert training.step in (3, 4)
    assert signal.getsignal(number) is before
    resumed, finished = train(tmp_path, resume=True)
    assert finished
    whole, _ = train(tmp_path / "whole")
    expected = whole.tower_state()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.tower_state().items())


def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_weights(tmp_path):
    with pytest.raises(OptionError, match=r"step 5: the loss or its gradient is not finite .*optimizer.lr \(0.0003\)"):
        train(tmp_path, batches=PoisonedBatches())
    state = StateFolder(tmp_path, RECIPE.to_dict(), "p").load()
    assert state["step"] == 4
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_the_average_is_what_is_exported(tmp_path):
    training, _ = train(tmp_path / "a")
    plain, _ = train(tmp_path / "b", replace(RECIPE, training=replace(RECIPE.training, average_decay=0.0)))
    last = StateFolder(tmp_path / "a", RECIPE.to_dict(), "p").load()["model"]
    assert torch.equal(plain.tower_state()["0.weight"], last["tower.0.weight"])
    assert not torch.equal(training.tower_state()["0.weight"], last["tower.0.weight"])


def test_the_best_weights_are_kept_and_resuming_knows_them(tmp_path):
    recipe = replace(RECIPE, validation=ValidationSettings(dataset="x", every_epochs=1))
    accuracies = [0.3, 0.5, 0.4]
    seen = []

    def validate(tower):
        seen.append(tower)
        return ValidationResult(accuracies[len(seen) - 1], 0.1, 1.0, 10.0)

    with pytest.raises(RuntimeError, match="crash"):
        train(tmp_path, recipe, validate=validate, callback=At(12, crash))
    train(tmp_path, recipe, validate=validate, resume=True)
    states = StateFolder(tmp_path, recipe.to_dict(), "p")
    best = states.load_best()
    assert (best["step"], best["accuracy"], best["mean_class_accuracy"]) == (10, 0.5, 0.1)
    assert torch.equal(best["tower"]["0.weight"], seen[1]["0.weight"])
    accuracy = [row["accuracy"] for row in read_metrics(tmp_path)]
    assert [(step, value) for step, value in enumerate(accuracy, 1) if value is not None] == [
        (5, 0.3),
        (10, 0.5),
        (15, 0.4),
    ]


def test_another_recipe_or_other_pairs_cannot_go_on(tmp_path):
    train(tmp_path)
    changed = replace(RECIPE, optimizer=replace(RECIPE.optimizer, lr=0.5))
    with pytest.raises(OptionError, match=r"another recipe: optimizer.lr was 0.0003 and is now 0.5"):
        train(tmp_path, changed, resume=True)
    with pytest.raises(OptionError, match=r"pairs was 'p' and is now 'q'"):
        train(tmp_path, pairs="q", resume=True)
    free = replace(
        RECIPE, training=replace(RECIPE.training, checkpoint_steps=1), data=replace(RECIPE.data, pairs=("b",))
    )
    assert train(tmp_path, free, resume=True)[1]


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
    with pytest.raises(ModelError, match=r"last.pt: .*begin anew"):
        train(tmp_path, resume=True)
    assert not (tmp_path / "executed").exists()


def test_rows_after_the_checkpoint_and_torn_rows_are_taken_out(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,epoch,loss\n1,0.1,3\n2,0.2,2\n3,0.3,1\n4,0.")
    log = MetricsLog(tmp_path, 2)
    log.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]
    MetricsLog(tmp_path, 0).close()
    assert read_metrics(tmp_path) == []
