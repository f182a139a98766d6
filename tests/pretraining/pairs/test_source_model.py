import re

import pytest

from clip2point.pretraining.pairs.source_model import in_words, to_keys


def test_keys_are_fit_for_webdataset_and_a_plain_tar_header():
    names = ["chair/a.b.off", "  Blend Swap CC-0-lit n° 2", "椅子", "x" * 300, "", "../../etc/passwd"]
    keys = to_keys(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,90}", key) for key in keys)
    assert len(set(keys)) == len(keys)


def test_keys_that_would_be_equal_get_checksums_and_others_stay():
    names = ["a/chair", "a-chair", "A-Chair", "lamp"]
    keys = to_keys(names)
    assert keys[3] == "lamp"
    assert len({key.lower() for key in keys}) == 4
    assert to_keys([*names, "sofa"])[:4] == keys
    assert len(set(to_keys(["twin", "twin"]))) == 2


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
    assert in_words(name) == words
