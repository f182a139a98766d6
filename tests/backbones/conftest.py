"""How towers are trained in the tests."""

import pytest
import torch


@pytest.fixture(scope="session")
def train_one_step():
    """Trains a tower on depth maps for one step, which must reach all its weights, and makes it ready for use again."""

    def train(tower, depth):
        tower.train()
        optimizer = torch.optim.SGD(tower.parameters(), lr=0.01)
        tower(depth.flatten(0, 1)[:, None]).square().mean().backward()
        assert all(parameter.grad is not None for parameter in tower.parameters())
        optimizer.step()
        return tower.eval()

    return train
