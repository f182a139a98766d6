import gzip
import hashlib
import os

import pytest

from clip2point.shapes.contents import find_format, hash_content


@pytest.mark.parametrize(
    ("path", "format"),
    [("/a/b.OFF", ".off"), ("b.obj.gz", ".obj"), ("b.v2.Ply.GZ", ".ply"), ("/a.off/b", ""), ("b.gz", "")],
)
def test_formats_go_by_the_ending_before_gz(path, format):
    assert find_format(path) == format


def test_hashes_are_of_the_bytes(tmp_path):
    path = tmp_path / "a.off"
    path.write_bytes(b"OFF" * 10**6)
    assert hash_content(str(path)) == hashlib.sha256(b"OFF" * 10**6).hexdigest()


def test_what_is_no_readable_file_has_no_hash(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.off")
    (tmp_path / "large.off").write_bytes(b"x" * 100)
    monkeypatch.setattr("clip2point.shapes.contents.MAX_BYTES", 99)
    for name in ("pipe.off", "large.off", "none.off", "", "nul\0.off"):
        assert hash_content(str(tmp_path / name)) == ""


def test_the_buffers_of_gltf_count_and_its_pictures_do_not(tmp_path):
    for name, write in (("a.gltf", bytes), ("b.gltf.gz", gzip.compress)):
        path, buffer, picture = tmp_path / name, tmp_path / "a b.bin", tmp_path / "a.png"
        text = b'{"buffers": [{"uri": "a%20b.bin"}], "images": [{"uri" : "a.png"}]}'
        path.write_bytes(write(text))
        buffer.unlink(missing_ok=True)
        hashes = [hash_content(str(path))]
        for neighbour, content in ((buffer, b"1"), (buffer, b"2"), (picture, b"3")):
            neighbour.write_bytes(content)
            hashes.append(hash_content(str(path)))
        assert len(set(hashes)) == 3
        assert hashes[2] == hashes[3]
        assert "" not in hashes
    (tmp_path / "c.gltf").write_bytes(b'{"buffers": [{"uri": "data:,00"}]}')
    assert hash_content(str(tmp_path / "c.gltf")) == hashlib.sha256((tmp_path / "c.gltf").read_bytes()).hexdigest()
