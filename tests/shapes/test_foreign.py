"""Formats that are not read."""

import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape
from clip2point.shapes.foreign import find_remedy


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.blend", "GLB"),
        ("a.IFC", "STL"),
        ("a.sldprt", "STEP"),
        ("a.zip", "unpack it"),
        ("a.nii.gz", "3D Slicer"),
        ("a.tar.gz", "unpack"),
        ("a.rcp", "PLY"),
        ("000.mat", "numpy.save"),
    ],
)
def test_known_formats_are_refused_with_what_converts_them(tmp_path, name, remedy):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(ShapeError, match=rf"{name}: is of a format that is not read .*: .*{remedy}"):
        load_shape(tmp_path / name)


def test_other_endings_have_no_remedy():
    assert find_remedy(".jpg") is None
