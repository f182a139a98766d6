import os

import pytest

from clip2point.core.errors import DataError
from clip2point.data import layouts
from clip2point.data.layouts import Origin, find_root, fingerprint_file, read_list

ORIGIN = Origin("Things", "list.txt", "the thing page", "Free")


def test_blanks_and_empty_lines_of_lists_are_dropped(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n  two \n")
    assert read_list(path, ORIGIN) == ["one", "two"]


def test_files_that_are_no_lists_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "list.txt"
    with pytest.raises(
        DataError, match=r"list\.txt: no such file; expected list\.txt\. Get Things from the thing page"
    ):
        read_list(path, ORIGIN)
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_list(path, ORIGIN)
    monkeypatch.setattr(layouts, "_MAX_LIST", 2)
    with pytest.raises(DataError, match="has more than 2 bytes: expected a list of names"):
        read_list(path, ORIGIN)


def test_a_root_without_usual_folder_names(tmp_path):
    assert find_root(ORIGIN, tmp_path, (), lambda path: True) == tmp_path
    with pytest.raises(DataError, match="Things is not here"):
        find_root(ORIGIN, tmp_path, (), lambda path: False)


def test_files_are_known_by_their_bytes_alone(tmp_path):
    path = tmp_path / "large"
    fingerprints = set()
    for data, time in ((b"a" * 200, 1), (b"a" * 200, 2), (b"a" * 100 + b"b" + b"a" * 99, 2)):
        path.write_bytes(data)
        os.utime(path, ns=(time, time))
        fingerprints.add(fingerprint_file(path))
    assert len(fingerprints) == 2


def test_the_fingerprint_of_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="none: cannot be read"):
        fingerprint_file(tmp_path / "none")
