import pytest
import torch

from clip2point_baselines import PointNet
from clip2point_baselines.pointnet import Transform, penalise_skew


def test_transforms_are_the_identity_before_training():
    transforms = Transform(3)(torch.randn(2, 10, 3))
    torch.testing.assert_close(transforms, torch.eye(3).expand(2, 3, 3))


def test_rotations_cost_nothing_and_a_stretch_does():
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q
    assert penalise_skew(rotation[None]) == pytest.approx(0, abs=1e-12)
    stretch = 2 * torch.eye(5)  # I - T T^T is -3 on the diagonal
    assert penalise_skew(torch.stack([torch.eye(5), stretch])) == pytest.approx(5 * 9 / 2)


def test_the_penalty_has_the_weight_of_the_paper():
    network = PointNet(3)
    points = torch.randn(4, 16, 3)
    assert network.score_with_penalty(points)[1].item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        network.feature_transform.matrix[-1].bias.mul_(2)
    assert network.score_with_penalty(points)[1].item() == pytest.approx(0.001 * 64 * 9, rel=1e-5)


def test_points_that_come_twice_change_nothing():
    torch.manual_seed(0)
    network = PointNet(3).eval()
    points = torch.randn(2, 9, 3)
    torch.testing.assert_close(network(torch.cat([points, points[:, :4]], dim=1)), network(points))


def test_all_weights_learn():
    torch.manual_seed(0)
    network = PointNet(3)
    for _ in range(2):  # the last layers of the transforms are 0 at first, and pass no gradient on
        network.zero_grad()
        scores, penalty = network.score_with_penalty(torch.randn(6, 24, 3))
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0, 1, 2])) + penalty
        loss.backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= 0.01 * weight.grad
    assert all(weight.grad.any() for weight in network.parameters())
