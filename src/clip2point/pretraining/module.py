"""The model that pre-training trains: a depth tower under CLIP2Point's loss and, if wanted, further ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from clip2point.core.errors import OptionError
from clip2point.pretraining.losses import TEMPERATURE, nt_xent, pretraining_loss

if TYPE_CHECKING:
    from clip2point.pretraining.batches import Batch


@dataclass(frozen=True)
class LossSettings:
    """Which losses are added up; the defaults are the paper's.

    Attributes:
        cross: whether depth maps are held against pictures (cross-modality).
        intra: whether the two depth maps of a model are held against each other (intra-modality).
        temperature: of both.
        caption: weight of the loss of depth against captions; 0 for none.
        caption_temperature: of that loss and its targets.
        distance: weight of the squared distance between the unit features of depth map and picture; 0 for none.
    """

    cross: bool = True
    intra: bool = True
    temperature: float = TEMPERATURE
    caption: float = 0.0
    caption_temperature: float = TEMPERATURE
    distance: float = 0.0

    def __post_init__(self) -> None:
        for name in ("temperature", "caption_temperature"):
            if not 0 < getattr(self, name) <= 10:
                raise OptionError(f"{name} is {getattr(self, name)}: expected above 0, at most 10")
        for name in ("caption", "distance"):
            if not 0 <= getattr(self, name) <= 1000:
                raise OptionError(f"{name} is {getattr(self, name)}: expected 0 to 1000")
        if not (self.cross or self.intra or self.caption or self.distance):
            raise OptionError("no loss is asked for: expected cross, intra, caption or distance")

    @property
    def needs_images(self) -> bool:
        """Whether features of pictures are needed."""
        return self.cross or self.distance > 0


class Features(NamedTuple):
    """What the losses of a batch are computed from.

    Attributes:
        depth1: [N, D] features of depth maps.
        depth2: [N, D] features of others of the same models.
        image: [N, D] features of pictures, or None.
        caption: [N] numbers of captions, or None.
    """

    depth1: Tensor
    depth2: Tensor
    image: Tensor | None
    caption: Tensor | None


class PretrainingModel(nn.Module):
    """A depth tower and its losses.

    Attributes:
        tower: depth maps [N, 1, S, S] to features [N, D].
        sigma: learned scalar that weighs the intra-modality loss (section 3.3 of the paper).

    Args:
        tower: to be trained.
        settings: of the losses.
        captions: [C, D] unit features of all captions; needed for the caption loss alone.
    """

    captions: Tensor | None

    def __init__(self, tower: nn.Module, settings: LossSettings, captions: Tensor | None = None) -> None:
        super().__init__()
        if settings.caption > 0 and captions is None:
            raise OptionError("the caption loss needs the features of the captions")
        self.tower, self.settings = tower, settings
        weighed = settings.cross and settings.intra
        self.sigma = nn.Parameter(torch.ones(()), requires_grad=weighed)
        self.register_buffer("captions", captions if settings.caption > 0 else None, persistent=False)

    def forward(self, batch: Batch) -> Features:
        """Features of this process's part of a batch."""
        depth1, depth2 = self.tower(batch.depth.flatten(0, 1)).float().chunk(2)
        return Features(depth1, depth2, batch.image, batch.caption)

    def losses(self, features: Features) -> dict[str, Tensor]:
        """The parts of the loss and their "total", over the features of all processes."""
        settings = self.settings
        parts, total = self._contrastive(features)
        if settings.distance > 0:
            assert features.image is not None
            parts["distance"] = squared_distance((features.depth1 + features.depth2) / 2, features.image)
            total = total + settings.distance * parts["distance"]
        if self.captions is not None and features.caption is not None:
            both, numbers = torch.cat([features.depth1, features.depth2]), features.caption.repeat(2)
            parts["caption"] = caption_loss(both, self.captions, numbers, settings.caption_temperature)
            total = total + settings.caption * parts["caption"]
        return {**parts, "total": total}

    def _contrastive(self, features: Features) -> tuple[dict[str, Tensor], Tensor]:
        """The paper's losses, as far as they are asked for, and what they add up to."""
        depth1, depth2, image, _ = features
        settings = self.settings
        if settings.cross and settings.intra:
            assert image is not None
            loss = pretraining_loss(depth1, depth2, image, self.sigma, settings.temperature)
            return {"cross": loss.cross, "intra": loss.intra, "sigma": self.sigma}, loss.total
        if settings.cross:
            assert image is not None
            cross = nt_xent((depth1 + depth2) / 2, image, settings.temperature)
            return {"cross": cross}, cross
        if settings.intra:
            intra = nt_xent(depth1, depth2, settings.temperature)
            return {"intra": intra}, intra
        return {}, depth1.new_zeros(())


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance between the unit features of a [N, D] and b [N, D]: a scalar from 0 to 4."""
    return (normalize(a, dim=-1) - normalize(b, dim=-1)).square().sum(-1).mean()


def caption_loss(depth: Tensor, captions: Tensor, numbers: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of depth features against all captions, with soft targets.

    The target of a caption is the distribution that its own text feature gives over all captions: related names are
    no errors, and a depth feature equal to the text feature is optimal.

    Args:
        depth: [N, D] features, any length.
        captions: [C, D] unit text features.
        numbers: [N], which caption belongs to which depth map.
        temperature: divides the cosines.

    Returns:
        A scalar, 0 at the optimum: the mean Kullback-Leibler divergence.
    """
    targets = (captions[numbers] @ captions.T / temperature).softmax(-1)
    logits = normalize(depth, dim=-1) @ captions.T / temperature
    entropy = -(targets * targets.clamp_min(1e-30).log()).sum(-1).mean()
    return cross_entropy(logits, targets) - entropy
