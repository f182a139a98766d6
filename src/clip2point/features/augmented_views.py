"""Augmented views of shapes: more than one look at each example, for heads to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.ranges import check_ranges, declare_range
from clip2point.data.dataset import item_seed
from clip2point.shapes.augmentation import AugmentationSettings, augment_subset

Float32 = NDArray[np.float32]

#: Largest change of the cameras' distance of 1, either way, as in the paper's pre-training.
_JITTER = 0.1


@dataclass(frozen=True)
class AugmentedViewSettings:
    """Number and strength of the augmented views of each shape.

    The first view is the shape as it is measured. Each of the others has points drawn anew where the shape is a mesh,
    cameras at random distances from 0.9 to 1.1 as in the paper, and the changes below.

    Attributes:
        count: Number of views K of each shape, 1 to 100; 1 for the unchanged shape alone.
        part: Smallest fraction of the points that an augmented view keeps, in (0, 1].
        stretch: Largest factor along each axis, and its inverse; 1 for none.
        yaw: Largest rotation about the vertical axis, either way, in degrees.

    Raises:
        OptionError: A value is out of its range.

    Examples:
        >>> AugmentedViewSettings(count=4, yaw=15).count
        4
    """

    count: int = declare_range(2, "[1, 100]")
    part: float = declare_range(0.5, "(0, 1]")
    stretch: float = 1.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)
        self.augmentation  # noqa: B018 - checks the others

    @classmethod
    def of(cls, views: AugmentedViewSettings | int) -> AugmentedViewSettings:
        """Return settings as they are, and the default ones for a bare number of views."""
        return cls(views) if isinstance(views, int) else views

    @property
    def augmentation(self) -> AugmentationSettings:
        """Changes of the points, as pre-training knows them."""
        return AugmentationSettings(stretch=self.stretch, yaw=self.yaw)


@dataclass(frozen=True)
class AugmentedView:
    """One of the views of every shape of a data set; each depends on the seed and the shape's name alone.

    Attributes:
        settings: Strength of the changes.
        number: Place among the views, from 0 for the unchanged shape.
        seed: Seed of every change.
    """

    settings: AugmentedViewSettings
    number: int
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """Everything that the changes depend on, as JSON types; empty for the unchanged shape."""
        if self.number == 0:
            return {}
        own = self.settings
        # The names and the empty count are those of the first release, whose cache entries stay valid.
        changes = {"count": None, "part": own.part, "stretch": own.stretch, "yaw": own.yaw}
        return {"copy": self.number, "seed": self.seed, "changes": changes}

    def change_clouds(self, clouds: Float32, names: Sequence[str]) -> Float32:
        """Change clouds [B, P, 3] in the unit sphere, y up, of the shapes with these names."""
        if self.number == 0:
            return clouds
        draws = [np.random.default_rng((item_seed(self.seed, name), self.number)) for name in names]
        pairs = zip(clouds, draws, strict=True)
        return np.stack(
            [augment_subset(cloud, self.settings.augmentation, self.settings.part, rng) for cloud, rng in pairs]
        )

    def draw_distances(self, names: Sequence[str], views: int) -> Float32 | None:
        """Draw the distances [B, V] of the cameras for shapes with these names; None for all at 1."""
        if self.number == 0:
            return None
        draws = [np.random.default_rng((item_seed(self.seed, name), self.number, 1)) for name in names]
        return (1 + _JITTER * np.stack([rng.uniform(-1, 1, views) for rng in draws])).astype(np.float32)
