import itertools

import pytest
import torch
from torch.nn.functional import normalize

from clip2point.core.errors import OptionError
from clip2point.heads import DPA, GDPA, GDPASettings

SETTINGS = [
    GDPASettings(*choice)
    for choice in itertools.product(("features", "logits"), ("scalar", "channel"), ("input", "free"), (False, True))
]


def train(settings, seed=0):
    """An adapter for evaluation whose gates and batch norms are no longer those of the start."""
    torch.manual_seed(seed)
    gdpa = GDPA(4, 8, settings)
    with torch.no_grad():
        for parameter in gdpa.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return gdpa.eval()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_gates_sum_to_one_and_features_are_unit(settings, pair):
    features, gates = train(settings)(*pair, return_gates=True)
    assert gates.shape == ((6, 2) if settings.gate == "scalar" else (6, 8, 2))
    torch.testing.assert_close(gates.sum(-1), torch.ones(gates.shape[:-1]))
    assert (gates > 0).all()
    assert (gates.std(0).max() > 1e-3) == (settings.source == "input")
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(6))
    assert torch.equal(features, train(settings)(*pair))


@pytest.mark.parametrize("gate", ["scalar", "channel"])
@pytest.mark.parametrize("source", ["free", "input"])
def test_gates_at_a_half_are_the_fusion_of_dpa(gate, source, pair):
    dpa = DPA(4, 8).eval()
    gdpa = GDPA(4, 8, GDPASettings(gate=gate, source=source)).eval()
    gdpa.load_state_dict(dpa.state_dict(), strict=False)
    features, gates = gdpa(*pair, return_gates=True)
    assert (gates == 0.5).all()
    torch.testing.assert_close(features, dpa(*pair))


def test_logits_are_the_gated_sum_of_the_paths_cosines(pair):
    gdpa = train(GDPASettings(on="logits"))
    text = torch.randn(3, 8)
    _, gates = gdpa(*pair, return_gates=True)
    depth, clip = gdpa.depth(pair[0]), gdpa.clip(pair[1])
    for b, c in itertools.product(range(6), range(3)):
        cosines = [torch.cosine_similarity(path[b], text[c], dim=0) for path in (depth, clip)]
        torch.testing.assert_close(gdpa.logits(*pair, text)[b, c], gates[b, 0] * cosines[0] + gates[b, 1] * cosines[1])


def test_a_gate_for_each_channel_weighs_the_products_of_the_channel(pair):
    gdpa = train(GDPASettings(on="logits", gate="channel"))
    text = normalize(torch.randn(3, 8), dim=-1)
    _, gates = gdpa(*pair, return_gates=True)
    depth, clip = (normalize(path, dim=-1) for path in (gdpa.depth(pair[0]), gdpa.clip(pair[1])))
    expected = (gates[..., 0] * depth) @ text.T + (gates[..., 1] * clip) @ text.T
    torch.testing.assert_close(gdpa.logits(*pair, text), expected)


@pytest.mark.parametrize("on", ["features", "logits"])
def test_features_rank_classes_as_logits_do(on, pair):
    gdpa = train(GDPASettings(on=on))
    text = normalize(torch.randn(3, 8), dim=-1)
    logits = gdpa.logits(*pair, 5 * text)
    cosines = gdpa(*pair) @ text.T
    torch.testing.assert_close(logits / logits.norm(dim=-1, keepdim=True), normalize(cosines, dim=-1))
    if on == "features":
        torch.testing.assert_close(logits, cosines)


def test_one_aggregator_for_both_paths(pair):
    gdpa = GDPA(4, 8, GDPASettings(shared=True))
    assert not any(name.startswith("clip.") for name in gdpa.state_dict())
    gdpa(*pair)
    both = torch.cat(pair).mean((0, 1))
    torch.testing.assert_close(gdpa.depth.view_norm.running_mean, 0.1 * 0.5 * both)
    features, swapped = gdpa.eval()(*pair), gdpa(*reversed(pair))
    torch.testing.assert_close(features, swapped)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(OptionError, match="gate is 'vector': expected one of 'scalar', 'channel'"):
        GDPASettings(gate="vector")
    with pytest.raises(OptionError, match="shared is 1: expected one of True, False"):
        GDPASettings(shared=1)


def test_features_of_another_shape_are_refused(pair):
    for settings in (GDPASettings(), GDPASettings(shared=True)):
        with pytest.raises(OptionError, match="expected the same shapes on both paths"):
            GDPA(4, 8, settings)(pair[0], pair[1][:5])
        with pytest.raises(OptionError, match=r"expected view features \[B, 4, 8\]"):
            GDPA(4, 8, settings)(pair[0][..., :5], pair[1][..., :5])


@pytest.mark.parametrize("on", ["features", "logits"])
def test_logits_of_the_single_paths_are_cosines(on, pair):
    gdpa = train(GDPASettings(on=on))
    text = 3 * torch.randn(3, 8)
    logits = gdpa.all_logits(*pair, text)
    assert logits.shape == (6, 3, 3)
    torch.testing.assert_close(logits[:, 0], gdpa.logits(*pair, text))
    for part, path in ((1, gdpa.depth(pair[0])), (2, gdpa.clip(pair[1]))):
        expected = torch.cosine_similarity(path[:, None], text[None], dim=-1)
        torch.testing.assert_close(logits[:, part], expected)
