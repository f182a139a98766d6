"""Properties of every adapter that is a network."""

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from clip2point.core.errors import OptionError
from clip2point.heads import DPA, GDPA, GDPASettings, InterView


class OnePath(torch.nn.Module):
    """The inter-view adapter, called like those of two paths."""

    def __init__(self, views, dim):
        super().__init__()
        self.adapter = InterView(views, dim)

    def forward(self, depth_features, clip_features):
        return self.adapter(depth_features)


NETWORKS = {
    "dpa": DPA,
    "gdpa": GDPA,
    "gdpa-logits-shared": lambda v, d: GDPA(v, d, GDPASettings("logits", "channel", "input", True)),
    "inter-view": OnePath,
}


@pytest.fixture(params=NETWORKS)
def build(request):
    """Function that builds one of the networks for four views of eight dimensions."""

    def build(seed=0):
        torch.manual_seed(seed)
        return NETWORKS[request.param](4, 8)

    return build


def test_the_same_features_each_time_in_evaluation(build, pair):
    network = build().eval()
    assert torch.equal(network(*pair), network(*pair))
    torch.testing.assert_close(network(*pair).norm(dim=-1), torch.ones(6))


def test_the_order_of_the_batch_does_not_matter(build, pair):
    network, order = build().eval(), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(network(*(path[order] for path in pair)), network(*pair)[order])
    torch.testing.assert_close(network(*(path[:1] for path in pair)), network(*pair)[:1])


def test_state_round_trip(build, pair, tmp_path):
    from safetensors.torch import load_file, save_file

    network, other = build().train(), build(seed=1).eval()
    network(*pair)
    save_file(network.eval().state_dict(), tmp_path / "state.safetensors")
    assert not torch.allclose(other(*pair), network(*pair))
    other.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert torch.equal(other(*pair), network(*pair))


def test_learns_and_trains_every_parameter(build, problem):
    examples, text = problem
    text = normalize(text, dim=-1)
    network = build().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = cross_entropy(20 * network(*examples.unaugmented.unbind(1)) @ text.T, examples.labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    trained = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in network.named_parameters()}


def test_every_view_keeps_what_the_tower_saw(pair):
    adapter = InterView(4, 8)
    added = adapter.adapt_views(pair[0]) - normalize(pair[0], dim=-1)
    assert (added >= 0).all()
    assert added.max() > 0
    with torch.no_grad():
        adapter.to_views.weight.zero_()
        adapter.to_views.bias.zero_()
    torch.testing.assert_close(adapter(pair[0]), normalize(normalize(pair[0], dim=-1).mean(1), dim=-1))
    torch.testing.assert_close(adapter(7 * pair[0]), adapter(pair[0]))


def test_inter_view_refuses_features_of_another_shape(pair):
    with pytest.raises(OptionError, match=r"expected view features \[B, 3, 8\], got \[6, 4, 8\]"):
        InterView(3, 8)(pair[0])
    with pytest.raises(OptionError, match="an adapter of 4 views of 0 dimensions"):
        InterView(4, 0)


def test_an_untrained_inter_view_adapter_means_its_views(pair):
    network = InterView(4, 8)
    assert network.squeeze.out_features == 2  # a quarter of the width
    assert torch.equal(network.view_weights.detach(), torch.full((4,), 0.25))
    expected = normalize(normalize(network.adapt_views(pair[0]), dim=-1).mean(1), dim=-1)
    torch.testing.assert_close(network(pair[0]), expected)
