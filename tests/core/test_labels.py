import pytest

from clip2point.core.errors import OptionError
from clip2point.core.labels import read_labels


def test_labels_are_read_one_per_line(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("# mine\nchair\n\n  red lamp \n", encoding="utf-8")
    assert read_labels(path) == ["chair", "red lamp"]


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"none\.txt: cannot read labels \(No such file.*one name per line"):
        read_labels(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00chair")
    with pytest.raises(OptionError, match=r"binary\.txt: cannot read labels \(not UTF-8 text\)"):
        read_labels(tmp_path / "binary.txt")
