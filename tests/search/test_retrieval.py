import json

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.search.retrieval import find_kind, measure_shape_to_shape, measure_text_to_shape

NAMES = ["chair", "table", "lamp", "bed"]


def eye(rows, width=4):
    return np.eye(width, dtype=np.float32)[rows]


def means(result):
    return {name: figure.mean for name, figure in result.figures.items()}


def test_recall_by_hand():
    # The right shapes come first, third, and last of four.
    scores = np.array([[0.9, 0.1, 0.2, 0.3], [0.9, 0.5, 0.8, 0.1], [0.9, 0.8, 0.1, 0.7]], np.float32)
    result = measure_text_to_shape(scores, NAMES[:3], eye([0, 1, 2, 3]), NAMES, among=(1, 3, 4))
    found = means(result)
    assert (result.queries, result.gallery) == (3, 4)
    assert found["recall@1"] == pytest.approx(1 / 3)
    assert found["recall@3"] == pytest.approx(2 / 3)
    assert found["recall@4"] == 1
    assert found["reciprocal rank"] == found["average precision"] == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)


def test_shapes_of_one_name_are_all_right():
    scores = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    found = means(measure_text_to_shape(scores, ["chair"], eye([0, 1, 2, 3]), ["table", "chair", "lamp", "chair"]))
    assert found["reciprocal rank"] == 0.5
    assert found["average precision"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_a_score_for_all_alike_finds_nothing_early():
    found = means(measure_text_to_shape(np.ones((4, 4), np.float32), NAMES, eye([0, 1, 2, 3]), NAMES, among=(1, 3, 4)))
    assert (found["recall@1"], found["recall@3"], found["recall@4"]) == (0, 0, 1)


def test_precision_by_hand():
    vectors = np.array([[1, 0], [0.99, 0.14], [0.9, 0.43], [0, 1]], np.float32)
    result = measure_shape_to_shape(vectors, ["a", "a", "b", "a"], among=(1, 2, 3))
    found = means(result)
    assert (result.queries, result.gallery) == (3, 4)  # "b" is alone
    # Neighbours: of the first a, b, a; of the second a, b, a; of the fourth b, a, a.
    assert found["precision@1"] == pytest.approx(2 / 3)
    assert found["precision@2"] == pytest.approx(1 / 2)
    assert found["precision@3"] == found["precision@2"]  # no kind has a third
    assert found["average precision"] == pytest.approx((2 * (1 + 2 / 3) / 2 + (1 / 2 + 2 / 3) / 2) / 3)


def test_ranks_1_5_and_10_are_measured_unless_others_are_asked_for():
    of_names = means(measure_text_to_shape(eye([0, 1, 2, 3]), NAMES, eye([0, 1, 2, 3]), NAMES))
    of_shapes = means(measure_shape_to_shape(eye([0, 0, 1, 1]), ["a", "a", "b", "b"]))
    assert {"recall@1", "recall@5", "recall@10"} < set(of_names)
    assert {"precision@1", "precision@5", "precision@10"} < set(of_shapes)
    assert len([name for name in (*of_names, *of_shapes) if "@" in name]) == 6


def test_some_shapes_query_among_all():
    vectors = np.array([[1, 0], [0.99, 0.14], [0.9, 0.43], [0, 1]], np.float32)
    result = measure_shape_to_shape(vectors, ["a", "a", "b", "a"], asking=[2, 3], among=(1, 2))
    assert (result.queries, result.gallery) == (1, 4)
    assert means(result)["precision@2"] == 0.5


def test_perfect_neighbours_reach_one_whatever_the_size_of_the_kind():
    found = means(measure_shape_to_shape(eye([0, 0, 1, 1, 1, 2]), ["a", "a", "b", "b", "b", "c"]))
    assert set(found.values()) == {1.0}


def test_intervals_hold_the_mean_repeat_and_shrink():
    rng = np.random.default_rng(0)
    results = []
    for count in (20, 20, 500):
        shapes = rng.normal(size=(count, 8)).astype(np.float32)
        names = [str(number) for number in range(count)]
        results.append(
            measure_text_to_shape(shapes + rng.normal(size=shapes.shape).astype(np.float32), names, shapes, names)
        )
        rng = np.random.default_rng(0)
    widths = []
    for result in results:
        figure = result.figures["recall@5"]
        assert figure.interval[0] <= figure.mean <= figure.interval[1]
        widths.append(figure.interval[1] - figure.interval[0])
    assert results[0] == results[1]
    assert widths[2] < widths[0]
    assert json.loads(json.dumps(results[0].to_dict())) == results[0].to_dict()


def test_what_cannot_be_measured_is_said():
    with pytest.raises(OptionError, match="for each query a shape of its name"):
        measure_text_to_shape(eye([0]), ["sofa"], eye([0, 1]), ["chair", "bed"])
    with pytest.raises(OptionError, match="2 queries with 1 names"):
        measure_text_to_shape(eye([0, 1]), ["chair"], eye([0]), ["chair"])
    with pytest.raises(OptionError, match="no class has two shapes"):
        measure_shape_to_shape(eye([0, 1]), ["a", "b"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Bed 140x190", "bed"),
        ("Double French window", "window"),
        ("Curtains", "curtain"),
        ("Glass", "glass"),
        ("Fridge & Freezer", "freezer"),
        ("TV unit", "unit"),
        ("42", "42"),
    ],
)
def test_the_kind_is_the_last_word(name, kind):
    assert find_kind(name) == kind
