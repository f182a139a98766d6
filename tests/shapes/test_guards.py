"""Limits: promises, bombs, entities."""

import gzip
import io
import zipfile

import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import guards


def test_gzip_of_one_and_several_members_is_unfolded():
    assert guards.gunzip(gzip.compress(b"one", mtime=0) + gzip.compress(b"two")) == b"onetwo"
    assert guards.gunzip(gzip.compress(b"one", mtime=0) + b"\0\0\0") == b"one"  # padding is allowed


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"OFF 1", "does not hold gzip data"),
        (gzip.compress(b"one" * 100, mtime=0)[:-9], "ends too early"),
        (gzip.compress(b"one", mtime=0)[:10] + b"\xff" * 20, "damaged"),
        (gzip.compress(b"", mtime=0), "empty once decompressed"),
    ],
)
def test_damaged_gzip_is_refused(data, message):
    with pytest.raises(ShapeError, match=message):
        guards.gunzip(data)


@pytest.mark.slow
def test_a_gzip_bomb_is_stopped():
    bomb = gzip.compress(bytes(guards.FREE_BYTES + 1), mtime=0)
    with pytest.raises(ShapeError, match=r"decompresses to more than 16,777,216 bytes: .* gzip bomb"):
        guards.gunzip(bomb)


def test_the_expansion_limit_grows_with_the_file_up_to_the_largest():
    assert guards.expansion_limit(10) == guards.FREE_BYTES
    assert guards.expansion_limit(1_000_000) == 200_000_000
    assert guards.expansion_limit(10**9) == guards.MAX_BYTES


def test_zip_members_are_read_up_to_a_limit():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1000))
    with zipfile.ZipFile(stream) as archive:
        assert guards.read_member(archive, "a", 1000) == bytes(1000)
        with pytest.raises(ShapeError, match="'a' decompresses to more than 999 bytes: this is a zip bomb"):
            guards.read_member(archive, "a", 999)


def test_promises_are_held_against_the_bytes_that_are_there():
    guards.check_promise("points", 10, 3, 30)
    with pytest.raises(ShapeError, match="declares 1,000,000,000 points, but only 30 bytes follow"):
        guards.check_promise("points", 10**9, 3, 30)
    with pytest.raises(ShapeError, match="declares -1 points"):
        guards.check_promise("points", -1, 3, 30)
    with pytest.raises(ShapeError, match="has 50,000,001 points: expected at most 50,000,000"):
        guards.check_promise("points", guards.MAX_ELEMENTS + 1, 1, guards.MAX_BYTES)


def test_plain_xml_is_read():
    root = guards.parse_xml(b'\xef\xbb\xbf <?xml version="1.0" encoding="utf-8"?><a b="1"><!-- no --><c/></a>')
    assert (root.tag, root.get("b"), [child.tag for child in root]) == ("a", "1", ["c"])


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_xml_in_utf_16_is_read(mark):
    root = guards.parse_xml('\ufeff<?xml version="1.0" encoding="utf-16"?><a b="ü"/>'.encode(mark))
    assert root.get("b") == "ü"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>', "document type or entities"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>', "not XML text in UTF-8"),
        ('<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'.encode("utf-16"), "document type or entities"),
        ("<a/>".encode("utf-16")[:-1], "not whole XML text in UTF-16"),
        ("<!DOCTYPE a><a/>".encode("utf-16-le"), "not XML text in UTF-8"),
        (b"hello", "not XML text in UTF-8"),
        (b"<a><b></a>", "not well-formed XML"),
        (b"<a>&undefined;</a>", "not well-formed XML"),
    ],
)
def test_unsafe_or_broken_xml_is_refused(data, message):
    with pytest.raises(ShapeError, match=message):
        guards.parse_xml(data)


def test_trees_and_texts_are_measured_before_they_become_objects(monkeypatch):
    monkeypatch.setattr(guards, "MAX_NODES", 3)
    guards.parse_xml(b"<a><b/><b></b></a>")
    with pytest.raises(ShapeError, match="has 4 XML or JSON nodes: expected at most 3"):
        guards.parse_xml(b"<a><b/><b/><b/></a>")
    with pytest.raises(ShapeError, match="has 4 XML or JSON nodes"):
        guards.parse_xml(b"<a " + b" ".join(b"k%d='1'" % i for i in range(16)) + b"/>")
    monkeypatch.setattr(guards, "MAX_ELEMENTS", 3)
    guards.check_lines(b"1\n2\n3\n")
    with pytest.raises(ShapeError, match="has 4 lines: expected at most 3; thin the shape out first"):
        guards.check_lines(b"1\r2\r3\r4\r")
