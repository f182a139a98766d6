"""The training loop: steps, checkpoints, validation. A resumed run gives the same weights as an uninterrupted one."""

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
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.training.checkpoints import CheckpointFolder
from clip2point.training.distributed import any_rank, gather, sync_batch_norm
from clip2point.training.metrics_log import MetricsLog, StepMetrics
from clip2point.training.optimizers import learning_rate, make_optimizer, set_lr, update_average
from clip2point.training.training_results import Criterion, TrainingOutcome, Validate
from clip2point.training.training_settings import OptimizerSettings, ScheduleSettings, TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ValidationConfig(Protocol):
    """Choice of the best weights, and its interval."""

    @property
    def choose_by(self) -> Criterion:
        """Measure by which the best weights are chosen."""
        ...

    @property
    def every_epochs(self) -> float:
        """Epochs from one validation to the next."""
        ...


class TrainingConfig(Protocol):
    """Sections of a recipe, or of other settings, that the engine reads."""

    @property
    def optimizer(self) -> OptimizerSettings:
        """Optimiser."""
        ...

    @property
    def schedule(self) -> ScheduleSettings:
        """Schedule of the learning rate."""
        ...

    @property
    def training(self) -> TrainingSettings:
        """Duration and state."""
        ...

    @property
    def validation(self) -> ValidationConfig | None:
        """Choice of the best weights; None for no validation."""
        ...


class Batches(Protocol):
    """Source of the batches: the same step gives the same batch, whatever came before.

    Attributes:
        steps_per_epoch: Number of batches in an epoch.
        unit: Name of the samples, in the plural.
    """

    steps_per_epoch: int
    unit: str

    def batch(self, step: int) -> Any:
        """Return this rank's part of the batch of a step, from 0."""
        ...


class TrainingModule(Protocol):
    """A model under training; its forward takes a batch and returns features.

    Attributes:
        tower: Part that is averaged, validated and exported.
    """

    tower: nn.Module

    def losses(self, features: Any) -> Mapping[str, Tensor]:
        """Return the parts of the loss over the features of all ranks, and their "total"."""
        ...


class Callback(Protocol):
    """Functions that the loop calls on its way, on rank 0."""

    def on_start(self, step: int, total: int) -> None:
        """Called before the first step of this run; ``step`` of ``total`` steps are done."""
        ...

    def on_step(self, metrics: StepMetrics) -> None:
        """Called after a step."""
        ...

    def on_validation(self, metrics: StepMetrics) -> None:
        """Called in place of ``on_step`` after a step and the validation of its weights."""
        ...


class Training:
    """A training between two steps.

    Attributes:
        step: Number of the steps that are done.
        total: Number of all steps.

    Args:
        fabric: A launched Fabric.
        model: A ``TrainingModule``.
        batches: Batches of this rank.
        config: Optimiser, schedule, duration and validation.
        checkpoints: Folder of the checkpoints.
        validate: Measures a tower, given by its state; called on rank 0 only. None for no validation.
        resume: True to begin with the last checkpoint.

    Raises:
        ModelError: If the checkpoint cannot be read or does not fit the model.
        OptionError: If the checkpoint was made with another recipe.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: Any,
        batches: Batches,
        config: TrainingConfig,
        checkpoints: CheckpointFolder,
        validate: Validate | None = None,
        *,
        resume: bool = False,
    ) -> None:
        self._fabric, self._batches, self._checkpoints, self._validate = fabric, batches, checkpoints, validate
        self._config = config
        self._settings = config.training
        self.total = self._settings.epochs * batches.steps_per_epoch
        self.step = 0
        self._best = -math.inf
        self._rate = learning_rate(
            config.schedule, config.optimizer.lr, steps_per_epoch=batches.steps_per_epoch, epochs=self._settings.epochs
        )
        model = sync_batch_norm(fabric, model)
        decay = self._settings.average_decay
        self._average: nn.Module | None = copy.deepcopy(model.tower).requires_grad_(False) if decay else None
        self._model: Any
        self._model, self._optimizer = fabric.setup(model, make_optimizer(model, config.optimizer))
        self._module: TrainingModule = self._model.module
        self._weights = [weight for weight in self._model.parameters() if weight.requires_grad]
        if self._average is not None:
            self._average.to(fabric.device)
        if resume:
            self._restore(checkpoints.load())

    def tower_state(self) -> dict[str, Tensor]:
        """Return the weights that are validated and exported: the moving average if there is one."""
        tower = self._module.tower if self._average is None else self._average
        return {name: tensor.detach().cpu().clone() for name, tensor in tower.state_dict().items()}

    def run(self, log: MetricsLog | None = None, callback: Callback | None = None) -> TrainingOutcome:
        """Train until the end, or until the process is asked to stop (Ctrl-C, SIGTERM).

        Args:
            log: Log of the metrics, on rank 0.
            callback: Functions to call on the way, on rank 0.

        Returns:
            The outcome; a checkpoint is written either way.

        Raises:
            OptionError: If the loss or its gradient is not finite.
        """
        if callback is not None:
            callback.on_start(self.step, self.total)
        saved = began = time.monotonic()
        with _stop_request() as stop:
            for batch in self._prefetch():
                metrics = self._advance(batch, began)
                stopped = any_rank(self._fabric, stop.is_set())
                validating = self._validation_is_due()
                if self._fabric.is_global_zero:
                    if validating:
                        metrics = self._validate_tower(metrics)
                    if log is not None:
                        log.add(metrics)
                    if callback is not None:
                        (callback.on_validation if validating else callback.on_step)(metrics)
                    if stopped or validating or self._checkpoint_is_due(saved):
                        self._checkpoints.save(self._state())
                        saved = time.monotonic()
                if stopped:
                    break
                began = time.monotonic()
        return TrainingOutcome(self.step, self.total, self._checkpoints.last)

    def _prefetch(self) -> Iterator[Any]:
        """Yield the remaining batches; the next one is made while the model learns from this one."""
        with ThreadPoolExecutor(1, thread_name_prefix="clip2point-batches") as pool:
            upcoming = pool.submit(self._batches.batch, self.step) if self.step < self.total else None
            for step in range(self.step, self.total):
                assert upcoming is not None
                batch = upcoming.result()
                if step + 1 < self.total:
                    upcoming = pool.submit(self._batches.batch, step + 1)
                yield batch

    def _advance(self, batch: Any, began: float) -> StepMetrics:
        """Take one step of the optimiser."""
        # Dropout draws from the global generator: seeded at each step, so that it does not matter where a run began.
        torch.manual_seed(_step_seed(self._settings.seed, self.step, self._fabric.global_rank))
        lr = self._rate(self.step)
        set_lr(self._optimizer, lr)
        losses = self._module.losses(gather(self._fabric, self._model(batch)))
        self._optimizer.zero_grad()
        self._fabric.backward(losses["total"])
        norm = nn.utils.clip_grad_norm_(self._weights, self._config.optimizer.clip or float("inf"))
        # One transfer for all values: each one makes the host wait for the device.
        *values, gradient_norm = torch.stack([*(loss.detach().float() for loss in losses.values()), norm]).tolist()
        parts = dict(zip(losses, values, strict=True))
        self._check_finite(parts, gradient_norm)
        self._optimizer.step()
        if self._average is not None:
            update_average(self._average, self._module.tower, self._settings.average_decay, self.step)
        self.step += 1
        return StepMetrics(
            step=self.step,
            epoch=self.step / self._batches.steps_per_epoch,
            lr=lr,
            gradient_norm=gradient_norm,
            losses=parts,
            per_second=self._settings.batch_size / max(time.monotonic() - began, 1e-9),
            unit=self._batches.unit,
        )

    def _check_finite(self, losses: Mapping[str, float], gradient_norm: float) -> None:
        """Stop before values that are not finite reach the weights."""
        if np.isfinite([*losses.values(), gradient_norm]).all():
            return
        parts = ", ".join(f"{name} {value:g}" for name, value in losses.items())
        raise OptionError(
            f"step {self.step + 1}: the loss or its gradient is not finite ({parts}, gradient norm "
            f"{gradient_norm:g}): lower optimizer.lr ({self._config.optimizer.lr:g}), set optimizer.clip, or train in "
            "precision 32-true, and start again in another folder"
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

    def _validate_tower(self, metrics: StepMetrics) -> StepMetrics:
        """Add accuracies to the metrics, and save the weights if they are the best so far."""
        assert self._validate is not None
        assert self._config.validation is not None
        tower = self.tower_state()
        result = self._validate(tower)
        score = result.score(self._config.validation.choose_by)
        if score > self._best:
            self._best = score
            self._checkpoints.save_best({"tower": tower, "step": self.step, **result.to_dict()})
        return replace(metrics, accuracy=result.accuracy, mean_class_accuracy=result.mean_class_accuracy)

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
                f"{self._checkpoints.last}: the checkpoint does not fit this model ({reason(error)}): give the "
                "backbone that it was made with, or start again in another folder"
            ) from error


def _step_seed(seed: int, step: int, rank: int) -> int:
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0]) >> 1


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, so that no step is cut in two; a second Ctrl-C interrupts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: object) -> None:
        requested.set()
        signal.signal(number, before[number])

    try:
        for number in before:
            signal.signal(number, request)
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
