"""CLIP's and SigLIP's towers of transformers, each with the projection into the shared space after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from clip2point.backbones.depth_tower import DepthTower
from clip2point.backbones.single_channel import copy_sharing_weights, fold_first_convolution
from clip2point.core.errors import OptionError


class VisionTower(DepthTower):
    """A vision model and the projection after it.

    Args:
        vision: Vision model of transformers' CLIPModel or SiglipModel.
        projection: Linear layer into the shared space, or the identity.
    """

    def __init__(self, vision: Any, projection: nn.Module) -> None:
        super().__init__()
        self.vision, self.projection = vision, projection

    @property
    def image_size(self) -> int:
        """Side of the images that it takes, in pixels."""
        return int(self.vision.config.image_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return features [N, D] of images [N, C, S, S]; C and their range are those of the first convolution.

        Raises:
            OptionError: If the images have another size.
        """
        height, width = pixels.shape[-2:]
        if (height, width) != (self.image_size, self.image_size):
            raise OptionError(
                f"images of {height} x {width} pixels: this tower takes {self.image_size} x {self.image_size}"
            )
        return self.projection(self.vision(pixels).pooler_output)

    def blocks(self) -> list[nn.Module]:
        """Return the layers of the transformer."""
        return list(self.vision.encoder.layers)

    def grayscale(self, mean: Sequence[float], std: Sequence[float]) -> VisionTower:
        """Return a tower for depth maps that shares all weights with this one but those of the first convolution.

        Args:
            mean: Means [3] with which this one's images are normalised.
            std: Deviations [3] with which they are.

        Returns:
            A tower that gives for depth maps [N, 1, S, S] in [0, 1] what this one gives for three such channels,
            normalised.
        """
        copied = copy_sharing_weights(self)
        embeddings = copied.vision.embeddings
        embeddings.patch_embedding = fold_first_convolution(embeddings.patch_embedding, mean, std)
        return copied.requires_grad_(False)


class TextTower(nn.Module):
    """A text model and the projection after it.

    Args:
        text: Text model of transformers' CLIPModel or SiglipModel.
        projection: Linear layer into the shared space, or the identity.
    """

    def __init__(self, text: Any, projection: nn.Module) -> None:
        super().__init__()
        self.text, self.projection = text, projection

    @property
    def vocabulary(self) -> int:
        """Number of tokens that it knows."""
        return int(self.text.config.vocab_size)

    @property
    def context(self) -> int:
        """Number of tokens of the longest text."""
        return int(self.text.config.max_position_embeddings)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return features [B, D] of token numbers [B, L]; a mask [B, L] is 1 for tokens and 0 for padding."""
        masked = {} if mask is None else {"attention_mask": mask}
        return self.projection(self.text(input_ids=ids, **masked).pooler_output)
