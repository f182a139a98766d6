import hashlib
import io
import tarfile
from contextlib import suppress

import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data.pairs import read_shard, write_shard

FILES = {"json": b"{}", "points.npy": bytes(5000), "view0.png": b"first", "view1.png": b"second"}
#: Of the shard that release 0.1.0 wrote of these files.
CHECKSUM = "2325a5e5541f01ef1344ef44db015ebff4669b5948e6af104d0544d140efb1d7"


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path


def read_files(path):
    return [(pair.key, dict(pair.files)) for pair in read_shard(path)]


def test_shards_have_the_bytes_of_the_format(tmp_path):
    with write_shard(tmp_path / "pairs-000000.tar") as shard:
        shard.add("a", FILES)
    data = (tmp_path / "pairs-000000.tar").read_bytes()
    assert hashlib.sha256(data).hexdigest() == CHECKSUM
    assert (shard.keys, shard.size) == (["a"], len(data))


def test_pairs_are_read_as_they_were_written(tmp_path, make_pair):
    pairs = {key: make_pair(key, seed=seed) for seed, key in enumerate(("b", "a", "c"))}
    with write_shard(tmp_path / "x.tar") as shard:
        for key, files in pairs.items():
            shard.add(key, files)
    assert read_files(tmp_path / "x.tar") == list(pairs.items())
    first = next(read_shard(tmp_path / "x.tar"))
    assert first.info()[0].key == "b"
    assert first.points().shape == (4, 3)
    assert first.images(2).shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(first.images(1), first.images(2)[:1])


def test_a_shard_that_breaks_off_leaves_nothing(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"before")
    with suppress(KeyboardInterrupt), write_shard(tmp_path / "x.tar") as shard:
        shard.add("a", FILES)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]
    assert (tmp_path / "x.tar").read_bytes() == b"before"


def test_files_are_grouped_up_to_the_first_dot(tmp_path):
    files = [("a.json", b"1"), ("a.points.npy", b"2"), ("b.json", b"3"), ("b.view0.png", b"4")]
    found = read_files(write_tar(tmp_path / "x.tar", files))
    assert found == [("a", {"json": b"1", "points.npy": b"2"}), ("b", {"json": b"3", "view0.png": b"4"})]
    assert read_files(write_tar(tmp_path / "empty.tar", [])) == []


def test_broken_shards_are_refused(tmp_path):
    whole = write_tar(tmp_path / "whole.tar", [("a.json", bytes(5000))])
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:2000])
    text = tmp_path / "text.tar"
    text.write_bytes(b"no tar" * 1000)
    link = tmp_path / "link.tar"
    with tarfile.open(link, "w") as tar:
        header = tarfile.TarInfo("a")
        header.type = tarfile.SYMTYPE
        header.linkname = "/etc/passwd"
        tar.addfile(header)
    for path in (cut, text, link, tmp_path / "none.tar"):
        with pytest.raises(DataError, match=path.name):
            list(read_shard(path))


@pytest.mark.parametrize("ending", ["json", "points.npy"])
@pytest.mark.parametrize("data", [None, b"nothing", b"[" * 100_000])
def test_a_damaged_pair_names_shard_and_key(tmp_path, make_pair, ending, data):
    files = make_pair("chair")
    del files[ending]
    with write_shard(tmp_path / "x.tar") as shard:
        shard.add("chair", files if data is None else {**files, ending: data})
    (pair,) = read_shard(tmp_path / "x.tar")
    with pytest.raises(DataError, match=r"x\.tar: the pair 'chair' is damaged .*make the shard again"):
        pair.info() if ending == "json" else pair.points()


@pytest.mark.parametrize("data", [None, b"no image"])
def test_a_missing_or_broken_image_names_shard_and_key(tmp_path, make_pair, data):
    files = make_pair("chair")
    del files["view1.png"]
    with write_shard(tmp_path / "x.tar") as shard:
        shard.add("chair", files if data is None else {**files, "view1.png": data})
    (pair,) = read_shard(tmp_path / "x.tar")
    assert len(pair.images(1)) == 1
    with pytest.raises(DataError, match=r"x\.tar: an image of 'chair' is missing or damaged"):
        pair.images(2)
