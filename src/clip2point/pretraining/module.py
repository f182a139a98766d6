"""Model under pre-training: a depth tower with CLIP2Point's loss and, if asked for, further ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from clip2point.core.errors import OptionError
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.pretraining.losses import TEMPERATURE, caption_loss, mean_square_distance, nt_xent, pretraining_loss

if TYPE_CHECKING:
    from clip2point.pretraining.batches import Batch


@dataclass(frozen=True)
class LossSettings:
    """Parts of the loss; the defaults are the paper's.

    Attributes:
        cross: True to compare depth maps with images (cross-modality).
        intra: True to compare the two depth maps of a model with each other (intra-modality).
        temperature: Temperature of both, in (0, 10].
        caption: Weight of the loss of depth against captions; 0 for none.
        caption_temperature: Temperature of that loss and its targets, in (0, 10].
        distance: Weight of the squared distance between the unit features of depth map and image; 0 for none.
    """

    cross: bool = True
    intra: bool = True
    temperature: float = declare_range(TEMPERATURE, "(0, 10]")
    caption: float = declare_range(0.0, "[0, 1000]")
    caption_temperature: float = declare_range(TEMPERATURE, "(0, 10]")
    distance: float = declare_range(0.0, "[0, 1000]")

    def __post_init__(self) -> None:
        check_ranges(self)
        if not (self.cross or self.intra or self.caption or self.distance):
            raise OptionError("no loss is asked for: expected cross, intra, caption or distance")

    @property
    def needs_images(self) -> bool:
        """Whether features of images are needed."""
        return self.cross or self.distance > 0


class Features(NamedTuple):
    """Features of a batch, the input of its losses.

    Attributes:
        depth1: Features of the first depth maps, [N, D].
        depth2: Features of the second ones, [N, D].
        image: Features of images, [N, D], or None.
        caption: Numbers of captions, [N], or None.
    """

    depth1: Tensor
    depth2: Tensor
    image: Tensor | None
    caption: Tensor | None


class PretrainingModel(nn.Module):
    """A depth tower and its losses.

    Attributes:
        tower: Depth tower, from depth maps [N, 1, S, S] to features [N, D].
        sigma: Learned scalar that weighs the intra-modality loss (section 3.3 of the paper).

    Args:
        tower: Depth tower to train.
        settings: Parts of the loss.
        captions: Unit features of all captions, [C, D]; needed for the caption loss alone.
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
        """Return the features of this process's part of a batch."""
        depth1, depth2 = self.tower(batch.depth.flatten(0, 1)).float().chunk(2)
        return Features(depth1, depth2, batch.image, batch.caption)

    def losses(self, features: Features) -> dict[str, Tensor]:
        """Return the parts of the loss and their "total", over the features of all processes."""
        settings = self.settings
        parts, total = self._contrastive(features)
        if settings.distance > 0:
            assert features.image is not None
            parts["distance"] = mean_square_distance((features.depth1 + features.depth2) / 2, features.image)
            total = total + settings.distance * parts["distance"]
        if self.captions is not None and features.caption is not None:
            both, numbers = torch.cat([features.depth1, features.depth2]), features.caption.repeat(2)
            parts["caption"] = caption_loss(both, self.captions, numbers, settings.caption_temperature)
            total = total + settings.caption * parts["caption"]
        return {**parts, "total": total}

    def _contrastive(self, features: Features) -> tuple[dict[str, Tensor], Tensor]:
        """Return the paper's losses, as far as they are asked for, and their sum."""
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
