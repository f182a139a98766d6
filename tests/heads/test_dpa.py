from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import dropout, linear, normalize

from clip2point.core.errors import ModelError, OptionError
from clip2point.heads import DPA, GlobalView

#: Random view features and adapters, and what the authors' code gives for them.
GOLDEN = dict(np.load(Path(__file__).parents[1] / "data" / "dpa_fusion.npz"))


@pytest.fixture
def authors():
    return {name: torch.tensor(array) for name, array in GOLDEN.items() if name.startswith("adapter")}


def test_equal_to_the_authors_adapters(authors):
    dpa = DPA(10, 32).load_authors_state(authors).eval()
    out = dpa(torch.tensor(GOLDEN["feat_depth"]), torch.tensor(GOLDEN["feat_clip"]))
    torch.testing.assert_close(out, torch.tensor(GOLDEN["out"]), atol=1e-5, rtol=0)


def test_arrays_do_as_well_as_tensors(authors):
    arrays = {name: tensor.numpy() for name, tensor in authors.items()}
    own, other = (DPA(10, 32).load_authors_state(state).state_dict() for state in (authors, arrays))
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_the_state_is_copied(authors):
    dpa = DPA(10, 32).load_authors_state(authors)
    with torch.no_grad():
        dpa.depth.ratio.add_(1)
    assert torch.equal(authors["adapter1.fusion_ratio"], torch.tensor(GOLDEN["adapter1.fusion_ratio"]))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("adapter2.global_f.3.bias", None, "'adapter2.global_f.3.bias' is missing"),
        ("adapter1.global_f.9.bias", torch.zeros(2), "'adapter1.global_f.9.bias' is not part of this model"),
        ("pre_model.proj", torch.zeros(2), "'pre_model.proj' is not part of this model"),
        ("adapter1.fusion_ratio", torch.zeros(6), r"'adapter1.fusion_ratio' has shape \[6\], expected \[10\]"),
        ("adapter2.global_f.4.weight", torch.full((32,), torch.nan), "'adapter2.global_f.4.weight' has values"),
        ("adapter2.fusion_ratio", "half", "'adapter2.fusion_ratio' is no tensor but a str"),
    ],
)
def test_a_state_that_is_not_whole_is_refused(authors, name, value, message):
    dpa = DPA(10, 32)
    before = {key: tensor.clone() for key, tensor in dpa.state_dict().items()}
    changed = {key: tensor for key, tensor in authors.items() if key != name}
    with pytest.raises(ModelError, match=message):
        dpa.load_authors_state(changed if value is None else {**changed, name: value})
    assert all(torch.equal(tensor, before[key]) for key, tensor in dpa.state_dict().items())


def test_the_published_starting_point():
    dpa = DPA(10, 8)
    assert torch.equal(dpa.depth.ratio, torch.full((10,), 0.5))
    assert {module.p for module in dpa.modules() if isinstance(module, torch.nn.Dropout)} == {0.075}


def test_the_paths_are_averaged_and_normalised(pair):
    dpa = DPA(4, 8).eval()
    mean = (dpa.depth(pair[0]) + dpa.clip(pair[1])) / 2
    torch.testing.assert_close(dpa(*pair), normalize(mean, dim=-1))
    assert dpa.depth(pair[0][:0]).shape == (0, 8)


def test_the_view_norm_is_over_batch_and_views(pair):
    view = GlobalView(4, 8)
    view(pair[0])
    torch.testing.assert_close(view.view_norm.running_mean, 0.1 * 0.5 * pair[0].mean((0, 1)))


def test_features_of_another_shape_are_refused(pair):
    dpa = DPA(4, 8)
    with pytest.raises(OptionError, match=r"expected view features \[B, 4, 8\], got \[6, 3, 8\]"):
        dpa(pair[0][:, :3], pair[1][:, :3])
    with pytest.raises(OptionError, match=r"got view features \[6, 4, 8\] and \[5, 4, 8\]"):
        dpa(pair[0], pair[1][:5])
    with pytest.raises(OptionError, match="a batch of one shape"):
        dpa(pair[0][:1], pair[1][:1])
    with pytest.raises(OptionError, match="an adapter of 0 views"):
        DPA(0, 8)


def test_training_is_the_public_formula_with_both_dropouts(pair):
    view = GlobalView(4, 8).train()
    features = pair[0]
    torch.manual_seed(5)
    out = view(features)
    torch.manual_seed(5)
    first, second = dropout(torch.ones(6, 4, 8), 0.075), dropout(torch.ones(6, 8), 0.075)
    assert (first == 0).any()
    weighted = (features * view.ratio[:, None]).flatten(0, 1)
    normed = (weighted - weighted.mean(0)) / (weighted.var(0, correction=0) + 1e-5).sqrt()
    mixed = linear((normed.unflatten(0, (6, 4)) * first).flatten(1), view.mix.weight, view.mix.bias)
    mixed = (mixed - mixed.mean(0)) / (mixed.var(0, correction=0) + 1e-5).sqrt()
    expected = linear(mixed.relu() * second, view.out.weight, view.out.bias)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
