import json

import pytest

from clip2point.core.errors import DataError
from clip2point.data.pairs import INDEX, PairIndex, ShardEntry, read_index
from clip2point.data.pairs.shard_index import shard_name, shard_number

ENTRIES = {
    0: ShardEntry("pairs-000000.tar", 5, ["a", "b"], {}),
    2: ShardEntry("pairs-000002.tar", 9, ["e"], {"f": "f: broken"}),
}


@pytest.fixture
def index(tmp_path):
    """An index with two of three shards of two models, written to a folder."""
    index = PairIndex({"source": "folder", "models": 6}, dict(ENTRIES))
    index.write(tmp_path)
    return index


def test_an_index_is_read_as_it_was_written(tmp_path, index):
    assert read_index(tmp_path) == index
    assert json.loads((tmp_path / INDEX).read_text())["format"] == "clip2point-pairs-1"
    assert [path.name for path in tmp_path.iterdir()] == [INDEX]


def test_an_index_has_the_bytes_of_the_format(tmp_path):
    index = PairIndex({"models": 1})
    assert index.shards == {}
    index.shards[0] = ShardEntry("pairs-000000.tar", 5, ["a"], {"b": "b: größer"})
    index.write(tmp_path)
    text = """{
 "format": "clip2point-pairs-1",
 "recipe": {
  "models": 1
 },
 "shards": [
  {
   "file": "pairs-000000.tar",
   "bytes": 5,
   "keys": [
    "a"
   ],
   "failures": {
    "b": "b: größer"
   }
  }
 ]
}"""
    assert (tmp_path / INDEX).read_bytes() == text.encode()


def test_an_entry_of_another_name_is_refused(index):
    values = next(iter(index.shards.values())).to_dict()
    assert ShardEntry.from_dict(values).to_dict() == values
    with pytest.raises(ValueError, match="secrets"):
        ShardEntry.from_dict({**values, "file": "secrets.txt"})


def test_broken_models_count_as_done(index):
    assert (index.done, index.total) == (4, 6)


def test_a_shard_is_whole_in_its_full_size_only(tmp_path):
    entry = ENTRIES[0]
    assert not entry.is_whole(tmp_path)
    for data, whole in ((b"1234", False), (b"12345", True), (b"123456", False)):
        (tmp_path / entry.file).write_bytes(data)
        assert entry.is_whole(tmp_path) == whole


def test_names_of_shards_are_numbers():
    assert [shard_name(number) for number in (0, 7, 1_000_000)] == [
        "pairs-000000.tar",
        "pairs-000007.tar",
        "pairs-1000000.tar",
    ]
    assert [shard_number(shard_name(number)) for number in (0, 7, 1_000_000)] == [0, 7, 1_000_000]
    for name in ("pairs-1.tar", "../pairs-000000.tar", "pairs-000000.tar.gz", "pairs-00000x.tar"):
        with pytest.raises(ValueError, match="is no shard"):
            shard_number(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {}},
        {"recipe": {"models": "many"}},
        {"recipe": 7},
        {"shards": 7},
        {"shards": [{"file": "pairs-000000.tar"}]},
        {"shards": [{"file": "../../x.tar", "bytes": 1, "keys": [], "failures": {}}]},
        {"shards": [{"file": "pairs-000000.tar", "bytes": 1, "keys": [], "failures": 7}]},
    ],
)
def test_a_damaged_index_is_refused(tmp_path, index, changes):
    content = json.loads((tmp_path / INDEX).read_text())
    (tmp_path / INDEX).write_text(json.dumps({**content, **changes}))
    with pytest.raises(DataError, match=r"index\.json: is damaged .*make the pairs again"):
        read_index(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}"])
def test_what_is_no_index_is_refused(tmp_path, text):
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(DataError, match=r"index\.json: is damaged"):
        read_index(tmp_path)


def test_another_format_is_named(tmp_path, index):
    content = json.loads((tmp_path / INDEX).read_text())
    (tmp_path / INDEX).write_text(json.dumps({**content, "format": "clip2point-pairs-9"}))
    with pytest.raises(DataError, match="is of format 'clip2point-pairs-9': expected 'clip2point-pairs-1'"):
        read_index(tmp_path)


def test_a_folder_without_index_is_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_index(tmp_path)
    (tmp_path / INDEX).mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_index(tmp_path)
