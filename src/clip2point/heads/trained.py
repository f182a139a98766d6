"""Heads that are networks: adapters trained on view features, whose output is compared with the class names.

The towers are frozen, so that their features are computed once and training takes seconds to a few minutes on a CPU.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, normalize

from clip2point.backbones import PATHS
from clip2point.core.errors import OptionError
from clip2point.heads.aggregator import GlobalView
from clip2point.heads.base import AnyHead, WordHead, count_views, mean_cosines, unit_views
from clip2point.heads.calibration import rate_scores
from clip2point.heads.dpa import DPA
from clip2point.heads.examples import Examples
from clip2point.heads.gdpa import GDPA
from clip2point.heads.head_options import (
    GDPASettings,
    GDPATrainingSettings,
    HeadSettings,
    InterViewSettings,
    NetworkSettings,
    PathChoice,
)
from clip2point.heads.inter_view import InterView

Cosines = Callable[[nn.Module, Tensor, Tensor], Tensor]

#: Factor on cosines where it is fixed, and the initial value of a learned one, that of CLIP's own training.
_FIXED_SCALE, _INITIAL_SCALE = 100.0, 1 / 0.07
_NETWORK = "network."  # prefix of the network's tensors in the state
#: Candidates of validation: from nearly the image path alone to nearly the depth path alone, and from the
#: adapter alone to the class names nearly alone.
_LEANS = (0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 8.0, -8.0)
_BLENDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class TrainedHead(WordHead):
    """Base of adapters of view features; their scores are scaled cosines of the adapted features with class names.

    Training minimises the cross-entropy by AdamW with a learning rate that falls to 0 along a cosine. In every epoch
    each shape takes part once, by a random one of its augmented views.
    """

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

    @property
    def zero_shot_path(self) -> PathChoice:
        """Path of the zero-shot logits that are blended in: the depth tower's, as for a model without a head."""
        return "depth"

    def fit_state(self, examples: Examples, text: Tensor, logit_scale: Tensor, seed: int) -> dict[str, Tensor]:
        if len(examples) < 2:
            raise OptionError(f"{self.name} needs at least 2 examples, as batch norm does, got 1")
        given = {"text": text, "logit_scale": logit_scale}
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(seed)  # also of what dropout draws
            scorer = self._build_scorer(*examples.features.shape[-2:]).train()
            self._train(scorer, examples, given)
        return {**given, **scorer.state_dict()}

    def _train(self, scorer: Scorer, examples: Examples, given: Mapping[str, Tensor]) -> None:
        own = self.settings
        features = self._prepare(examples.features.detach().float().flatten(0, 1))
        optimizer = torch.optim.AdamW(scorer.parameters(), lr=own.lr, weight_decay=own.weight_decay, fused=True)
        batches = list(_plan_batches(len(examples), examples.augmentations, own))
        for step, (rows, augmentations) in enumerate(batches):
            optimizer.param_groups[0]["lr"] = own.lr * (1 + math.cos(math.pi * step / len(batches))) / 2
            batch = features[augmentations * len(examples) + rows]
            optimizer.zero_grad()
            self.compute_loss(scorer, batch, examples.labels[rows], given).backward()
            optimizer.step()

    def compute_loss(self, scorer: Scorer, batch: Tensor, labels: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        """Return the loss of view features [B, P, V, D] with labels [B]."""
        return cross_entropy(scorer(batch, given["text"]), labels)

    def score_batch(self, features: Tensor) -> Tensor:
        own = self._score_network(features)
        return own + self.settings.blend * self._zero_shot(features) if self.settings.blend else own

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same network with the blend that is best on examples: accuracy, then cross-entropy."""
        assert isinstance(self, TrainedHead)
        self.check_features(examples.unaugmented)
        if "blend" in fixed:
            return self
        with torch.no_grad():
            own, zero_shot = self._score_network(examples.unaugmented), self._zero_shot(examples.unaugmented)
        blends = list(dict.fromkeys((*_BLENDS, self.settings.blend)))
        return self.with_state(
            {}, blend=blends[_find_best([own + blend * zero_shot for blend in blends], examples.labels)]
        )

    def _score_network(self, features: Tensor) -> Tensor:
        """Return the scores [N, C] of the network alone."""
        scorer = self._build_empty_scorer(self.state)
        tensors = {name: self.state[name] for name in scorer.state_dict()}
        return functional_call(scorer, tensors, (self._prepare(features.float()), self.state["text"]), strict=True)

    def _prepare(self, features: Tensor) -> Tensor:
        """Return view features as the adapter takes them."""
        return normalize(features, dim=-1) if self.settings.unit else features

    def _zero_shot(self, features: Tensor) -> Tensor:
        """Return zero-shot logits [N, C]."""
        return self.state["logit_scale"] * mean_cosines(unit_views(features, self.zero_shot_path), self.state["text"])

    def _build_scorer(self, views: int, dim: int) -> Scorer:
        return Scorer(self.build_network(views, dim), self.compute_cosines, self.settings.scale)

    def _build_empty_scorer(self, state: Mapping[str, Tensor]) -> Scorer:
        """Return the scorer that a state belongs to, without weights: for inference, on the meta device."""
        (views,), (_, dim) = self.read_shape(state, _NETWORK + self.views_tensor, 1), self.read_shape(state, "text", 2)
        with torch.device("meta"):
            return self._build_scorer(self.count_views(views), dim).eval()

    def count_views(self, count: int) -> int:
        """Return V for a network of so many views."""
        return count

    def derive_shapes(self, state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        network = {name: tuple(tensor.shape) for name, tensor in self._build_empty_scorer(state).state_dict().items()}
        return {**network, "text": self.read_shape(state, "text", 2), "logit_scale": ()}

    @property
    def feature_sizes(self) -> tuple[int | None, int]:
        views = len(self.state[_NETWORK + self.views_tensor])
        return self.count_views(views), self.state["text"].shape[1]


class Scorer(nn.Module):
    """All that is trained: from view features [B, P, V, D] and unit text features [C, D] to logits [B, C].

    Args:
        network: Adapter.
        cosines: Function from the adapter, view features and text features to cosines.
        scale: Factor on the cosines: "off" for 1, "fixed" for 100, "learned".
    """

    def __init__(self, network: nn.Module, cosines: Cosines, scale: str) -> None:
        super().__init__()
        self.network = network
        self.cosines = cosines
        self.scale = _FIXED_SCALE if scale == "fixed" else 1.0
        self.log_scale = nn.Parameter(torch.tensor(math.log(_INITIAL_SCALE))) if scale == "learned" else None

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        """Return the logits."""
        return self.factor() * self.cosines(self.network, features, text)

    def factor(self) -> Tensor | float:
        """Return the factor on cosines."""
        return self.scale if self.log_scale is None else self.log_scale.exp()


class DPAHead(TrainedHead):
    """The dual-path adapter of CLIP2Point's public code.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.randn(2, 8, 2, 6, 4), torch.arange(8) % 2)  # random, for the shapes alone
        >>> head = DPAHead(epochs=2).fit(examples, torch.eye(2, 4), logit_scale=1.0)
        >>> list(head.scores(examples.unaugmented).shape)
        [8, 2]
    """

    name = "dpa"
    views_tensor = "depth.ratio"

    def build_network(self, views: int, dim: int) -> nn.Module:
        return DPA(views, dim)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        return network(features[:, 0], features[:, 1]) @ text.T


class GDPAHead(TrainedHead):
    """The gated dual-path adapter of the paper, as this project reconstructs it.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.randn(2, 8, 2, 6, 4), torch.arange(8) % 2)  # random, for the shapes alone
        >>> head = GDPAHead(gate="channel", epochs=2).fit(examples, torch.eye(2, 4), logit_scale=1.0)
        >>> list(head.scores(examples.unaugmented).shape), list(head.gates(examples.unaugmented).shape)
        ([8, 2], [8, 2])
    """

    name = "gdpa"
    settings_type = GDPATrainingSettings
    views_tensor = "depth.ratio"

    settings: GDPATrainingSettings

    @torch.no_grad()
    def gates(self, features: Tensor) -> Tensor:
        """Return the weights of the paths for each shape.

        Args:
            features: View features as for ``scores``.

        Returns:
            [N, 2]; each row (depth, image) adds up to one. The mean over the channels, where each has gates.

        Raises:
            OptionError: Same cases as in ``scores``.
        """
        self.check_features(features)
        network = self._build_empty_scorer(self.state).network
        tensors = {name: self.state[_NETWORK + name] for name in network.state_dict()}
        pair = self._prepare(features.float()).unbind(1)
        _, gates = functional_call(network, tensors, pair, {"return_gates": True}, strict=True)
        return gates if gates.ndim == 2 else gates.mean(1)

    def tune(self: AnyHead, examples: Examples, fixed: Collection[str] = ()) -> AnyHead:
        """Return the same paths with the lean, then with the blend, that are best on examples."""
        self.check_features(examples.unaugmented)
        heads = [self]
        if "lean" not in fixed:
            leans = dict.fromkeys((*_LEANS, self.options["lean"]))
            heads = [self.with_state({}, lean=lean, **({} if "blend" in fixed else {"blend": 0.0})) for lean in leans]
        best = heads[_find_best([head.scores(examples.unaugmented) for head in heads], examples.labels)]
        return super(GDPAHead, best).tune(examples, fixed)

    def compute_loss(self, scorer: Scorer, batch: Tensor, labels: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        network = scorer.network
        assert isinstance(network, GDPA)
        logits = scorer.factor() * network.all_logits(batch[:, 0], batch[:, 1], given["text"])
        fused, depth, clip = (cross_entropy(part, labels) for part in logits.unbind(1))
        return fused + self.settings.path_loss * (depth + clip)

    def build_network(self, views: int, dim: int) -> nn.Module:
        chosen = {option.name: getattr(self.settings, option.name) for option in fields(GDPASettings)}
        return GDPA(views, dim, GDPASettings(**chosen))

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        assert isinstance(network, GDPA)
        return network.logits(features[:, 0], features[:, 1], text)


class InterViewHead(TrainedHead):
    """The inter-view adapter of PointCLIP.

    Examples:
        >>> import torch
        >>> examples = Examples(torch.randn(2, 8, 2, 6, 4), torch.arange(8) % 2)  # random, for the shapes alone
        >>> head = InterViewHead(path="depth", epochs=2).fit(examples, torch.eye(2, 4), logit_scale=1.0)
        >>> list(head.scores(examples.unaugmented).shape)
        [8, 2]
    """

    name = "inter-view"
    settings_type = InterViewSettings
    views_tensor = "view_weights"

    settings: InterViewSettings

    @property
    def zero_shot_path(self) -> PathChoice:
        return "image" if self.settings.path == "image" else "depth"

    def build_network(self, views: int, dim: int) -> nn.Module:
        return InterView(views * (2 if self.settings.path == "both" else 1), dim)

    def count_views(self, count: int) -> int:
        return count_views(self.settings.path, count)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        return network(unit_views(features, self.settings.path)) @ text.T


class DepthPathHead(TrainedHead):
    """One half of DPA: the global view of the depth tower's features alone."""

    name = "depth-path"
    views_tensor = "ratio"

    @property
    def zero_shot_path(self) -> PathChoice:
        return "depth"

    def build_network(self, views: int, dim: int) -> nn.Module:
        return GlobalView(views, dim)

    def compute_cosines(self, network: nn.Module, features: Tensor, text: Tensor) -> Tensor:
        chosen = features[:, PATHS.index(self.zero_shot_path)]
        return normalize(network(chosen), dim=-1) @ text.T


class ImagePathHead(DepthPathHead):
    """The other half of DPA: the global view of the image tower's features alone."""

    name = "image-path"

    @property
    def zero_shot_path(self) -> PathChoice:
        return "image"


def _find_best(scores: Sequence[Tensor], labels: Tensor) -> int:
    """Return the index of the best scores [N, C]: accuracy, then cross-entropy; the first of equals."""
    accuracies, losses = (rates.tolist() for rates in rate_scores(torch.stack(list(scores)), labels))
    return min(range(len(scores)), key=lambda index: (-accuracies[index], losses[index]))


def _plan_batches(count: int, augmentations: int, own: NetworkSettings) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shape numbers [B] and the number of an augmented view for each; a last batch of one shape is left out."""
    steps = max(1, count // own.batch_size)
    for _ in range(min(own.epochs, max(1, own.steps // steps))):
        chosen = torch.randint(augmentations, (count,))
        for rows in torch.randperm(count).split(own.batch_size):
            if len(rows) > 1:
                yield rows, chosen[rows]
