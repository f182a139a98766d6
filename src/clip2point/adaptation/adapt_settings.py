"""Settings of an adaptation: the tuning of the tower, and everything else that the model depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from clip2point.adaptation.defaults import ALPHA_OF_FEW, ALPHA_OF_MANY, EPOCHS, MIN_STEPS
from clip2point.adaptation.fine_tuning_settings import FineTuningSettings
from clip2point.adaptation.unfreezing import check_unfreeze
from clip2point.core.errors import OptionError
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.core.strict_config import to_plain
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.heads.head_registry import make_head
from clip2point.shapes import check_up
from clip2point.training.training_settings import Precision

#: Name that stands for whichever head is best on the held-out shapes.
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class TowerTuningSettings:
    """Tuning of the depth tower before heads are fitted on its features.

    Attributes:
        unfreeze: Trained part of the tower: "last-N" (its last N blocks), "all" or "lora"; None for no training.
        epochs: Epochs of the training (>= 1); by default 8, and more where these are under 200 steps.
        wise_ft_alpha: Mixing coefficient of WiSE-FT, from 0 (the weights before the training) to 1 (those after it);
            by default 0.5 where 8 epochs are under 200 steps, and 1 otherwise. Less is safer for shapes that are unlike
            the examples.
        precision: Number format of the training; "32-true" by default.

    Raises:
        OptionError: A value is out of its range, or given although nothing is trained.

    Examples:
        >>> few = TowerTuningSettings(unfreeze="last-4")
        >>> few.choose_epochs(60), few.choose_alpha(60)
        (67, 0.5)
        >>> few.choose_epochs(6000), few.choose_alpha(6000)
        (8, 1.0)
    """

    unfreeze: str | None = None
    epochs: int | None = declare_range(None, "[1, inf)")
    wise_ft_alpha: float | None = declare_range(None, "[0, 1]")
    precision: Precision | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "wise_ft_alpha", "precision"):
            if getattr(self, name) is not None and self.unfreeze is None:
                raise OptionError(f"{name} is an option of fine-tuning: give unfreeze, for example last-4")
        if self.unfreeze is not None:
            check_unfreeze(self.unfreeze)
        check_ranges(self)

    @property
    def tuning(self) -> dict[str, Any]:
        """The fields of this class, as JSON types."""
        return {name: getattr(self, name) for name in TowerTuningSettings.__dataclass_fields__}

    def choose_epochs(self, shapes: int) -> int:
        """Return the epochs of a training on so many shapes."""
        return self.epochs or max(EPOCHS, -(-MIN_STEPS // _steps_per_epoch(shapes)))

    def choose_alpha(self, shapes: int) -> float:
        """Return the mixing coefficient after a training on so many shapes."""
        if self.wise_ft_alpha is not None:
            return self.wise_ft_alpha
        return ALPHA_OF_FEW if EPOCHS * _steps_per_epoch(shapes) < MIN_STEPS else ALPHA_OF_MANY

    def choose_dtype(self, dtype: str = "auto") -> str:
        """Return the number format to load a model in: a training should not begin with rounded weights."""
        return "fp32" if self.unfreeze and dtype == "auto" else dtype

    def plan_fine_tuning(self, shapes: int, seed: int) -> FineTuningSettings:
        """Return the settings of the training.

        Args:
            shapes: Number of shapes to learn from.
            seed: Seed of the training.

        Raises:
            OptionError: Nothing is to be trained.
        """
        if self.unfreeze is None:
            raise OptionError("unfreeze is None: expected the part of the tower that is trained")
        settings = FineTuningSettings(unfreeze=self.unfreeze)
        changes: dict[str, Any] = {"epochs": self.choose_epochs(shapes), "seed": seed}
        if self.precision is not None:
            changes["precision"] = self.precision
        return replace(settings, training=replace(settings.training, **changes))


@dataclass(frozen=True, kw_only=True)
class AdaptSettings(TowerTuningSettings):
    """Everything that an adapted model depends on, except for the base model and the data.

    Attributes:
        head: Name of the head that is fitted, or "auto" for the one that is best on the held-out shapes.
        options: Options of the head; the others are chosen on the held-out shapes.
        shots: Number of shapes of each class to learn from; None for all.
        augmented_views: Number of augmented views of each shape, the first of them the unchanged shape, or settings.
        up: Axis that points up in all shapes, or "auto" for what the data set, shapes or formats declare.
        seed: Seed of the shots, of what is held out, of the point sampling and of the training.
        target: Accuracy to reach among the shapes that are not called unknown, in [0, 1].

    Raises:
        OptionError: A value is out of its range, or there is no such head or option.

    Examples:
        >>> AdaptSettings(head="linear", shots=16).to_dict()["shots"]
        16
    """

    head: str = "gdpa"
    options: Mapping[str, Any] | None = None
    shots: int | None = declare_range(None, "[1, inf)")
    augmented_views: AugmentedViewSettings | int = 2
    up: str = "auto"
    seed: int = declare_range(0, "[0, inf)")
    target: float = declare_range(0.95, "[0, 1]")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head != AUTO:
            make_head(self.head, self.options)
        elif self.options:
            raise OptionError("options belong to one head: give its name instead of 'auto', or leave out the options")
        check_up(self.up, auto=True)
        AugmentedViewSettings.of(self.augmented_views)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON types."""
        return {**to_plain(self), "options": None if self.options is None else dict(self.options)}


def _steps_per_epoch(shapes: int) -> int:
    return -(-shapes // FineTuningSettings().training.batch_size)
