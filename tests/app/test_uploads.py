import io

import pytest

from clip2point.app.uploads import MAX_FILES, make_safe_name, store_uploads
from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import load_shape
from clip2point_shapes import generate, write_mesh


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("chair.off", "chair.off"),
        ("../../etc/passwd", "passwd"),
        (r"C:\models\chair.off", "chair.off"),
        ("/etc/cron.d/chair.off", "chair.off"),
        ("a\0b\n<i>.off", "a_b__i_.off"),
        ("Stühle (2) 椅.obj", "Stühle (2) 椅.obj"),
        ("..", "unnamed"),
        ("", "unnamed"),
        (None, "unnamed"),
    ],
)
def test_names_cannot_lead_out(sent, name):
    assert make_safe_name(sent) == name


def test_long_names_keep_their_extension():
    assert make_safe_name("x" * 5000 + ".ply.gz").endswith("x.ply.gz")
    assert len(make_safe_name("x" * 5000 + ".ply.gz")) <= 120


def test_a_shape_finds_what_was_sent_with_it_and_nothing_is_left_behind(tmp_path):
    write_mesh(generate("lamp"), tmp_path / "lamp.obj")
    sent = [(name, (tmp_path / name).open("rb")) for name in ("lamp.mtl", "lamp.obj")]
    with store_uploads(sent) as (library, lamp):
        folder = lamp.path.parent
        assert not library.is_shape
        assert lamp.is_shape
        assert len(load_shape(lamp.path).mesh.materials) > 1
        assert folder.parent.stat().st_mode & 0o077 == 0  # nobody else may look
    for _, file in sent:
        file.close()
    assert not folder.parent.exists()


def test_equal_names_are_told_apart_and_other_kinds_are_not_kept():
    sent = [("a.ply.gz", io.BytesIO(b"1")), ("x/a.ply.gz", io.BytesIO(b"2")), ("a.exe", io.BytesIO(b"3"))]
    with store_uploads(sent) as uploads:
        assert [upload.name for upload in uploads] == ["a.ply.gz", "a (2).ply.gz", "a.exe"]
        assert [upload.path and upload.path.read_bytes() for upload in uploads] == [b"1", b"2", None]


def test_too_many_files_are_refused():
    with (
        pytest.raises(OptionError, match=f"{MAX_FILES + 1} files"),
        store_uploads([("a.ply", io.BytesIO())] * (MAX_FILES + 1)),
    ):
        pass


def test_errors_name_files_as_the_user_does():
    with (
        pytest.raises(ShapeError, match=r"^a\.ply: the file is empty"),
        store_uploads([("a.ply", io.BytesIO())]) as uploads,
    ):
        load_shape(uploads[0].path)
