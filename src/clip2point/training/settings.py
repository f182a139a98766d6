"""Settings of the training engine: optimiser, schedule, duration and state, choice of the best weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clip2point.core.strict_config import expect

#: Number formats of training, as Lightning Fabric names them.
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimiser.

    Attributes:
        name: "adamw" or "lamb".
        lr: highest learning rate.
        weight_decay: decoupled.
        betas: decay rates of the running means of gradients and of their squares.
        eps: added to the root of the latter.
        decay_vectors: whether biases and the weights of norms decay, too.
        clip: longest gradient, over all tensors together; longer ones are shortened. 0 for no limit.
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
    """How the learning rate changes from step to step.

    Attributes:
        name: "warmup-cosine" (up linearly, then down along a cosine until the end) or "cosine-restarts" (down along a
            cosine, again and again).
        warmup_epochs: of the former.
        restart_epochs: length of a round of the latter.
        min_lr: lowest learning rate.
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
    """The length of the training and the state that it keeps.

    Attributes:
        epochs: rounds through the data.
        batch_size: pairs of a step, or shapes in fine-tuning, over all devices together.
        seed: of every draw.
        precision: "32-true", or "bf16-mixed" (matrix products in bfloat16).
        average_decay: share that an exponential moving average of the weights keeps at each step; the average is what
            is validated and exported. 0 for none.
        checkpoint_steps: steps from one checkpoint to the next; 0 to go by the time alone.
        checkpoint_minutes: minutes from one checkpoint to the next, at most.
        half: whether the finished model stores its kernels and matrices in fp16, which halves its size.
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
    """By what the best weights are chosen, on the validation shapes.

    Attributes:
        choose_by: what the best weights are best in.
        every_epochs: epochs from one validation to the next; there is one more at the end.
    """

    choose_by: Literal["accuracy", "cross_entropy"] = "accuracy"
    every_epochs: float = 1.0

    def __post_init__(self) -> None:
        expect(self.every_epochs > 0, "every_epochs", self.every_epochs, "above 0")
