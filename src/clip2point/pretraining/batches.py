"""Batches for pre-training: two depth maps of a view of each model, the feature of its image, its caption.

A batch depends on its number alone, so that a resumed training sees the batches of an uninterrupted one, and each of
several processes makes its own part of a batch.
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
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.data.pairs import PairSet
from clip2point.pretraining.captions import Vocabulary
from clip2point.pretraining.image_features import ImageFeatures
from clip2point.rendering import render_depth, view_set
from clip2point.rendering.depth import check_style
from clip2point.rendering.scene import check_radius
from clip2point.shapes.augmentation import AugmentationSettings, augment
from clip2point.training.distributed import Process


@dataclass(frozen=True)
class RenderingSettings:
    """Rendering of the depth maps in training; a pair of values is a range from which one is drawn.

    Attributes:
        views: Name of the view set that views are drawn from. With another set than that of the pairs' images, depth
            maps are compared with images of any view of the same model.
        image_size: Side of the depth maps, in pixels; 0 for the backbone's own size.
        style: Depth style.
        points: Number of the model's points.
        radius: Radius of the discs, in half image widths.
        distance: Distance of the camera.
    """

    views: str = "clip2point-10"
    image_size: int = declare_range(0, "[0, inf)")
    style: str = "clip2point"
    points: tuple[int, int] = declare_range((1024, 1024), "[1, inf)")
    radius: tuple[float, float] = (0.02, 0.02)
    distance: tuple[float, float] = declare_range((0.9, 1.1), "[0.1, inf)")

    def __post_init__(self) -> None:
        view_set(self.views)
        check_style(self.style)
        for radius in self.radius:
            check_radius(radius)
        check_ranges(self)
        for name in ("points", "radius", "distance"):
            low, high = getattr(self, name)
            if low > high:
                raise OptionError(f"{name} is {low} to {high}: expected two numbers, the smaller one first")


@dataclass(frozen=True)
class BatchSettings:
    """Contents of the batches.

    Attributes:
        image_size: Side S of the depth maps, in pixels.
        batch_size: Models in a batch, over all processes together.
        rendering: Rendering of the depth maps.
        augmentation: Augmentation of the points.
        balance: 0 to show every model once an epoch; up to 1 to show each name equally often.
        seed: Seed of every draw.
    """

    image_size: int
    batch_size: int
    rendering: RenderingSettings = field(default_factory=RenderingSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    balance: float = 0.0
    seed: int = 0


class Batch(NamedTuple):
    """One process's part of a batch.

    Attributes:
        depth: Two depth maps of each model, [2, N, 1, S, S] in [0, 1].
        image: Features of its image, [N, D], or None.
        caption: Number of its caption, [N], or None.
    """

    depth: Tensor
    image: Tensor | None
    caption: Tensor | None


class PairBatches:
    """Batches of a set of pairs.

    Attributes:
        steps_per_epoch: Number of whole batches in an epoch.
        unit: "pairs".

    Args:
        pairs: Models to train on.
        settings: Contents of the batches.
        images: Features of the images, or None to do without.
        vocabulary: Captions, or None to do without.
        process: Process that makes its part of the batches, and renders on its device.

    Raises:
        OptionError: If a batch does not fit the pairs or the processes.
    """

    unit: str = "pairs"

    def __init__(
        self,
        pairs: PairSet,
        settings: BatchSettings,
        *,
        images: ImageFeatures | None = None,
        vocabulary: Vocabulary | None = None,
        process: Process | None = None,
    ) -> None:
        process = process or Process()
        self._part = process.part(settings.batch_size)
        if settings.batch_size > len(pairs):
            raise OptionError(
                f"batch_size is {settings.batch_size}: expected at most the number of models, {len(pairs)}; give "
                "--batch-size"
            )
        self.steps_per_epoch = len(pairs) // settings.batch_size
        self._pairs, self._images, self._vocabulary = pairs, images, vocabulary
        self._settings, self._device = settings, torch.device(process.device)
        self._views = view_set(settings.rendering.views)
        self._image_views = len(view_set(pairs.views))
        self._order = lru_cache(maxsize=2)(self._draw_order)
        self._probabilities = _model_probabilities(pairs, settings.balance) if settings.balance > 0 else None

    def batch(self, step: int) -> Batch:
        """Return this process's part of the batch of a step, from 0; the same at every call."""
        epoch, number = divmod(step, self.steps_per_epoch)
        start = number * self._settings.batch_size
        models = self._order(epoch)[start + self._part.start : start + self._part.stop]
        draws = [np.random.default_rng((self._settings.seed, 1, step, place)) for place in self._part]
        views = [int(rng.integers(len(self._views))) for rng in draws]
        size = self._settings.image_size
        depth = torch.empty(2, len(models), 1, size, size, device=self._device)
        for view in sorted(set(views)):
            rows = [row for row, drawn in enumerate(views) if drawn == view]
            depth[:, rows, 0] = self._render(step, view, models[rows], [draws[row] for row in rows])
        return Batch(depth, self._image_features(models, views, draws), self._draw_captions(models, draws))

    def _render(self, step: int, view: int, models: NDArray[np.int64], draws: list[np.random.Generator]) -> Tensor:
        """Return depth maps [2, n, S, S] of one view of n models, with the same number of points and radius."""
        rng = np.random.default_rng((self._settings.seed, 2, step, view))
        settings = self._settings.rendering
        count = int(rng.integers(settings.points[0], settings.points[1], endpoint=True))
        radius = float(rng.uniform(*settings.radius))
        clouds = np.stack([self._clouds(model, count, draw) for model, draw in zip(models, draws, strict=True)], axis=1)
        distances = np.stack([draw.uniform(*settings.distance, size=(2, 1)) for draw in draws], axis=1)
        images = render_depth(
            torch.from_numpy(clouds.reshape(-1, count, 3)).to(self._device),
            self._views.take([view]),
            distances.reshape(-1, 1).astype(np.float32),
            image_size=self._settings.image_size,
            radius=radius,
            style=settings.style,
        )
        return images[:, 0].unflatten(0, (2, len(models)))

    def _clouds(self, model: int, count: int, draw: np.random.Generator) -> NDArray[np.float32]:
        """Return the points [2, N, 3] for the two depth maps of a model."""
        points, settings = self._pairs.points(model), self._settings.augmentation
        first = augment(points, settings, count, draw)
        second = augment(points, settings, count, draw) if settings.independent else first
        return np.stack([first, second])

    def _image_features(
        self, models: NDArray[np.int64], views: list[int], draws: list[np.random.Generator]
    ) -> Tensor | None:
        """Return the features of the images of the same views, or of any views if the images have others."""
        if self._images is None:
            return None
        if self._views.name != self._pairs.views:
            views = [int(draw.integers(self._image_views)) for draw in draws]
        rows = [self._images(int(model), view) for model, view in zip(models, views, strict=True)]
        return torch.from_numpy(np.stack(rows)).to(self._device)

    def _draw_captions(self, models: NDArray[np.int64], draws: list[np.random.Generator]) -> Tensor | None:
        if self._vocabulary is None:
            return None
        numbers = [self._vocabulary.draw(int(model), draw) for model, draw in zip(models, draws, strict=True)]
        return torch.tensor(numbers, device=self._device)

    def _draw_order(self, epoch: int) -> NDArray[np.int64]:
        """Return the models of an epoch, in the order in which they are shown."""
        rng = np.random.default_rng((self._settings.seed, 0, epoch))
        if self._probabilities is None:
            return rng.permutation(len(self._pairs))
        return rng.choice(len(self._pairs), len(self._pairs), p=self._probabilities)


def _model_probabilities(pairs: PairSet, balance: float) -> NDArray[np.float64]:
    """Return the probability of each model; models with a common name are drawn less often."""
    names = [info.captions[0].lower() for info in pairs.infos]
    _, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    weights = counts[inverse].astype(np.float64) ** -balance
    return np.asarray(weights / weights.sum())
