"""The recogniser: shapes and words in, class names or embeddings out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip2point.backbones import PATHS, Backbone, shapes_per_batch
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.errors import OptionError, ShapeError
from clip2point.core.labels import MODELNET40, check_labels
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.encoding import encode_paths
from clip2point.model.results import Classification, Failure, Guess
from clip2point.model.settings import Settings
from clip2point.model.zero_shot import class_features, view_cosines
from clip2point.rendering import render_depth, view_set
from clip2point.shapes import Shape, ShapeLike, as_shape, check_up, prepare_points, to_y_up

if TYPE_CHECKING:
    from clip2point.heads import DPA
    from clip2point.heads.ood import Familiarity

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Up-axes that are tried where neither the caller nor the file says which way is up: those that software uses.
GUESSED_UP = ("y", "z")


class _Limits(NamedTuple):
    """When a shape counts as unknown.

    Attributes:
        confidence: below which it does.
        familiarity: tells whether it is like what was learned; None if that has no part in it.
    """

    confidence: float
    familiarity: Familiarity | None


@dataclass(frozen=True)
class _Sampled:
    """Points of one shape, ready to be rendered.

    Attributes:
        source: of the shape.
        points: [N, 3] float32 in the unit sphere, in the shape's own axes.
        ups: up-axes to try.
        up_from: see ``Classification``.
    """

    source: str
    points: NDArray[np.float32]
    ups: tuple[str, ...]
    up_from: str


class Recogniser:
    """A backbone with its settings; made by ``clip2point.load``.

    Args:
        backbone: the towers.
        settings: how shapes are rendered and names prompted.
        name: of the model, for reports.
        adapter: that came with the model, or None: from the features [B, V, D] of the depth tower and of the image
            tower for the same depth maps to features [B, D] of shapes. Recognition does not use it.
        adapted: head that learned from examples and now gives the answers, or None for zero-shot recognition.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: Settings,
        name: str,
        adapter: DPA | None = None,
        adapted: AdaptedHead | None = None,
    ) -> None:
        self.backbone, self.settings, self.name = backbone, settings, name
        self.adapter, self.adapted = adapter, adapted
        self.views = view_set(settings.views)
        self._class_features: dict[tuple[str, ...], Tensor] = {}

    def __sklearn_clone__(self) -> Recogniser:
        """Copies of an estimator share its model, which none of them changes."""
        return self

    def with_settings(self, settings: Settings) -> Recogniser:
        """The same model under other settings.

        Raises:
            OptionError: if the model has a head, which was fitted on other views.
        """
        if self.adapted is not None and settings.views != self.settings.views:
            raise OptionError(
                f"views {settings.views}: the head of {self.name} was fitted on {self.settings.views}; leave the views "
                "away, or fit it again on others"
            )
        return Recogniser(self.backbone, settings, self.name, self.adapter, self.adapted)

    def with_head(self, adapted: AdaptedHead) -> Recogniser:
        """The same model under the same settings, with answers by a head that learned from its features."""
        return Recogniser(self.backbone, self.settings, self.name, self.adapter, adapted)

    def without_head(self) -> Recogniser:
        """The zero-shot model that a head was fitted on, under the head's settings; this one if it has no head."""
        if self.adapted is None:
            return self
        return Recogniser(self.backbone, self.settings, self.adapted.base, self.adapter)

    def classify(
        self,
        shape: ShapeLike,
        labels: Sequence[str] | None = None,
        *,
        up: str = "auto",
        top: int = 5,
        seed: int = 0,
        unknown_below: float | None = None,
        keep_views: bool = True,
    ) -> Classification:
        """Name one shape.

        Args:
            shape: a file, a Shape, or points [N, 3].
            labels: class names to choose from; if not given, those that the model's head learned, or ModelNet40's.
            up: the axis that points up; "auto" believes the shape or its file format, and where they do not say tries
                y and z and keeps the more confident.
            top: how many names to return at most.
            seed: of the point sampling.
            unknown_below: confidence in [0, 1] below which a shape counts as unknown. If not given, the threshold and
                the least familiarity of the model's head among the head's own classes, and none otherwise.
            keep_views: whether the answer carries its depth maps, which notebooks show.

        Returns:
            The best names with their scores.

        Raises:
            ShapeError: if the shape cannot be read.
            OptionError: if an argument makes no sense, or the model's head knows no classes but its own.
        """
        names = self._names(labels)
        limits = self._limits(names, unknown_below)
        return self._classify_batch([self._sample(shape, up, seed)], names, limits, top, seed, keep_views)[0]

    def classify_many(
        self,
        shapes: Iterable[ShapeLike],
        labels: Sequence[str] | None = None,
        *,
        up: str = "auto",
        top: int = 5,
        seed: int = 0,
        unknown_below: float | None = None,
        keep_views: bool = False,
    ) -> Iterator[Classification | Failure]:
        """Name any number of shapes, in order and as a stream: only a few batches are ever in memory.

        Args:
            shapes: files, Shapes or point arrays. One that cannot be read gives a Failure; the others go through.
            labels: see ``classify``, as for the other arguments.
            up: see ``classify``.
            top: see ``classify``.
            seed: of the point sampling, the same for every shape.
            unknown_below: see ``classify``.
            keep_views: whether results carry their depth maps.

        Yields:
            A Classification or a Failure for each shape.
        """
        names = self._names(labels)
        limits = self._limits(names, unknown_below)
        check_up(up, auto=True)
        size = shapes_per_batch(len(self.views))
        outcomes = _read_ahead(lambda shape: self._try_sample(shape, up, seed), shapes, size * 2)
        while batch := list(islice(outcomes, size)):
            sampled = [item for item in batch if isinstance(item, _Sampled)]
            answers = iter(self._classify_batch(sampled, names, limits, top, seed, keep_views))
            for item in batch:
                yield item if isinstance(item, Failure) else next(answers)

    def embed(self, shapes: Iterable[ShapeLike], *, up: str = "auto", seed: int = 0) -> NDArray[np.float32]:
        """One unit vector a shape: the mean of its views' unit features, made unit again; a head has no part in it.

        Args:
            shapes: files, Shapes or point arrays.
            up: the axis that points up; where nobody says ("auto"), y.
            seed: of the point sampling.

        Returns:
            [B, D] float32.

        Raises:
            ShapeError: if a shape cannot be read.
        """
        check_up(up, auto=True)
        rows = []
        size = shapes_per_batch(len(self.views))
        sampled = _read_ahead(lambda shape: self._sample(shape, up, seed), shapes, size * 2)
        while batch := list(islice(sampled, size)):
            points = np.stack([to_y_up(item.points, item.ups[0]) for item in batch])
            rows.append(mean_unit_features(self._view_features(self.depth_maps(points))).cpu())
        return torch.cat(rows).numpy() if rows else np.empty((0, self.backbone.dim), dtype=np.float32)

    def class_features(self, labels: Sequence[str]) -> Tensor:
        """Text features [C, D] of class names under the model's templates; kept for the next call."""
        key = tuple(labels)
        if key not in self._class_features:
            self._class_features[key] = class_features(self.backbone, key, self.settings.templates)
        return self._class_features[key]

    def depth_maps(self, points: NDArray[np.float32], distances: NDArray[np.float32] | None = None) -> Tensor:
        """What the model sees of points: depth maps under its own settings.

        Args:
            points: [B, N, 3] in the unit sphere, y up.
            distances: [B, V] of the cameras; 1 if not given.

        Returns:
            [B, V, S, S] on the model's device.
        """
        on_device = torch.from_numpy(points).to(self.backbone.device)
        return render_depth(
            on_device,
            self.views,
            None if distances is None else torch.from_numpy(distances).to(self.backbone.device),
            image_size=self.backbone.image_size,
            radius=self.settings.radius,
            style=self.settings.style,
        )

    def _sample(self, shape: ShapeLike, up: str, seed: int) -> _Sampled:
        """Read a shape and draw its points."""
        up_from = "declared"
        if up == "auto" and isinstance(shape, str | os.PathLike):
            up_from = "format"
        shape = as_shape(shape, up)
        ups = (shape.up,) if shape.up != "auto" else GUESSED_UP
        points = prepare_points(shape, self.settings.points, seed, up="y")  # turned later, for each axis that is tried
        return _Sampled(shape.source, points, ups, up_from if len(ups) == 1 else "guessed")

    def _try_sample(self, shape: ShapeLike, up: str, seed: int) -> _Sampled | Failure:
        """Like ``_sample``, with a Failure for what cannot be read."""
        try:
            return self._sample(shape, up, seed)
        except ShapeError as error:
            source = shape.source if isinstance(shape, Shape) else str(shape) if not _is_array(shape) else "array"
            return Failure(source, str(error))

    def _names(self, labels: Sequence[str] | None) -> list[str]:
        """Labels to choose from, once it is known that the model can."""
        own = MODELNET40 if self.adapted is None else self.adapted.classes
        names = check_labels(own if labels is None else labels)
        if self.adapted is not None:
            self.adapted.check_labels(names)
        return names

    def _limits(self, names: Sequence[str], unknown_below: float | None) -> _Limits:
        """When a shape counts as unknown among labels."""
        if unknown_below is not None:
            if not 0 <= unknown_below <= 1:
                raise OptionError(f"unknown below {unknown_below}: expected a confidence from 0 to 1")
            return _Limits(unknown_below, None)
        if self.adapted is None or set(names) != set(self.adapted.classes):
            return _Limits(0.0, None)
        return _Limits(self.adapted.threshold or 0.0, self.adapted.familiarity)

    def _view_features(self, depth: Tensor) -> Tensor:
        """[B, V, D] of depth maps."""
        with torch.inference_mode():
            return self.backbone.encode_depth(depth)

    def _scores(self, depth: Tensor, labels: Sequence[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scores [B, C], confidences [B, C], cosines of views [B, V, C], vectors [B, D] as of ``embed``.

        Where a head answers there are no cosines: V is 0.
        """
        if self.adapted is not None:
            paths = encode_paths(self.backbone, depth)
            scores = self.adapted.scores(paths, labels, self.class_features)
            none = scores.new_empty(len(scores), 0, len(labels))
            return scores, self.adapted.confidences(scores), none, mean_unit_features(paths[:, PATHS.index("depth")])
        features = self._view_features(depth)
        cosines = view_cosines(features, self.class_features(labels)).cpu()
        scores = cosines.mean(1)
        return (
            scores,
            (scores.double() * self.backbone.logit_scale).softmax(-1),
            cosines,
            mean_unit_features(features).cpu(),
        )

    def _classify_batch(
        self,
        batch: Sequence[_Sampled],
        labels: Sequence[str],
        limits: _Limits,
        top: int,
        seed: int,
        keep_views: bool,
    ) -> list[Classification]:
        """Answers for sampled shapes; of several up-axes the one with the most confident answer is kept."""
        if not batch:
            return []
        poses = [(index, up) for index, item in enumerate(batch) for up in item.ups]
        depth = self.depth_maps(np.stack([to_y_up(batch[index].points, up) for index, up in poses]))
        scores, confidences, cosines, vectors = self._scores(depth, labels)
        familiar = [True] * len(poses)
        if limits.familiarity is not None:
            familiar = (limits.familiarity.of(vectors) >= limits.familiarity.least).tolist()
        best: dict[int, int] = {}
        for row, (index, _) in enumerate(poses):
            if index not in best or confidences[row].max() > confidences[best[index]].max():
                best[index] = row
        return [
            Classification(
                source=item.source,
                guesses=_ranked(labels, scores[row], confidences[row], cosines[row], top),
                up=poses[row][1],
                up_from=item.up_from,
                points=len(item.points),
                seed=seed,
                model=self.name,
                unknown=bool(confidences[row].max() < limits.confidence) or not familiar[row],
                familiar=familiar[row],
                depth=depth[row].cpu().numpy() if keep_views else None,
                vector=vectors[row].numpy(),
            )
            for item, row in ((item, best[index]) for index, item in enumerate(batch))
        ]


def _ranked(labels: Sequence[str], scores: Tensor, confidences: Tensor, cosines: Tensor, top: int) -> tuple[Guess, ...]:
    """The ``top`` labels by score [C]; ties go to the earlier label."""
    order = torch.argsort(scores, descending=True, stable=True)[:top].tolist()
    return tuple(
        Guess(labels[c], float(scores[c]), float(confidences[c]), tuple(map(float, cosines[:, c]))) for c in order
    )


def _is_array(shape: ShapeLike) -> bool:
    """Whether a shape was given as bare points."""
    return not isinstance(shape, str | os.PathLike | Shape)


def _read_ahead(function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Map in a background thread, in order, at most ``ahead`` results before they are asked for.

    One thread suffices: reading overlaps with the towers' work, and third-party readers need not be thread-safe.
    """
    pending: deque[Future[Result]] = deque()
    remaining = iter(items)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip2point-reader") as pool:
        try:
            for item in islice(remaining, ahead):
                pending.append(pool.submit(function, item))
            while pending:
                yield pending.popleft().result()
                for item in islice(remaining, 1):
                    pending.append(pool.submit(function, item))
        finally:
            for future in pending:
                future.cancel()
