"""Settings of all tests of the baselines, and what several need."""

import os

# One thread for each process: what is computed here is small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pytest

from clip2point.data import SampledDataset
from clip2point.shapes.orientation import from_y_up


def make_clouds(count, seed=0, up="z"):
    """Balls, discs that lie and poles that stand, of any size and place; labels 0 to 2."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 48, 3))
    labels = np.arange(count) % 3
    points[labels == 1] *= [1, 0.05, 1]
    points[labels == 2] *= [0.05, 1, 0.05]
    points = points * rng.uniform(0.1, 50, (count, 1, 1)) + rng.normal(0, 20, (count, 1, 3))
    return from_y_up(points.astype(np.float32), up), labels.astype(np.int64)


def make_sampled(count=12, seed=0, **changes):
    """Shapes of ``make_clouds`` as a sampled data set."""
    points, labels = make_clouds(count, seed)
    fields = {
        "name": "solids",
        "split": "train",
        "classes": ("ball", "disc", "pole"),
        "up": "z",
        "points": points,
        "labels": labels,
        "names": tuple(f"{seed}-{row}" for row in range(count)),
        "failures": (),
        "fingerprint": str(seed),
    }
    return SampledDataset(**{**fields, **changes})


@pytest.fixture
def clouds():
    return make_clouds


@pytest.fixture
def sampled():
    return make_sampled
