"""The training loop: steps, checkpoints, validation; stopped at any moment, it goes on as if it had not been."""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.training.distributed import any_rank, gather, share_batch_norm
from clip2point.training.metrics_log import MetricsLog, StepMetrics
from clip2point.training.optimizers import learning_rate, make_optimizer, set_lr, update_average
from clip2point.training.settings import OptimizerSettings, ScheduleSettings, TrainingSettings
from clip2point.training.state import StateFolder
from clip2point.training.validation import Validate

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ValidationConfig(Protocol):
    """By what the best weights are chosen, and how often that is looked at."""

    @property
    def choose_by(self) -> Literal["accuracy", "cross_entropy"]:
        """What the best weights are best in."""
        ...

    @property
    def every_epochs(self) -> float:
        """Epochs from one validation to the next."""
        ...


class TrainingConfig(Protocol):
    """What a training goes by: a recipe, or settings with the same sections."""

    @property
    def optimizer(self) -> OptimizerSettings:
        """The optimiser."""
        ...

    @property
    def schedule(self) -> ScheduleSettings:
        """Of the learning rate."""
        ...

    @property
    def training(self) -> TrainingSettings:
        """Length and state."""
        ...

    @property
    def validation(self) -> ValidationConfig | None:
        """None for no validation."""
        ...


class Batches(Protocol):
    """Where batches come from: the same step gives the same batch, whatever came before.

    Attributes:
        steps_per_epoch: how many batches make a round through the data.
        unit: what a batch holds, in the plural.
    """

    steps_per_epoch: int
    unit: str

    def batch(self, step: int) -> Any:
        """This rank's part of the batch of a step, from 0."""
        ...


class TrainingModule(Protocol):
    """A model to be trained.

    Attributes:
        tower: the part that is averaged, validated and exported.
    """

    tower: nn.Module

    def losses(self, features: Any) -> Mapping[str, Tensor]:
        """Parts of the loss over the features of all ranks, and their "total"."""
        ...


class Callback(Protocol):
    """Hears of what happens."""

    def on_start(self, step: int, total: int) -> None:
        """The training begins, or goes on, after ``step`` of ``total`` steps."""
        ...

    def on_step(self, metrics: StepMetrics) -> None:
        """A step is done."""
        ...

    def on_validation(self, metrics: StepMetrics) -> None:
        """A step is done, and the weights were validated after it."""
        ...


class Training:
    """A training between two steps.

    Args:
        fabric: after its launch.
        model: a ``TrainingModule`` whose forward takes a batch and gives features.
        batches: of this rank.
        config: optimiser, schedule, length and validation.
        states: where checkpoints go.
        validate: gives the accuracy of a tower; called on rank 0 only. None for no validation.
        resume: whether to go on from the last checkpoint.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: Any,
        batches: Batches,
        config: TrainingConfig,
        states: StateFolder,
        validate: Validate | None,
        *,
        resume: bool = False,
    ) -> None:
        self._fabric, self._batches, self._states, self._validate = fabric, batches, states, validate
        self._config = config
        self._settings = config.training
        self.total = self._settings.epochs * batches.steps_per_epoch
        self.step = 0
        self._best = -math.inf
        self._rate = learning_rate(
            config.schedule, config.optimizer.lr, steps_per_epoch=batches.steps_per_epoch, epochs=self._settings.epochs
        )
        model = share_batch_norm(fabric, model)
        decay = self._settings.average_decay
        self._average: nn.Module | None = copy.deepcopy(model.tower).requires_grad_(False) if decay else None
        self._model: Any
        self._model, self._optimizer = fabric.setup(model, make_optimizer(model, config.optimizer))
        self._module: TrainingModule = self._model.module
        self._weights = [weight for weight in self._model.parameters() if weight.requires_grad]
        if self._average is not None:
            self._average.to(fabric.device)
        if resume:
            self._restore(states.load())

    def tower_state(self) -> dict[str, Tensor]:
        """The weights that are validated and exported: the average if there is one."""
        tower = self._module.tower if self._average is None else self._average
        return {name: tensor.detach().cpu().clone() for name, tensor in tower.state_dict().items()}

    def run(self, log: MetricsLog | None = None, callback: Callback | None = None) -> bool:
        """Train until the end, or until the process is asked to stop (Ctrl-C, SIGTERM).

        Args:
            log: of metrics; on rank 0.
            callback: hears of every step; on rank 0.

        Returns:
            Whether the end was reached; a checkpoint is written either way.

        Raises:
            OptionError: if the loss or its gradient is not finite.
        """
        if callback is not None:
            callback.on_start(self.step, self.total)
        saved = began = time.monotonic()
        with _stop_request() as stop:
            for batch in self._prefetched():
                metrics = self._advance(batch, began)
                stopped = any_rank(self._fabric, stop.is_set())
                validated = self._validation_is_due()
                if self._fabric.is_global_zero:
                    if validated:
                        metrics = self._validated(metrics)
                    if log is not None:
                        log.add(metrics)
                    if callback is not None:
                        (callback.on_validation if validated else callback.on_step)(metrics)
                    if stopped or validated or self._checkpoint_is_due(saved):
                        self._states.save(self._state())
                        saved = time.monotonic()
                if stopped and self.step < self.total:
                    return False
                began = time.monotonic()
        return True

    def _prefetched(self) -> Iterator[Any]:
        """The batches that are left; the next is made while the model learns from this one."""
        with ThreadPoolExecutor(1, thread_name_prefix="clip2point-batches") as pool:
            upcoming = pool.submit(self._batches.batch, self.step) if self.step < self.total else None
            for step in range(self.step, self.total):
                assert upcoming is not None
                batch = upcoming.result()
                if step + 1 < self.total:
                    upcoming = pool.submit(self._batches.batch, step + 1)
                yield batch

    def _advance(self, batch: Any, began: float) -> StepMetrics:
        """One step of the optimiser."""
        # Dropout draws from the global generator: seeded anew, so that it does not matter where a run began.
        torch.manual_seed(_step_seed(self._settings.seed, self.step, self._fabric.global_rank))
        lr = self._rate(self.step)
        set_lr(self._optimizer, lr)
        losses = self._module.losses(gather(self._fabric, self._model(batch)))
        self._optimizer.zero_grad()
        self._fabric.backward(losses["total"])
        length = nn.utils.clip_grad_norm_(self._weights, self._config.optimizer.clip or float("inf"))
        # One transfer for all values: each one makes the host wait for the device.
        *values, gradient = torch.stack([*(loss.detach().float() for loss in losses.values()), length]).tolist()
        parts = dict(zip(losses, values, strict=True))
        self._check(parts, gradient)
        self._optimizer.step()
        if self._average is not None:
            update_average(self._average, self._module.tower, self._settings.average_decay, self.step)
        self.step += 1
        return StepMetrics(
            step=self.step,
            epoch=self.step / self._batches.steps_per_epoch,
            lr=lr,
            gradient=gradient,
            losses=parts,
            per_second=self._settings.batch_size / max(time.monotonic() - began, 1e-9),
            unit=self._batches.unit,
        )

    def _check(self, losses: Mapping[str, float], gradient: float) -> None:
        """Stop before values that are not finite reach the weights."""
        if np.isfinite([*losses.values(), gradient]).all():
            return
        said = ", ".join(f"{name} {value:g}" for name, value in losses.items())
        raise OptionError(
            f"step {self.step + 1}: the loss or its gradient is not finite ({said}, gradient {gradient:g}); lower "
            f"optimizer.lr ({self._config.optimizer.lr:g}), set optimizer.clip, or train in precision 32-true, and "
            "begin anew in another folder"
        )

    def _validation_is_due(self) -> bool:
        if self._validate is None or self._config.validation is None:
            return False
        every = max(1, round(self._config.validation.every_epochs * self._batches.steps_per_epoch))
        return self.step % every == 0 or self.step == self.total

    def _checkpoint_is_due(self, saved: float) -> bool:
        every = self._settings.checkpoint_steps
        waited = time.monotonic() - saved > 60 * self._settings.checkpoint_minutes
        return waited or self.step == self.total or (every > 0 and self.step % every == 0)

    def _validated(self, metrics: StepMetrics) -> StepMetrics:
        """The metrics with accuracies; the weights are kept if they are the best so far."""
        assert self._validate is not None
        tower = self.tower_state()
        found = self._validate(tower)
        assert self._config.validation is not None
        merit = found.accuracy if self._config.validation.choose_by == "accuracy" else -found.cross_entropy
        if merit > self._best:
            self._best = merit
            self._states.save_best({"tower": tower, "step": self.step, **found.to_dict()})
        return replace(metrics, accuracy=found.accuracy, mean_class_accuracy=found.mean_class_accuracy)

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "best": self._best,
            "model": self._model.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.step, self._best = state["step"], state["best"]
            self._model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{self._states.folder}: the checkpoint does not fit this model ({reason(error)}): give the backbone "
                "that it was made with, or begin anew in another folder"
            ) from error


def _step_seed(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0]) >> 1


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a step is never cut in two; a second Ctrl-C interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(number, before[number])

    try:
        for number in before:
            signal.signal(number, ask)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
