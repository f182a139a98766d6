"""Random view features of both paths, and a small problem that can be learned."""

import pytest
import torch

VIEWS, DIM, CLASSES = 4, 8, 3


@pytest.fixture
def pair():
    """View features [6, 4, 8] of the depth and the CLIP path."""
    return torch.randn(2, 6, VIEWS, DIM, generator=torch.Generator().manual_seed(0)).unbind()


@pytest.fixture
def problem():
    """View features [30, 4, 8] around a centre for each of three classes, labels, and class names that lead astray."""
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(CLASSES, VIEWS, DIM, generator=generator)
    labels = torch.arange(30) % CLASSES
    features = centres[labels] + 0.3 * torch.randn(30, VIEWS, DIM, generator=generator)
    return features, labels, torch.randn(CLASSES, DIM, generator=generator)
