import pytest

from clip2point.core.files import replacing


def write_and_fail(path):
    with replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "file.txt"
    with pytest.raises(RuntimeError):
        write_and_fail(path)
    assert list(path.parent.iterdir()) == []
    with replacing(path) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_and_fail(path)
    assert path.read_text() == "old"
