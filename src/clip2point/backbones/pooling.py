"""Pooling of features: one unit vector for several, such as the views of a shape or the prompts of a class."""

from torch import Tensor
from torch.nn.functional import normalize


def mean_unit_features(features: Tensor) -> Tensor:
    """Average unit features and make the mean unit again.

    Args:
        features: [..., M, D] features of M views, prompts or examples, any length.

    Returns:
        [..., D] unit vectors.

    Examples:
        >>> import torch
        >>> mean_unit_features(torch.tensor([[3.0, 0.0], [0.0, 5.0]]))
        tensor([0.7071, 0.7071])
    """
    return normalize(normalize(features, dim=-1).mean(-2), dim=-1)
