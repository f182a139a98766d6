import json
from dataclasses import replace

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.search import Entry, Library
from clip2point.search import duplicates as module
from clip2point.search.duplicates import find_duplicates, summarise

BOX = (1.0, 2.0, 4.0)


def direction(degrees, dim=16):
    vector = np.zeros(dim, np.float32)
    vector[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vector


def entry(name, degrees, extent=BOX, content=None):
    return Entry(path=f"/{name}", hash=content or name, bytes=100, vector=direction(degrees), extent=extent)


@pytest.fixture
def filled(plain, tmp_path):
    """Makes a library of entries."""

    def make(entries):
        library = Library.create(tmp_path / "db", plain.make_model())
        with library.writing():
            library.put(entries)
        return library

    return make


def names(groups):
    return [[entry.path for entry in group.entries] for group in groups]


def test_shapes_within_the_threshold_are_grouped_and_others_not(filled):
    # cos 10 degrees = 0.985, cos 12 degrees = 0.978
    library = filled([entry("a", 0), entry("b", 10), entry("c", 60), entry("d", 72), entry("e", 150)])
    assert names(find_duplicates(library, 0.98)) == [["/a", "/b"]]
    groups = find_duplicates(library, 0.97)
    assert names(groups) == [["/a", "/b"], ["/c", "/d"]]
    assert groups[0].lowest == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert not groups[0].exact
    assert groups[0].copies == ()


def test_a_pair_exactly_at_the_threshold_is_one_and_boxes_exactly_apart_are(filled):
    shapes = {
        "a": ([1, 0], (1.0, 2.0, 4.0)),
        "b": ([0.5, 0.75**0.5], (1.0, 2.0, 4.0)),
        "c": ([0.5, -(0.75**0.5)], (2.0, 2.0, 4.0)),
    }
    library = filled(
        [
            Entry(path=f"/{name}", hash=name, bytes=1, vector=np.pad(np.float32(vector), (0, 14)), extent=extent)
            for name, (vector, extent) in shapes.items()
        ]
    )
    cosine = float(np.float32(0.5))
    assert names(find_duplicates(library, cosine, proportions=0.25)) == [["/a", "/b", "/c"]]
    assert names(find_duplicates(library, cosine, proportions=0.24)) == [["/a", "/b"]]
    assert names(find_duplicates(library, cosine + 1e-6, proportions=1)) == []


def test_proportions_tell_alike_shapes_apart_but_not_sizes_and_axes(filled):
    library = filled(
        [
            entry("a", 0),
            entry("larger", 1, (40.0, 10.0, 20.0)),
            entry("wider", 2, (1.2, 2.0, 4.0)),
            entry("a-little-wider", 3, (1.03, 2.0, 4.0)),
            entry("flat", 4, (0.0, 0.0, 0.0)),
        ]
    )
    assert names(find_duplicates(library)) == [["/a", "/a-little-wider", "/larger"]]
    assert len(find_duplicates(library, proportions=1)[0].entries) == 5


def test_copies_are_grouped_whatever_their_vectors_and_marked(filled):
    library = filled(
        [
            *(entry("a", 0, content="1"), entry("b", 90, content="1"), entry("c", 91, content="2"), entry("d", 92)),
            *(entry("x", 200, content="3"), entry("y", 200, content="3")),
        ]
    )
    groups = find_duplicates(library)
    assert names(groups) == [["/a", "/b", "/c", "/d"], ["/x", "/y"]]
    assert [group.exact for group in groups] == [False, True]
    assert groups[0].copies == (("/a", "/b"),)
    assert groups[0].lowest == pytest.approx(-np.sin(np.radians(2)), abs=1e-6)
    record = groups[0].to_dict()
    assert json.loads(json.dumps(record)) == record
    assert [each["path"] for each in record["entries"]] == ["/a", "/b", "/c", "/d"]


def test_groups_hang_together_by_pairs_and_the_largest_comes_first(filled):
    library = filled([entry("z", 200), entry("y", 205), *(entry(f"chain-{at}", 8 * at) for at in range(5))])
    groups = find_duplicates(library)
    assert [len(group.entries) for group in groups] == [5, 2]
    assert groups[0].lowest == pytest.approx(np.cos(np.radians(32)), abs=1e-6)


def test_blocks_and_reduced_edges_change_nothing(filled, monkeypatch):
    rng = np.random.default_rng(0)
    library = filled([entry(f"{number:02d}", float(rng.integers(360))) for number in range(40)])
    whole = names(find_duplicates(library, 0.995))
    assert 1 < len(whole) < 20
    monkeypatch.setattr(module, "_BLOCK", 7)
    monkeypatch.setattr(module, "_EDGES", 0)
    asked = []

    def progress(blocks, total):
        asked.append((len(blocks), total))
        return blocks

    assert names(find_duplicates(library, 0.995, progress=progress)) == whole
    assert asked == [(21, 21)]  # 6 x 6 blocks on and above the diagonal


def test_many_edges_are_reduced_to_the_same_groups(filled, monkeypatch):
    # 3 groups of 8 have 84 pairs, more than two for each shape: they are reduced on the way.
    members = [(group, number) for group in range(3) for number in range(8)]
    library = filled([entry(f"{group}-{number}", 120 * group + number / 9) for group, number in members])
    monkeypatch.setattr(module, "_BLOCK", 7)
    monkeypatch.setattr(module, "_EDGES", 0)
    groups = find_duplicates(library)
    assert sorted(sorted(each.path for each in group.entries) for group in groups) == [
        [f"/{group}-{number}" for number in range(8)] for group in range(3)
    ]


def test_an_empty_library_has_none(filled):
    assert find_duplicates(filled([])) == []


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.1}, {"proportions": -0.1}, {"proportions": 1.1}])
def test_invalid_options_are_refused(filled, options):
    with pytest.raises(OptionError, match="expected a cosine above 0"):
        find_duplicates(filled([entry("a", 0)]), **options)


def test_similarity_and_wasted_space_are_given_in_words(filled):
    pair = [
        replace(entry(name, 200, content="same"), bytes=size) for name, size in (("x", 3_000_000), ("y", 2_000_000))
    ]
    library = filled([entry("a", 0), entry("b", 5, content="1"), entry("c", 5, content="1"), entry("d", 90), *pair])
    groups = find_duplicates(library, 0.98)
    assert [group.similarity for group in groups] == ["cosine from 0.996, 2 exact copies", "exact copies"]
    assert summarise(groups, 6) == (
        "5 of 6 shapes are near-duplicates of others, in 2 groups; 4 are exact copies. "
        "Without all but the largest file of each group, 2.0 MB would be free."
    )
