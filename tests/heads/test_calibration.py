import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from clip2point.core.errors import OptionError
from clip2point.heads.calibration import choose_threshold, coverage_curve, fit_temperature, rate_scores


def sample(count, temperature, classes=5, seed=0):
    """Scores whose softmax at a temperature is how often each class is the true one."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(count, classes, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return temperature * logits, labels


@pytest.mark.parametrize("temperature", [0.01, 1.0, 30.0])
def test_the_temperature_that_scores_were_made_with(temperature):
    assert fit_temperature(*sample(4000, temperature)) == pytest.approx(temperature, rel=0.05)


def test_it_is_the_minimum_of_the_cross_entropy():
    scores, labels = sample(5000, 3.0)
    scores += 0.3 * torch.randn(scores.shape, generator=torch.Generator().manual_seed(1))
    found = fit_temperature(scores, labels)
    grid = found * torch.linspace(0.5, 2, 301)
    best = grid[torch.stack([cross_entropy(scores / t, labels) for t in grid]).argmin()].item()
    assert found == pytest.approx(best, rel=0.01)
    assert found == fit_temperature(scores, labels)


def test_scores_times_a_factor_have_the_temperature_times_it():
    scores, labels = sample(50, 1.0)
    assert fit_temperature(1000 * scores, labels) == pytest.approx(1000 * fit_temperature(scores, labels), rel=1e-5)


def test_few_shapes_all_right_do_not_make_a_model_certain():
    confidence = {}
    for count in (1, 10, 1000):
        labels = torch.arange(count) % 3
        scores = torch.eye(3)[labels]
        confidence[count] = (scores / fit_temperature(scores, labels)).softmax(1).max(1).values.mean().item()
    assert confidence[1] == pytest.approx(2 / 3, abs=1e-3)
    assert confidence[10] == pytest.approx(11 / 12, abs=1e-3)
    assert 0.99 < confidence[1000] < 1


def test_the_temperature_has_bounds():
    labels = torch.arange(9_000) % 3
    right = torch.eye(3)[labels]
    deviation = right.std(1, correction=0).mean().item()
    wide = 1000 * right + torch.arange(3)
    assert fit_temperature(-right, labels) == pytest.approx(20 * deviation, rel=1e-3)  # always wrong
    assert fit_temperature(wide, labels) >= 0.0499 * wide.std(1, correction=0).mean().item()
    assert fit_temperature(torch.zeros(4, 3), labels[:4]) == 1
    assert fit_temperature(torch.randn(4, 1), 0 * labels[:4]) == 1


def test_ratings_do_not_depend_on_the_scale():
    scores, labels = sample(200, 1.0)
    accuracy, loss = rate_scores(torch.stack([scores, 50 * scores, torch.zeros_like(scores)]), labels)
    assert accuracy[0] == accuracy[1] == (scores.argmax(1) == labels).double().mean()
    assert loss[0] == pytest.approx(loss[1], rel=1e-6)
    assert loss[0] == pytest.approx(cross_entropy(scores / fit_temperature(scores, labels), labels).item(), rel=1e-5)
    assert loss[2] == pytest.approx(np.log(5))


def test_the_threshold_is_the_smallest_that_keeps_the_promise():
    confidence = np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4])
    right = np.array([True, True, True, False, True, False])
    assert choose_threshold(confidence, right, 0.95) == 0.8
    assert choose_threshold(confidence, right, 0.8) == 0.5
    assert choose_threshold(confidence, right, 0.0) == 0.4
    assert choose_threshold(confidence, ~right, 0.95) is None
    assert choose_threshold([], np.zeros(0, bool)) is None


def test_equal_confidences_stand_or_fall_together():
    assert choose_threshold([0.9, 0.7, 0.7], np.array([True, True, False]), 0.95) == 0.9
    assert choose_threshold([0.7, 0.7], np.array([True, False]), 0.95) is None


def test_coverage_and_accuracy():
    coverage, accuracy = coverage_curve([0.2, 0.9, 0.5, 0.4], np.array([False, True, False, True]))
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(accuracy, [1, 1 / 2, 2 / 3, 1 / 2])
    assert [len(part) for part in coverage_curve([], np.zeros(0, bool))] == [0, 0]


def test_mismatched_arguments_are_refused():
    scores, labels = sample(4, 1.0)
    for given, message in [
        ((scores[:0], labels[:0]), "at least one shape"),
        ((scores, labels[:3]), r"got \[4, 5\] and \[3\] of int64"),
        ((scores, labels.float()), "of float32"),
        ((scores, labels + 9), "expected 0 to 4"),
        ((scores * torch.nan, labels), "not finite"),
    ]:
        with pytest.raises(OptionError, match=message):
            fit_temperature(*given)
    with pytest.raises(OptionError, match=r"got \[2\] and \[3\] of bool"):
        choose_threshold([0.1, 0.2], np.ones(3, bool))
    with pytest.raises(OptionError, match="finite confidences"):
        coverage_curve([np.nan], np.ones(1, bool))
    with pytest.raises(OptionError, match="a target of 95: expected an accuracy"):
        choose_threshold([0.1], np.ones(1, bool), 95)


def test_labels_are_smoothed_by_the_rule_of_succession():
    scores = torch.tensor([[2.0, 1.5, -3.0, 0.0], [0.5, 1.0, 0.0, -1.0], [1.0, 0.0, 0.2, 0.9]], dtype=torch.float64)
    labels = torch.tensor([0, 1, 3])
    truth = torch.full((3, 4), (1 / 5) / 3, dtype=torch.float64).scatter(1, labels[:, None], 4 / 5)
    found = fit_temperature(scores, labels)
    grid = found * torch.linspace(0.5, 2, 3001, dtype=torch.float64)
    best = grid[torch.stack([cross_entropy(scores / t, truth) for t in grid]).argmin()].item()
    assert found == pytest.approx(best, rel=1e-3)


def test_the_lowest_temperature_is_a_twentieth_of_the_deviation():
    scores = torch.tensor([1.0, 0.99, -10.0]).expand(9_000, 3)  # always right, by very little
    lowest = 0.05 * scores[0].std(correction=0).item()
    assert fit_temperature(scores, torch.zeros(9_000, dtype=torch.int64)) == pytest.approx(lowest, rel=1e-5)
