import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from clip2point.core.errors import OptionError
from clip2point.heads import Examples, TipAdapter, TipAdapterF, ZeroShot, key_training, tip_adapter


def cosine(one, other):
    return torch.cosine_similarity(one, other, dim=-1).mean().item()


def test_it_is_its_formula(problem):
    examples, text = problem
    cache = Examples(examples.features[:1, :6], examples.labels[:6])
    head = TipAdapter(alpha=2.0, beta=3.0, path="depth").fit(cache, text, logit_scale=10.0)
    features = examples.unaugmented
    scores = head.scores(features)
    for n, c in ((0, 0), (11, 1), (20, 0)):
        expected = 10 * cosine(features[n, 0], text[c])
        for example, label in zip(features[:6, 0], examples.labels[:6], strict=True):
            # Two examples of a class, in the mean.
            expected += 2 / 2 * math.exp(-3 * (1 - cosine(features[n, 0], example))) * (label == c).item()
        assert scores[n, c].item() == pytest.approx(expected, abs=1e-4)


def test_without_weight_it_is_zero_shot(problem):
    examples, text = problem
    zero_shot = ZeroShot(path="both").fit(examples, text, logit_scale=10.0).scores(examples.unaugmented)
    assert_close(TipAdapter(alpha=0.0).fit(examples, text, logit_scale=10.0).scores(examples.unaugmented), zero_shot)


def test_alpha_means_the_same_for_more_examples(problem):
    examples, text = problem
    twice = Examples(examples.features.repeat(1, 2, 1, 1, 1), examples.labels.repeat(2))
    one, two = (
        TipAdapter().fit(given, text, logit_scale=10.0).scores(examples.unaugmented) for given in (examples, twice)
    )
    assert_close(one, two)


def test_copies_are_averaged_into_one_key(problem):
    examples, text = problem
    head = TipAdapter().fit(examples, text, logit_scale=10.0)
    keys = torch.from_numpy(head.state["keys"]).flatten(1)
    assert_close(keys.norm(dim=1), torch.ones(30))
    unit = torch.nn.functional.normalize(examples.features, dim=-1).mean(0).flatten(1)
    assert_close(torch.cosine_similarity(keys, unit), torch.ones(30))


def test_trained_keys_fit_the_examples_better(problem):
    examples, text = problem

    def loss(head):
        scores = head.fit(examples, text, logit_scale=1.0).scores(examples.unaugmented)
        return cross_entropy(scores, examples.labels)

    assert loss(TipAdapterF(lr=1e-2)) < loss(TipAdapter()) - 1e-2


def test_the_learning_rate_follows_one_cosine_over_all_steps(problem, monkeypatch):
    rates = []

    class Recorder(torch.optim.AdamW):
        def step(self, *arguments, **options):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*arguments, **options)

    examples, text = problem  # 30 shapes: batches of 8, 8, 8 and 6 in each of two epochs
    monkeypatch.setattr(torch.optim, "AdamW", Recorder)
    monkeypatch.setattr(key_training, "_BATCH_SIZE", 8)
    TipAdapterF(lr=1e-2, epochs=2).fit(examples, text, logit_scale=1.0)
    assert rates == pytest.approx([1e-2 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)])


def test_the_seed_orders_the_batches_whatever_was_drawn_before(problem, monkeypatch):
    examples, text = problem
    monkeypatch.setattr(key_training, "_BATCH_SIZE", 8)
    keys = []
    for drawn in (0, 1):
        torch.manual_seed(drawn)
        keys.append(TipAdapterF(lr=1e-2, epochs=2).fit(examples, text, logit_scale=1.0, seed=3).state["keys"])
    assert np.array_equal(*keys)


@pytest.mark.parametrize("kind", [TipAdapter, TipAdapterF])
def test_validation_finds_alpha_and_beta(kind, problem):
    examples, text = problem
    train, rest = examples.take(torch.arange(15)), examples.take(torch.arange(15, 30))
    head = kind(alpha=0.0).fit(train, text, logit_scale=10.0)
    tuned = head.tune(rest)
    assert (head.scores(rest.unaugmented).argmax(1) == rest.labels).float().mean() < 0.7
    assert (tuned.scores(rest.unaugmented).argmax(1) == rest.labels).all()
    assert tuned.state["keys"] is head.state["keys"]
    assert head.tune(rest, fixed=("alpha", "beta")).options == head.options
    assert head.tune(rest, fixed=("alpha",)).options["alpha"] == 0.0
    with pytest.raises(OptionError, match="expected view features"):
        head.tune(Examples(rest.features[..., :-1], rest.labels))


def test_validation_searches_alphas_from_a_tenth_to_a_thousand_and_betas_from_1_to_128():
    assert (tip_adapter._ALPHAS[0], tip_adapter._ALPHAS[6], tip_adapter._ALPHAS[-1]) == (0.1, 1, 1000)
    assert (tip_adapter._BETAS[0], tip_adapter._BETAS[2], tip_adapter._BETAS[-1]) == (1, 2, 128)


def test_the_state_has_the_shapes_that_it_derives(problem):
    examples, text = problem
    head = TipAdapter(path="depth").fit(examples, text, logit_scale=1.0)
    assert head.derive_shapes(head.state) == {name: tuple(tensor.shape) for name, tensor in head.state.items()}
