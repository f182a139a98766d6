"""Converted checkpoints give what OpenAI's and the authors' own code gave."""

from pathlib import Path

import pytest
import torch

import clip2point
from clip2point.backbones.clip import MEAN, STD

DATA = Path(__file__).parent.parent.parent / "data"

CLIP = DATA / "openai_clip_tiny.pth"


def close(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrained")
    clip2point.convert(DATA / "official_pretrain_tiny.pth", out, clip=CLIP)
    return clip2point.load(out, dtype="fp32")


def test_clip(golden, tmp_path):
    found = clip2point.convert(CLIP, tmp_path)
    assert (found.kind, found.towers, found.activation) == ("openai-clip", ("image", "text"), "quick_gelu")
    model, expected = clip2point.load(tmp_path, dtype="fp32"), golden("openai_clip_tiny.npz")
    close(model.backbone.encode_image(expected["images"]), expected["image_features"])
    close(model.backbone.encode_depth_images(expected["images"]), expected["image_features"])
    for path in ("image", "depth"):  # one tower until one is trained for depth maps
        close(model.backbone.encode_pixels(expected["images"], path), expected["image_features"])
    close(model.backbone.encode_tokens(expected["tokens"]), expected["text_features"])
    assert model.adapter is None
    assert model.backbone.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)


def test_images_may_be_normalised_already_or_not(golden, pretrained):
    expected = golden("openai_clip_tiny.npz")
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    close(pretrained.backbone.encode_image(expected["images"] * std + mean), expected["image_features"])


def test_pretraining(golden, pretrained):
    expected = golden("official_tiny.npz")
    assert pretrained.backbone.towers == ("image", "depth", "text")
    close(pretrained.backbone.encode_depth_images(expected["images"]), expected["depth_features"])
    close(pretrained.backbone.encode_pixels(expected["images"], path="depth"), expected["depth_features"])
    clip = golden("openai_clip_tiny.npz")
    close(pretrained.backbone.encode_image(clip["images"]), clip["image_features"])
    close(pretrained.backbone.encode_tokens(clip["tokens"]), clip["text_features"])


def test_dpa(golden, tmp_path):
    found = clip2point.convert(DATA / "official_dpa_tiny.pth", tmp_path)
    assert (found.kind, found.adapter, found.views) == ("authors-dpa", "dpa", "clip2point-10")
    model, expected = clip2point.load(tmp_path, dtype="fp32"), golden("official_tiny.npz")
    assert model.settings.views == "clip2point-10"
    depth, image = (
        encode(expected["dpa_images"]).unflatten(0, (2, 10))
        for encode in (model.backbone.encode_depth_images, model.backbone.encode_image)
    )
    close(model.adapter(depth, image), expected["dpa_out"])
    close(model.backbone.encode_depth_images(expected["images"]), expected["depth_features"])
