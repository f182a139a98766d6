"""A small pair folder, and a tower without batch norm, for all tests of training."""

import numpy as np
import pytest
import torch
from torch import nn

from clip2point.pairs import PairFolder, open_source
from clip2point.samples import generate, write_mesh

SHAPES = (("chair", "slatted"), ("table", "dining"), ("bottle", "wine"), ("cone", "plain"), ("chair", "shell"))


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory):
    """Pairs of five generated meshes, in two shards."""
    meshes = tmp_path_factory.mktemp("meshes")
    for number, (name, style) in enumerate(SHAPES):
        (meshes / name).mkdir(exist_ok=True)
        write_mesh(generate(name, style, number), meshes / name / f"{style}.obj")
    folder = tmp_path_factory.mktemp("pairs") / "five"
    for _ in PairFolder(folder, open_source(str(meshes), up="y"), shard_size=3).render():
        pass
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
