import json

import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.heads import Examples, join, make_head
from clip2point.heads.selection import FitSettings, adapt_best, adapt_head, refit_head


@pytest.fixture
def problem():
    """Overlapping train and validation examples of three classes, two augmented views each, and class names."""
    generator = torch.Generator().manual_seed(2)
    centers = torch.randn(3, 2, 4, 8, generator=generator)
    labels = torch.arange(60) % 3
    features = centers[labels] + 1.5 * torch.randn(2, 60, 2, 4, 8, generator=generator)
    whole = Examples(features, labels)
    return whole.take(torch.arange(30)), whole.take(torch.arange(30, 60)), torch.randn(3, 8, generator=generator)


def adapt(name, problem, options=None, refit=False, **settings):
    settings = FitSettings(10.0, **settings)
    found = adapt_head(name, *problem, settings, options)
    return refit_head(found, join(*problem[:2]), problem[2], settings) if refit else found


def test_validation_chooses_options_temperature_and_threshold(problem):
    found = adapt("linear", problem)
    assert [trial["options"]["c"] for trial in found.trials] == [100.0, 10.0, 1000.0]
    ranks = [(-trial["validation_accuracy"], trial["cross_entropy"]) for trial in found.trials]
    assert found.options == found.trials[ranks.index(min(ranks))]["options"] == found.head.options
    assert found.validation_accuracy == -min(ranks)[0]
    confidence, answers = (found.head.scores(problem[1].unaugmented).double() / found.temperature).softmax(1).max(1)
    correct = (answers == problem[1].labels)[confidence >= found.threshold]
    assert correct.double().mean() >= 0.95
    json.dumps([found.trials, found.options, found.temperature, found.threshold, found.seconds])
    assert 0 <= found.seconds < 60


def test_fixed_options_are_not_chosen(problem):
    assert len(adapt("linear", problem, options={"path": "depth"}).trials) == 3
    found = adapt("linear", problem, options={"c": 3.0})
    assert [trial["options"] for trial in found.trials] == [{"path": "both", "c": 3.0}]
    found = adapt("tip-adapter", problem, options={"alpha": 0.7, "path": "image"})
    assert found.options.items() >= {"alpha": 0.7, "path": "image"}.items()
    with pytest.raises(OptionError, match="linear has no option 'beta'"):
        adapt("linear", problem, options={"beta": 1})


def test_without_validation_nothing_is_chosen(problem):
    train, _, text = problem
    found = adapt("tip-adapter", (train, None, text))
    assert found.options == make_head("tip-adapter").options
    assert (found.temperature, found.threshold, found.validation_accuracy) == (1.0, None, None)
    assert 0 <= found.seconds < 60
    assert found.trials == [{"options": found.options, "validation_accuracy": None, "cross_entropy": None}]


@pytest.mark.parametrize("name", ["nearest-mean", "linear", "tip-adapter", "gdpa"])
def test_the_refit_uses_validation_as_well(name, problem):
    options = {"epochs": 2} if name == "gdpa" else None
    first, again = (adapt(name, problem, options=options, refit=refit) for refit in (False, True))
    for field in ("options", "temperature", "threshold", "validation_accuracy", "trials"):
        assert getattr(first, field) == getattr(again, field)
    scores = [found.head.scores(problem[0].unaugmented) for found in (first, again)]
    assert not torch.allclose(*scores)
    if name == "tip-adapter":
        assert len(again.head.state["keys"]) == 60


def test_the_same_seed_gives_the_same_bits(problem):
    found = [adapt("gdpa", problem, options={"epochs": 2}, seed=5, refit=True) for _ in range(2)]
    assert torch.equal(*(fitted.head.scores(problem[0].unaugmented) for fitted in found))
    assert found[0].temperature == found[1].temperature


def test_the_refit_has_the_seed_of_its_settings(problem):
    train, validation, text = problem
    found = adapt("inter-view", problem, options={"epochs": 2}, seed=5, refit=True)
    expected = make_head("inter-view", found.options).fit(join(train, validation), text, logit_scale=10.0, seed=5)
    assert torch.equal(found.head.scores(train.unaugmented), expected.scores(train.unaugmented))


def test_the_best_of_several_heads(problem):
    names = ["zero-shot", "nearest-mean", "linear"]
    found = adapt_best(names, *problem, FitSettings(10.0))
    single = [adapt(name, problem) for name in names]
    assert found.validation_accuracy == max(fitted.validation_accuracy for fitted in single)
    assert {trial["head"] for trial in found.trials} == set(names)
    assert len(found.trials) == sum(len(fitted.trials) for fitted in single)
    expected = adapt(found.head.name, problem)
    assert torch.equal(found.head.scores(problem[0].unaugmented), expected.head.scores(problem[0].unaugmented))
    assert max(fitted.seconds for fitted in single) / 10 <= found.seconds < 60
    with pytest.raises(OptionError, match="no head to choose from"):
        adapt_best([], *problem, FitSettings(10.0))


def test_another_number_of_augmented_views_cannot_be_refitted(problem):
    train, validation, text = problem
    one = Examples(validation.features[:1], validation.labels)
    assert adapt("nearest-mean", (train, one, text)).temperature > 0
    with pytest.raises(OptionError, match="augmented views cannot be joined"):
        adapt("nearest-mean", (train, one, text), refit=True)
