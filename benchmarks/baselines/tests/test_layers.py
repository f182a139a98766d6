import pytest
import torch
from torch.nn.functional import batch_norm

from clip2point_baselines import neighbours as module
from clip2point_baselines.layers import MaxOverPoints
from clip2point_baselines.neighbours import find_highest, find_nearest, max_neighbours, sum_neighbours


def randomise(norm, seed=1):
    """Weights of a batch norm such as training leaves: of both signs."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(norm.num_features, generator=generator))
        norm.bias.copy_(torch.randn(norm.num_features, generator=generator))


def naive_maximum(layer, features):
    norm = layer.normed.norm
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    values = batch_norm(
        layer.normed.linear(features).flatten(0, 1), mean, variance, norm.weight, norm.bias, layer.training
    )
    return values.relu().unflatten(0, features.shape[:2]).max(1).values, mean, variance


def test_the_maximum_over_points_equals_linear_norm_relu_and_maximum_with_all_gradients():
    torch.manual_seed(0)
    layer = MaxOverPoints(6, 40).double()
    randomise(layer.normed.norm)
    features = (torch.randn(3, 11, 6, dtype=torch.float64) + 2).requires_grad_()
    expected, mean, variance = naive_maximum(layer, features)
    pull = torch.randn_like(expected)
    inputs = [features, *layer.parameters()]
    wanted = torch.autograd.grad((expected * pull).sum(), inputs)
    got = layer(features)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(torch.autograd.grad((got * pull).sum(), inputs), wanted)
    torch.testing.assert_close(layer.normed.norm.running_mean, mean)
    torch.testing.assert_close(layer.normed.norm.running_var, variance)
    layer.eval()
    torch.testing.assert_close(layer(features), naive_maximum(layer, features)[0])


def test_a_channel_that_does_not_vary_stays_finite():
    layer = MaxOverPoints(3, 4)
    features = torch.full((2, 5, 3), 7.0, requires_grad=True)
    layer(features).sum().backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(layer(features)).all()


@pytest.mark.parametrize("block", [2**20, 40, 1])
def test_the_nearest_points_are_those_of_a_full_table_of_distances(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    torch.manual_seed(0)
    features = torch.randn(3, 19, 5) + 1
    found = find_nearest(features, 4).unflatten(0, (3, 19)) - 19 * torch.arange(3)[:, None, None]
    expected = torch.cdist(features, features).topk(4, largest=False).indices
    assert torch.equal(found.sort(-1).values, expected.sort(-1).values)
    assert (found == torch.arange(19)[None, :, None]).any(-1).all()


def test_points_far_from_the_origin_have_the_same_neighbours():
    torch.manual_seed(0)
    features = torch.randint(-64, 64, (1, 50, 3)) / 64
    shifted = find_nearest(features + 1024, 5)
    distances = torch.cdist(features.double(), features.double())[0]
    assert torch.equal(distances.gather(1, shifted).sort(1).values, distances.sort(1).values[:, :5])


def test_fewer_points_than_neighbours_and_equal_points():
    assert find_nearest(torch.randn(2, 3, 4), 20).sort(1).values.tolist() == [[0, 1, 2]] * 3 + [[3, 4, 5]] * 3
    assert find_nearest(torch.zeros(1, 6, 3), 2).tolist() == [[0, 1]] * 6


@pytest.mark.parametrize("function", [sum_neighbours, max_neighbours])
@pytest.mark.slow
def test_compiled_reductions_equal_plain_ones(monkeypatch, function):
    torch.manual_seed(0)
    rows = torch.randn(12, 7, dtype=torch.float64, requires_grad=True)
    neighbours = torch.randint(0, 12, (12, 4))
    pull = torch.randn(12, 7, dtype=torch.float64)
    compiled = function(rows, neighbours)
    (gradient,) = torch.autograd.grad((compiled * pull).sum(), rows)
    assert torch.autograd.gradcheck(lambda values: function(values, neighbours), rows)
    monkeypatch.setattr(module, "_on_cpu", lambda tensor: False)
    plain = function(rows, neighbours)
    torch.testing.assert_close(compiled, plain)
    torch.testing.assert_close(gradient, torch.autograd.grad((plain * pull).sum(), rows)[0])


def test_compiled_searches_equal_plain_ones(monkeypatch):
    torch.manual_seed(0)
    values, features = torch.randn(9, 5), torch.randn(2, 30, 3)
    compiled = find_highest(values), find_nearest(features, 6).sort(1).values
    monkeypatch.setattr(module, "_on_cpu", lambda tensor: False)
    assert torch.equal(compiled[0], find_highest(values))
    assert torch.equal(compiled[1], find_nearest(features, 6).sort(1).values)
