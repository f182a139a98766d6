"""Losses of pre-training (section 3.3 of the paper, constants of the public code).

Two depth maps of one view, rendered at different distances, must have similar features (intra-modality); their mean
must be similar to the feature of the colour image of that view (cross-modality). A learned scalar balances the two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from clip2point.core.errors import OptionError

TEMPERATURE = 0.07


class PretrainingLoss(NamedTuple):
    """Parts of the loss, each a scalar.

    Attributes:
        cross: Loss of depth against images.
        intra: Loss of depth against depth.
        total: Sum cross + intra / sigma^2 + log(sigma + 1).
    """

    cross: Tensor
    intra: Tensor
    total: Tensor


def pretraining_loss(
    depth1: Tensor, depth2: Tensor, image: Tensor, sigma: Tensor | float, temperature: float = TEMPERATURE
) -> PretrainingLoss:
    """Return CLIP2Point's loss of a batch.

    Args:
        depth1: Features of depth maps, [N, D], of any norm.
        depth2: Features of the same views at other distances, [N, D].
        image: Features of the colour images of these views, [N, D].
        sigma: Learned scalar (> 0) that weighs the intra-modality loss; 1 at the start.
        temperature: Temperature of both contrastive losses (> 0).

    Raises:
        OptionError: If the features differ in shape.

    Examples:
        >>> features = torch.eye(3)
        >>> loss = pretraining_loss(features, features, features, sigma=1.0, temperature=0.01)
        >>> torch.isclose(loss.total, torch.tensor(2.0).log())  # log(sigma + 1): all features agree
        tensor(True)
    """
    cross = nt_xent((depth1 + depth2) / 2, image, temperature)
    intra = nt_xent(depth1, depth2, temperature)
    weight = torch.as_tensor(sigma, dtype=cross.dtype, device=cross.device)
    return PretrainingLoss(cross, intra, cross + intra / weight**2 + torch.log(weight + 1))


def nt_xent(a: Tensor, b: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the normalised temperature-scaled cross-entropy (NT-Xent, SimCLR) of two batches of features.

    Each of the 2N features must find its partner among the others.

    Args:
        a: Features [N, D], of any norm.
        b: Features of the partners, [N, D].
        temperature: Divisor of the cosines (> 0).

    Returns:
        A scalar, the mean over the 2N features.

    Raises:
        OptionError: If ``a`` and ``b`` differ in shape.

    Examples:
        >>> nt_xent(torch.eye(2), torch.eye(2), temperature=1.0)  # -log(e / (e + 2))
        tensor(0.5514)
    """
    if a.shape != b.shape or a.ndim != 2:
        raise OptionError(f"expected two batches of features [N, D], got {list(a.shape)} and {list(b.shape)}")
    count = len(a)
    features = normalize(torch.cat([a, b]), dim=-1)
    cosines = features @ features.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=a.device)
    partner = torch.arange(2 * count, device=a.device).roll(count)
    return cross_entropy(cosines.masked_fill(itself, -torch.inf), partner)


def mean_square_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean squared distance between the unit features of a [N, D] and b [N, D].

    Returns:
        A scalar from 0 to 4.

    Examples:
        >>> mean_square_distance(torch.eye(2), 3 * torch.eye(2).flip(0))
        tensor(2.)
    """
    return (normalize(a, dim=-1) - normalize(b, dim=-1)).square().sum(-1).mean()


def caption_loss(depth: Tensor, captions: Tensor, numbers: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the divergence of depth features from their captions among all captions, with soft targets.

    The target of a caption is the distribution that its own text feature gives over all captions: related names are
    no errors, and a depth feature equal to the text feature is optimal.

    Args:
        depth: Features of depth maps, [N, D], of any norm.
        captions: Unit text features of all captions, [C, D].
        numbers: Number of each depth map's caption, [N].
        temperature: Divisor of the cosines (> 0).

    Returns:
        A scalar, 0 at the optimum: the mean Kullback-Leibler divergence.

    Examples:
        >>> captions = torch.eye(3)
        >>> right, wrong = (caption_loss(captions, captions, torch.tensor(order)) for order in ([0, 1, 2], [1, 0, 2]))
        >>> bool(right < 1e-5), bool(wrong > 1)
        (True, True)
    """
    targets = (captions[numbers] @ captions.T / temperature).softmax(-1)
    logits = normalize(depth, dim=-1) @ captions.T / temperature
    entropy = -(targets * targets.clamp_min(1e-30).log()).sum(-1).mean()
    return cross_entropy(logits, targets) - entropy
