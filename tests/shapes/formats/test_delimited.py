"""XYZ, TXT, CSV, PTS."""

import numpy as np
import pytest
from sample_files import CLOUD, write_sample

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


def load(tmp_path, text, name="shape.xyz"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return load_shape(path)


@pytest.mark.parametrize("name", ["cloud.xyz", "cloud.txt", "cloud.csv", "cloud.pts"])
def test_clouds_of_every_kind_are_read(tmp_path, name):
    np.testing.assert_array_equal(load_shape(write_sample(name, tmp_path)).points, CLOUD)


@pytest.mark.parametrize(
    "text",
    [
        "0 1 2\n3 4 5",
        "0,1,2\r\n3,4,5\r\n",
        "0, 1, 2\n3, 4, 5\n\n",
        "0\t1\t2\n3\t4\t5\n",
        "0;1;2;255;0;0\n3;4;5;255;0;0\n",
        "\ufeff0 1 2 a\n3 4 5 b\n",
        "# a comment\n//and one more\n\n0 1 2 # first\n3 4 5\n",
        "X,Y,Z\n0,1,2\n3,4,5\n",
        '"id","x","y","z"\n7,0,1,2\n8,3,4,5\n',
        "//z y x r\n2 1 0 9\n5 4 3 9\n",
        "2\n0 1 2 0.5\n3 4 5 0.5\n",
        "0e0 1.0 +2\n3 4 5\n",
    ],
)
def test_ways_to_write_two_points(tmp_path, text):
    for name in ("a.xyz", "a.txt", "a.csv", "a.pts"):
        assert load(tmp_path, text, name).points.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dear reader,\nno points here.\n", "has no line with three numbers: expected a cloud"),
        ("1 2\n3 4\n", "has no line with three numbers"),
        ("0 1 2\n3 4\n", "has a line that does not hold a point"),
        ("0 1 2\n3 4 x\n", "has a line that does not hold a point"),
        ("0 1 2\n3 4 inf\n", "has NaN or infinite coordinates in 1 of 2 points"),
        ("0 1 2\n3 4 1e300\n", r"has coordinates up to 1e\+300"),
        ("0 1 2\n", "has 1 point: expected at least 2"),
        ("0 1 2\n0 1 2\n", "has 2 points that are all equal"),
        ("3\n0 1.25 2.25\n3 4 5.5\n", "declares 3 points and has 2: the file is cut off"),
        ("1000000000\n0 1 2\n3 4 5\n", "declares 1,000,000,000 points, but only"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)
