"""A whole checkpoint of the authors, towers included: which adapter belongs to which tower."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, layer_norm, linear, scaled_dot_product_attention

from clip2point.heads import DPA

DATA = Path(__file__).parents[1] / "data"


def part(state, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def norm(state, x):
    return layer_norm(x, x.shape[-1:], state["weight"], state["bias"])


def dense(state, x):
    return linear(x, state["weight"], state["bias"])


def block(state, x):
    """A residual block of CLIP's tower with one head."""
    normed = norm(part(state, "ln_1."), x)
    query, key, value = linear(normed, state["attn.in_proj_weight"], state["attn.in_proj_bias"]).chunk(3, -1)
    x = x + dense(part(state, "attn.out_proj."), scaled_dot_product_attention(query, key, value))
    hidden = dense(part(state, "mlp.c_fc."), norm(part(state, "ln_2."), x))
    return x + dense(part(state, "mlp.c_proj."), hidden * (1.702 * hidden).sigmoid())


def tower(state, images):
    """CLIP's image tower, 64 wide."""
    kernel = state["conv1.weight"]
    patches = conv2d(images, kernel, stride=kernel.shape[-1]).flatten(2).mT
    x = torch.cat([state["class_embedding"].expand(len(images), 1, -1), patches], dim=1)
    x = norm(part(state, "ln_pre."), x + state["positional_embedding"])
    for index in range(2):
        x = block(part(state, f"transformer.resblocks.{index}."), x)
    return norm(part(state, "ln_post."), x[:, 0]) @ state["proj"]


@pytest.fixture(scope="module")
def official():
    """The adapters' state, the view features [2, 10, 32] of both towers, and what the authors' code gives for them."""
    state = torch.load(DATA / "official_dpa_tiny.pth", weights_only=True)
    with np.load(DATA / "official_tiny.npz") as golden:
        images, out = torch.from_numpy(golden["dpa_images"]), torch.from_numpy(golden["dpa_out"])
    depth, clip = (tower(part(state, name), images).unflatten(0, (2, 10)) for name in ("pre_model.", "ori_model."))
    return {name: tensor for name, tensor in state.items() if name.startswith("adapter")}, depth, clip, out


def test_equal_to_the_authors_from_images_on(official):
    state, depth, clip, out = official
    dpa = DPA(10, 32).load_authors_state(state).eval()
    torch.testing.assert_close(dpa(depth, clip), out, atol=1e-5, rtol=0)
    assert not torch.allclose(dpa(clip, depth), out, atol=1e-2)
