import pytest

from clip2point.pretraining.pairs.source_model import name_to_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("night_stand_0123", "night stand"),
        ("bedsideTable2", "bedside table"),
        ("range-hood", "range hood"),
        ("0042", "0042"),
        ("chair 3 12", "chair"),
        ("1" * 250 + "x", "1" * 250 + "x"),
    ],
)
def test_names_become_words(name, words):
    assert name_to_words(name) == words
