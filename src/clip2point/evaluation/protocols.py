"""The protocols that learn: heads fitted on a few examples of each class, or on a whole train split, and measured.

Every head sees the same examples and the same test features. Test shapes take no part in any choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.core.progress import Progress
from clip2point.core.registries import HEADS
from clip2point.data import Dataset, sample_dataset
from clip2point.data.parts import Parts
from clip2point.data.shots import Labelled, draw_shots
from clip2point.evaluation.comparison import ZERO_SHOT, Comparison, Fit
from clip2point.evaluation.fitting import TARGET, Draw, Task, fit_zero_shot
from clip2point.features.augmented_views import AugmentedViewSettings
from clip2point.features.view_features import ViewFeatures, extract_features
from clip2point.heads.head_registry import parse_head, reads_points
from clip2point.model import Recogniser

#: Numbers of shots that papers report.
SHOTS = (1, 2, 4, 8, 16)
#: Most validation shapes of each class that few-shot choices are made by; fewer where there are fewer shots.
VALIDATION_SHOTS = 4
#: Of the points and of the augmented copies. The seeds of a comparison draw examples and start the training.
_POINT_SEED = 0

Drawing = Callable[[Labelled, int, int], NDArray[np.int64]]
#: Trains the depth tower of the model on shapes, with others to choose the best weights by or None, from a seed.
Tune = Callable[[Dataset, Dataset | None, int], Recogniser]


def feature_heads() -> tuple[str, ...]:
    """Names of the heads that learn from view features."""
    return tuple(name for name in HEADS.built_in if name != ZERO_SHOT)


def few_shot(
    model: Recogniser,
    parts: Parts,
    heads: Sequence[str] = (),
    *,
    shots: Sequence[int] = (),
    seeds: int = 5,
    copies: AugmentedViewSettings | None = None,
    validation_shots: int | None = None,
    tune: Tune | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Comparison:
    """Compare heads that learn from a few examples of each class.

    The shots of a seed are nested and the same for every head. Options, temperature and threshold are chosen on
    validation shapes that no head learns from. The points of every shape are drawn once.

    Args:
        model: whose features are used.
        parts: with a declared up-axis.
        heads: names, with options where others than validation's choice are wanted (``gdpa:gate=channel``); all that
            learn from view features if none is given.
        shots: numbers of examples of each class; if none is given, those of ``SHOTS`` that every class has.
        seeds: how many draws, seeds 0, 1, ...
        copies: of each example that heads learn from; the usual ones if not given.
        validation_shots: at most so many validation shapes of each class; if not given as many as there are shots, but
            at most ``VALIDATION_SHOTS``.
        tune: if given, the depth tower learns from the examples of each draw, and the heads read what it then gives.
            So few validation shapes cannot tell good weights from better ones; they choose for the heads alone.
        command: for the record.
        progress: wraps an iterable of a given length, to show how far it is.

    Raises:
        OptionError: if an argument makes no sense, or the data set does not say which way is up.
        DataError: if a class has too few shapes, or none of a split can be read.
        CacheError: if the cache cannot be written to.
    """
    heads, copies = _check_heads(heads, points=False), copies or AugmentedViewSettings()
    shots = sorted(set(shots)) or _possible_shots(parts.train)
    draw_shots(parts.train, shots[-1], seed=0)  # too few shapes are found out now, not after minutes of rendering

    def for_validation(dataset: Labelled, count: int, seed: int) -> NDArray[np.int64]:
        return draw_shots(dataset, validation_shots or min(count, VALIDATION_SHOTS), seed, fewer=True)

    test = extract_features(model, parts.test, 1, seed=_POINT_SEED, progress=progress)
    train, lost = _drawn(model, parts.train, draw_shots, shots[-1], seeds, progress)
    validation, lost_too = _drawn(model, parts.validation, for_validation, shots[-1], seeds, progress)
    draws = {
        (count, seed): (draw_shots(train, count, seed), for_validation(validation, count, seed))
        for count in shots
        for seed in range(seeds)
    }
    fits: list[Fit] = []
    if tune is None:
        task = _task(model, train, validation, test, copies, progress)
        fits += _fit_all(task, heads, [Draw(*draw, *rows) for draw, rows in draws.items()], progress)
    else:
        for draw, (rows, others) in draws.items():
            tuned = tune(train.take(rows), None, draw[1])
            seen = extract_features(tuned, parts.test, 1, seed=_POINT_SEED, progress=progress)
            task = _task(tuned, train.take(rows), validation.take(others), seen, copies, progress)
            fits += _fit_all(task, heads, [Draw(*draw)], progress)
    return Comparison(
        model=model,
        parts=parts,
        protocol="few-shot",
        zero_shot=fit_zero_shot(model, test),
        fits=tuple(fits),
        settings={
            **_settings(model, parts, copies),
            "validation_shots": validation_shots or f"as many as shots, at most {VALIDATION_SHOTS}",
        },
        failures=(*lost, *lost_too, *test.sampled.failures),
        command=command,
    )


def supervised(
    model: Recogniser,
    parts: Parts,
    heads: Sequence[str] = (),
    *,
    seeds: int = 1,
    copies: AugmentedViewSettings | None = None,
    tune: Tune | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Comparison:
    """Compare heads that learn from the whole train split.

    Options, temperature and threshold are chosen on the validation split; then each head is fitted once more on all
    of train, with the options that were chosen.

    Args:
        model: whose features are used, and which is measured zero-shot.
        parts: with a declared up-axis.
        heads: names, also those of classifiers of points, which learn from the train split less validation;
            all that learn from view features if none is given.
        seeds: how many trainings, seeds 0, 1, ...
        copies: of each example that heads learn from; the usual ones if not given.
        tune: if given, the depth tower learns from the train split, once, and the heads read what it then gives.
        command: for the record.
        progress: wraps an iterable of a given length, to show how far it is.

    Raises:
        OptionError: if an argument makes no sense, or the data set does not say which way is up.
        DataError: if no shape of a split can be read.
        CacheError: if the cache cannot be written to.
    """
    heads, copies = _check_heads(heads, points=True), copies or AugmentedViewSettings()
    test = extract_features(model, parts.test, 1, seed=_POINT_SEED, progress=progress)
    zero_shot = fit_zero_shot(model, test)
    if tune is not None:
        model = tune(parts.train, parts.validation, 0)
        test = extract_features(model, parts.test, 1, seed=_POINT_SEED, progress=progress)
    # Validation shapes are learnt from in the end, so they have copies too.
    train, validation = (
        extract_features(model, part, copies, seed=_POINT_SEED, progress=progress)
        for part in (parts.train, parts.validation)
    )
    draw_shots(train.sampled, 1, seed=0)  # names a class that is left without a shape
    text = model.class_features(parts.test.classes).cpu()
    task = Task(train, validation, test, text, model.backbone.logit_scale, refit=True)
    return Comparison(
        model=model,
        parts=parts,
        protocol="supervised",
        zero_shot=zero_shot,
        fits=_fit_all(task, heads, [Draw(None, seed) for seed in range(seeds)], progress),
        settings=_settings(model, parts, copies),
        failures=tuple(failure for found in (train, validation, test) for failure in found.sampled.failures),
        command=command,
    )


def _check_heads(heads: Sequence[str], *, points: bool) -> tuple[str, ...]:
    """Return each head once, with its options or without; all built-in ones if none is given.

    Args:
        heads: Names, with options or without.
        points: Whether the protocol has classifiers of points, too.
    """
    for head in heads:
        name, _ = parse_head(head)
        if reads_points(name) and not points:
            raise OptionError(f"{name} learns from whole train splits only: expected --protocol supervised")
    return tuple(dict.fromkeys(name for name in heads if name != ZERO_SHOT)) or feature_heads()


def _possible_shots(train: Dataset) -> list[int]:
    """The usual numbers of shots that every class has; the least of them in any case."""
    least = np.bincount(train.labels, minlength=len(train.classes)).min(initial=SHOTS[-1])
    return [shots for shots in SHOTS if shots <= max(least, SHOTS[0])]


def _drawn(
    model: Recogniser, dataset: Dataset, draw: Drawing, shots: int, seeds: int, progress: Progress | None
) -> tuple[Dataset, tuple[tuple[str, str], ...]]:
    """All shapes that some seed draws, and those that were drawn but could not be read.

    Others are drawn in their place. Because a shape keeps its turn whatever others there are, every seed draws the
    same from these shapes as from the whole data set.
    """
    failures: list[tuple[str, str]] = []
    while True:
        rows = np.unique(np.concatenate([draw(dataset, shots, seed) for seed in range(seeds)]))
        chosen = dataset.take(rows)
        sampled = sample_dataset(chosen, model.settings.points, _POINT_SEED, progress=progress)
        if not sampled.failures:
            return chosen, tuple(failures)
        failures += sampled.failures
        broken = dict(failures)
        dataset = dataset.take([row for row, name in enumerate(dataset.names) if name not in broken])


def _task(
    model: Recogniser,
    train: Dataset,
    validation: Dataset,
    test: ViewFeatures,
    copies: AugmentedViewSettings,
    progress: Progress | None,
) -> Task:
    """What heads are fitted on in few-shot: validation shapes are chosen by, never learned from."""
    learned = extract_features(model, train, copies, seed=_POINT_SEED, progress=progress)
    chosen_by = extract_features(model, validation, 1, seed=_POINT_SEED, progress=progress)
    text = model.class_features(test.sampled.classes).cpu()
    return Task(learned, chosen_by, test, text, model.backbone.logit_scale, refit=False)


def _fit_all(task: Task, heads: Sequence[str], draws: Sequence[Draw], progress: Progress | None) -> tuple[Fit, ...]:
    """Fit every head on every draw, and then the classifiers of points, each with a progress of its own."""
    of_points = [head for head in heads if reads_points(head.partition(":")[0])]
    pairs = [(draw, head) for draw in draws for head in heads if head not in of_points]
    fits = [task.fit(head, draw) for draw, head in (pairs if progress is None else progress(pairs, len(pairs)))]
    return (*fits, *(task.fit_point_classifier(head, draw.seed, progress) for draw in draws for head in of_points))


def _settings(model: Recogniser, parts: Parts, copies: AugmentedViewSettings) -> dict[str, Any]:
    """All that figures depend on besides the model and the data."""
    return {
        **model.settings.to_dict(),
        "up": parts.test.up,
        "dtype": str(model.backbone.dtype).removeprefix("torch."),
        "copies": asdict(copies),
        "point_seed": _POINT_SEED,
        "target": TARGET,
    }
