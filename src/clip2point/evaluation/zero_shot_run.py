"""The zero-shot protocol: class names alone, no training on the data set.

A model with a head that learned from examples is measured in the same way, by the head's answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import softmax, to_array
from clip2point.core.errors import OptionError
from clip2point.core.labels import match_classes
from clip2point.core.progress import Progress
from clip2point.data import Dataset, SampledDataset
from clip2point.features.view_features import extract_features
from clip2point.model import Recogniser, view_cosines
from clip2point.model.adapter_answers import check_adapter, score_by_adapter

_CHUNK = 4096  # shapes whose cosines are held at once


@dataclass(frozen=True, eq=False)
class Run:
    """One pass over a data set with one seed.

    Attributes:
        seed: Seed of the point sampling.
        sampled: Points that were used.
        probabilities: [N, C] confidences.
        labels: Words for each class that were offered: its name, or it among synonyms.
    """

    seed: int
    sampled: SampledDataset
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...]


def run_zero_shot(
    model: Recogniser,
    dataset: Dataset,
    seed: int,
    progress: Progress | None = None,
    labels: Sequence[str] | None = None,
) -> Run:
    """Classify each shape of a data set by its class names.

    Args:
        model: Model with the settings to measure.
        dataset: Data set with a declared up-axis.
        seed: Seed of the point sampling.
        progress: Wrapper of an iterable of a given length that shows its progress.
        labels: Other words for the classes, each with the name of one among its synonyms ("night_stand|bedside table").

    Raises:
        OptionError: The data set declares no up-axis, or has classes that the model's head does not know; the labels
            are not those of the classes.
        DataError: No shape of it can be read.
    """
    dataset.require_up()
    words = dataset.classes if labels is None else match_classes(labels, dataset.classes)
    if labels is not None and model.adapted is not None:
        raise OptionError(f"labels: the head of {model.name} learned the classes by their names; leave the labels out")
    if model.adapted is not None:
        model.adapted.check_labels(dataset.classes)
        found = extract_features(model, dataset, seed=seed, progress=progress)
        answers = model.adapted.scores(to_array(found.examples.unaugmented), dataset.classes, model.class_features)
        return Run(seed, found.sampled, model.adapted.confidences(answers), tuple(words))
    if model.adapter is not None:
        return _run_adapter(model, dataset, words, seed, progress)
    found = extract_features(model, dataset, seed=seed, paths=("depth",), progress=progress)
    features = found.of_path("depth")
    text = model.class_features(words)
    blocks = []
    for start in range(0, len(features), _CHUNK):
        scores = view_cosines(np.asarray(features[start : start + _CHUNK]), text).mean(1)
        blocks.append(softmax(scores.astype(np.float64) * model.backbone.logit_scale))
    return Run(seed, found.sampled, np.concatenate(blocks), tuple(words))


def _run_adapter(
    model: Recogniser, dataset: Dataset, words: Sequence[str], seed: int, progress: Progress | None
) -> Run:
    """Classify by the adapter of a converted checkpoint."""
    assert model.adapter is not None
    check_adapter(model.adapter, model.backbone, model.settings, model.name)
    found = extract_features(model, dataset, seed=seed, progress=progress)
    paths, text = to_array(found.examples.unaugmented), model.class_features(words)
    blocks = [
        score_by_adapter(model.adapter, paths[start : start + _CHUNK], text).astype(np.float64)
        for start in range(0, len(paths), _CHUNK)
    ]
    return Run(seed, found.sampled, softmax(np.concatenate(blocks) * model.backbone.logit_scale), tuple(words))
