"""Writers of small data sets in the layouts in which the real ones come, and a cache for each test."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CLIP2POINT_CACHE", str(folder))
    return folder


@pytest.fixture
def write():
    """The writers; all make the folders that they need."""
    return SimpleNamespace(off=write_off, npy=write_npy, h5=write_h5, lines=write_lines, cloud=cloud)


def cloud(seed=0, points=32):
    """A cloud in the unit cube."""
    return np.random.default_rng(seed).random((points, 3)).astype(np.float32)


def write_off(path, seed=0):
    """One tetrahedron."""
    corners = [" ".join(f"{value:.5f}" for value in row) for row in cloud(seed, 4)]
    write_lines(path, ["OFF", "4 4 0", *corners, "3 0 1 2", "3 0 1 3", "3 0 2 3", "3 1 2 3"])


def write_npy(path, seed=0, points=32):
    """A cloud in a file of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, cloud(seed, points))


def write_h5(path, labels, points=32, column=False):
    """Clouds with labels [n], or [n, 1]; the seed of a cloud is its row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.array(labels)
    with h5py.File(path, "w") as file:
        file["data"] = np.stack([cloud(row, points) for row in range(len(labels))])
        file["label"] = labels[:, None] if column else labels


def write_lines(path, lines):
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
