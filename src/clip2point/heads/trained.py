"""Heads that are networks: adapters trained on view features, whose output is compared with the class names.

The towers are frozen, so that their features are computed once and training takes seconds to a few minutes on a CPU. It
needs PyTorch (``network_training``); a head that was fitted answers without.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from clip2point.backbones import PATHS
from clip2point.core.arrays import Container, Float32, match_container, normalize_rows, to_array
from clip2point.core.errors import OptionError
from clip2point.core.lazy import require
from clip2point.heads import network_arrays
from clip2point.heads.base import AnyHead, WordHead, count_views, mean_cosines, select_views, unit_views
from clip2point.heads.calibration import rate_scores
from clip2point.heads.examples import Examples
from clip2point.heads.head_options import (
    GDPASettings,
    GDPATrainingSettings,
    HeadSettings,
    InterViewSettings,
    NetworkSettings,
    PathChoice,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from clip2point.core.arrays import Array
    from clip2point.heads.network_training import Scorer

NETWORK = "network."  # prefix of the network's tensors in the state
#: Candidates of validation: from nearly the image path alone to nearly the depth path alone, and from the
#: adapter alone to the class names nearly alone.
_LEANS = (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 8.0, -8.0)
_BLENDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class TrainedHead(WordHead):
    """Base of adapters of view features; their scores are scaled cosines of the adapted features with class names.

    Training minimises the cross-entropy by AdamW with a learning rate that falls to 0 along a cosine. In every epoch
    each shape takes part once, by a random one of its augmented views.

    ``build_network`` and ``compute_cosines``, in PyTorch, are enough. The heads of this package have the same formula
    on arrays besides, in ``network_cosines`` and ``network_shapes``, by which they answer without PyTorch.
    """

    on_arrays = True
    settings_type: ClassVar[type[HeadSettings]] = NetworkSettings
    #: Name of a tensor [V] of the network.
    views_tensor: ClassVar[str]

    settings: NetworkSettings

    @abstractmethod
    def build_network(self, views: int, dim: int) -> nn.Module:
        """Return an untrained adapter for V views of D dimensions on each path."""

    @abstractmethod
    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        """Return cosines [N, C] of adapted view features [N, P, V, D] with unit text features [C, D]."""

    def network_cosines(self, features: Float32) -> Float32:
        """Return the cosines of ``compute_cosines`` by the state of the fitted head."""
        from clip2point.heads.network_training import run_network

        return run_network(self, self.state, features)

    def network_shapes(self, views: int, dim: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the network's tensors, by their names in the state."""
        from clip2point.heads.network_training import describe_network

        return {NETWORK + name: shape for name, shape in describe_network(self, views, dim).items()}

    @property
    def zero_shot_path(self) -> PathChoice:
        """Path of the zero-shot logits that are blended in: the depth tower's, as for a model without a head."""
        return "depth"

    def fit_state(self, examples: Examples, text: Float32, logit_scale: Float32, seed: int) -> dict[str, Any]:
        if len(examples) < 2:
            raise OptionError(f"{self.name} needs at least 2 examples, as batch norm does, got 1")
        require("torch", "train", f"fitting the head {self.name}")
        from clip2point.heads.network_training import train_network

        return {"text": text, "logit_scale": logit_scale, **train_network(self, examples, text, seed)}

    def compute_loss(self, scorer: Scorer, batch: Tensor, labels: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of view features [B, P, V, D] with labels [B]."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(scorer(batch, given["text"]), labels)

    def score_batch(self, features: Float32) -> Float32:
        own = self._score_network(features)
        return own + self.settings.blend * self._zero_shot(features) if self.settings.blend else own

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same network with the blend that is best on examples: accuracy, then cross-entropy."""
        assert isinstance(self, TrainedHead)
        self.check_features(examples.unaugmented)
        if "blend" in fixed:
            return self
        features = to_array(examples.unaugmented).astype(np.float32, copy=False)
        own, zero_shot = self._score_network(features), self._zero_shot(features)
        blends = list(dict.fromkeys((*_BLENDS, self.settings.blend)))
        return self.with_state(
            {}, blend=blends[_find_best([own + blend * zero_shot for blend in blends], examples.labels)]
        )

    def prepare(self, features: Float32) -> Float32:
        """Return view features as the adapter takes them."""
        return normalize_rows(features) if self.settings.unit else features

    def _score_network(self, features: Float32) -> Float32:
        """Return the scores [N, C] of the network alone."""
        return self._factor() * self.network_cosines(self.prepare(features))

    def _factor(self) -> Float32:
        """Return the factor on cosines."""
        if self.settings.scale == "learned":
            factor: Float32 = np.exp(self.state["log_scale"])
            return factor
        return np.array(network_arrays.FIXED_SCALE if self.settings.scale == "fixed" else 1.0, np.float32)

    def _zero_shot(self, features: Float32) -> Float32:
        """Return zero-shot logits [N, C]."""
        cosines = mean_cosines(unit_views(features, self.zero_shot_path), self.state["text"])
        logits: Float32 = self.state["logit_scale"] * cosines
        return logits

    def count_views(self, count: int) -> int:
        """Return V for a network of so many views."""
        return count

    def derive_shapes(self, state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        (views,), text = self.read_shape(state, NETWORK + self.views_tensor, 1), self.read_shape(state, "text", 2)
        scale: dict[str, tuple[int, ...]] = {"log_scale": ()} if self.settings.scale == "learned" else {}
        return {**self.network_shapes(self.count_views(views), text[1]), **scale, "text": text, "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        views = len(self.state[NETWORK + self.views_tensor])
        return self.count_views(views), self.state["text"].shape[1]


class DPAHead(TrainedHead):
    """The dual-path adapter of CLIP2Point's public code.

    Examples:
        >>> examples = Examples(np.random.default_rng(0).normal(size=(2, 8, 2, 6, 4)), np.arange(8) % 2)
        >>> head = DPAHead(epochs=2).fit(examples, np.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).shape
        (8, 2)
    """

    name = "dpa"
    views_tensor = "depth.ratio"

    def build_network(self, views: int, dim: int) -> nn.Module:
        from clip2point.heads.dpa import DPA

        return DPA(views, dim)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        return network(features[:, 0], features[:, 1]) @ text.T

    def network_cosines(self, features: Float32) -> Float32:
        paths = [
            network_arrays.global_view(self.state, f"{NETWORK}{name}.", features[:, place])
            for place, name in enumerate(("depth", "clip"))
        ]
        cosines: Float32 = normalize_rows((paths[0] + paths[1]) / 2) @ self.state["text"].T
        return cosines

    def network_shapes(self, views: int, dim: int) -> dict[str, tuple[int, ...]]:
        depth, clip = (
            network_arrays.list_global_view_shapes(f"{NETWORK}{name}.", views, dim) for name in ("depth", "clip")
        )
        return {**depth, **clip}


class GDPAHead(TrainedHead):
    """The gated dual-path adapter of the paper, as this project reconstructs it.

    Examples:
        >>> examples = Examples(np.random.default_rng(0).normal(size=(2, 8, 2, 6, 4)), np.arange(8) % 2)
        >>> head = GDPAHead(gate="channel", epochs=2).fit(examples, np.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).shape, head.gates(examples.unaugmented).shape
        ((8, 2), (8, 2))
    """

    name = "gdpa"
    settings_type = GDPATrainingSettings
    views_tensor = "depth.ratio"

    settings: GDPATrainingSettings

    def gates(self, features: Container) -> Container:
        """Return the weights of the paths for each shape.

        Args:
            features: View features as for ``scores``.

        Returns:
            [N, 2] in the same container; each row (depth, image) adds up to one. The mean over the channels, where each
            has gates.

        Raises:
            OptionError: Same cases as in ``scores``.
        """
        self.check_features(features)
        values = to_array(features).astype(np.float32, copy=False)
        return match_container(self._fuse(self.prepare(values))[1].mean(1), features)

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same paths with the lean, then with the blend, that are best on examples."""
        self.check_features(examples.unaugmented)
        heads = [self]
        if "lean" not in fixed:
            leans = dict.fromkeys((*_LEANS, self.options["lean"]))
            heads = [self.with_state({}, lean=lean, **({} if "blend" in fixed else {"blend": 0.0})) for lean in leans]
        scores = [head.scores(to_array(examples.unaugmented)) for head in heads]
        best = heads[_find_best(scores, examples.labels)]
        return super(GDPAHead, best).tune(examples, fixed)

    def compute_loss(self, scorer: Scorer, batch: Tensor, labels: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        from torch.nn.functional import cross_entropy

        network: Any = scorer.network
        logits = scorer.factor() * network.all_logits(batch[:, 0], batch[:, 1], given["text"])
        fused, depth, clip = (cross_entropy(part, labels) for part in logits.unbind(1))
        return fused + self.settings.path_loss * (depth + clip)

    def build_network(self, views: int, dim: int) -> nn.Module:
        from clip2point.heads.gdpa import GDPA

        return GDPA(views, dim, self._network_settings)

    def compute_cosines(self, network: Any, features: Tensor, text: Tensor) -> Tensor:
        cosines: Tensor = network.logits(features[:, 0], features[:, 1], text)
        return cosines

    def network_cosines(self, features: Float32) -> Float32:
        return self._fuse(features)[0]

    def network_shapes(self, views: int, dim: int) -> dict[str, tuple[int, ...]]:
        return network_arrays.list_gdpa_shapes(NETWORK, self._network_settings, views, dim)

    def _fuse(self, features: Float32) -> tuple[Float32, Float32]:
        """Return cosines [N, C] and gates [N, K, 2] of prepared view features."""
        return network_arrays.fuse_paths(self.state, NETWORK, self._network_settings, features, self.state["text"])

    @property
    def _network_settings(self) -> GDPASettings:
        return GDPASettings(**{option.name: getattr(self.settings, option.name) for option in fields(GDPASettings)})


class InterViewHead(TrainedHead):
    """The inter-view adapter of PointCLIP.

    Examples:
        >>> examples = Examples(np.random.default_rng(0).normal(size=(2, 8, 2, 6, 4)), np.arange(8) % 2)
        >>> head = InterViewHead(path="depth", epochs=2).fit(examples, np.eye(2, 4), logit_scale=1.0)
        >>> head.scores(examples.unaugmented).shape
        (8, 2)
    """

    name = "inter-view"
    settings_type = InterViewSettings
    views_tensor = "view_weights"

    settings: InterViewSettings

    @property
    def zero_shot_path(self) -> PathChoice:
        return "image" if self.settings.path == "image" else "depth"

    def build_network(self, views: int, dim: int) -> nn.Module:
        from clip2point.heads.inter_view import InterView

        return InterView(views * self._paths, dim)

    def count_views(self, count: int) -> int:
        return count_views(self.settings.path, count)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        return network(select_views(features, self.settings.path)) @ text.T

    def network_cosines(self, features: Float32) -> Float32:
        adapted = network_arrays.inter_view(self.state, NETWORK, select_views(features, self.settings.path))
        cosines: Float32 = adapted @ self.state["text"].T
        return cosines

    def network_shapes(self, views: int, dim: int) -> dict[str, tuple[int, ...]]:
        return network_arrays.list_inter_view_shapes(NETWORK, views * self._paths, dim)

    @property
    def _paths(self) -> int:
        return len(PATHS) if self.settings.path == "both" else 1


class DepthPathHead(TrainedHead):
    """One half of DPA: the global view of the depth tower's features alone."""

    name = "depth-path"
    views_tensor = "ratio"

    @property
    def zero_shot_path(self) -> PathChoice:
        return "depth"

    def build_network(self, views: int, dim: int) -> nn.Module:
        from clip2point.heads.aggregator import GlobalView

        return GlobalView(views, dim)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        from torch.nn.functional import normalize

        return normalize(network(select_views(features, self.zero_shot_path)), dim=-1) @ text.T

    def network_cosines(self, features: Float32) -> Float32:
        chosen = select_views(features, self.zero_shot_path)
        cosines: Float32 = (
            normalize_rows(network_arrays.global_view(self.state, NETWORK, chosen)) @ self.state["text"].T
        )
        return cosines

    def network_shapes(self, views: int, dim: int) -> dict[str, tuple[int, ...]]:
        return network_arrays.list_global_view_shapes(NETWORK, views, dim)


class ImagePathHead(DepthPathHead):
    """The other half of DPA: the global view of the image tower's features alone."""

    name = "image-path"

    @property
    def zero_shot_path(self) -> PathChoice:
        return "image"


def _find_best(scores: Sequence[Float32], labels: Array) -> int:
    """Return the index of the best scores [N, C]: accuracy, then cross-entropy; the first of equals."""
    accuracies, losses = (rates.tolist() for rates in rate_scores(np.stack(list(scores)), labels))
    return min(range(len(scores)), key=lambda index: (-accuracies[index], losses[index]))
