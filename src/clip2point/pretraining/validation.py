"""Zero-shot accuracy of a depth tower in training, on shapes that are not trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from clip2point.core.errors import OptionError
from clip2point.data import Dataset, open_dataset, sample_dataset
from clip2point.data.pairs import make_keys
from clip2point.features.view_features import encode_views
from clip2point.heads.metrics import measure_predictions
from clip2point.model import Recogniser, view_cosines
from clip2point.pretraining.recipe import ValidationSettings
from clip2point.training.training_results import ValidationResult

#: Factors to choose from, each about a tenth above the one before.
_SCALES = tuple(round(10 ** (step / 25), 1) for step in range(13, 63))


def open_validation(settings: ValidationSettings, trained_on: Collection[str]) -> Dataset:
    """Open the validation shapes of a recipe.

    Args:
        settings: Validation section of the recipe.
        trained_on: Keys of the models that are trained on.

    Raises:
        OptionError: If they are a test split without permission, or do not declare their up-axis, or some are trained
            on.
        DataError: If they are missing or broken.
    """
    root = None if settings.root is None else Path(settings.root).expanduser()
    dataset = open_dataset(settings.dataset, root=root, split=settings.split, up=settings.up, limit=settings.limit)
    if dataset.split == "test" and not settings.allow_test:
        raise OptionError(
            f"validation.split: the test split of {dataset.name}, on which results are reported, would choose the "
            "weights: give 'validation', or set validation.allow_test"
        )
    if dataset.up == "auto":
        raise OptionError(f"validation.up: {dataset.name} does not declare its up-axis: give y or z")
    keys = make_keys([name.removesuffix(PurePosixPath(name).suffix) for name in dataset.names])
    both = [name for name, key in zip(dataset.names, keys, strict=True) if key in trained_on]
    if both:
        raise OptionError(
            f"validation.dataset: {len(both):,} of the {len(dataset):,} shapes of {dataset.name} are among the pairs "
            f"to train on, or have their names; the first is {both[0]}: give other shapes"
        )
    return dataset


class TowerValidation:
    """Validation of depth towers on the same points, one after another; nothing goes to the cache of features.

    Args:
        dataset: Labelled shapes with a declared up-axis.
        base: Model before training, under the settings of the trained one.
        with_tower: Function that returns the trained model for the state of a depth tower.
    """

    def __init__(
        self, dataset: Dataset, base: Recogniser, with_tower: Callable[[Mapping[str, Tensor]], Recogniser]
    ) -> None:
        self._with_tower = with_tower
        self._sampled = sample_dataset(dataset, base.settings.points)
        self._text = torch.as_tensor(base.class_features(dataset.classes))

    def __call__(self, tower: Mapping[str, Tensor]) -> ValidationResult:
        """Return the accuracies of a depth tower, given by its state."""
        features = torch.from_numpy(encode_views(self._with_tower(tower), self._sampled))
        scores, labels = view_cosines(features, self._text).mean(1).double(), torch.from_numpy(self._sampled.labels)
        metrics = measure_predictions(scores.softmax(-1).numpy(), self._sampled.labels, self._sampled.classes)
        loss, scale = min((cross_entropy(scores * scale, labels).item(), scale) for scale in _SCALES)
        return ValidationResult(metrics.accuracy, metrics.mean_class_accuracy, loss, scale)
