"""Batches for pre-training: two depth maps of a view of each model, its picture's feature, its caption.

Any batch can be made by its number alone, so that a training that goes on sees what an uninterrupted one would see,
and each of several processes makes its own part of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip2point.core.errors import OptionError
from clip2point.data.pairs import PairSet
from clip2point.pretraining.captions import Vocabulary
from clip2point.pretraining.image_features import ImageFeatures
from clip2point.rendering import ViewSet, render_depth, view_set
from clip2point.rendering.depth import check_radius, check_style
from clip2point.shapes.augmentation import AugmentationSettings, augment


@dataclass(frozen=True)
class RenderingSettings:
    """How depth maps are rendered in training; where two values are given, each is drawn between them.

    Attributes:
        views: name of the view set that views are drawn from. With another set than that of the pairs' pictures, depth
            maps are held against pictures of any view of the same model.
        image_size: pixels; 0 for the backbone's own size.
        style: of the depth maps.
        points: how many of the model's points are drawn.
        radius: of the discs, in half image widths.
        distance: of the camera.
    """

    views: str = "clip2point-10"
    image_size: int = 0
    style: str = "clip2point"
    points: tuple[int, int] = (1024, 1024)
    radius: tuple[float, float] = (0.02, 0.02)
    distance: tuple[float, float] = (0.9, 1.1)

    def __post_init__(self) -> None:
        view_set(self.views)
        check_style(self.style)
        for radius in self.radius:
            check_radius(radius)
        for name, least in (("points", 1), ("radius", 0.0), ("distance", 0.1)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise OptionError(f"{name} is {low} to {high}: expected two numbers from {least}, the smaller first")
        if self.image_size < 0:
            raise OptionError(f"image_size is {self.image_size}: expected pixels, or 0 for the backbone's own size")


class Batch(NamedTuple):
    """One process's part of a batch.

    Attributes:
        depth: [2, N, 1, S, S], two depth maps of each model in [0, 1].
        image: [N, D] features of its picture, or None.
        caption: [N] number of its caption, or None.
    """

    depth: Tensor
    image: Tensor | None
    caption: Tensor | None


class PairBatches:
    """Batches of a set of pairs.

    Attributes:
        steps_per_epoch: whole batches in a round through the pairs.
        unit: see ``Batches``.

    Args:
        pairs: the models.
        image_size: S, pixels.
        batch_size: models in a batch, over all processes together.
        rendering: see there.
        augmentation: see there.
        images: features of the pictures, or None to do without.
        vocabulary: captions, or None to do without.
        balance: 0 to show every model once a round; up to 1 to show each name equally often.
        seed: of every draw.
        rank: which process this is.
        world_size: how many there are.
        device: where the depth maps are rendered.

    Raises:
        OptionError: if a batch does not fit the pairs or the processes.
    """

    unit: str = "pairs"

    def __init__(
        self,
        pairs: PairSet,
        *,
        image_size: int,
        batch_size: int,
        rendering: RenderingSettings,
        augmentation: AugmentationSettings,
        images: ImageFeatures | None = None,
        vocabulary: Vocabulary | None = None,
        balance: float = 0.0,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size % world_size:
            raise OptionError(
                f"batch_size is {batch_size}: expected a multiple of the number of processes, {world_size}"
            )
        if batch_size > len(pairs):
            raise OptionError(
                f"batch_size is {batch_size}: expected at most the number of models, {len(pairs)}; give --batch-size"
            )
        self.steps_per_epoch = len(pairs) // batch_size
        self._pairs, self._images, self._vocabulary = pairs, images, vocabulary
        self._rendering, self._augmentation, self._size = rendering, augmentation, image_size
        self._seed, self._batch_size, self._device = seed, batch_size, torch.device(device)
        share = batch_size // world_size
        self._part = slice(rank * share, (rank + 1) * share)
        self._views = view_set(rendering.views)
        self._picture_views = len(view_set(pairs.views))
        self._order = lru_cache(maxsize=2)(self._new_order)
        self._shares = _shares(pairs, balance) if balance > 0 else None

    def batch(self, step: int) -> Batch:
        """This process's part of the batch of a step, from 0; the same at every call."""
        epoch, number = divmod(step, self.steps_per_epoch)
        start = number * self._batch_size
        models = self._order(epoch)[start : start + self._batch_size][self._part]
        places = range(self._part.start, self._part.stop)
        draws = [np.random.default_rng((self._seed, 1, step, place)) for place in places]
        views = [int(rng.integers(len(self._views))) for rng in draws]
        depth = torch.empty(2, len(models), 1, self._size, self._size, device=self._device)
        for view in sorted(set(views)):
            rows = [row for row, drawn in enumerate(views) if drawn == view]
            depth[:, rows, 0] = self._rendered(step, view, models[rows], [draws[row] for row in rows])
        return Batch(depth, self._image_features(models, views, draws), self._captions(models, draws))

    def _rendered(self, step: int, view: int, models: NDArray[np.int64], draws: list[np.random.Generator]) -> Tensor:
        """Depth maps [2, n, S, S] of one view of n models; they share their number of points and their discs."""
        rng = np.random.default_rng((self._seed, 2, step, view))
        settings = self._rendering
        count = int(rng.integers(settings.points[0], settings.points[1], endpoint=True))
        radius = float(rng.uniform(*settings.radius))
        clouds = np.stack([self._clouds(model, count, draw) for model, draw in zip(models, draws, strict=True)], axis=1)
        distances = np.stack([draw.uniform(*settings.distance, size=(2, 1)) for draw in draws], axis=1)
        images = render_depth(
            torch.from_numpy(clouds.reshape(-1, count, 3)).to(self._device),
            ViewSet(f"{self._views.name}[{view}]", (self._views.angles[view],)),
            distances.reshape(-1, 1).astype(np.float32),
            image_size=self._size,
            radius=radius,
            style=settings.style,
        )
        return images[:, 0].unflatten(0, (2, len(models)))

    def _clouds(self, model: int, count: int, draw: np.random.Generator) -> NDArray[np.float32]:
        """[2, N, 3] points for the two depth maps of a model."""
        points = self._pairs.points(model)
        first = augment(points, self._augmentation, count, draw)
        second = augment(points, self._augmentation, count, draw) if self._augmentation.independent else first
        return np.stack([first, second])

    def _image_features(
        self, models: NDArray[np.int64], views: list[int], draws: list[np.random.Generator]
    ) -> Tensor | None:
        """Features of the pictures of the same views, or of any views if the pictures have others."""
        if self._images is None:
            return None
        if self._views.name != self._pairs.views:
            views = [int(draw.integers(self._picture_views)) for draw in draws]
        rows = [self._images(int(model), view) for model, view in zip(models, views, strict=True)]
        return torch.from_numpy(np.stack(rows)).to(self._device)

    def _captions(self, models: NDArray[np.int64], draws: list[np.random.Generator]) -> Tensor | None:
        if self._vocabulary is None:
            return None
        numbers = [self._vocabulary.draw(int(model), draw) for model, draw in zip(models, draws, strict=True)]
        return torch.tensor(numbers, device=self._device)

    def _new_order(self, epoch: int) -> NDArray[np.int64]:
        """The models of a round, in the order in which they are shown."""
        rng = np.random.default_rng((self._seed, 0, epoch))
        if self._shares is None:
            return rng.permutation(len(self._pairs))
        return rng.choice(len(self._pairs), len(self._pairs), p=self._shares)


def _shares(pairs: PairSet, balance: float) -> NDArray[np.float64]:
    """How often each model is shown: models with a common name less often."""
    names = [info.captions[0].lower() for info in pairs.infos]
    _, inverse, counts = np.unique(names, return_inverse=True, return_counts=True)
    shares = counts[inverse].astype(np.float64) ** -balance
    return np.asarray(shares / shares.sum())
