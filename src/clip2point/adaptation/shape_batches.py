"""Batches of labelled shapes for fine-tuning: depth maps of a few of a model's views, rendered as they are needed.

Any batch can be made by its number alone, so that a training that goes on sees what an uninterrupted one would see,
and each of several processes makes its own part of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.data import Dataset, SampledDataset, sample_dataset
from clip2point.model.recogniser import Recogniser
from clip2point.rendering import render_depth
from clip2point.shapes import place_points
from clip2point.shapes.augmentation import AugmentationSettings, augment_subset
from clip2point.training.distributed import Process

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class ViewingSettings:
    """How shapes are looked at in training; all else is as the model sees them.

    Attributes:
        views: how many of the model's views are drawn for a shape at each step.
        distance: largest change of the cameras' distance of 1, either way.
        part: smallest share of a shape's points that is drawn.
        drawings: how many samples of a mesh's surface are kept, one of which is drawn at each step.
        augmentation: of the points; ``independent`` has no meaning here.
    """

    views: int = 2
    distance: float = 0.1
    part: float = 0.5
    drawings: int = 4
    augmentation: AugmentationSettings = field(default_factory=lambda: AugmentationSettings(yaw=12, stretch=1.25))

    def __post_init__(self) -> None:
        if self.views < 1:
            raise OptionError(f"views is {self.views}: expected at least 1")
        if not 0 <= self.distance <= 0.9:
            raise OptionError(f"distance is {self.distance}: expected 0 to 0.9")
        if not 0 < self.part <= 1:
            raise OptionError(f"part is {self.part}: expected above 0, at most 1")
        if not 1 <= self.drawings <= 100:
            raise OptionError(f"drawings is {self.drawings}: expected 1 to 100")


class ShapeBatch(NamedTuple):
    """One process's part of a batch.

    Attributes:
        depth: [N, v, S, S] depth maps in [0, 1].
        labels: [N] int64.
    """

    depth: Tensor
    labels: Tensor


def draw_shapes(
    dataset: Dataset, points: int, drawings: int, seed: int = 0, progress: Progress | None = None
) -> list[SampledDataset]:
    """Draw points of the readable shapes of a data set again and again; what was drawn once lies in the cache.

    Args:
        dataset: any.
        points: from each shape.
        drawings: how often, at most: clouds that have just so many points are drawn once.
        seed: of the first drawing.
        progress: wraps an iterable of a given length, to show how far it is.

    Returns:
        The drawings, of the same shapes in the same order.
    """
    first = sample_dataset(dataset, points, seed, progress=progress)
    readable = dataset.select(first.names)
    drawn = [first]
    while len(drawn) < drawings:
        other = sample_dataset(readable, points, seed + len(drawn), progress=progress)
        if np.array_equal(other.points, first.points):
            break
        drawn.append(other)
    return drawn


class ShapeBatches:
    """Batches of labelled shapes; each is shown once a round.

    Attributes:
        steps_per_epoch: steps in which every shape is shown at least once.
        unit: see ``Batches``.

    Args:
        drawings: points of the same shapes, drawn one or several times, with a declared up-axis.
        model: under whose settings depth maps are rendered.
        settings: see there.
        batch_size: shapes in a batch, over all processes together.
        seed: of every draw.
        process: Process that makes its part of the batches, and renders on its device.

    Raises:
        OptionError: if the model has not so many views, or a batch cannot be divided among the processes.
    """

    unit: str = "shapes"

    def __init__(
        self,
        drawings: list[SampledDataset],
        model: Recogniser,
        settings: ViewingSettings,
        *,
        batch_size: int,
        seed: int = 0,
        process: Process | None = None,
    ) -> None:
        if settings.views > len(model.views):
            raise OptionError(
                f"views is {settings.views}: expected at most {len(model.views)}, all views of {model.name}"
            )
        process = process or Process()
        self._drawings, self._model, self._settings = drawings, model, settings
        self._count = len(drawings[0])
        self._batch_size, self._seed, self._device = batch_size, seed, torch.device(process.device)
        self._part = process.part(batch_size)
        self._order = lru_cache(maxsize=2)(self._new_order)
        self.steps_per_epoch = -(-self._count // batch_size)

    def batch(self, step: int) -> ShapeBatch:
        """This process's part of the batch of a step, from 0; the same at every call."""
        # Rounds follow each other without a gap, so that a batch may begin in one and end in the next.
        shown = [divmod(step * self._batch_size + place, self._count) for place in self._part]
        rows = [int(self._order(epoch)[place]) for epoch, place in shown]
        draws = [np.random.default_rng((self._seed, 1, epoch, place)) for epoch, place in shown]
        clouds = np.stack([self._cloud(row, draw) for row, draw in zip(rows, draws, strict=True)])
        return ShapeBatch(
            self._rendered(clouds, draws), torch.from_numpy(self._drawings[0].labels[rows]).to(self._device)
        )

    def _cloud(self, row: int, draw: np.random.Generator) -> Float32:
        """[P, 3] points of a shape, changed."""
        sampled = self._drawings[draw.integers(len(self._drawings))]
        points = place_points(np.asarray(sampled.points[row]), sampled.up)
        return augment_subset(points, self._settings.augmentation, self._settings.part, draw)

    def _rendered(self, clouds: Float32, draws: list[np.random.Generator]) -> Tensor:
        """Depth maps [N, v, S, S] of some views of each cloud [N, P, 3]."""
        count, views, model = self._settings.views, self._model.views, self._model
        chosen = np.stack([draw.choice(len(views), count, replace=False) for draw in draws])
        spread = self._settings.distance * np.stack([draw.uniform(-1, 1, count) for draw in draws])
        points, distances = torch.from_numpy(clouds).to(self._device), (1 + spread).astype(np.float32)
        size = model.backbone.image_size
        depth = torch.empty(len(clouds), count, size, size, device=self._device)
        for view in np.unique(chosen).tolist():
            rows, slots = np.nonzero(chosen == view)
            images = render_depth(
                points[rows],
                views.take([view]),
                distances[rows, slots][:, None],
                image_size=size,
                radius=model.settings.radius,
                style=model.settings.style,
            )
            depth[rows, slots] = images[:, 0]
        return depth

    def _new_order(self, epoch: int) -> NDArray[np.int64]:
        """The shapes of a round, in the order in which they are shown."""
        return np.random.default_rng((self._seed, 0, epoch)).permutation(self._count)
