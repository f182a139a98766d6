"""The recogniser: shapes and words in, class names or embeddings out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import PATHS, Backbone, shapes_per_batch
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.arrays import Float32, softmax, to_array
from clip2point.core.errors import OptionError, ShapeError
from clip2point.core.everyday import EVERYDAY
from clip2point.core.labels import check_labels, name_label
from clip2point.core.read_ahead import read_ahead, take_batches
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.adapter_answers import NOTE, check_adapter, score_by_adapter
from clip2point.model.kept_samples import Sampled, sample_kept
from clip2point.model.kept_texts import encode_labels
from clip2point.model.kept_views import KeptViews
from clip2point.model.label_notes import note_labels
from clip2point.model.results import Classification, Embedding, Failure, Guess
from clip2point.model.settings import Settings
from clip2point.model.zero_shot import view_cosines
from clip2point.rendering import render_depth, view_set
from clip2point.shapes import Shape, ShapeLike, as_shape, check_up, prepare_points, to_y_up
from clip2point.shapes.isolation import isolate_object
from clip2point.shapes.preparation import check_list

if TYPE_CHECKING:
    from clip2point.core.arrays import Array
    from clip2point.heads import DPA
    from clip2point.heads.ood import OODDetector

#: Up-axes that are tried where neither the caller nor the file declares one: those that software uses.
GUESSED_UP = ("y", "z")


@dataclass(frozen=True)
class _Question:
    """A question that is asked of many shapes.

    Attributes:
        labels: Class names to choose from.
        notes: Remarks on them.
        threshold: Confidence below which a shape counts as unknown.
        ood: Detector of shapes that are like none of the labels, or None.
        top: Largest number of guesses.
        seed: Seed of the point sampling.
        keep_views: Keep the depth maps in the answers.
    """

    labels: list[str]
    notes: tuple[str, ...]
    threshold: float
    ood: OODDetector | None
    top: int
    seed: int
    keep_views: bool


class _Scores(NamedTuple):
    """Scores of B poses for C labels.

    Attributes:
        scores: [B, C] float32.
        confidences: [B, C] float64, each row sums to 1.
        cosines: [B, V, C] cosines of the views; V is 0 where a head or adapter answers.
        vectors: [B, D] unit vectors, as of ``Recogniser.embed``.
    """

    scores: Float32
    confidences: NDArray[np.float64]
    cosines: Float32
    vectors: Float32


class Recogniser:
    """A backbone with its settings; made by ``clip2point.load``.

    Args:
        backbone: Towers.
        settings: Rendering and prompt settings.
        name: Name of the model, for reports.
        adapter: Adapter that came with the model, or None: from the features [B, V, D] of the depth tower and of the
            image tower for the same depth maps to features [B, D] of shapes, which are compared with class names where
            no head answers.
        adapted: Head that learned from examples and gives the answers, or None for zero-shot recognition.

    Examples:
        >>> import clip2point, numpy as np
        >>> model = clip2point.load("pocket")
        >>> rod = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32) * [0.1, 0.1, 5]
        >>> answer = model.classify(rod, ["chair", "baseball bat"], up="z")
        >>> answer.label, round(sum(guess.confidence for guess in answer.guesses), 6)
        ('baseball bat', 1.0)
        >>> model.embed([rod, rod], up="z").shape
        (2, 384)
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
        self._class_features: dict[tuple[str, ...], Float32] = {}
        self._label_notes: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __sklearn_clone__(self) -> Recogniser:
        """Clones of an estimator share its model, which none of them changes."""
        return self

    def with_settings(self, settings: Settings) -> Recogniser:
        """Return the same model under other settings.

        Raises:
            OptionError: If the model has a head or an adapter, which was fitted on other views.
        """
        if self.adapted is None and self.adapter is not None and settings.views != self.settings.views:
            check_adapter(self.adapter, self.backbone, settings, self.name)
        if self.adapted is not None and settings.views != self.settings.views:
            raise OptionError(
                f"views {settings.views}: the head of {self.name} was fitted on {self.settings.views}; leave the views "
                "away, or fit it again on others"
            )
        return Recogniser(self.backbone, settings, self.name, self.adapter, self.adapted)

    def with_head(self, adapted: AdaptedHead) -> Recogniser:
        """Return the same model under the same settings, with answers by a head that learned from its features."""
        return Recogniser(self.backbone, self.settings, self.name, self.adapter, adapted)

    def without_head(self) -> Recogniser:
        """Return the zero-shot model under the same settings, without head or adapter; itself if it has neither."""
        if self.adapted is None and self.adapter is None:
            return self
        name = self.name if self.adapted is None else self.adapted.base
        return Recogniser(self.backbone, self.settings, name)

    def classify(
        self,
        shape: ShapeLike,
        labels: Sequence[str] | None = None,
        *,
        up: str = "auto",
        prepare: str = "auto",
        top: int = 5,
        seed: int = 0,
        unknown_below: float | None = None,
        keep_views: bool = True,
    ) -> Classification:
        """Name one shape.

        Args:
            shape: Path of a file, Shape, or points [N, 3].
            labels: Class names to choose from: "mug|cup" are synonyms, "@modelnet40" is a preset; by default those that
                the model's head learned, or "@everyday".
            up: Axis that points up; "auto" takes the one that the shape or its file format declares, and where they do
                not, tries y and z and keeps the more confident.
            prepare: Treatment of what is not the object (strays, small things far away, a floor below it): "auto" sets
                apart what is clear, "scan" what is likely as well, "none" nothing. Notes say what was done.
            top: Largest number of names in the answer.
            seed: Seed of the point sampling.
            unknown_below: Confidence in [0, 1] below which a shape counts as unknown. By default the confidence and OOD
                thresholds of the model's head among the head's own classes, and none otherwise.
            keep_views: Keep the depth maps in the answer, for notebooks to show.

        Returns:
            The best names with their scores.

        Raises:
            ShapeError: If the shape cannot be read.
            OptionError: If an argument makes no sense, or the model's head knows no classes but its own.
        """
        question = self._ask(labels, unknown_below, top, seed, keep_views)
        return self._classify_batch([self._sample(shape, up, seed, prepare)], question, KeptViews(self))[0]

    def classify_many(
        self,
        shapes: Iterable[ShapeLike],
        labels: Sequence[str] | None = None,
        *,
        up: str = "auto",
        prepare: str = "auto",
        top: int = 5,
        seed: int = 0,
        unknown_below: float | None = None,
        keep_views: bool = False,
    ) -> Iterator[Classification | Failure]:
        """Name any number of shapes, in order and as a stream: only a few batches are ever in memory.

        Args:
            shapes: Paths of files, Shapes or point arrays. One that cannot be read gives a Failure; the others go
                through.
            labels: Class names, see ``classify``.
            up: Axis that points up, see ``classify``.
            prepare: Treatment of what is not the object, see ``classify``.
            top: Largest number of names in an answer.
            seed: Seed of the point sampling, the same for every shape.
            unknown_below: Confidence threshold, see ``classify``.
            keep_views: Keep the depth maps in the answers.

        Yields:
            A Classification or a Failure for each shape.
        """
        question = self._ask(labels, unknown_below, top, seed, keep_views)
        check_up(up, auto=True)
        size, kept = shapes_per_batch(len(self.views)), KeptViews(self)
        outcomes = read_ahead(lambda shape: self._try_sample(shape, up, seed, prepare), check_list(shapes), size * 2)
        for batch in take_batches(outcomes, size):
            sampled = [item for item in batch if isinstance(item, Sampled)]
            answers = iter(self._classify_batch(sampled, question, kept))
            for item in batch:
                yield item if isinstance(item, Failure) else next(answers)

    def embed(
        self, shapes: Iterable[ShapeLike], *, up: str = "auto", prepare: str = "auto", seed: int = 0
    ) -> NDArray[np.float32]:
        """Embed shapes: one unit vector each, the mean of the unit features of its views, made unit again.

        A head has no part in it.

        Args:
            shapes: Paths of files, Shapes or point arrays.
            up: Axis that points up; "auto" takes the declared one, and y where none is declared.
            prepare: Treatment of what is not the object, see ``classify``.
            seed: Seed of the point sampling.

        Returns:
            [B, D] float32.

        Raises:
            ShapeError: If a shape cannot be read.
        """
        rows = []
        for item in self.embed_many(shapes, up=up, prepare=prepare, seed=seed):
            if isinstance(item, Failure):
                raise ShapeError(item.error)
            rows.append(item.vector)
        return np.stack(rows) if rows else np.empty((0, self.backbone.dim), dtype=np.float32)

    def embed_many(
        self, shapes: Iterable[ShapeLike], *, up: str = "auto", prepare: str = "auto", seed: int = 0
    ) -> Iterator[Embedding | Failure]:
        """Embed any number of shapes as ``embed`` does, in order and as a stream.

        Args:
            shapes: Paths of files, Shapes or point arrays. One that cannot be read gives a Failure; the others go
                through.
            up: Axis that points up, see ``embed``.
            prepare: Treatment of what is not the object, see ``classify``.
            seed: Seed of the point sampling, the same for every shape.

        Yields:
            An Embedding or a Failure for each shape.
        """
        check_up(up, auto=True)
        size, kept = shapes_per_batch(len(self.views)), KeptViews(self)
        outcomes = read_ahead(lambda shape: self._try_sample(shape, up, seed, prepare), check_list(shapes), size * 2)
        for batch in take_batches(outcomes, size):
            sampled = [item for item in batch if isinstance(item, Sampled)]
            clouds = [to_y_up(item.points, item.ups[0]) for item in sampled]
            vectors = iter(mean_unit_features(kept.encode(np.stack(clouds))[:, 0]) if clouds else ())
            for item in batch:
                yield item if isinstance(item, Failure) else self._describe(item, next(vectors), seed)

    def _describe(self, item: Sampled, vector: Float32, seed: int) -> Embedding:
        """Return the embedding of a sampled shape, with a note on an up-axis that nobody declared."""
        up, assumed = item.ups[0], item.up_from == "guessed"
        notes = (*item.notes, *([f"the up-axis is not declared: {up} was assumed"] if assumed else []))
        up_from = "assumed" if assumed else item.up_from
        return Embedding(item.source, vector, up, up_from, len(item.points), seed, self.name, notes)

    def class_features(self, labels: Sequence[str]) -> Float32:
        """Return text features [C, D] of class names under the model's templates; computed once."""
        key = tuple(labels)
        if key not in self._class_features:
            self._class_features[key] = encode_labels(self.backbone, key, self.settings.templates)
        return self._class_features[key]

    def note_labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return remarks on class names that the text tower cannot tell apart or may not know, each one line."""
        key = tuple(labels)
        if key not in self._label_notes:
            self._label_notes[key] = note_labels(self.backbone, key, self.class_features(key))
        return self._label_notes[key]

    def depth_maps(self, points: NDArray[np.float32], distances: NDArray[np.float32] | None = None) -> Array:
        """Render points under the model's own settings.

        Args:
            points: [B, N, 3] points in the unit sphere, y up.
            distances: [B, V] distances of the cameras; 1 by default.

        Returns:
            [B, V, S, S] depth maps: an array, or a tensor on the model's device where that is no CPU.
        """
        return render_depth(
            self._place(points),
            self.views,
            distances,
            image_size=self.backbone.image_size,
            radius=self.settings.radius,
            style=self.settings.style,
        )

    def _place(self, points: NDArray[np.float32]) -> Array:
        """Return points as they are, or as a tensor on the model's device where that is no CPU."""
        if str(self.backbone.device) == "cpu":
            return points
        import torch

        return torch.from_numpy(points).to(self.backbone.device)

    def _ask(
        self, labels: Sequence[str] | None, unknown_below: float | None, top: int, seed: int, keep_views: bool
    ) -> _Question:
        """Return the question of ``classify``; OptionError if the model cannot answer it."""
        own = EVERYDAY if self.adapted is None else self.adapted.classes
        names = check_labels(own if labels is None else labels)
        notes: tuple[str, ...] = ()
        if self.adapted is not None:
            names = [self.adapted.find_class(name) for name in names]
            self.adapted.check_labels(names)
        elif self.adapter is not None:
            check_adapter(self.adapter, self.backbone, self.settings, self.name)
            notes = (NOTE, *(() if labels is None else self.note_labels(names)))
        elif labels is not None:
            notes = self.note_labels(names)
        if unknown_below is not None:
            if not 0 <= unknown_below <= 1:
                raise OptionError(f"unknown below {unknown_below}: expected a confidence from 0 to 1")
            return _Question(names, notes, unknown_below, None, top, seed, keep_views)
        if self.adapted is None or set(names) != set(self.adapted.classes):
            return _Question(names, notes, 0.0, None, top, seed, keep_views)
        return _Question(names, notes, self.adapted.threshold or 0.0, self.adapted.ood, top, seed, keep_views)

    def _sample(self, shape: ShapeLike, up: str, seed: int, prepare: str) -> Sampled:
        """Read a shape and draw its points, or find those of a file that was read before."""
        if not isinstance(shape, str | os.PathLike):
            return self._draw(shape, up, seed, prepare)
        check_up(up, auto=True)
        settings = {"up": up, "points": self.settings.points, "seed": seed, "prepare": prepare}
        return sample_kept(shape, settings, lambda: self._draw(shape, up, seed, prepare))

    def _draw(self, shape: ShapeLike, up: str, seed: int, prepare: str) -> Sampled:
        """Read a shape and draw its points."""
        up_from = "format" if up == "auto" and isinstance(shape, str | os.PathLike) else "declared"
        shape = isolate_object(as_shape(shape, up), prepare)
        ups = (shape.up,) if shape.up != "auto" else GUESSED_UP
        # Rotated later, for each axis that is tried.
        points = prepare_points(shape, self.settings.points, seed, up="y")
        return Sampled(shape.source, points, ups, up_from if len(ups) == 1 else "guessed", shape.notes)

    def _try_sample(self, shape: ShapeLike, up: str, seed: int, prepare: str) -> Sampled | Failure:
        """Read a shape and draw its points, or return a Failure if it cannot be read."""
        try:
            return self._sample(shape, up, seed, prepare)
        except ShapeError as error:
            if isinstance(shape, Shape):
                return Failure(shape.source, str(error))
            return Failure(str(shape) if isinstance(shape, str | os.PathLike) else "array", str(error))

    def _score(self, clouds: Float32, labels: Sequence[str], kept: KeptViews) -> _Scores:
        """Score labels for clouds [B, N, 3] in the unit sphere, y up, by the head if there is one."""
        if self.adapted is not None:
            paths = kept.encode(clouds, PATHS)
            scores = to_array(self.adapted.scores(paths, labels, self.class_features))
            no_cosines = np.empty((len(scores), 0, len(labels)), np.float32)
            vectors = mean_unit_features(paths[:, PATHS.index("depth")])
            return _Scores(scores, self.adapted.confidences(scores), no_cosines, vectors)
        if self.adapter is not None:
            paths = kept.encode(clouds, PATHS)
            scores = score_by_adapter(self.adapter, paths, self.class_features(labels))
            confidences = softmax(scores.astype(np.float64) * self.backbone.logit_scale)
            no_cosines = np.empty((len(scores), 0, len(labels)), np.float32)
            return _Scores(scores, confidences, no_cosines, mean_unit_features(paths[:, PATHS.index("depth")]))
        features = kept.encode(clouds)[:, 0]
        cosines = view_cosines(features, self.class_features(labels))
        scores = cosines.mean(1)
        confidences = softmax(scores.astype(np.float64) * self.backbone.logit_scale)
        return _Scores(scores, confidences, cosines, mean_unit_features(features))

    def _classify_batch(self, batch: Sequence[Sampled], question: _Question, kept: KeptViews) -> list[Classification]:
        """Answer a question for sampled shapes; of several up-axes the one with the most confident answer is kept."""
        if not batch:
            return []
        poses = [(index, up) for index, item in enumerate(batch) for up in item.ups]
        clouds = np.stack([to_y_up(batch[index].points, up) for index, up in poses])
        found = self._score(clouds, question.labels, kept)
        foreign = [False] * len(poses) if question.ood is None else question.ood.detect(found.vectors).tolist()
        best: dict[int, int] = {}
        for row, (index, _) in enumerate(poses):
            if index not in best or found.confidences[row].max() > found.confidences[best[index]].max():
                best[index] = row
        return [
            Classification(
                source=item.source,
                guesses=_rank_labels(question, found, row),
                up=poses[row][1],
                up_from=item.up_from,
                points=len(item.points),
                seed=question.seed,
                model=self.name,
                unknown=bool(found.confidences[row].max() < question.threshold) or foreign[row],
                in_distribution=not foreign[row],
                depth=to_array(self.depth_maps(clouds[row : row + 1]))[0] if question.keep_views else None,
                vector=found.vectors[row],
                notes=(*question.notes, *_collect_notes(item, poses[row][1])),
            )
            for item, row in ((item, best[index]) for index, item in enumerate(batch))
        ]


def _collect_notes(item: Sampled, up: str) -> tuple[str, ...]:
    """Return the remarks of the reader, and one on an up-axis that nobody declared."""
    if item.up_from != "guessed":
        return item.notes
    return (*item.notes, f"the up-axis is not declared: {up} was recognised more confidently")


def _rank_labels(question: _Question, found: _Scores, row: int) -> tuple[Guess, ...]:
    """Return the best labels of a pose; ties go to the earlier label."""
    scores, confidences, cosines = found.scores[row], found.confidences[row], found.cosines[row]
    order = np.argsort(-scores, kind="stable")[: question.top]
    return tuple(
        Guess(name_label(question.labels[c]), float(scores[c]), float(confidences[c]), tuple(map(float, cosines[:, c])))
        for c in order
    )
