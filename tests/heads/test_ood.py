import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from clip2point.core.errors import OptionError
from clip2point.heads.examples import Examples
from clip2point.heads.ood import OODDetector, fit_ood_detector

CLASSES, VIEWS, WIDTH = 3, 2, 16


def draw_examples(shapes, noise, seed=0, augmentations=1):
    """Examples around a direction for each class, which do not change with the seed."""
    generator = torch.Generator().manual_seed(0)
    centers = torch.randn(CLASSES, 1, 1, WIDTH, generator=generator)
    generator = torch.Generator().manual_seed(seed + 1)
    labels = torch.arange(CLASSES).repeat(shapes)
    features = centers[labels] + noise * torch.randn(augmentations, len(labels), 2, VIEWS, WIDTH, generator=generator)
    return Examples(features, labels)


@pytest.fixture
def text():
    return torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def detector(text):
    return fit_ood_detector(draw_examples(8, 0.3), draw_examples(20, 0.3, seed=1), text)


def vectors(examples):
    return normalize(normalize(examples.unaugmented[:, 0], dim=-1).mean(1), dim=-1)


def test_shapes_of_known_classes_are_in_distribution_and_others_are_not(detector):
    known, foreign = (
        draw_examples(200, 0.3, seed=2),
        torch.randn(500, WIDTH, generator=torch.Generator().manual_seed(3)),
    )
    assert (detector.score(vectors(known)) >= detector.threshold).double().mean() > 0.9
    assert (detector.score(normalize(foreign, dim=-1)) >= detector.threshold).double().mean() < 0.1


def test_a_centroid_lies_halfway_between_name_and_examples(detector, text):
    assert np.linalg.norm(detector.centroids, axis=-1).tolist() == pytest.approx([1] * CLASSES)
    sets = (draw_examples(8, 0.3), draw_examples(20, 0.3, seed=1))
    for label in range(CLASSES):
        mean = torch.cat([vectors(examples)[examples.labels == label] for examples in sets]).mean(0)
        to_mean = torch.from_numpy(detector.centroids[label]) @ normalize(mean, dim=0)
        to_name = torch.from_numpy(detector.centroids[label]) @ normalize(text[label], dim=0)
        assert to_mean.item() == pytest.approx(to_name.item(), abs=1e-5)


def test_nineteen_of_twenty_validation_shapes_reach_the_threshold(text):
    train, validation = draw_examples(8, 0.3), draw_examples(40, 0.3, seed=1)
    alone = OODDetector(fit_ood_detector(train, train, text).centroids, -1.0)
    reached = alone.score(vectors(validation)) >= fit_ood_detector(train, validation, text).threshold
    assert reached.double().mean().item() == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 19])
def test_all_of_fewer_than_twenty_validation_shapes_reach_the_threshold(text, count):
    train, validation = draw_examples(8, 0.3), draw_examples(7, 0.5, seed=1).take(torch.arange(count))
    detector = fit_ood_detector(train, validation, text)
    alone = OODDetector(fit_ood_detector(train, train, text).centroids, -1.0)
    assert detector.threshold == pytest.approx(alone.score(vectors(validation)).min().item(), abs=1e-6)


@given(st.floats(0.01, 100), st.integers(1, 3))
def test_lengths_and_number_of_augmented_views_do_not_matter(factor, augmentations):
    text = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(7))
    train, validation = draw_examples(4, 0.3), draw_examples(4, 0.3, seed=1)
    first = fit_ood_detector(train, validation, text)
    more = [
        (factor * found.features.expand(augmentations, -1, -1, -1, -1), found.labels) for found in (train, validation)
    ]
    again = fit_ood_detector(*(Examples(*arguments) for arguments in more), factor * text)
    np.testing.assert_allclose(again.centroids, first.centroids, atol=1e-5, rtol=0)
    assert again.threshold == pytest.approx(first.threshold, abs=1e-5)


def test_new_classes_leave_the_others_as_they_are(detector, text):
    features = torch.randn(1, 5, 2, VIEWS, WIDTH)
    new = Examples(features, torch.zeros(5, dtype=torch.int64))
    for examples in (None, new):
        grown = detector.with_classes(3 * text[:1], examples)
        assert grown.threshold == detector.threshold
        assert np.array_equal(grown.centroids[:CLASSES], detector.centroids)
        assert grown.centroids.shape == (CLASSES + 1, WIDTH)
        near = normalize(text[:1], dim=-1) if examples is None else vectors(new)
        assert grown.score(near).min() > detector.score(near).min() - 1e-6
    np.testing.assert_allclose(
        detector.with_classes(text[:1], None).centroids[-1], normalize(text[0], dim=0), atol=1e-6
    )


def test_a_threshold_is_a_quantile_from_twenty_shapes_on(text):
    train, validation = draw_examples(8, 0.3), draw_examples(7, 0.5, seed=1).take(torch.arange(20))
    detector = fit_ood_detector(train, validation, text)
    scores = OODDetector(fit_ood_detector(train, train, text).centroids, -1.0).score(vectors(validation))
    lowest, second = scores.sort().values[:2].tolist()
    # Linear interpolation at 0.05 of 19 intervals.
    assert detector.threshold == pytest.approx(lowest + 0.95 * (second - lowest), abs=1e-5)
    assert detector.threshold > lowest


def test_a_score_at_the_threshold_is_in_distribution():
    detector = OODDetector(torch.eye(2), 0.5)
    assert detector.detect(torch.tensor([[0.5, 0.0], [0.4999, 0.0]])).tolist() == [False, True]


def test_invalid_arguments_are_refused(text):
    with pytest.raises(OptionError, match="no validation examples"):
        fit_ood_detector(draw_examples(2, 0.3), draw_examples(2, 0.3).take(torch.arange(0)), text)
    for threshold in (1.5, -1.5):
        with pytest.raises(OptionError, match=f"an OOD threshold of {threshold}: expected a cosine from -1 to 1"):
            OODDetector(torch.eye(3), threshold)
    assert [OODDetector(torch.eye(3), threshold).threshold for threshold in (-1.0, 1.0)] == [-1, 1]
