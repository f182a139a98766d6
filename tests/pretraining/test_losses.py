import math
from pathlib import Path

import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.pretraining.losses import caption_loss, mean_square_distance, nt_xent, pretraining_loss

#: Random features and the losses that the authors' code gives for them.
GOLDEN = {
    name: torch.from_numpy(array)
    for name, array in np.load(Path(__file__).parent.parent / "data" / "pretraining_losses.npz").items()
}


def features(count=6, dim=5, seed=0):
    return torch.randn(3, count, dim, generator=torch.Generator().manual_seed(seed))


def test_equal_to_the_authors_losses():
    loss = pretraining_loss(GOLDEN["depth1"], GOLDEN["depth2"], GOLDEN["image"], GOLDEN["sigma"])
    for name in ("cross", "intra", "total"):
        torch.testing.assert_close(getattr(loss, name), GOLDEN[name], atol=1e-5, rtol=0)


def test_equal_to_the_formula_written_out():
    a, b, _ = features()
    everything = [*a, *b]
    total = 0.0
    for i in range(12):
        exponentials = [torch.exp(torch.cosine_similarity(everything[i], other, dim=0) / 0.07) for other in everything]
        others = sum(value for j, value in enumerate(exponentials) if j != i)
        total -= torch.log(exponentials[(i + 6) % 12] / others)
    torch.testing.assert_close(nt_xent(a, b), total / 12)


def test_norms_and_order_do_not_matter():
    a, b, _ = features()
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    torch.testing.assert_close(nt_xent(3 * a, b / 7), nt_xent(a, b))
    torch.testing.assert_close(nt_xent(a[order], b[order]), nt_xent(a, b))
    torch.testing.assert_close(nt_xent(b, a), nt_xent(a, b))


def test_similar_partners_have_a_lower_loss():
    a, b, _ = features()
    assert nt_xent(a, a) < nt_xent(a, b)
    assert nt_xent(a, a) < nt_xent(a, a.roll(1, 0))


def test_the_weight_is_learned():
    depth1, depth2, image = features()
    sigma = torch.ones((), requires_grad=True)
    loss = pretraining_loss(depth1, depth2, image, sigma)
    torch.testing.assert_close(loss.total, loss.cross + loss.intra + torch.log(torch.tensor(2.0)))
    loss.total.backward()
    torch.testing.assert_close(sigma.grad, -2 * loss.intra + 0.5)


def test_the_weight_is_read_in_the_number_format_of_the_features():
    depth1, depth2, image = features().double()
    loss = pretraining_loss(depth1, depth2, image, 0.1)
    expected = loss.cross.item() + loss.intra.item() / 0.1**2 + math.log(1.1)
    assert loss.total.item() == pytest.approx(expected, rel=1e-12)


def test_the_mean_square_distance_of_directions_by_hand():
    a = torch.tensor([[3.0, 0, 0], [4, 0, 0], [0, 1, 0], [0, 7, 0]])
    b = torch.tensor([[0, 3.0, 0], [0, 4, 0], [0, 2, 0], [0, -1, 0]])
    assert mean_square_distance(a, b).item() == pytest.approx((2 + 2 + 0 + 4) / 4)


def test_features_of_different_shapes_are_refused():
    with pytest.raises(OptionError, match=r"got \[3, 4\] and \[2, 4\]"):
        nt_xent(torch.ones(3, 4), torch.ones(2, 4))


def test_captions_that_share_meaning_cost_nothing_at_the_optimum():
    captions = torch.nn.functional.normalize(torch.tensor([[1.0, 0.2], [1.0, 0.0], [0.0, 1.0]]), dim=-1)
    numbers = torch.arange(3)
    assert caption_loss(3 * captions, captions, numbers, temperature=0.5).item() == pytest.approx(0, abs=1e-6)
    assert caption_loss(captions.flip(0), captions, numbers, temperature=0.5).item() > 0.1
