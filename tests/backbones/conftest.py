"""Towers' tensors, and how towers are trained in the tests."""

from pathlib import Path

import pytest
import torch

DATA = Path(__file__).parent.parent / "data"
TEXT = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


@pytest.fixture(scope="session")
def openai_states():
    """Tensors in fp32 of the towers of OpenAI's golden file, by their names: width 64, two layers."""
    state = torch.load(DATA / "openai_clip_tiny.pth", weights_only=True)
    vision = {name: tensor.float() for name, tensor in state.items() if name.startswith("visual.")}
    return {
        "vision": {name.removeprefix("visual."): tensor for name, tensor in vision.items()},
        "text": {name: tensor.float() for name, tensor in state.items() if name.startswith(TEXT)},
    }


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
