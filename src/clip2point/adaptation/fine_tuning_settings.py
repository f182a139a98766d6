"""Settings of a fine-tuning, and how one runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from clip2point.adaptation.shape_batches import ViewingSettings
from clip2point.adaptation.unfreezing import BatchNormMode, LoraSettings, check_unfreeze
from clip2point.core.progress import Progress
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.training.distributed import DeviceSettings
from clip2point.training.loop import Callback
from clip2point.training.training_settings import (
    OptimizerSettings,
    ScheduleSettings,
    SelectionSettings,
    TrainingSettings,
)

#: Opens a callback for the folder of a training.
Watch = Callable[[Path], AbstractContextManager[Callback]]


@dataclass(frozen=True)
class FineTuningSettings:
    """Everything that the result of a fine-tuning depends on, except for model and data.

    Attributes:
        unfreeze: Trained part of the tower: "all", "last-N" or "lora"; see ``unfreeze``.
        lora: Rank and scale for "lora".
        batch_norm: Statistics that trained batch norms use.
        label_smoothing: Fraction of each target that is spread over all classes, in [0, 1).
        viewing: Views and augmentation of the shapes.
        optimizer: Optimiser.
        schedule: Schedule of the learning rate.
        training: Duration and state; ``batch_size`` counts shapes.
        validation: Choice of the best weights, where there are validation shapes.

    Raises:
        OptionError: A value is out of its range.

    Examples:
        >>> FineTuningSettings(unfreeze="last-2").training.epochs
        8
    """

    unfreeze: str = "last-4"
    lora: LoraSettings = field(default_factory=LoraSettings)
    batch_norm: BatchNormMode = "running"
    label_smoothing: float = declare_range(0.1, "[0, 1)")
    viewing: ViewingSettings = field(default_factory=ViewingSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=lambda: ScheduleSettings(warmup_epochs=0.5))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(epochs=8, batch_size=24, average_decay=0.99)
    )
    validation: SelectionSettings = field(default_factory=SelectionSettings)

    def __post_init__(self) -> None:
        check_unfreeze(self.unfreeze)
        check_ranges(self)


@dataclass(frozen=True)
class FineTuningRun:
    """Place and devices of a fine-tuning, and who is told of it; its result depends on none of these.

    Attributes:
        folder: Folder for checkpoints, metrics and at the end the model, which ``clip2point.load`` reads; several
            processes share it. Without a folder nothing is kept, and an interrupted run cannot be resumed.
        resume: True to continue from the checkpoint in the folder, as if the run had never been interrupted.
        devices: Devices of the training; the model's own by default.
        watch: Opener of a callback for the folder of the training, as a context manager; the callback is told of every
            step, in the process that writes the files.
        progress: Progress callback of the point sampling.
    """

    folder: Path | None = None
    resume: bool = False
    devices: DeviceSettings | None = None
    watch: Watch | None = None
    progress: Progress | None = None
