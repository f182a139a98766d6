"""The shipped demo shapes: complete, small, upright, and copied as they are."""

from pathlib import Path

import numpy as np
import pytest

from clip2point.core.errors import OptionError
from clip2point.shapes.demo_shapes import (
    DEMO_CLASSES,
    DEMO_FOLDER,
    demo_files,
    demo_shapes,
    write_demo_shapes,
)


def test_folder_holds_one_file_of_each_class_and_less_than_a_megabyte():
    assert sorted(DEMO_FOLDER.iterdir()) == list(demo_files().values())
    assert sum(path.stat().st_size for path in DEMO_FOLDER.iterdir()) < 1e6


def test_shapes_are_upright_coloured_meshes_in_metres():
    shapes = demo_shapes()
    assert [name for name, _ in shapes] == list(DEMO_CLASSES)
    heights = {name: np.ptp(shape.points[:, 1]) for name, shape in shapes}
    assert all(shape.up == "y" and shape.mesh is not None for _, shape in shapes)
    assert all(abs(shape.points[:, 1].min()) < 1e-6 for _, shape in shapes)
    assert len({material.color for _, shape in shapes for material in shape.mesh.materials}) > 30
    assert heights["cup"] < 0.2 < 0.7 < heights["chair"] < 1.3 < heights["door"] < 4 < heights["airplane"]


def test_copies_are_the_same_files(tmp_path):
    copies = write_demo_shapes(tmp_path / "new" / "folder", ["lamp", "chair"])
    assert list(copies) == ["lamp", "chair"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["chair.glb", "lamp.glb"]
    assert copies["lamp"].read_bytes() == demo_files()["lamp"].read_bytes()


@pytest.mark.parametrize("function", [demo_files, demo_shapes, lambda classes: write_demo_shapes("nowhere", classes)])
def test_unknown_class_is_named_with_the_known_ones(function):
    with pytest.raises(OptionError, match="no demo shape of class 'unicorn': expected one of airplane, bed"):
        function(["chair", "unicorn"])
    assert not Path("nowhere").exists()


def test_unwritable_folder_is_one_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot write the demo shape"):
        write_demo_shapes(tmp_path / "file", ["cup"])
