"""Pooling of features: one unit vector for several, such as the views of a shape or the prompts of a class."""

from __future__ import annotations

from clip2point.core.arrays import Container, match_container, normalize_rows, to_array


def mean_unit_features(features: Container) -> Container:
    """Average unit features and make the mean unit again.

    Args:
        features: [..., M, D] features of M views, prompts or examples, any length, an array or a tensor.

    Returns:
        [..., D] unit vectors in the same container.

    Examples:
        >>> import numpy as np
        >>> mean_unit_features(np.array([[3.0, 0.0], [0.0, 5.0]])).round(4).tolist()
        [0.7071, 0.7071]
    """
    return match_container(normalize_rows(normalize_rows(to_array(features)).mean(-2)), features)
