import json

import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.heads import Examples, make_head
from clip2point.heads.selection import adapt_best, adapt_head


@pytest.fixture
def problem():
    """Train and validation examples of three classes, two copies each, with some labels wrong, and class names."""
    generator = torch.Generator().manual_seed(2)
    centres = torch.randn(3, 2, 4, 8, generator=generator)
    labels = torch.arange(60) % 3
    features = centres[labels] + 1.5 * torch.randn(2, 60, 2, 4, 8, generator=generator)
    whole = Examples(features, labels)
    return whole.take(torch.arange(30)), whole.take(torch.arange(30, 60)), torch.randn(3, 8, generator=generator)


def adapted(name, problem, **others):
    return adapt_head(name, *problem, logit_scale=10.0, **others)


def test_validation_chooses_options_temperature_and_threshold(problem):
    found = adapted("linear", problem)
    assert [trial["options"]["c"] for trial in found.trials] == [100.0, 10.0, 1000.0]
    ranks = [(-trial["validation_accuracy"], trial["cross_entropy"]) for trial in found.trials]
    assert found.options == found.trials[ranks.index(min(ranks))]["options"] == found.head.options
    assert found.validation_accuracy == -min(ranks)[0]
    confidence, answers = (found.head.scores(problem[1].measured).double() / found.temperature).softmax(1).max(1)
    right = (answers == problem[1].labels)[confidence >= found.threshold]
    assert right.double().mean() >= 0.95
    json.dumps([found.trials, found.options, found.temperature, found.threshold, found.seconds])


def test_fixed_options_are_not_chosen(problem):
    assert len(adapted("linear", problem, options={"path": "depth"}).trials) == 3
    found = adapted("linear", problem, options={"c": 3.0})
    assert [trial["options"] for trial in found.trials] == [{"path": "both", "c": 3.0}]
    found = adapted("tip-adapter", problem, options={"alpha": 0.7, "path": "image"})
    assert found.options.items() >= {"alpha": 0.7, "path": "image"}.items()
    with pytest.raises(OptionError, match="linear has no option 'beta'"):
        adapted("linear", problem, options={"beta": 1})


def test_without_validation_nothing_is_chosen(problem):
    train, _, text = problem
    found = adapted("tip-adapter", (train, None, text))
    assert found.options == make_head("tip-adapter").options
    assert (found.temperature, found.threshold, found.validation_accuracy) == (1.0, None, None)
    assert found.trials == [{"options": found.options, "validation_accuracy": None, "cross_entropy": None}]


@pytest.mark.parametrize("name", ["nearest-mean", "linear", "tip-adapter", "gdpa"])
def test_the_last_fit_uses_validation_as_well(name, problem):
    options = {"epochs": 2} if name == "gdpa" else None
    first, again = (adapted(name, problem, options=options, refit=refit) for refit in (False, True))
    for field in ("options", "temperature", "threshold", "validation_accuracy", "trials"):
        assert getattr(first, field) == getattr(again, field)
    scores = [found.head.scores(problem[0].measured) for found in (first, again)]
    assert not torch.allclose(*scores)
    if name == "tip-adapter":
        assert len(again.head.state["keys"]) == 60


def test_the_same_seed_gives_the_same_bits(problem):
    found = [adapted("gdpa", problem, options={"epochs": 2}, seed=5, refit=True) for _ in range(2)]
    assert torch.equal(*(adaptation.head.scores(problem[0].measured) for adaptation in found))
    assert found[0].temperature == found[1].temperature


def test_the_best_of_several_heads(problem):
    names = ["zero-shot", "nearest-mean", "linear"]
    found = adapt_best(names, *problem, logit_scale=10.0)
    single = [adapted(name, problem) for name in names]
    assert found.validation_accuracy == max(adaptation.validation_accuracy for adaptation in single)
    assert {trial["head"] for trial in found.trials} == set(names)
    assert len(found.trials) == sum(len(adaptation.trials) for adaptation in single)
    expected = adapted(found.head.name, problem)
    assert torch.equal(found.head.scores(problem[0].measured), expected.head.scores(problem[0].measured))
    with pytest.raises(OptionError, match="no head to choose from"):
        adapt_best([], *problem, logit_scale=10.0)


def test_other_copies_cannot_be_used_for_the_last_fit(problem):
    train, validation, text = problem
    one = Examples(validation.features[:1], validation.labels)
    assert adapted("nearest-mean", (train, one, text)).temperature > 0
    with pytest.raises(OptionError, match="copies cannot be joined"):
        adapted("nearest-mean", (train, one, text), refit=True)
