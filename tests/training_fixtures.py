"""Meshes, a small pair folder, a tower without batch norm, and a cache, for all tests of training."""

import numpy as np
import pytest
import torch
from torch import nn

from clip2point.pretraining.pairs import PairFolder, PairSettings, open_source
from clip2point_shapes import generate, write_mesh

SHAPES = (("chair", "slatted"), ("table", "dining"), ("bottle", "wine"), ("cone", "plain"), ("chair", "shell"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIP2POINT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def meshes(tmp_path_factory):
    """Folder with four chairs and four tables; not to be changed."""
    folder = tmp_path_factory.mktemp("meshes")
    for number, name in enumerate(["chair", "table"] * 4):
        (folder / name).mkdir(exist_ok=True)
        write_mesh(generate(name, seed=number), folder / name / f"{name}_{number}.off")
    return folder


@pytest.fixture(scope="session")
def pair_folder(in_threads, tmp_path_factory):
    """Pairs of five generated meshes, in two shards."""
    meshes = tmp_path_factory.mktemp("styles")
    for number, (name, style) in enumerate(SHAPES):
        (meshes / name).mkdir(exist_ok=True)
        write_mesh(generate(name, style, number), meshes / name / f"{style}.obj")
    folder = tmp_path_factory.mktemp("pairs") / "five"
    with pytest.MonkeyPatch.context() as patch:
        in_threads(patch)
        list(PairFolder(folder, open_source(str(meshes), up="y"), PairSettings(shard_size=3)).render())
    return folder


class TinyTower(nn.Module):
    """Depth maps [N, 1, 32, 32] to features [N, 24]."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 24))

    def forward(self, images):
        return self.layers(images)


@pytest.fixture
def tiny_tower():
    torch.manual_seed(0)
    return TinyTower()


@pytest.fixture
def cloud():
    """[8192, 3] points of a box that is longer than high, in the unit sphere."""
    points = np.random.default_rng(0).uniform(-1, 1, (8192, 3)) * (0.7, 0.2, 0.4)
    return points.astype(np.float32)
