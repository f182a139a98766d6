"""The protocols that learn: heads fitted to a few examples of each class, or to a whole train split, and measured.

Every head sees the same examples and the same test features. Test shapes take no part in any choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.adaptation.fine_tuning_settings import FineTuningRun, Watch
from clip2point.adaptation.tower_tuning import tune_tower_once
from clip2point.core.arrays import to_array
from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.core.registries import HEADS
from clip2point.data import Dataset, sample_dataset
from clip2point.data.parts import Parts
from clip2point.data.shots import Labelled, draw_shots
from clip2point.evaluation.comparison import ZERO_SHOT, Comparison, Fit
from clip2point.evaluation.fitting import TARGET, Draw, Task, fit_zero_shot
from clip2point.evaluation.protocol_settings import SHOTS, VALIDATION_SHOTS, ProtocolSettings
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import ViewFeatures, extract_features
from clip2point.heads.head_registry import parse_head, reads_points
from clip2point.model import Recogniser

#: Seed of the points and of the augmented views. The seeds of a comparison draw examples and start the training.
_POINT_SEED = 0

Drawing = Callable[[Labelled, int, int], NDArray[np.int64]]


def list_feature_heads() -> tuple[str, ...]:
    """Return the names of the built-in heads that learn from view features.

    Examples:
        >>> "linear" in list_feature_heads(), "zero-shot" in list_feature_heads()
        (True, False)
    """
    return tuple(name for name in HEADS.built_in if name != ZERO_SHOT)


def compare_few_shot(
    model: Recogniser,
    parts: Parts,
    settings: ProtocolSettings | None = None,
    *,
    command: str = "",
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare heads that learn from a few examples of each class.

    The shots of a seed are nested and the same for every head. Options, temperature and threshold are chosen on
    validation shapes that no head learns from. The points of every shape are drawn once. Where a tower is tuned, it
    learns from the examples of each draw alone, and the heads read its features: so few validation shapes cannot tell
    good weights from better ones, and choose for the heads only.

    Args:
        model: Model whose features the heads read.
        parts: Data set with a declared up-axis.
        settings: Heads, shots, seeds, augmented views and tuning.
        command: Command line for the record.
        watch: Opener of a callback for the training of a tower.
        progress: Progress callback.

    Raises:
        OptionError: A setting makes no sense, or the data set does not say which way is up.
        DataError: A class has too few shapes, or none of a split can be read.
    """
    settings = settings or ProtocolSettings()
    work = _Work(model, parts, settings, watch, progress)
    heads, seeds = _check_heads(settings.heads, points=False), range(settings.seeds or 5)
    shots = sorted(set(settings.shots)) or _choose_shots(parts.train)
    draw_shots(parts.train, shots[-1], seed=0)  # too few shapes are found out now, not after minutes of rendering

    def draw_validation(dataset: Labelled, count: int, seed: int) -> NDArray[np.int64]:
        return draw_shots(dataset, settings.validation_shots or min(count, VALIDATION_SHOTS), seed, fewer=True)

    test = work.extract(model, parts.test, 1)
    train, lost = _draw_readable(work, parts.train, draw_shots, shots[-1], seeds)
    validation, lost_too = _draw_readable(work, parts.validation, draw_validation, shots[-1], seeds)
    draws = [
        Draw(count, seed, draw_shots(train, count, seed), draw_validation(validation, count, seed))
        for count in shots
        for seed in seeds
    ]
    fits = (
        _fit_all(work.make_task(model, train, validation, test), heads, draws, progress)
        if settings.unfreeze is None
        else _fit_on_tuned_towers(work, train, validation, heads, draws)
    )
    return Comparison(
        model=model,
        parts=parts,
        protocol="few-shot",
        zero_shot=fit_zero_shot(model, test),
        fits=fits,
        settings={
            **work.describe(model),
            "validation_shots": settings.validation_shots or f"as many as shots, at most {VALIDATION_SHOTS}",
        },
        failures=(*lost, *lost_too, *test.sampled.failures),
        command=command,
    )


def compare_supervised(
    model: Recogniser,
    parts: Parts,
    settings: ProtocolSettings | None = None,
    *,
    command: str = "",
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare heads, and classifiers of points, that learn from the whole train split.

    Options, temperature and threshold are chosen on the validation split; then each head is fitted once more on all
    of train, with the options that were chosen. Where a tower is tuned, it learns from the train split once, and the
    heads read its features.

    Args:
        model: Model whose features the heads read, and which is measured zero-shot.
        parts: Data set with a declared up-axis.
        settings: Heads, seeds, augmented views and tuning; classifiers of points learn from the train split less
            validation.
        command: Command line for the record.
        watch: Opener of a callback for the training of a tower.
        progress: Progress callback.

    Raises:
        OptionError: A setting makes no sense, or the data set does not say which way is up.
        DataError: No shape of a split can be read.
    """
    settings = settings or ProtocolSettings()
    work = _Work(model, parts, settings, watch, progress)
    heads = _check_heads(settings.heads, points=True)
    test = work.extract(model, parts.test, 1)
    zero_shot = fit_zero_shot(model, test)
    if settings.unfreeze is not None:
        model = work.tune(parts.train, parts.validation, 0)
        test = work.extract(model, parts.test, 1)
    # Heads learn from validation shapes in the end, so these have augmented views, too.
    train, validation = (
        work.extract(model, part, settings.augmented_views) for part in (parts.train, parts.validation)
    )
    draw_shots(train.sampled, 1, seed=0)  # names a class that is left without a shape
    text = to_array(model.class_features(parts.test.classes))
    task = Task(train, validation, test, text, model.backbone.logit_scale, refit=True)
    return Comparison(
        model=model,
        parts=parts,
        protocol="supervised",
        zero_shot=zero_shot,
        fits=_fit_all(task, heads, [Draw(None, seed) for seed in range(settings.seeds or 1)], progress),
        settings=work.describe(model),
        failures=tuple(failure for found in (train, validation, test) for failure in found.sampled.failures),
        command=command,
    )


@dataclass(frozen=True)
class _Work:
    """The parts of a comparison that both protocols share."""

    model: Recogniser
    parts: Parts
    settings: ProtocolSettings
    watch: Watch | None
    progress: Progress | None

    def extract(self, model: Recogniser, dataset: Dataset, views: AugmentedViewSettings | int) -> ViewFeatures:
        """Extract the features of a data set under a model."""
        return extract_features(model, dataset, views, seed=_POINT_SEED, progress=self.progress)

    def tune(self, train: Dataset, validation: Dataset | None, seed: int) -> Recogniser:
        """Tune the tower of the model, or find it in the cache."""
        run = FineTuningRun(watch=self.watch, progress=self.progress)
        tuned = tune_tower_once(self.model, train, validation, self.settings, seed, run)
        name = f"{self.model.name}, tuned ({self.settings.unfreeze})"
        return Recogniser(tuned.backbone, self.model.settings, name)

    def make_task(self, model: Recogniser, train: Dataset, validation: Dataset, test: ViewFeatures) -> Task:
        """Make the task of few-shot, where validation shapes are chosen by and never learned from."""
        examples = self.extract(model, train, self.settings.augmented_views)
        text = to_array(model.class_features(test.sampled.classes))
        chosen_by = self.extract(model, validation, 1)
        return Task(examples, chosen_by, test, text, model.backbone.logit_scale, refit=False)

    def describe(self, model: Recogniser) -> dict[str, Any]:
        """Return everything that figures depend on besides the model and the data."""
        return {
            **model.settings.to_dict(),
            "up": self.parts.test.up,
            "dtype": str(model.backbone.dtype).removeprefix("torch."),
            "copies": asdict(AugmentedViewSettings.of(self.settings.augmented_views)),
            "point_seed": _POINT_SEED,
            "target": TARGET,
        }


def _check_heads(heads: Sequence[str], *, points: bool) -> tuple[str, ...]:
    """Return each head once, with its options or without; all built-in ones if none is given.

    Args:
        heads: Names, with options or without.
        points: True if the protocol has classifiers of points, too.
    """
    for head in heads:
        name, _ = parse_head(head)
        if reads_points(name) and not points:
            raise OptionError(f"{name} learns from whole train splits only: expected --protocol supervised")
    return tuple(dict.fromkeys(name for name in heads if name != ZERO_SHOT)) or list_feature_heads()


def _choose_shots(train: Dataset) -> list[int]:
    """The usual numbers of shots that every class has; the least of them in any case."""
    least = np.bincount(train.labels, minlength=len(train.classes)).min(initial=SHOTS[-1])
    return [shots for shots in SHOTS if shots <= max(least, SHOTS[0])]


def _draw_readable(
    work: _Work, dataset: Dataset, draw: Drawing, shots: int, seeds: range
) -> tuple[Dataset, tuple[tuple[str, str], ...]]:
    """All shapes that some seed draws, and those that were drawn but could not be read.

    Others are drawn in their place. Because a shape keeps its turn whatever others there are, every seed draws the
    same from these shapes as from the whole data set.
    """
    failures: list[tuple[str, str]] = []
    while True:
        rows = np.unique(np.concatenate([draw(dataset, shots, seed) for seed in seeds]))
        chosen = dataset.take(rows)
        sampled = sample_dataset(chosen, work.model.settings.points, _POINT_SEED, progress=work.progress)
        if not sampled.failures:
            return chosen, tuple(failures)
        failures += sampled.failures
        broken = dict(failures)
        dataset = dataset.take([row for row, name in enumerate(dataset.names) if name not in broken])


def _fit_on_tuned_towers(
    work: _Work, train: Dataset, validation: Dataset, heads: Sequence[str], draws: Sequence[Draw]
) -> tuple[Fit, ...]:
    """Fit every head on the features of a tower that was tuned on the examples of each draw."""
    fits: list[Fit] = []
    for draw in draws:
        assert draw.train is not None
        assert draw.validation is not None
        examples = train.take(draw.train)
        tuned = work.tune(examples, None, draw.seed)
        test = work.extract(tuned, work.parts.test, 1)
        task = work.make_task(tuned, examples, validation.take(draw.validation), test)
        fits += _fit_all(task, heads, [Draw(draw.shots, draw.seed)], work.progress)
    return tuple(fits)


def _fit_all(task: Task, heads: Sequence[str], draws: Sequence[Draw], progress: Progress | None) -> tuple[Fit, ...]:
    """Fit every head on every draw, and then the classifiers of points, each with a progress of its own."""
    of_points = [head for head in heads if reads_points(head.partition(":")[0])]
    pairs = [(draw, head) for draw in draws for head in heads if head not in of_points]
    fits = [task.fit(head, draw) for draw, head in (pairs if progress is None else progress(pairs, len(pairs)))]
    return (*fits, *(task.fit_point_classifier(head, draw.seed, progress) for draw in draws for head in of_points))
