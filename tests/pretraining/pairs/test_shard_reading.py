import io
import tarfile

import pytest

from clip2point.core.errors import DataError
from clip2point.pretraining.pairs import read_shard


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path


def test_files_are_grouped_up_to_the_first_dot(tmp_path):
    files = [("a.json", b"1"), ("a.points.npy", b"2"), ("b.json", b"3"), ("b.view0.png", b"4")]
    shard = list(read_shard(write_tar(tmp_path / "x.tar", files)))
    assert shard == [("a", {"json": b"1", "points.npy": b"2"}), ("b", {"json": b"3", "view0.png": b"4"})]
    assert list(read_shard(write_tar(tmp_path / "empty.tar", []))) == []


def test_broken_shards(tmp_path):
    whole = write_tar(tmp_path / "whole.tar", [("a.json", bytes(5000))])
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:2000])
    text = tmp_path / "text.tar"
    text.write_bytes(b"no tar" * 1000)
    folder = tmp_path / "folder.tar"
    with tarfile.open(folder, "w") as tar:
        header = tarfile.TarInfo("a")
        header.type = tarfile.SYMTYPE
        header.linkname = "/etc/passwd"
        tar.addfile(header)
    for path in (cut, text, folder, tmp_path / "none.tar"):
        with pytest.raises(DataError, match=path.name):
            list(read_shard(path))
