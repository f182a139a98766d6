import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from clip2point.core.errors import OptionError
from clip2point.heads.metrics import measure_predictions, reliability, summarise

CLASSES = ("bed", "chair", "table")


def predictions(seed, samples=60, classes=8):
    """Probabilities without ties, labels of which each class has some, and names."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(samples) % classes)
    scores = rng.normal(size=(samples, classes)) + 1.5 * np.eye(classes)[labels]
    return softmax(scores), labels, [f"class {i}" for i in range(classes)]


def softmax(scores):
    powers = np.exp(scores)
    return powers / powers.sum(axis=1, keepdims=True)


def test_a_case_worked_out_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.5, 0.3], [0.05, 0.9, 0.05]])
    measured = measure_predictions(probabilities, np.array([0, 1, 1, 0]), CLASSES)
    assert measured.accuracy == 0.5
    assert measured.mean_class_accuracy == 0.5
    assert measured.top3 == measured.top5 == 1
    assert measured.samples == 4
    assert measured.confusion == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert measured.per_class == {
        "bed": {"accuracy": 0.5, "samples": 2},
        "chair": {"accuracy": 0.5, "samples": 2},
        "table": {"accuracy": None, "samples": 0},
    }
    # Four bins with one sample each: right at 0.7 and 0.5, wrong at 0.6 and 0.9.
    assert measured.calibration_error == pytest.approx((0.3 + 0.5 + 0.6 + 0.9) / 4)


def test_the_mean_over_classes_passes_over_those_that_do_not_occur():
    probabilities = np.eye(3)[[0, 0, 0, 1]]
    measured = measure_predictions(probabilities, np.array([0, 0, 1, 1]), CLASSES)
    assert measured.mean_class_accuracy == 0.75
    assert measured.accuracy == 0.75
    uneven = measure_predictions(np.eye(3)[[0, 0, 0, 2]], np.array([0, 0, 0, 1]), CLASSES)
    assert uneven.accuracy == 0.75
    assert uneven.mean_class_accuracy == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    probabilities, labels, classes = predictions(seed)
    measured = measure_predictions(probabilities, labels, classes)
    answers = probabilities.argmax(axis=1)
    assert measured.accuracy == pytest.approx((answers == labels).mean())
    assert measured.mean_class_accuracy == pytest.approx(balanced_accuracy_score(labels, answers))
    for k, rate in ((3, measured.top3), (5, measured.top5)):
        assert rate == pytest.approx(top_k_accuracy_score(labels, probabilities, k=k))


def test_equal_probabilities_go_to_the_first_class():
    measured = measure_predictions(np.full((4, 4), 0.25), np.arange(4), "abcd")
    assert measured.confusion == [[1, 0, 0, 0]] * 4
    assert measured.top3 == 0.75


def test_two_classes_and_one():
    assert measure_predictions(np.array([[0.4, 0.6]]), np.array([0]), "ab").top3 == 1
    only = measure_predictions(np.ones((3, 1)), np.zeros(3, int), ["a"])
    assert only.accuracy == only.top5 == 1
    assert only.calibration_error == 0


def test_perfect_and_useless_predictors():
    _, labels, classes = predictions(0)
    perfect = measure_predictions(np.eye(8)[labels], labels, classes)
    assert perfect.accuracy == perfect.mean_class_accuracy == perfect.top3 == perfect.top5 == 1
    assert perfect.accuracy_interval == (1, 1)
    assert perfect.calibration_error == 0
    wrong = measure_predictions(np.eye(8)[(labels + 1) % 8], labels, classes)
    assert wrong.accuracy == wrong.mean_class_accuracy == 0
    assert wrong.accuracy_interval == (0, 0)
    assert wrong.calibration_error == 1


@pytest.mark.slow
@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_order_of_samples_does_not_matter(seed):
    probabilities, labels, classes = predictions(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    one = measure_predictions(probabilities, labels, classes).to_dict()
    other = measure_predictions(probabilities[order], labels[order], classes).to_dict()
    assert one.pop("calibration_error") == pytest.approx(other.pop("calibration_error"))
    assert one == other


@given(seed=st.integers(0, 1000), samples=st.integers(1, 40), classes=st.integers(1, 7))
@settings(max_examples=40, deadline=None)
@pytest.mark.slow
def test_what_holds_for_all_predictions(seed, samples, classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    names = [str(i) for i in range(classes)]
    measured = measure_predictions(softmax(3 * rng.normal(size=(samples, classes))), labels, names)
    low, high = measured.accuracy_interval
    assert 0 <= low <= measured.accuracy <= high <= 1
    assert measured.accuracy <= measured.top3 <= measured.top5 <= 1
    assert 0 <= measured.calibration_error <= 1
    confusion = np.array(measured.confusion)
    assert confusion.sum() == samples
    assert np.trace(confusion) / samples == pytest.approx(measured.accuracy)
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(labels, minlength=classes))


def test_the_interval_is_that_of_drawing_samples_again():
    right = np.random.default_rng(1).random(300) < 0.7
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    interval = measure_predictions(probabilities, np.zeros(300, int), "ab").accuracy_interval
    drawn = np.random.default_rng(2).choice(right, (4000, 300)).mean(axis=1)
    assert interval == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.01)


def test_reliability_against_a_plain_loop():
    probabilities, labels, _ = predictions(3, samples=200)
    bins = reliability(probabilities, labels)
    error = 0.0
    for k in range(15):
        inside = [i for i, row in enumerate(probabilities) if k / 15 < row.max() <= (k + 1) / 15]
        assert bins.counts[k] == len(inside)
        if inside:
            confidence = np.mean([probabilities[i].max() for i in inside])
            accuracy = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            assert bins.confidence[k] == pytest.approx(confidence)
            assert bins.accuracy[k] == pytest.approx(accuracy)
            error += len(inside) / 200 * abs(accuracy - confidence)
    assert np.isnan(bins.accuracy[bins.counts == 0]).all()
    assert bins.calibration_error == pytest.approx(error)


def test_single_and_half_precision_are_accepted():
    probabilities, labels, classes = predictions(0)
    accuracy = measure_predictions(probabilities, labels, classes).accuracy
    for dtype in (np.float32, np.float16):
        assert measure_predictions(probabilities.astype(dtype), labels, classes).accuracy == accuracy


def test_metrics_are_json():
    measured = measure_predictions(*predictions(0))
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False)) == measured.to_dict()
    assert measured == measure_predictions(*predictions(0))


def test_summary_of_several_runs():
    runs = [measure_predictions(*predictions(seed)) for seed in range(4)]
    summary = summarise(runs)
    assert summary.runs == 4
    assert summary.accuracy.mean == pytest.approx(np.mean([run.accuracy for run in runs]))
    assert summary.accuracy.deviation == pytest.approx(np.std([run.accuracy for run in runs], ddof=1))
    assert summary.to_dict()["top5"] == {"mean": summary.top5.mean, "deviation": summary.top5.deviation}


def test_one_run_has_no_deviation():
    run = measure_predictions(*predictions(0))
    summary = summarise([run])
    assert summary.calibration_error.mean == run.calibration_error
    assert summary.calibration_error.deviation is None


THIRDS = np.full((2, 3), 1 / 3)


@pytest.mark.parametrize(
    ("probabilities", "labels", "classes", "message"),
    [
        (np.ones(3), np.zeros(3, int), CLASSES, r"shape \[3\]: expected \[samples, 3\]"),
        (np.full((2, 2), 0.5), np.zeros(2, int), CLASSES, r"shape \[2, 2\]: expected \[samples, 3\]"),
        (THIRDS, np.zeros(3, int), CLASSES, r"labels of shape \[3\] for 2 predictions"),
        (THIRDS, np.zeros((2, 1), int), CLASSES, r"labels of shape \[2, 1\] for 2"),
        (THIRDS, np.zeros(2), CLASSES, "labels of type float64: expected integers"),
        (THIRDS, np.array([0, 3]), CLASSES, "labels from 0 to 3: expected 0 to 2"),
        (THIRDS, np.array([-1, 1]), CLASSES, "labels from -1 to 1"),
        (np.zeros((0, 3)), np.zeros(0, int), CLASSES, "0 predictions of 3 classes: there is nothing to measure"),
        (np.zeros((2, 0)), np.zeros(2, int), (), "2 predictions of 0 classes"),
        (np.eye(3)[:2] * 20, np.zeros(2, int), CLASSES, "not probabilities"),
        (np.array([[1.5, -0.5, 0.0]]), np.zeros(1, int), CLASSES, "not probabilities"),
        (np.full((1, 3), np.nan), np.zeros(1, int), CLASSES, "not probabilities"),
        (THIRDS, np.zeros(2, int), ("a", "b", "a"), "class names occur twice: a"),
    ],
)
def test_invalid_input_is_refused(probabilities, labels, classes, message):
    with pytest.raises(OptionError, match=message):
        measure_predictions(probabilities, labels, classes)


def test_nothing_cannot_be_summed_up():
    with pytest.raises(OptionError, match="no metrics"):
        summarise([])


def test_the_interval_covers_95_percent():
    probabilities = np.where(np.arange(400)[:, None] < 300, [0.9, 0.1], [0.1, 0.9])
    low, high = measure_predictions(probabilities, np.zeros(400, int), "ab").accuracy_interval
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.004)


def test_a_confidence_at_an_edge_is_in_the_lower_bin():
    edges = reliability(np.array([[1.0]]), np.array([0])).edges
    for number in range(8, 16):
        probabilities = np.array([[edges[number], 1 - edges[number]]])
        counts = reliability(probabilities, np.array([0])).counts
        assert counts.argmax() == number - 1
