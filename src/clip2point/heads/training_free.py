"""Heads without training: zero-shot recognition, and the nearest class mean."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from clip2point.heads.base import PATH_GRID, Head, WordHead, count_views, flatten_views, mean_cosines, unit_views
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import PathSettings, ZeroShotSettings


class ZeroShot(WordHead):
    """Cosines with the class names, averaged over the views, times the logit scale; examples are not looked at.

    Examples:
        >>> import torch
        >>> names, features = torch.eye(3, 8), torch.zeros(1, 3, 2, 6, 8)
        >>> features[0, :, :, :, :3] = torch.eye(3)[:, None, None]  # each shape looks like its name
        >>> examples = Examples(features, torch.arange(3))
        >>> ZeroShot().fit(examples, names, logit_scale=10.0).scores(examples.unaugmented).diag()
        tensor([10., 10., 10.])
    """

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
    """Cosines with the class means, compared view by view, times the logit scale.

    All augmented views of the examples take part in the mean of their class.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.eye(4)[None, :, None, None].expand(1, 4, 2, 6, 4), torch.tensor([0, 0, 1, 1]))
        >>> head = NearestClassMean().fit(examples, torch.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).argmax(1)
        tensor([0, 0, 1, 1])
    """

    name = "nearest-mean"
    settings_type = PathSettings
    grid = PATH_GRID

    settings: PathSettings

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        return {"means": self._average_classes(examples, len(text)), "logit_scale": logit_scale}

    def score_batch(self, features: Tensor) -> Tensor:
        cosines = flatten_views(unit_views(features, self.settings.path)) @ self.state["means"].flatten(1).T
        return self.state["logit_scale"] * cosines

    def extend_state(self, text: Tensor, examples: Examples | None) -> dict[str, Tensor]:
        new = self._average_classes(self.check_new_examples(examples, text), len(text))
        return {"means": torch.cat([self.state["means"], new])}

    def _average_classes(self, examples: Examples, classes: int) -> Tensor:
        """Return the class means [C, V, D]; each has length 1 with its views flattened."""
        unit = unit_views(examples.features, self.settings.path).mean(0)
        sums = one_hot(examples.labels, classes).to(unit).T @ unit.flatten(1)
        return normalize(sums, dim=-1).unflatten(1, unit.shape[1:])

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        return {"means": self.read_views_shape(state, "means", self.settings.path), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        _, chosen, dim = self.state["means"].shape
        return count_views(self.settings.path, chosen), dim
