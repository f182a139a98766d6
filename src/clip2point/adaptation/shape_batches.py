"""Batches of labelled shapes for fine-tuning: depth maps of a few of a model's views, rendered on demand.

A batch depends on its number alone, so that a resumed training sees the same batches as an uninterrupted one, and each
of several processes makes its own part of a batch.
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
    """Views and points of a shape at each step of the training.

    Attributes:
        views: Number of the model's views that are rendered of a shape at each step.
        distance: Largest change of the cameras' distance of 1, either way.
        part: Smallest fraction of a shape's points that is drawn.
        drawings: Number of stored samples of a mesh's surface, one of which is used at each step.
        augmentation: Augmentation of the points; ``independent`` has no effect here.
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
    """Part of a batch that one process makes.

    Attributes:
        depth: [N, v, S, S] depth maps in [0, 1].
        labels: [N] int64.
    """

    depth: Tensor
    labels: Tensor


def draw_shapes(
    dataset: Dataset, points: int, drawings: int, seed: int = 0, progress: Progress | None = None
) -> list[SampledDataset]:
    """Sample points of the readable shapes of a data set several times, through the cache.

    Args:
        dataset: Data set.
        points: Number of points per shape.
        drawings: Largest number of samples; clouds with exactly ``points`` points are sampled once.
        seed: Seed of the first sample.
        progress: Progress callback.

    Returns:
        Samples of the same shapes in the same order.
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
    """Batches of labelled shapes; each shape comes once per epoch.

    Attributes:
        steps_per_epoch: Number of steps in which every shape comes at least once.
        unit: Unit of the step metrics, as of ``Batches``.

    Args:
        drawings: One or more samples of the same shapes, with a declared up-axis.
        model: Model whose settings render the depth maps.
        settings: Views and points at each step.
        batch_size: Number of shapes in a batch over all processes.
        seed: Seed of every draw.
        process: Process that makes its part of the batches, and renders on its device.

    Raises:
        OptionError: The model has fewer views, or a batch cannot be divided among the processes.
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
        """Return this process's part of the batch of a step, from 0; the same at every call."""
        # Epochs follow each other without a gap, so that a batch may begin in one and end in the next.
        shown = [divmod(step * self._batch_size + place, self._count) for place in self._part]
        rows = [int(self._order(epoch)[place]) for epoch, place in shown]
        draws = [np.random.default_rng((self._seed, 1, epoch, place)) for epoch, place in shown]
        clouds = np.stack([self._cloud(row, draw) for row, draw in zip(rows, draws, strict=True)])
        return ShapeBatch(
            self._render(clouds, draws), torch.from_numpy(self._drawings[0].labels[rows]).to(self._device)
        )

    def _cloud(self, row: int, draw: np.random.Generator) -> Float32:
        """Return augmented points [P, 3] of a shape."""
        sampled = self._drawings[draw.integers(len(self._drawings))]
        points = place_points(np.asarray(sampled.points[row]), sampled.up)
        return augment_subset(points, self._settings.augmentation, self._settings.part, draw)

    def _render(self, clouds: Float32, draws: list[np.random.Generator]) -> Tensor:
        """Render depth maps [N, v, S, S] of some views of each cloud [N, P, 3]."""
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
        """Return the shapes of an epoch in their order."""
        return np.random.default_rng((self._seed, 0, epoch)).permutation(self._count)
