import numpy as np
import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes import load_shape


def scan(points, pose=None, rows=1):
    pose = np.eye(4) if pose is None else pose
    lines = [str(len(points) // rows), str(rows), "0 0 0", "1 0 0", "0 1 0", "0 0 1"]
    lines += [" ".join(map(str, row)) for row in pose]
    lines += [" ".join(map(str, point)) + " 0.5 255 0 0" for point in points]
    return "\n".join(lines) + "\n"


def load(tmp_path, text):
    (tmp_path / "scan.ptx").write_text(text)
    return load_shape(tmp_path / "scan.ptx")


def test_scans_are_moved_to_their_places_and_joined(tmp_path):
    pose = np.eye(4)
    pose[:2, :2] = [[0, 1], [-1, 0]]  # row vectors: x becomes y
    pose[3, :3] = [10, 20, 30]
    shape = load(
        tmp_path, scan([(1, 2, 3), (4, 5, 6)]) + scan([(1, 0, 0), (0, 0, 0), (0, 2, 0), (0, 0, 4)], pose, rows=2)
    )
    assert shape.points.tolist() == [[1, 2, 3], [4, 5, 6], [10, 21, 30], [8, 20, 30], [10, 20, 34]]
    assert shape.notes == ("2 scans in one file, joined", "1 points without a return: left out")
    assert shape.up == "z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (scan([(1, 2, 3), (4, 5, 6)]).replace("4 5 6 0.5 255 0 0\n", ""), "declares 2 points in scan 1 and has 1"),
        (scan([(1, 2, 3)]) + "and more\n", "no header of a scan from line 12 on"),
        ("1000000\n1000000\n" + scan([(1, 2, 3)])[4:], "points"),
        (scan([(1, 2, 3), (4, 5, 6)]).replace("4 5 6", "4 wall 6"), "after line 10 that does not hold a point"),
        ("", "empty|no scan"),
        ("Dear reader\n", "no header of a scan from line 1 on"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)
