"""The conventions of the zero-shot protocol, each spelled out."""

import numpy as np
import pytest
import torch

from clip2point.backbones.hub import load_hub_backbone
from clip2point.models import class_features, view_cosines, zero_shot_logits
from clip2point.rendering import render_depth


class Recorder:
    """A backbone that remembers what it was asked and answers with random features."""

    image_size, logit_scale, dim = 24, 100.0, 5

    def __init__(self):
        self.texts, self.depth = [], None

    def encode_text(self, texts):
        self.texts += texts
        return torch.randn(len(texts), self.dim, generator=torch.Generator().manual_seed(len(texts)))

    def encode_depth(self, depth):
        self.depth = depth
        return depth.flatten(2) @ torch.randn(24 * 24, self.dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def points():
    values = torch.randn(3, 300, 3, generator=torch.Generator().manual_seed(0))
    return values / values.norm(dim=-1).max() * torch.tensor([1.0, 0.6, 0.3])


def test_the_prompt_is_the_papers_with_spaces_for_underscores():
    backbone = Recorder()
    class_features(backbone, ["chair", "night_stand"])
    assert backbone.texts == ["image of a chair", "image of a night stand"]


def test_several_templates_are_averaged_as_unit_vectors():
    backbone = Recorder()
    features = class_features(backbone, ["chair", "lamp"], ["a {}", "the {}", "my {}"])
    assert backbone.texts == ["a chair", "the chair", "my chair", "a lamp", "the lamp", "my lamp"]
    raw = torch.randn(6, 5, generator=torch.Generator().manual_seed(6))
    unit = raw / raw.norm(dim=1, keepdim=True)
    mean = torch.stack([unit[:3].mean(0), unit[3:].mean(0)])
    torch.testing.assert_close(features, mean / mean.norm(dim=1, keepdim=True))


def test_cosines_are_summed_over_views(points):
    backbone = Recorder()
    text = torch.randn(4, 5)
    logits = zero_shot_logits(backbone, points, text, "clip2point-6")
    features = backbone.encode_depth(render_depth(points, "clip2point-6", image_size=24))
    for b in range(3):
        for c in range(4):
            cosines = [torch.cosine_similarity(features[b, v], text[c], dim=0) for v in range(6)]
            torch.testing.assert_close(logits[b, c], sum(cosines))


def test_lengths_of_features_do_not_matter(points):
    features, text = torch.randn(2, 6, 5), torch.randn(4, 5)
    torch.testing.assert_close(
        view_cosines(features * torch.rand(2, 6, 1).add(0.1), text * 7), view_cosines(features, text)
    )


def test_the_modelnet_rotation_is_applied_only_when_asked_for(points):
    text = torch.randn(4, 5)
    turned = torch.stack([-points[..., 1], points[..., 2], -points[..., 0]], dim=-1)
    rotated = zero_shot_logits(Recorder(), points, text, rotate_modelnet=True)
    torch.testing.assert_close(rotated, zero_shot_logits(Recorder(), turned, text))
    assert not torch.allclose(rotated, zero_shot_logits(Recorder(), points, text))


def test_views_image_size_and_radius_reach_the_renderer(points):
    backbone = Recorder()
    zero_shot_logits(backbone, points, torch.randn(4, 5), "clip2point-10", radius=0.05)
    expected = render_depth(points, "clip2point-10", image_size=24, radius=0.05)
    np.testing.assert_array_equal(backbone.depth.numpy(), expected.numpy())


def test_with_a_clip_model(tiny_clip, points):
    backbone = load_hub_backbone(tiny_clip, dtype="fp32")
    text = class_features(backbone, ["chair", "table"])
    logits = zero_shot_logits(backbone, points, text, radius=0.1)
    assert logits.shape == (3, 2)
    assert logits.abs().max() <= 6
    alone = zero_shot_logits(backbone, points[1:2], text, radius=0.1)
    torch.testing.assert_close(alone, logits[1:2], atol=1e-5, rtol=0)
