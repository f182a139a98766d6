"""Threads that drawing shares with PyTorch."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_SCRIPT = """
import json, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
import numba, numpy as np
from clip2point.rendering import render_depth
from clip2point.rendering.threads import share_threads
points = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 50, 3)).astype(np.float32)
render_depth(points, "ring-6@20", image_size=32)
with share_threads():
    inside = numba.get_num_threads()
print(json.dumps([inside, numba.get_num_threads(), torch.get_num_threads()]))
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_drawing_takes_the_threads_of_pytorch_and_leaves_all_as_it_was(threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    command = [sys.executable, "-c", _SCRIPT, str(threads)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found == [threads, 2, threads]
