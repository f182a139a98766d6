import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from clip2point.core.errors import OptionError
from clip2point.heads.examples import Examples
from clip2point.heads.ood import Familiarity, find_familiarity

CLASSES, VIEWS, WIDTH = 3, 2, 16


def drawn(shapes, noise, seed=0, copies=1):
    """Examples around a direction for each class, which do not change with the seed."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(CLASSES, 1, 1, WIDTH, generator=generator)
    generator = torch.Generator().manual_seed(seed + 1)
    labels = torch.arange(CLASSES).repeat(shapes)
    features = centers[labels] + noise * torch.randn(copies, len(labels), 2, VIEWS, WIDTH, generator=generator)
    return Examples(features, labels)


@pytest.fixture
def text():
    return torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def found(text):
    return find_familiarity(drawn(8, 0.3), drawn(20, 0.3, seed=1), text)


def vectors(examples):
    return normalize(normalize(examples.measured[:, 0], dim=-1).mean(1), dim=-1)


def test_shapes_of_known_classes_are_familiar_and_others_are_not(found):
    known, foreign = drawn(200, 0.3, seed=2), torch.randn(500, WIDTH, generator=torch.Generator().manual_seed(3))
    assert (found.of(vectors(known)) >= found.least).double().mean() > 0.9
    assert (found.of(normalize(foreign, dim=-1)) >= found.least).double().mean() < 0.1


def test_a_class_lies_halfway_between_its_name_and_its_examples(found, text):
    assert found.classes.norm(dim=-1).tolist() == pytest.approx([1] * CLASSES)
    sets = (drawn(8, 0.3), drawn(20, 0.3, seed=1))
    for label in range(CLASSES):
        mean = torch.cat([vectors(examples)[examples.labels == label] for examples in sets]).mean(0)
        to_mean = found.classes[label] @ normalize(mean, dim=0)
        to_name = found.classes[label] @ normalize(text[label], dim=0)
        assert to_mean.item() == pytest.approx(to_name.item(), abs=1e-5)


def test_nineteen_of_twenty_of_the_others_reach_it(text):
    train, validation = drawn(8, 0.3), drawn(40, 0.3, seed=1)
    alone = Familiarity(find_familiarity(train, train, text).classes, -1.0)
    reached = alone.of(vectors(validation)) >= find_familiarity(train, validation, text).least
    assert reached.double().mean().item() == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 19])
def test_all_of_a_few_others_reach_it(text, count):
    train, validation = drawn(8, 0.3), drawn(7, 0.5, seed=1).take(torch.arange(count))
    found = find_familiarity(train, validation, text)
    alone = Familiarity(find_familiarity(train, train, text).classes, -1.0)
    assert found.least == pytest.approx(alone.of(vectors(validation)).min().item(), abs=1e-6)


@given(st.floats(0.01, 100), st.integers(1, 3))
def test_lengths_and_copies_have_no_part_in_it(factor, copies):
    text = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(7))
    train, validation = drawn(4, 0.3), drawn(4, 0.3, seed=1)
    first = find_familiarity(train, validation, text)
    more = [(factor * found.features.expand(copies, -1, -1, -1, -1), found.labels) for found in (train, validation)]
    again = find_familiarity(*(Examples(*arguments) for arguments in more), factor * text)
    torch.testing.assert_close(again.classes, first.classes, atol=1e-5, rtol=0)
    assert again.least == pytest.approx(first.least, abs=1e-5)


def test_more_classes_leave_the_others_as_they_are(found, text):
    features = torch.randn(1, 5, 2, VIEWS, WIDTH)
    new = Examples(features, torch.zeros(5, dtype=torch.int64))
    for examples in (None, new):
        grown = found.with_classes(3 * text[:1], examples)
        assert grown.least == found.least
        assert torch.equal(grown.classes[:CLASSES], found.classes)
        assert grown.classes.shape == (CLASSES + 1, WIDTH)
        near = normalize(text[:1], dim=-1) if examples is None else vectors(new)
        assert grown.of(near).min() > found.of(near).min() - 1e-6
    torch.testing.assert_close(found.with_classes(text[:1], None).classes[-1], normalize(text[0], dim=0))


def test_what_makes_no_sense_is_refused(text):
    with pytest.raises(OptionError, match="no validation examples"):
        find_familiarity(drawn(2, 0.3), drawn(2, 0.3).take(torch.arange(0)), text)
    with pytest.raises(OptionError, match="least familiarity of 1.5: expected a cosine from -1 to 1"):
        Familiarity(torch.eye(3), 1.5)
