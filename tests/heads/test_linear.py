import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from clip2point.core.errors import OptionError
from clip2point.heads import Examples, LogisticRegression


def inputs(features, path="depth"):
    """Concatenated unit view features, of length 1."""
    chosen = features.flatten(1, 2) if path == "both" else features[:, 0]
    return normalize(chosen, dim=-1).flatten(1).double() / chosen.shape[1] ** 0.5


@pytest.mark.parametrize("path", ["depth", "both"])
def test_it_is_scikit_learns(path, problem):
    from sklearn.linear_model import LogisticRegression as Reference

    examples, text = problem
    unit = inputs(examples.unaugmented, path).numpy()
    expected = Reference(C=7.0, max_iter=1000).fit(unit, examples.labels.numpy()).predict_log_proba(unit)
    one = Examples(examples.features[:1], examples.labels)
    scores = LogisticRegression(c=7.0, path=path).fit(one, text, logit_scale=1.0).scores(examples.unaugmented)
    assert_close(scores, torch.from_numpy(expected).float(), atol=5e-3, rtol=5e-3)
    assert_close(scores.exp().sum(1), torch.ones(30))


@pytest.mark.parametrize("classes", [2, 3])
def test_it_minimises_the_penalised_multinomial_loss(classes, problem):
    examples, text = problem
    examples = examples.take(examples.labels < classes)
    head = LogisticRegression(c=2.0, path="depth").fit(examples, text[:classes], logit_scale=1.0)
    unit = inputs(examples.features.flatten(0, 1))
    labels = examples.labels.repeat(2)
    weight, bias = (
        torch.from_numpy(head.state[name]).double().flatten(1 if name == "weight" else 0) for name in ("weight", "bias")
    )
    weight.requires_grad_(), bias.requires_grad_()
    loss = torch.nn.functional.cross_entropy(unit @ weight.T + bias, labels)
    (loss + weight.square().sum() / (2 * 2.0 * len(examples))).backward()
    assert weight.grad.abs().max() < 1e-3
    assert bias.grad.abs().max() < 1e-3


def test_validation_chooses_the_penalty_of_three():
    assert [choice["c"] for choice in LogisticRegression.grid] == [100, 10, 1000]


def test_the_same_augmented_view_twice_changes_nothing(problem):
    examples, text = problem
    one = Examples(examples.features[:1], examples.labels)
    two = Examples(examples.features[:1].expand(2, -1, -1, -1, -1), examples.labels)
    first, second = (LogisticRegression().fit(given, text, logit_scale=1.0) for given in (one, two))
    assert_close(first.scores(examples.unaugmented), second.scores(examples.unaugmented), atol=1e-2, rtol=1e-2)


def test_one_class_is_not_enough(problem):
    examples, text = problem
    with pytest.raises(OptionError, match="linear needs at least 2 classes"):
        LogisticRegression().fit(Examples(examples.features, 0 * examples.labels), text[:1], logit_scale=1.0)
