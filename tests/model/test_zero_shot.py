"""The conventions of the zero-shot protocol: each spelled out alone, and all against the authors' own numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

import clip2point
from clip2point.backbones import clip
from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.model import class_features, view_cosines, zero_shot, zero_shot_logits
from clip2point.rendering import ViewSet, render_depth

DATA = Path(__file__).parent.parent / "data"


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
        pixels = depth.shape[-2] * depth.shape[-1]
        return depth.flatten(2) @ torch.randn(pixels, self.dim, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def points():
    values = torch.randn(3, 300, 3, generator=torch.Generator().manual_seed(0))
    return values / values.norm(dim=-1).max() * torch.tensor([1.0, 0.6, 0.3])


@pytest.fixture(scope="module")
def golden():
    """The authors' numbers: points, tokens, unit text features, and logits for 6 and 10 views in either frame."""
    arrays = np.load(DATA / "official_zero_shot_tiny.npz").items()
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays}


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    """The depth tower and the text tower behind these numbers."""
    out = tmp_path_factory.mktemp("authors")
    clip2point.convert(DATA / "official_pretrain_tiny.pth", out, clip=DATA / "openai_clip_tiny.pth")
    return clip2point.load(out, dtype="fp32").backbone


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
    torch.testing.assert_close(torch.from_numpy(features), mean / mean.norm(dim=1, keepdim=True))


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
    """(x, y, z) becomes (-y, z, -x)."""
    text = torch.randn(4, 5)
    turned = torch.stack([-points[..., 1], points[..., 2], -points[..., 0]], dim=-1)
    rotated = zero_shot_logits(Recorder(), points, text, rotate_modelnet=True)
    torch.testing.assert_close(rotated, zero_shot_logits(Recorder(), turned, text))
    assert not torch.allclose(rotated, zero_shot_logits(Recorder(), points, text))


#: Where each of the six views, in their order, sees a point (x, y, z): left, up, away.
SIX = (
    lambda x, y, z: (-x, y, -z),  # elevation 0, azimuth 0
    lambda x, y, z: (z, y, -x),  # 0, 90
    lambda x, y, z: (x, y, z),  # 0, 180
    lambda x, y, z: (-z, y, x),  # 0, 270
    lambda x, y, z: (x, z, -y),  # 90, 0
    lambda x, y, z: (-x, z, y),  # -90, 180
)


def test_the_six_views_and_their_order():
    """Where the pixels of a point lie by hand, and how grey they are: the nearer the darker, and white around."""
    backbone, point = Recorder(), (0.5, 0.25, 0.125)
    zero_shot_logits(backbone, torch.tensor([[point]]), torch.randn(4, 5), image_size=96, radius=0.05)
    assert backbone.depth.shape == (1, 6, 96, 96)
    for image, view in zip(backbone.depth[0], SIX, strict=True):
        left, up, away = view(*point)
        rows, columns = (image < 1).nonzero().float().add(0.5).mean(0)
        assert float(rows) == pytest.approx((1 - up) * 48, abs=0.51)
        assert float(columns) == pytest.approx((1 - left) * 48, abs=0.51)
        distance = 1 + away
        grey = (distance - min(distance, 1)) / distance * 200 / 255
        assert image.min().item() == pytest.approx(grey, abs=1e-6)
        assert image.max().item() == 1


def test_the_ten_views_and_their_order(points):
    angles = ((0, 0), (90, 0), (180, 0), (270, 0), (225, -45), (225, 45), (315, -45), (315, 45), (0, -90), (0, 90))
    backbone = Recorder()
    zero_shot_logits(backbone, points, torch.randn(4, 5), "clip2point-10")
    np.testing.assert_array_equal(backbone.depth, render_depth(points, ViewSet("ten", angles), image_size=24))


def test_the_radius_is_the_papers_unless_given(points):
    backbone = Recorder()
    zero_shot_logits(backbone, points, torch.randn(4, 5))
    np.testing.assert_array_equal(backbone.depth, render_depth(points, "clip2point-6", image_size=24, radius=0.02))


def test_depth_maps_are_normalised_as_clips_images(authors):
    depth = torch.rand(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    expected = authors.encode_pixels((depth[0][:, None].expand(-1, 3, -1, -1) - mean) / std, path="depth")
    torch.testing.assert_close(authors.encode_depth(depth)[0], expected, atol=1e-5, rtol=1e-5)


def test_views_image_size_and_radius_reach_the_renderer(points):
    backbone = Recorder()
    zero_shot_logits(backbone, points, torch.randn(4, 5), "clip2point-10", radius=0.05)
    expected = render_depth(points, "clip2point-10", image_size=24, radius=0.05)
    np.testing.assert_array_equal(backbone.depth.numpy(), expected.numpy())


def test_with_a_clip_model(tiny_clip, points):
    backbone = load_transformers_backbone(tiny_clip, dtype="fp32")
    text = class_features(backbone, ["chair", "table"])
    logits = zero_shot_logits(backbone, points, text, radius=0.1)
    assert logits.shape == (3, 2)
    assert logits.abs().max() <= 6
    alone = zero_shot_logits(backbone, points[1:2], text, radius=0.1)
    torch.testing.assert_close(alone, logits[1:2], atol=1e-5, rtol=0)


def logits(backbone, golden, views=6, rotated=True, **options):
    text = backbone.encode_tokens(golden["tokens"])
    options = {"image_size": 64, "radius": 0.05, "rotate_modelnet": rotated, **options}
    return zero_shot_logits(backbone, golden["points"], text, f"clip2point-{views}", **options)


def test_text_features_are_those_of_the_authors(authors, golden):
    texts = torch.nn.functional.normalize(authors.encode_tokens(golden["tokens"]), dim=-1)
    torch.testing.assert_close(texts, golden["text_features"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("views", [6, 10])
@pytest.mark.parametrize("rotated", [True, False])
def test_logits_are_those_of_the_authors(authors, golden, views, rotated):
    expected = golden[f"logits_{views}views_{'rotated' if rotated else 'plain'}"]
    torch.testing.assert_close(logits(authors, golden, views, rotated), expected, atol=1e-4, rtol=0)


def dot_products(view_features, text_features):
    return view_features @ torch.nn.functional.normalize(text_features, dim=-1).numpy().T


@pytest.mark.parametrize(
    "change",
    [
        {"rotated": False},
        {"views": 10},
        {"radius": 0.02},
        {"style": "pointclip"},
        {"turn": lambda points: points[..., [0, 2, 1]] * torch.tensor([1, 1, -1])},  # z-up to y-up alone
        {"cosines": dot_products},
        {"cosines": lambda views, text: view_cosines(views, text) / 6},  # the mean over views
        {"cosines": lambda views, text: view_cosines(views.mean(1, keepdims=True), text) * 6},  # of the features
        {"cosines": lambda views, text: view_cosines(views, text)[:, [0, 1, 2, 3, 4, 4]]},  # a view for another
        {"mean": (0.5, 0.5, 0.5)},
        {"std": (0.5, 0.5, 0.5)},
        {"activation": "gelu"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_authors_numbers_tell_every_change_of_a_convention(authors, golden, change, monkeypatch):
    change = dict(change)
    if "turn" in change:
        monkeypatch.setattr(zero_shot, "rotate_modelnet_points", change.pop("turn"))
    if "cosines" in change:
        monkeypatch.setattr(zero_shot, "view_cosines", change.pop("cosines"))
    backbone = authors
    if change.keys() & {"mean", "std", "activation"}:
        normalisation = change.pop("mean", clip.MEAN), change.pop("std", clip.STD)
        backbone = change_towers(authors, change.pop("activation", "quick_gelu"), normalisation)
    wrong = logits(backbone, golden, **change)
    assert (wrong - golden["logits_6views_rotated"]).abs().max() > 1e-3


def change_towers(backbone, activation, normalisation):
    """The same tensors behind another activation and normalisation."""
    states = {"depth": "depth.vision.", "text": "text."}
    tensors = backbone.state_dict()
    return clip.ClipBackbone(
        {
            tower: {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            for tower, prefix in states.items()
        },
        activation=activation,
        heads=backbone.heads,
        logit_scale=1.0,
        normalisation=normalisation,
        name="changed",
        dtype="fp32",
    )
