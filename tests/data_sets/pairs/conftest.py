"""A folder of rendered pairs, and pairs that are made of nothing but numbers."""

import numpy as np
import pytest

from clip2point.data.pairs import PairInfo, encode_pair
from training_fixtures import pair_folder

__all__ = ["pair_folder"]


@pytest.fixture
def make_pair():
    """Makes the files of a pair with random points and two random images of 8 x 8 pixels."""

    def make(key="chair_1", points=4, views="ring-2", seed=0, category="chair"):
        rng = np.random.default_rng(seed)
        info = PairInfo(key, ("chair", "arm chair"), category, "CC0-1.0", "Ann", "toys")
        cloud = rng.random((points, 3), dtype=np.float32)
        images = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
        return encode_pair(info, cloud, images, views=views, seed=seed)

    return make
