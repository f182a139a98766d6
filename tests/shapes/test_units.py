"""Real-world sizes."""

import numpy as np

from clip2point.shapes.units import note_size


def test_a_size_is_told_in_metres():
    assert (
        note_size(np.array([[1, 1, 1], [2, np.nan, 1], [1001, 3, 251]], np.float32), 0.01) == "size 10 x 0.02 x 2.5 m"
    )
    assert note_size(np.zeros((0, 3)), 1) == "size unknown"
