"""What holds for every point network."""

import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point_baselines import DGCNN, PointNet


@pytest.fixture(params=[PointNet, DGCNN])
def network(request):
    """An untrained network for three classes."""
    torch.manual_seed(0)
    return request.param(3)


def test_the_order_of_the_points_does_not_matter(network):
    network.double()
    points = torch.randn(2, 40, 3, dtype=torch.float64)
    mixed = points[:, torch.randperm(40)]
    for mode in (False, True):
        network.train(mode)
        torch.manual_seed(1)  # of dropout
        scores = network(points)
        torch.manual_seed(1)
        torch.testing.assert_close(network(mixed), scores)


def test_clouds_of_any_size_and_each_alone(network):
    network.eval()
    for count in (1, 2, 7):
        points = torch.randn(3, count, 3)
        together = network(points)
        assert together.shape == (3, 3)
        torch.testing.assert_close(network(points[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


def test_misshapen_input_and_no_classes_are_refused(network):
    with pytest.raises(OptionError, match=r"expected points \[B, N, 3\] .* got \[2, 3\]"):
        network(torch.zeros(2, 3))
    with pytest.raises(OptionError, match="a batch of one shape: expected at least 2"):
        network(torch.zeros(1, 8, 3))
    with pytest.raises(OptionError, match="0 classes: expected at least 1"):
        type(network)(0)
