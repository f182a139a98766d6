"""Random view features of both paths, and a small problem that can be learned."""

import pytest
import torch

from clip2point.heads import Examples

VIEWS, DIM, CLASSES = 4, 8, 3


@pytest.fixture
def pair():
    """View features [6, 4, 8] of the depth and the CLIP path."""
    return torch.randn(2, 6, VIEWS, DIM, generator=torch.Generator().manual_seed(0)).unbind()


@pytest.fixture
def problem():
    """Two augmented views of 30 shapes, features [2, 30, 2, 4, 8], around a centre for each of three classes.

    With them class names [3, 8] that lead astray: each is near the next class.
    """
    generator = torch.Generator().manual_seed(1)
    centers = torch.randn(CLASSES, 2, VIEWS, DIM, generator=generator)
    labels = torch.arange(30) % CLASSES
    features = centers[labels] + 0.3 * torch.randn(2, 30, 2, VIEWS, DIM, generator=generator)
    return Examples(features, labels), centers.mean((1, 2)).roll(-1, 0) + 0.1 * torch.randn(
        CLASSES, DIM, generator=generator
    )
