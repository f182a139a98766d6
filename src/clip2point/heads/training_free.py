"""Heads without training: zero-shot recognition, and the nearest class mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clip2point.core.arrays import Float32, normalize_rows, to_array
from clip2point.heads.base import (
    PATH_GRID,
    Head,
    WordHead,
    count_views,
    flatten_views,
    mean_cosines,
    one_hot,
    unit_views,
)
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import PathSettings, ZeroShotSettings


class ZeroShot(WordHead):
    """Cosines with the class names, averaged over the views, times the logit scale; examples are not looked at.

    Examples:
        >>> names, features = np.eye(3, 8), np.zeros((1, 3, 2, 6, 8))
        >>> features[0, :, :, :, :3] = np.eye(3)[:, None, None]  # each shape looks like its name
        >>> examples = Examples(features, np.arange(3))
        >>> ZeroShot().fit(examples, names, logit_scale=10.0).scores(examples.unaugmented).diagonal().tolist()
        [10.0, 10.0, 10.0]
    """

    name = "zero-shot"
    on_arrays = True
    settings_type = ZeroShotSettings

    settings: ZeroShotSettings

    def fit_state(self, examples: Examples, text: Float32, logit_scale: Float32, seed: int) -> dict[str, Float32]:
        return {"text": text, "logit_scale": logit_scale}

    def score_batch(self, features: Float32) -> Float32:
        scores: Float32 = self.state["logit_scale"] * mean_cosines(
            unit_views(features, self.settings.path), self.state["text"]
        )
        return scores

    def derive_shapes(self, state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return {"text": self.read_shape(state, "text", 2), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        return None, self.state["text"].shape[1]


class NearestClassMean(Head):
    """Cosines with the class means, compared view by view, times the logit scale.

    All augmented views of the examples take part in the mean of their class.

    Examples:
        >>> features = np.broadcast_to(np.eye(4)[None, :, None, None], (1, 4, 2, 6, 4))
        >>> examples = Examples(features, np.array([0, 0, 1, 1]))
        >>> head = NearestClassMean().fit(examples, np.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).argmax(1).tolist()
        [0, 0, 1, 1]
    """

    name = "nearest-mean"
    on_arrays = True
    settings_type = PathSettings
    grid = PATH_GRID

    settings: PathSettings

    def fit_state(self, examples: Examples, text: Float32, logit_scale: Float32, seed: int) -> dict[str, Float32]:
        return {"means": self._average_classes(examples, len(text)), "logit_scale": logit_scale}

    def score_batch(self, features: Float32) -> Float32:
        means = self.state["means"]
        cosines = flatten_views(unit_views(features, self.settings.path)) @ means.reshape(len(means), -1).T
        scores: Float32 = self.state["logit_scale"] * cosines
        return scores

    def extend_state(self, text: Float32, examples: Examples | None) -> dict[str, Float32]:
        new = self._average_classes(self.check_new_examples(examples, text), len(text))
        return {"means": np.concatenate([self.state["means"], new])}

    def _average_classes(self, examples: Examples, classes: int) -> Float32:
        """Return the class means [C, V, D]; each has length 1 with its views flattened."""
        unit = unit_views(to_array(examples.features), self.settings.path).mean(0)
        sums = one_hot(examples.labels, classes).T @ unit.reshape(len(unit), -1)
        return normalize_rows(sums).reshape(classes, *unit.shape[1:])

    def derive_shapes(self, state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return {"means": self.read_views_shape(state, "means", self.settings.path), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["means"].shape
        return count_views(self.settings.path, chosen), dim
