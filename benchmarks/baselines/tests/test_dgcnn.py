import pytest
import torch
from torch.nn.functional import batch_norm, leaky_relu

from clip2point.core.errors import OptionError
from clip2point_baselines import DGCNN, EdgeConv
from clip2point_baselines.dgcnn import measure_edges
from clip2point_baselines.neighbours import find_nearest

pytestmark = pytest.mark.slow


def edges_of(features, k):
    """[M, k, 2F]: [x_i, x_j - x_i] for every edge."""
    neighbours = find_nearest(features, k)
    rows = features.flatten(0, 1)
    own = rows[:, None].expand(-1, neighbours.shape[1], -1)
    return torch.cat([own, rows[neighbours] - own], dim=-1)


def naive(layer, features):
    """The edge convolution written out, and the running statistics that batch norm would have."""
    norm = layer.normed.norm
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    edges = edges_of(features, layer.k)
    values = layer.normed.linear(edges).flatten(0, 1)
    values = batch_norm(values, mean, variance, norm.weight, norm.bias, layer.training)
    values = leaky_relu(values, 0.2).unflatten(0, edges.shape[:2]).max(1).values
    return values.unflatten(0, features.shape[:2]), mean, variance


@pytest.mark.parametrize(("inputs", "points"), [(3, 13), (8, 30), (8, 2)])
def test_the_factored_edge_convolution_equals_the_naive_one_with_all_gradients(inputs, points):
    torch.manual_seed(0)
    layer = EdgeConv(inputs, 24, k=5).double()
    with torch.no_grad():  # of both signs, as training may leave it
        layer.normed.norm.weight.normal_()
        layer.normed.norm.bias.normal_()
    features = (torch.randn(3, points, inputs, dtype=torch.float64) + 1).requires_grad_()
    expected, mean, variance = naive(layer, features)
    pull = torch.randn_like(expected)
    leaves = [features, *layer.parameters()]
    wanted = torch.autograd.grad((expected * pull).sum(), leaves)
    got = layer(features)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(torch.autograd.grad((got * pull).sum(), leaves), wanted)
    torch.testing.assert_close(layer.normed.norm.running_mean, mean)
    torch.testing.assert_close(layer.normed.norm.running_var, variance)
    assert layer.normed.norm.num_batches_tracked == 1
    layer.eval()
    torch.testing.assert_close(layer(features), naive(layer, features)[0])


def test_the_statistics_are_those_of_all_edges():
    torch.manual_seed(0)
    features = torch.randn(2, 17, 4, dtype=torch.float64) + 3
    found = measure_edges(features.flatten(0, 1), find_nearest(features, 6))
    edges = edges_of(features, 6).flatten(0, 1)
    torch.testing.assert_close(found.mean, edges.mean(0))
    torch.testing.assert_close(found.covariance, edges.T.cov(correction=0))
    assert found.count == len(edges)


def test_in_single_precision_statistics_hold_for_dense_clouds():
    torch.manual_seed(0)
    features = torch.randn(1, 2000, 3)
    features = features / features.norm(dim=2, keepdim=True) + 0.2
    neighbours = find_nearest(features, 20)
    rough = measure_edges(features[0], neighbours).covariance.diagonal()
    exact = measure_edges(features[0].double(), neighbours).covariance.diagonal()
    torch.testing.assert_close(rough.double(), exact, rtol=1e-3, atol=0)


def test_all_weights_learn_and_nothing_is_added_to_the_loss():
    torch.manual_seed(0)
    network = DGCNN(3, k=4)
    scores, penalty = network.score_with_penalty(torch.randn(4, 24, 3))
    torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
    assert penalty == 0
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def test_a_graph_without_neighbours_is_refused():
    with pytest.raises(OptionError, match="k is 0: expected at least 1"):
        DGCNN(3, k=0)
