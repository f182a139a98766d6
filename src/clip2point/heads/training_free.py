"""Heads that are found without any search: zero-shot recognition, and the nearest mean of a class."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from clip2point.heads.base import PATH_GRID, Head, WordHead, mean_cosines, side_by_side, unit_views, views_of
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import PathSettings, ZeroShotSettings


class ZeroShot(WordHead):
    """Cosines with the class names, averaged over the views, times the logit scale; examples are not looked at."""

    name = "zero-shot"
    settings_type = ZeroShotSettings

    settings: ZeroShotSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        return {"text": text, "logit_scale": logit_scale}

    def score_batch(self, features: Tensor) -> Tensor:
        unit = unit_views(features, self.settings.path)
        return self.state["logit_scale"] * mean_cosines(unit, self.state["text"])

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        return {"text": self.read_shape(state, "text", 2), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        return None, self.state["text"].shape[1]


class NearestClassMean(Head):
    """Cosines with the mean of the examples of each class, all their copies among them, times the logit scale.

    Shapes are held against each other view by view.
    """

    name = "nearest-mean"
    settings_type = PathSettings
    grid = PATH_GRID

    settings: PathSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        return {"means": self._means(examples, len(text)), "logit_scale": logit_scale}

    def score_batch(self, features: Tensor) -> Tensor:
        likeness = side_by_side(unit_views(features, self.settings.path)) @ self.state["means"].flatten(1).T
        return self.state["logit_scale"] * likeness

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        new = self._means(self.check_new_examples(examples, text), len(text))
        return {"means": torch.cat([self.state["means"], new])}

    def _means(self, examples: Examples, classes: int) -> Tensor:
        """The means [C, V, D] of the classes; laid side by side, the views of one have length 1."""
        unit = unit_views(examples.features, self.settings.path).mean(0)
        sums = one_hot(examples.labels, classes).to(unit).T @ unit.flatten(1)
        return normalize(sums, dim=-1).unflatten(1, unit.shape[1:])

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        return {"means": self.read_views_shape(state, "means", self.settings.path), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["means"].shape
        return views_of(self.settings.path, chosen), dim
