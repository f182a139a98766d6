"""Settings of the protocols that learn."""

from __future__ import annotations

from dataclasses import dataclass

from clip2point.adaptation.adapt_settings import TowerTuningSettings
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.features.augmented_views import AugmentedViewSettings

#: Numbers of shots that papers report.
SHOTS = (1, 2, 4, 8, 16)
#: Most validation shapes of each class that few-shot choices are made by; fewer where there are fewer shots.
VALIDATION_SHOTS = 4


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings(TowerTuningSettings):
    """Settings of a comparison of heads.

    Attributes:
        heads: Names of heads, with options where validation is not to choose them (``gdpa:gate=channel``); all
            built-in ones that learn from view features if there are none.
        shots: Numbers of examples of each class, for the few-shot protocol; if there are none, those of ``SHOTS``
            that every class has.
        seeds: Number of draws of the examples (5 by default), or of trainings in the supervised protocol (1 by
            default), with the seeds 0, 1, ...
        augmented_views: Number of augmented views of each example, the first of them the unchanged shape, or settings.
        validation_shots: Most validation shapes of each class, for the few-shot protocol; by default as many as there
            are shots, but at most ``VALIDATION_SHOTS``.

    Raises:
        OptionError: A value is out of its range.

    Examples:
        >>> ProtocolSettings(heads=("linear",), shots=(1, 16)).shots
        (1, 16)
    """

    heads: tuple[str, ...] = ()
    shots: tuple[int, ...] = declare_range((), "[1, inf)")
    seeds: int | None = declare_range(None, "[1, inf)")
    augmented_views: AugmentedViewSettings | int = 2
    validation_shots: int | None = declare_range(None, "[1, inf)")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ranges(self)
        AugmentedViewSettings.of(self.augmented_views)
