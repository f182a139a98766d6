import json
import os
import shutil

import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data.pairs import INDEX, PairIndex, PairSet, ShardEntry, write_shard
from clip2point.data.pairs.shard_index import shard_name

pytestmark = pytest.mark.slow


@pytest.fixture
def fill(tmp_path, make_pair):
    """Makes a folder of one shard of pairs, as ``make_pair`` makes them."""

    def make(name, keys, total=None, **settings):
        path = tmp_path / name / shard_name(0)
        with write_shard(path) as shard:
            for key in keys:
                shard.add(key, make_pair(key, **settings))
        entry = ShardEntry(path.name, shard.size, shard.keys, {})
        PairIndex({"models": total or len(keys)}, {0: entry}).write(path.parent)
        return path.parent

    return make


def test_points_and_infos_are_those_of_the_shards(pair_folder):
    pairs = PairSet([pair_folder])
    assert len(pairs) == 5
    assert [info.caption for info in pairs.infos] == ["bottle", "chair", "chair", "cone", "table"]
    assert pairs.views == "clip2point-10"
    for model in range(5):
        points = pairs.points(model)
        assert points.shape == (8192, 3)
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-5)
    again = PairSet([pair_folder])
    assert np.array_equal(again.points(4), pairs.points(4))
    assert again.fingerprint() == pairs.fingerprint()


def test_shards_of_equal_size_and_date_that_change_places_are_read_anew(fill):
    folders = [fill("first", ["a"]), fill("second", ["b"])]
    shards = [shard for folder in folders for shard in PairSet([folder]).shards]
    assert shards[0].stat().st_size == shards[1].stat().st_size
    contents = [shard.read_bytes() for shard in shards]
    for given in (contents, contents[::-1]):
        for shard, content in zip(shards, given, strict=True):
            shard.write_bytes(content)
            os.utime(shard, ns=(0, 0))
        keys = [info.key for info in PairSet(folders).infos]
        assert keys == (["a", "b"] if given is contents else ["b", "a"])


def test_models_are_left_out_by_patterns(pair_folder):
    source = PairSet([pair_folder]).infos[0].source
    with pytest.raises(DataError, match="no model of the pairs is left .*SOURCE/CATEGORY/KEY"):
        PairSet([pair_folder], without=("folder:*",))
    assert len(PairSet([pair_folder], without=("elsewhere",))) == 5
    seen, held_out = PairSet([pair_folder], without=("*/chair/*",)), PairSet([pair_folder], only=("*/Chair/*",))
    assert {info.caption for info in held_out.infos} == {"chair"}
    assert sorted(info.key for part in (seen, held_out) for info in part.infos) == sorted(
        info.key for info in PairSet([pair_folder]).infos
    )
    assert np.array_equal(held_out.points(1), PairSet([pair_folder]).points(2))
    assert PairSet([pair_folder]).licences() == {source: {"not stated": 5}}


def test_several_folders_are_one_set(fill):
    folders = [fill("first", ["a", "b"]), fill("second", ["c"], points=6)]
    pairs = PairSet(folders)
    assert [info.key for info in pairs.infos] == ["a", "b", "c"]
    assert [pairs.points(model).shape for model in range(3)] == [(4, 3), (4, 3), (6, 3)]
    assert pairs.places == [(0, 0), (0, 1), (1, 0)]


def test_folders_with_different_views_are_refused(fill):
    with pytest.raises(DataError, match=r"different views \(ring-2, ring-3\)"):
        PairSet([fill("first", ["a"]), fill("second", ["b"], views="ring-3")])


def test_pairs_of_a_shard_have_as_many_points(tmp_path, fill, make_pair):
    folder = fill("pairs", ["a"])
    with write_shard(folder / shard_name(0)) as shard:
        shard.add("a", make_pair("a"))
        shard.add("b", make_pair("b", points=5))
    with pytest.raises(DataError, match=r"the pair 'b' is damaged \(points \(5, 3\) beside \(4, 3\)\)"):
        PairSet([folder])


def test_the_content_hash_goes_with_the_content_and_not_with_place_or_time(fill, tmp_path):
    folder = fill("pairs", ["a", "b"])
    known = PairSet([folder]).hash_content()
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert PairSet([tmp_path / "copy"]).hash_content() == known
    assert PairSet([folder], without=["*/b"]).hash_content() != known
    assert PairSet([fill("others", ["a", "c"])]).hash_content() != known


def test_a_folder_that_is_not_full_is_used_with_a_warning(fill, recwarn):
    assert len(PairSet([fill("full", ["a", "b"])])) == 2
    assert not recwarn
    with pytest.warns(UserWarning, match=r"stopped: has 2 of 1,016 models, .*run the same command again"):
        assert len(PairSet([fill("stopped", ["a", "b"], total=1016)])) == 2


def test_folders_without_pairs_or_with_broken_ones_are_refused(fill, tmp_path):
    with pytest.raises(DataError, match="holds no pairs: expected a folder that 'clip2point pairs' filled"):
        PairSet([tmp_path / "nothing"])
    folder = fill("pairs", ["a", "b"])
    shard = folder / shard_name(0)
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(DataError, match=shard.name):
        PairSet([folder])
    shard.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        PairSet([folder])
    index = json.loads((folder / INDEX).read_text())
    (folder / INDEX).write_text(json.dumps({**index, "shards": []}))
    with pytest.raises(DataError, match="holds no pairs yet"):
        PairSet([folder])
    (folder / INDEX).write_text("{}")
    with pytest.raises(DataError, match=r"index\.json: is damaged"):
        PairSet([folder])
