import math

import pytest
import torch
from torch.nn.functional import normalize

from clip2point.errors import OptionError
from clip2point.models.adapters import LogisticRegression, NearestClassMean, TipAdapter, ZeroShot

HEADS = {
    "zero-shot": ZeroShot,
    "nearest-mean": NearestClassMean,
    "logistic": LogisticRegression,
    "tip": TipAdapter,
    "tip-trained": lambda: TipAdapter(epochs=3),
}
LEARNING = [name for name in HEADS if name != "zero-shot"]


@pytest.fixture(params=HEADS)
def make(request):
    return HEADS[request.param]


def accuracy(scores, labels):
    return (scores.argmax(1) == labels).float().mean().item()


@pytest.mark.parametrize("name", LEARNING)
def test_learns_from_examples(name, problem):
    features, labels, text = problem
    head = HEADS[name]().fit(features[:15], labels[:15], text)
    if "tip" in name:
        head.alpha = 500.0  # more than class names that lead astray
    assert accuracy(head.scores(features[15:]), labels[15:]) == 1
    assert accuracy(ZeroShot().fit(*problem).scores(features), labels) < 0.7


def test_the_same_scores_each_time(make, problem):
    first, second = (make().fit(*problem).scores(problem[0]) for _ in range(2))
    assert first.shape == (30, 3)
    assert first.dtype == torch.float32
    assert torch.equal(first, second)


def test_the_order_of_the_batch_does_not_matter(make, problem):
    head, order = make().fit(*problem), torch.randperm(30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head.scores(problem[0][order]), head.scores(problem[0])[order])
    assert head.scores(problem[0][:0]).shape == (0, 3)


def test_lengths_of_features_do_not_matter(make, problem):
    features, labels, text = problem
    longer = make().fit(3 * features, labels, text / 7)
    torch.testing.assert_close(longer.scores(5 * features), make().fit(*problem).scores(features), atol=1e-3, rtol=1e-3)


def test_the_state_is_all_there_is(make, problem, tmp_path):
    from safetensors.torch import load_file, save_file

    fitted, other = make().fit(*problem), make()
    save_file(fitted.state, tmp_path / "head.safetensors")
    other.state = load_file(tmp_path / "head.safetensors")
    assert torch.equal(other.scores(problem[0]), fitted.scores(problem[0]))


def test_gradients_of_the_tower_are_left_alone(make, problem):
    features, labels, text = problem
    features = features.clone().requires_grad_()
    assert not make().fit(features, labels, text).scores(features).requires_grad


def test_zero_shot_is_the_mean_of_the_views_cosines(problem):
    features, labels, text = problem
    scores = ZeroShot().fit(features, labels, text).scores(features)
    for n, c in ((0, 0), (7, 2), (29, 1)):
        cosines = [torch.cosine_similarity(features[n, v], text[c], dim=0) for v in range(4)]
        torch.testing.assert_close(scores[n, c], sum(cosines) / 4)


def test_the_mean_of_one_example_is_that_example(problem):
    features, _, text = problem
    scores = NearestClassMean().fit(features[:3], torch.arange(3), text).scores(features)
    cosines = torch.stack([torch.cosine_similarity(features, features[c], dim=-1).mean(1) for c in range(3)], dim=1)
    torch.testing.assert_close(scores, cosines)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression_is_scikit_learns(classes, problem):
    from sklearn.linear_model import LogisticRegression as Reference

    features, labels, text = problem
    labels = labels % classes
    unit = normalize(features, dim=-1).flatten(1).numpy() / 2
    expected = Reference(C=7.0, max_iter=1000).fit(unit, labels).predict_log_proba(unit)
    scores = LogisticRegression(c=7.0).fit(features, labels, text[:classes]).scores(features)
    torch.testing.assert_close(scores, torch.from_numpy(expected).float(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(30))


def test_tip_adapter_is_its_formula(problem):
    features, labels, text = problem
    head = TipAdapter(alpha=2.0, beta=3.0, logit_scale=10.0).fit(features[:6], labels[:6], text)
    scores = head.scores(features)
    for n, c in ((0, 0), (11, 1), (20, 0)):
        expected = 10 * torch.cosine_similarity(features[n], text[c], dim=-1).mean().item()
        for example, label in zip(features[:6], labels[:6], strict=True):
            likeness = torch.cosine_similarity(features[n], example, dim=-1).mean().item()
            expected += 2 * math.exp(-3 * (1 - likeness)) * (label == c)
        assert scores[n, c].item() == pytest.approx(float(expected), abs=1e-4)


def test_tip_adapter_without_weight_is_zero_shot(problem):
    zero_shot = ZeroShot().fit(*problem).scores(problem[0])
    torch.testing.assert_close(TipAdapter(alpha=0.0).fit(*problem).scores(problem[0]), 100 * zero_shot)


def test_trained_keys_fit_the_examples_better(problem):
    def loss(epochs):
        head = TipAdapter(logit_scale=1.0, epochs=epochs, lr=1e-2).fit(*problem)
        return torch.nn.functional.cross_entropy(head.scores(problem[0]), problem[1])

    assert loss(20) < loss(0) - 1e-3


def test_classes_known_by_name_alone(problem):
    features, labels, text = problem
    seen = labels != 2
    for make in (ZeroShot, TipAdapter):
        assert make().fit(features[seen], labels[seen], text).scores(features).shape == (30, 3)
    for make in (NearestClassMean, LogisticRegression):
        with pytest.raises(OptionError, match=f"class 2 of 3 .* has no example: {make.__name__} needs"):
            make().fit(features[seen], labels[seen], text)


def test_examples_that_do_not_belong_together_are_refused(make, problem):
    features, labels, text = problem
    broken = features.clone()
    broken[3, 1, 2] = torch.inf
    for arguments, message in [
        ((features[0], labels, text), r"got \[4, 8\] and \[3, 8\]"),
        ((features, labels, text[:, :5]), r"got \[30, 4, 8\] and \[3, 5\]"),
        ((features[:0], labels[:0], text), "at least one example"),
        ((features, labels[:7], text), r"expected 30 labels of type int64, got \[7\]"),
        ((features, labels.float(), text), "got .* of torch.float32"),
        ((features, labels + 1, text), "labels from 1 to 3: expected 0 to 2"),
        ((broken, labels, text), "not finite"),
    ]:
        with pytest.raises(OptionError, match=message):
            make().fit(*arguments)


def test_scores_need_a_fitted_head_and_its_views(make, problem):
    with pytest.raises(OptionError, match="was not fitted yet: call fit first"):
        make().scores(problem[0])
    head = make().fit(*problem)
    with pytest.raises(OptionError, match=r"expected view features \[N, (V|4), 8\], got \[30, 4, 5\]"):
        head.scores(problem[0][..., :5])


def test_views_are_told_apart_where_examples_count(problem):
    features, labels, text = problem
    assert ZeroShot().fit(*problem).scores(features[:, :3]).shape == (30, 3)
    with pytest.raises(OptionError, match=r"expected view features \[N, 4, 8\], got \[30, 3, 8\]"):
        NearestClassMean().fit(features, labels, text).scores(features[:, :3])


def test_options_that_make_no_sense_are_refused(problem):
    with pytest.raises(OptionError, match="c is 0: expected a number above 0"):
        LogisticRegression(c=0)
    with pytest.raises(OptionError, match="beta is -1"):
        TipAdapter(beta=-1)
    with pytest.raises(OptionError, match="alpha is 1.0 and epochs -2"):
        TipAdapter(epochs=-2)
    with pytest.raises(OptionError, match="at least 2 classes"):
        LogisticRegression().fit(problem[0], torch.zeros_like(problem[1]), problem[2][:1])
