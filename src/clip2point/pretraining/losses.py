"""The losses of pre-training (section 3.3 of the paper, constants of the public code).

Two depth maps of one view, rendered at different distances, must give like features (intra-modality); their mean
must be like the feature of the colour image of that view (cross-modality). A learned scalar balances the two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clip2point.core.errors import OptionError

TEMPERATURE = 0.07


class PretrainingLoss(NamedTuple):
    """The parts of the loss, each a scalar.

    Attributes:
        cross: depth against images.
        intra: depth against depth.
        total: cross + intra / sigma^2 + log(sigma + 1).
    """

    cross: Tensor
    intra: Tensor
    total: Tensor


def pretraining_loss(
    depth1: Tensor, depth2: Tensor, image: Tensor, sigma: Tensor | float, temperature: float = TEMPERATURE
) -> PretrainingLoss:
    """CLIP2Point's loss of a batch.

    Args:
        depth1: [N, D] features of depth maps, any length.
        depth2: [N, D] features of the same views at other distances.
        image: [N, D] features of the colour images of these views.
        sigma: learned scalar above 0 that weighs the intra-modality loss; 1 at the start.
        temperature: of both contrastive losses.

    Raises:
        OptionError: if the features differ in shape.
    """
    cross = nt_xent((depth1 + depth2) / 2, image, temperature)
    intra = nt_xent(depth1, depth2, temperature)
    weight = torch.as_tensor(sigma, dtype=cross.dtype, device=cross.device)
    return PretrainingLoss(cross, intra, cross + intra / weight**2 + torch.log(weight + 1))


def nt_xent(a: Tensor, b: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Normalised temperature-scaled cross-entropy (SimCLR): each of 2N features must find its partner among the others.

    Args:
        a: [N, D], any length.
        b: [N, D], the partners.
        temperature: divides the cosines.

    Returns:
        A scalar: the mean over the 2N features.

    Raises:
        OptionError: if ``a`` and ``b`` differ in shape.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise OptionError(f"expected two batches of features [N, D], got {list(a.shape)} and {list(b.shape)}")
    count = len(a)
    features = normalize(torch.cat([a, b]), dim=-1)
    cosines = features @ features.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=a.device)
    partner = torch.arange(2 * count, device=a.device).roll(count)
    return cross_entropy(cosines.masked_fill(itself, -torch.inf), partner)
