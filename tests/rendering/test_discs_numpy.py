import subprocess
import sys

import numpy as np
import pytest

from clip2point.rendering import DepthScene, discs_numpy, view_set

START = """
import sys
import numpy as np
from clip2point.rendering import render_depth
points = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 1024, 3)).astype(np.float32)
images = render_depth(points, "ring-6@20", image_size=112, radius=0.045)
print("numba" in sys.modules)
for _ in range(30):
    again = render_depth(points, "ring-6@20", image_size=112, radius=0.045)
    assert np.array_equal(images, again)
print("numba" in sys.modules)
"""


def test_the_first_images_need_no_numba_and_many_are_drawn_by_it():
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_what_is_drawn_is_counted(monkeypatch):
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr(discs_numpy, "_spent", 0)
    monkeypatch.setattr(discs_numpy, "_BUDGET", 2 * 10 * 49)
    assert [discs_numpy.is_cheaper(1, 10, 112, 0.045) for _ in range(3)] == [True, True, False]
    monkeypatch.setitem(sys.modules, "numba", object())
    monkeypatch.setattr(discs_numpy, "_spent", 0)
    assert not discs_numpy.is_cheaper(1, 10, 112, 0.045)


@pytest.mark.parametrize(("size", "radius", "reach"), [(112, 0.045, 3), (224, 0.02, 2), (10, 0.02, 0), (64, 1.0, 32)])
def test_discs_reach_so_many_pixels(size, radius, reach):
    assert discs_numpy._find_reach(size, radius) == reach


def test_a_chosen_backend_is_kept(monkeypatch):
    points = np.zeros((1, 1, 3), np.float32)
    assert DepthScene(points, view_set("ring-2"), backend="numba").backend == "numba"
    monkeypatch.setattr(discs_numpy, "is_cheaper", lambda *rest: True)
    assert DepthScene(points, view_set("ring-2")).backend == "numpy"
