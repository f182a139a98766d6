"""Settings of the training engine: optimiser, schedule, duration and state, choice of the best weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clip2point.core.ranges import check_ranges, declare_range

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
    lr: float = declare_range(3e-4, "(0, 1]")
    weight_decay: float = declare_range(0.05, "[0, 1)")
    betas: tuple[float, float] = declare_range((0.9, 0.999), "[0, 1)")
    eps: float = declare_range(1e-8, "(0, 1)")
    decay_vectors: bool = False
    clip: float = declare_range(1.0, "[0, inf)")

    def __post_init__(self) -> None:
        check_ranges(self)


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
    warmup_epochs: float = declare_range(1.0, "[0, inf)")
    restart_epochs: float = declare_range(2.0, "(0, inf)")
    min_lr: float = declare_range(1e-6, "[0, inf)")

    def __post_init__(self) -> None:
        check_ranges(self)


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

    epochs: int = declare_range(20, "[1, 1000000]")
    batch_size: int = declare_range(64, "[2, 1000000]")
    seed: int = declare_range(0, "[0, 4294967295]")
    precision: Precision = "32-true"
    average_decay: float = declare_range(0.999, "[0, 1)")
    checkpoint_steps: int = declare_range(0, "[0, inf)")
    checkpoint_minutes: float = declare_range(10.0, "(0, inf)")
    half: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class SelectionSettings:
    """Choice of the best weights on the validation shapes.

    Attributes:
        choose_by: Measure by which the best weights are chosen, "accuracy" or "cross_entropy".
        every_epochs: Epochs from one validation to the next (> 0); there is one more at the end.
    """

    choose_by: Literal["accuracy", "cross_entropy"] = "accuracy"
    every_epochs: float = declare_range(1.0, "(0, inf)")

    def __post_init__(self) -> None:
        check_ranges(self)
