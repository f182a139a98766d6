import json

import pytest

from clip2point.evaluation.published import UNNAMED_VARIANT, find_published

MODELNET = ("modelnet10", "modelnet40")
SCANOBJECTNN = ("scanobjectnn-obj-only", "scanobjectnn-obj-bg", "scanobjectnn-pb-t50-rs")
PROTOCOLS = ("zero-shot", "16-shot", "supervised")
ALL = [row for name in MODELNET + SCANOBJECTNN for protocol in PROTOCOLS for row in find_published(name, protocol)]


def test_every_row_is_a_share_with_a_source():
    assert {row.protocol for row in ALL} == set(PROTOCOLS)
    assert {row.dataset for row in ALL} == {*MODELNET, *SCANOBJECTNN, UNNAMED_VARIANT}
    for row in ALL:
        assert 0 < row.accuracy < 100
        assert row.source
        assert row.to_dict() == json.loads(json.dumps(row.to_dict()))


@pytest.mark.parametrize(
    ("dataset", "protocol", "accuracies"),
    [
        ("modelnet10", "zero-shot", {66.63}),
        ("modelnet40", "zero-shot", {49.38, 49.5}),
        ("scanobjectnn-obj-bg", "zero-shot", {35.46}),
        ("scanobjectnn-obj-only", "zero-shot", {25.5}),
        ("scanobjectnn-pb-t50-rs", "zero-shot", set()),
        ("modelnet40", "16-shot", {89.79}),
        ("modelnet40", "supervised", {94.2}),
    ],
)
def test_figures_of_clip2point(dataset, protocol, accuracies):
    rows = find_published(dataset, protocol)
    assert {row.accuracy for row in rows if row.system == "CLIP2Point"} == accuracies


def test_what_was_searched_on_the_test_set_says_so():
    rows = [row for row in ALL if row.system == "PointCLIP V2"]
    assert rows
    assert all("test set" in row.note for row in rows)


def test_unclear_variants_of_scanobjectnn_say_so_and_come_last():
    for name in SCANOBJECTNN:
        rows = find_published(name, "zero-shot")
        unnamed = [row for row in rows if row.dataset == UNNAMED_VARIANT]
        assert rows[-len(unnamed) :] == tuple(unnamed)
        assert all("variant" in row.note for row in unnamed)
    (quoted,) = [row for row in ALL if row.accuracy == 35.46]
    assert "OBJ_BG" in quoted.note


def test_unknown_data_sets_and_protocols_have_no_rows():
    assert find_published("folder:shapes", "zero-shot") == ()
    assert find_published("modelnet40", "8-shot") == ()
