"""Pieces are joined where their union looks more like something, and only there."""

import numpy as np
import pytest

from clip2point.model import Classification, Guess
from clip2point.scenes import merge_by_names
from clip2point.scenes.merging import find_touching
from clip2point.scenes.results import Part, SceneParts
from clip2point.shapes import Shape


class Oracle:
    """A recogniser that is as sure of a shape as a table by its number of points says."""

    name = "oracle"

    def __init__(self, sure):
        self.sure, self.asked = sure, 0

    def without_head(self):
        return self

    def classify_many(self, shapes, labels=None, **options):
        for shape in shapes:
            self.asked += 1
            confidence = self.sure.get(len(shape.points), 0.1)
            guess = Guess("thing", confidence / 2, confidence, ())
            yield Classification(shape.source, (guess,), "y", "declared", 10, 0, "oracle")


@pytest.fixture
def row():
    """Three squares of points in a row, that touch, of 100, 200 and 400 points."""
    squares = []
    for place, count in enumerate((10, 20, 40)):
        x, y = np.meshgrid(np.linspace(place, place + 1, 10), np.linspace(0, 1, count))
        squares.append(np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()]))
    instances = np.repeat([2, 1, 0], [100, 200, 400])
    shape = Shape(np.concatenate(squares).astype(np.float32))
    parts = tuple(Part(number, "", (), number, 0, (0, 0, 0), (1, 1, 1)) for number in range(3))
    return shape, SceneParts("row", "scan", parts, instances.astype(np.int32))


def test_neighbours_in_a_row_touch(row):
    shape, found = row
    assert find_touching(shape.points, found.instances.astype(np.int64)) == [(0, 1), (1, 2)]


def test_two_pieces_that_are_a_thing_are_joined(row):
    shape, found = row
    merged = merge_by_names(Oracle({300: 0.9}), shape, found)
    assert np.bincount(merged.instances).tolist() == [400, 300]
    assert [part.elements for part in merged.parts] == [400, 300]
    assert "1 piece joined" in merged.notes[-1]


def test_all_three_are_joined_one_after_the_other(row):
    shape, found = row
    merged = merge_by_names(Oracle({300: 0.5, 700: 0.9}), shape, found)
    assert (merged.instances == 0).all()


@pytest.mark.parametrize("sure", [{}, {300: 0.2}, {300: 0.9, 200: 0.85}], ids=["nothing", "hardly", "a piece is"])
def test_pieces_that_are_as_good_alone_stay(row, sure):
    shape, found = row
    assert merge_by_names(Oracle(sure), shape, found) is found


def test_parts_of_a_file_stay_as_the_file_has_them(row):
    shape, found = row
    named = SceneParts("row", "file", found.parts, found.instances)
    oracle = Oracle({300: 0.9})
    assert merge_by_names(oracle, shape, named) is named
    assert oracle.asked == 0
