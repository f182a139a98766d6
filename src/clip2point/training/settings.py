"""Settings of the training engine: optimiser, schedule, duration and state, choice of the best weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clip2point.core.strict_config import expect

#: Number formats of training, as Lightning Fabric names them.
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class OptimizerSettings:
    """Optimiser of the weights.

    Attributes:
        name: Name of the optimiser, "adamw" or "lamb".
        lr: Highest learning rate, in (0, 1].
        weight_decay: Decoupled weight decay, in [0, 1).
        betas: Decay rates of the running means of gradients and of their squares, in [0, 1).
        eps: Constant that keeps the denominator of the step above 0, in (0, 1).
        decay_vectors: True to decay biases and the weights of norms, too.
        clip: Largest norm of the gradient, over all tensors together; a longer one is scaled down. 0 for no limit.
    """

    name: Literal["adamw", "lamb"] = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    decay_vectors: bool = False
    clip: float = 1.0

    def __post_init__(self) -> None:
        expect(0 < self.lr <= 1, "lr", self.lr, "above 0, at most 1")
        expect(0 <= self.weight_decay < 1, "weight_decay", self.weight_decay, "from 0 to below 1")
        expect(all(0 <= beta < 1 for beta in self.betas), "betas", self.betas, "two numbers from 0 to below 1")
        expect(0 < self.eps < 1, "eps", self.eps, "above 0, below 1")
        expect(self.clip >= 0, "clip", self.clip, "0 (no limit) or more")


@dataclass(frozen=True)
class ScheduleSettings:
    """Schedule of the learning rate.

    Attributes:
        name: Name of the schedule: "warmup-cosine" (a linear rise, then half a cosine down to the end) or
            "cosine-restarts" (half a cosine down, again and again).
        warmup_epochs: Epochs of the linear rise of "warmup-cosine".
        restart_epochs: Period of "cosine-restarts", in epochs (> 0).
        min_lr: Lowest learning rate.
    """

    name: Literal["warmup-cosine", "cosine-restarts"] = "warmup-cosine"
    warmup_epochs: float = 1.0
    restart_epochs: float = 2.0
    min_lr: float = 1e-6

    def __post_init__(self) -> None:
        expect(self.warmup_epochs >= 0, "warmup_epochs", self.warmup_epochs, "0 or more")
        expect(self.restart_epochs > 0, "restart_epochs", self.restart_epochs, "above 0")
        expect(self.min_lr >= 0, "min_lr", self.min_lr, "0 or more")


@dataclass(frozen=True)
class TrainingSettings:
    """Duration of a training, and the state that it saves.

    Attributes:
        epochs: Number of epochs, 1 to 1,000,000.
        batch_size: Pairs, or shapes in fine-tuning, of a step, over all devices together; 2 to 1,000,000.
        seed: Seed of every draw.
        precision: Number format: "32-true", or "bf16-mixed" (matrix products in bfloat16).
        average_decay: Decay of the exponential moving average of the weights, which is validated and exported, in
            [0, 1); 0 for none.
        checkpoint_steps: Steps from one checkpoint to the next; 0 to go by the time alone.
        checkpoint_minutes: Minutes from one checkpoint to the next, at most.
        half: True to store the matrices of the finished model in fp16, which halves its size.
    """

    epochs: int = 20
    batch_size: int = 64
    seed: int = 0
    precision: Precision = "32-true"
    average_decay: float = 0.999
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    half: bool = False

    def __post_init__(self) -> None:
        expect(1 <= self.epochs <= 1_000_000, "epochs", self.epochs, "1 to 1000000")
        expect(2 <= self.batch_size <= 1_000_000, "batch_size", self.batch_size, "2 to 1000000")
        expect(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")
        expect(0 <= self.average_decay < 1, "average_decay", self.average_decay, "from 0 to below 1")
        expect(self.checkpoint_steps >= 0, "checkpoint_steps", self.checkpoint_steps, "0 or more")
        expect(self.checkpoint_minutes > 0, "checkpoint_minutes", self.checkpoint_minutes, "above 0")


@dataclass(frozen=True)
class SelectionSettings:
    """Choice of the best weights on the validation shapes.

    Attributes:
        choose_by: Measure by which the best weights are chosen, "accuracy" or "cross_entropy".
        every_epochs: Epochs from one validation to the next (> 0); there is one more at the end.
    """

    choose_by: Literal["accuracy", "cross_entropy"] = "accuracy"
    every_epochs: float = 1.0

    def __post_init__(self) -> None:
        expect(self.every_epochs > 0, "every_epochs", self.every_epochs, "above 0")
