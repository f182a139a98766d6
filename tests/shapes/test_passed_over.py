"""Files that are passed over."""

import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import expand_folders
from clip2point.shapes.passed_over import count_passed_over, describe_passed_over


@pytest.fixture
def folder(tmp_path):
    for name in (
        "a.blend",
        "sub/b.BLEND",
        "c.max.gz",
        "chair.obj",
        "chair.mtl",
        "skin.png",
        "notes.txt",
        ".x.max",
        "LICENSE",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def test_files_are_counted_by_ending(folder):
    assert count_passed_over([folder]) == {".blend": 2, ".max": 1}
    assert count_passed_over([folder, folder / "sub", folder]) == {".blend": 2, ".max": 1}


def test_one_line_says_so(folder):
    said = (
        "Passed over, of formats that are not read: 2 .blend, 1 .max. .blend: export it as GLB, for one with Blender."
    )
    assert describe_passed_over([folder, folder / "chair.obj"]) == said
    assert describe_passed_over([folder / "chair.obj"]) == ""
    for i in range(12):
        (folder / f"a.z{i}").write_text("")
    assert describe_passed_over([folder]).endswith(
        "1 .z10, 1 .z11, 1 .z2, 1 .z3, 6 others. .blend: export it as GLB, for one with Blender."
    )


def test_a_folder_without_shapes_says_what_it_has(folder):
    (folder / "chair.obj").unlink()
    with pytest.raises(
        ShapeError, match=r"no shape files in this folder; expected .*\. Passed over, .*: 2 .blend, 1 .max"
    ):
        expand_folders([folder])
