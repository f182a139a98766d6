import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import clip2point
from clip2point.backbones.clip import MEAN, STD, ClipBackbone
from clip2point.core.errors import ModelError, OptionError
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.saving import save_model

DATA = Path(__file__).parent.parent / "data"
WORDS = ["image", "of", "a", "chair", "lamp"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The authors' pre-trained depth tower with CLIP's towers: 64 px, 1000 tokens."""
    out = tmp_path_factory.mktemp("clip")
    clip2point.convert(DATA / "official_pretrain_tiny.pth", out, clip=DATA / "openai_clip_tiny.pth")
    return out


@pytest.fixture(scope="module")
def backbone(folder):
    return clip2point.load(folder, dtype="fp32").backbone


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """A folder with a word tokenizer of 1000 tokens, of which the last one ends texts as CLIP's does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    out = tmp_path_factory.mktemp("tokenizer")
    words = [*WORDS, *(f"w{i}" for i in range(997 - len(WORDS))), "<unk>", "<bos>", "<eos>"]
    fast = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 998), ("<eos>", 999)]
    )
    specials = {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<eos>"}
    PreTrainedTokenizerFast(tokenizer_object=fast, **specials).save_pretrained(out)
    return out


def depth_maps(objects=2, views=3):
    return torch.rand(objects, views, 64, 64, generator=torch.Generator().manual_seed(0))


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_one_channel_equals_three(backbone):
    depth = depth_maps()
    as_images = depth.flatten(0, 1)[:, None]
    for path, encode in (("image", backbone.encode_image), ("depth", backbone.encode_depth_images)):
        close(backbone.encode_depth(depth, path).flatten(0, 1), encode(as_images.expand(-1, 3, -1, -1)))
    close(backbone.encode_depth_images(as_images), backbone.encode_depth(depth).flatten(0, 1))
    assert not torch.allclose(backbone.encode_depth(depth), backbone.encode_depth(depth, "image"), atol=0.01)


def test_images_are_resized_and_normalised_one_by_one(backbone):
    plain = torch.rand(1, 3, 50, 80, generator=torch.Generator().manual_seed(0))
    normalised = torch.full((1, 3, 50, 80), -1.5)
    together = backbone.encode_image(torch.cat([plain, normalised]))
    close(together, torch.cat([backbone.encode_image(plain), backbone.encode_image(normalised)]))
    assert backbone.encode_image(plain[:0]).shape == (0, 32)


def test_images_tell_by_their_values_whether_they_are_normalised(backbone):
    gray = torch.full((4, 3, 64, 64), 0.5)
    for image, value in zip(gray, (-1.0, 2.0, -1.01, 2.01), strict=True):
        image[0, 3, 4] = value
    told = backbone.encode_image(gray)
    plain, normalised = (backbone.encode_image(gray, normalized=value) for value in (False, True))
    close(told[:2], plain[:2])
    close(told[2:], normalised[2:])
    assert not torch.allclose(plain, normalised, atol=0.01)


def test_callers_may_say_that_images_are_normalised(backbone):
    """Dull images tell nothing: their normalised values lie between 0 and 1."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    dull = 0.55 + 0.1 * torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    normalised = (dull - mean) / std
    assert normalised.min() > 0
    assert normalised.max() < 1
    for encode in (backbone.encode_image, backbone.encode_depth_images):
        close(encode(normalised, normalized=True), encode(dull))
        assert not torch.allclose(encode(normalised), encode(dull), atol=0.01)


def test_pixels_are_taken_as_they_are(backbone):
    depth = depth_maps()
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    pixels = (depth.flatten(0, 1)[:, None] - mean) / std
    for path in ("image", "depth"):
        close(backbone.encode_pixels(pixels, path), backbone.encode_depth(depth, path).flatten(0, 1))
    assert torch.equal(backbone.encode_pixels(pixels), backbone.encode_pixels(pixels, path="image"))
    dull = torch.full((1, 3, 64, 64), 0.5)  # would be taken for one that is not normalised
    close(backbone.encode_pixels(dull), backbone.encode_image(dull, normalized=True))
    with pytest.raises(OptionError, match="images of 32 x 32 pixels: this tower takes 64 x 64"):
        backbone.encode_pixels(torch.zeros(1, 3, 32, 32))
    with pytest.raises(OptionError, match=r"images in torch.uint8: expected floating-point numbers"):
        backbone.encode_pixels(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(OptionError, match="unknown path 'photo'"):
        backbone.encode_pixels(pixels, path="photo")


def test_wrong_shapes_are_refused(backbone):
    for encode in (backbone.encode_image, backbone.encode_depth_images):
        for shape in ((3, 64, 64), (1, 2, 64, 64)):
            with pytest.raises(OptionError, match=r"images of shape \[.*\]: expected \[N, 3, H, W\]"):
                encode(torch.zeros(shape))
    with pytest.raises(OptionError, match="images of 32 x 32 pixels: this tower takes 64 x 64"):
        backbone.encode_depth(torch.zeros(1, 1, 32, 32))
    for tokens in (
        torch.zeros(1, 78, dtype=int),
        torch.zeros(3, dtype=int),
        torch.zeros(1, 3),
        torch.zeros(1, 0, dtype=int),
    ):
        with pytest.raises(OptionError, match=r"expected integers \[B, L\], L from 1 to 77"):
            backbone.encode_tokens(tokens)
    with pytest.raises(OptionError, match="tokens from 0 to 1000: expected 0 to 999"):
        backbone.encode_tokens(torch.tensor([[0, 1000]]))


def test_padding_and_length_do_not_matter(backbone):
    short = torch.tensor([[998, 5, 6, 999]])
    zeros, ends = (torch.nn.functional.pad(short, (0, 73), value=value) for value in (0, 999))
    for padded in (zeros, ends):
        close(backbone.encode_tokens(padded), backbone.encode_tokens(short))


def test_texts_need_the_tokenizer_of_the_model(folder, tokenizer, tmp_path, tiny_clip):
    source = DATA / "openai_clip_tiny.pth"
    clip2point.convert(source, tmp_path / "with", tokenizer=tokenizer)
    backbone = clip2point.load(tmp_path / "with", dtype="fp32").backbone
    texts = torch.from_numpy(backbone.encode_text(["image of a chair", "lamp"]))
    close(texts[1:], backbone.encode_tokens(torch.tensor([[998, WORDS.index("lamp"), 999]])))
    assert np.isfinite(backbone.encode_text(["chair " * 500])).all()
    with pytest.raises(ModelError, match="names no tokenizer for texts: convert again with --tokenizer"):
        clip2point.load(folder).backbone.encode_text(["lamp"])
    clip2point.convert(source, tmp_path / "other", tokenizer=tiny_clip)
    with pytest.raises(
        ModelError, match=r"the tokenizer .* has 16 tokens and ends texts with 2, expected 1000 and 999"
    ):
        clip2point.load(tmp_path / "other").backbone.encode_text(["lamp"])


def test_a_tokenizer_that_cannot_be_had(tokenizer, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="holds no files of a tokenizer"):
        clip2point.convert(DATA / "openai_clip_tiny.pth", tmp_path / "out", tokenizer=tmp_path / "empty")
    clip2point.convert(DATA / "openai_clip_tiny.pth", tmp_path / "out", tokenizer=tokenizer)
    shutil.rmtree(tmp_path / "out" / "tokenizer")
    with pytest.raises(ModelError, match=r"texts need the tokenizer .*, which cannot be loaded .* or use encode_tok"):
        clip2point.load(tmp_path / "out").backbone.encode_text(["lamp"])


def test_depth_towers_can_be_trained_further_and_saved(backbone, train_one_step, tmp_path):
    depth = depth_maps()
    before, image_path = backbone.encode_depth(depth), backbone.encode_depth(depth, "image")
    for path, expected in (("depth", before), ("image", image_path)):
        tower = backbone.depth_tower(path)
        close(tower(depth.flatten(0, 1)[:, None]).detach(), expected.flatten(0, 1))
    tower = train_one_step(backbone.depth_tower(), depth)
    trained = backbone.with_depth_tower(tower, image_size=64)
    close(trained.encode_depth(depth).flatten(0, 1), tower(depth.flatten(0, 1)[:, None]).detach())
    assert torch.equal(backbone.encode_depth(depth), before)
    assert torch.equal(trained.encode_depth(depth, "image"), image_path)
    assert trained.fingerprint() != backbone.fingerprint()
    assert trained.fingerprint("image") == backbone.fingerprint("image")
    save_model(tmp_path / "trained", trained, clip2point.Settings(), {})
    again = clip2point.load(tmp_path / "trained", dtype="fp32").backbone
    assert torch.equal(again.encode_depth(depth), trained.encode_depth(depth))
    assert again.fingerprint() == trained.fingerprint()
    save_model(tmp_path / "half", trained, clip2point.Settings(), {}, half=True)
    rounded = clip2point.load(tmp_path / "half", dtype="fp32").backbone.encode_depth(depth)
    assert torch.cosine_similarity(rounded, trained.encode_depth(depth), dim=-1).min() > 0.999
    with pytest.raises(OptionError, match="image size 32 of the depth tower: .* takes 64 pixels only"):
        backbone.with_depth_tower(tower, image_size=32)
    with pytest.raises(ModelError, match=r"depth tower: the tensor 'projection\.weight' is missing"):
        backbone.with_depth_tower({k: v for k, v in tower.state_dict().items() if k != "projection.weight"})


def test_a_training_that_0_1_began_is_refused_in_words(backbone):
    state = {"tower.vision.conv1.weight": torch.zeros(64, 3, 16, 16)}
    with pytest.raises(
        ModelError, match=r"that clip2point 0\.1 began with a converted CLIP.*finish it with clip2point 0"
    ):
        torch.nn.ModuleDict({"tower": backbone.depth_tower()}).load_state_dict(state)


def test_without_training_both_paths_are_one(tmp_path):
    clip2point.convert(DATA / "openai_clip_tiny.pth", tmp_path)
    backbone = clip2point.load(tmp_path, dtype="fp32").backbone
    depth = depth_maps()
    assert backbone.towers == ("image", "text")
    assert torch.equal(backbone.encode_depth(depth), backbone.encode_depth(depth, "image"))
    trained = backbone.with_depth_tower(backbone.depth_tower())
    assert trained.towers == ("image", "depth", "text")
    assert "depth.vision.proj" in trained.state_dict()
    with pytest.raises(OptionError, match="unknown path 'photo'"):
        backbone.encode_depth(depth, "photo")


def test_bf16_is_close_to_fp32_and_forgets_nothing(folder, backbone):
    rounded = clip2point.load(folder, dtype="bf16").backbone
    depth = depth_maps()
    assert torch.cosine_similarity(rounded.encode_depth(depth), backbone.encode_depth(depth), dim=-1).min() > 0.999
    stored, exact = rounded.state_dict(), backbone.state_dict()
    assert all(torch.equal(stored[name], exact[name]) for name in exact)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"towers": ["image", "sound"]}, r"should have some of image, depth, text as \"towers\""),
        ({"towers": ["image", "depth"]}, "'text.*' is not part of this model"),
        ({"activation": "relu"}, 'should have quick_gelu or gelu as "activation"'),
        ({"heads": {"vision": 0}}, 'should have "heads"'),
        ({"heads": {"vision": 7}}, "width 64 cannot be divided among 7 attention heads"),
        ({"tokenizer": 3}, 'as "tokenizer"'),
        ({"adapter": {"kind": "dpa", "views": 10}}, 'should have "adapter"'),
        ({"logit_scale": None}, '"logit_scale"'),
    ],
)
def test_configs_that_make_no_sense(folder, change, message, tmp_path):
    checkpoint = read_checkpoint(folder)
    write_checkpoint(tmp_path, checkpoint.tensors, {**copy.deepcopy(checkpoint.config), **change})
    with pytest.raises(ModelError, match=message):
        clip2point.load(tmp_path)


def test_tensors_are_checked_when_loaded(folder, tmp_path):
    checkpoint = read_checkpoint(folder)
    tensors = {name: tensor for name, tensor in checkpoint.tensors.items() if name != "depth.vision.proj"}
    write_checkpoint(tmp_path, tensors, checkpoint.config)
    with pytest.raises(ModelError, match="depth tower: the tensor 'proj' is missing"):
        clip2point.load(tmp_path)
    write_checkpoint(tmp_path, {**checkpoint.tensors, "more": torch.zeros(1)}, checkpoint.config)
    with pytest.raises(ModelError, match="'more' is not part of this model"):
        clip2point.load(tmp_path)


def test_a_backbone_needs_a_vision_tower():
    with pytest.raises(ModelError, match="nothing: no vision tower"):
        ClipBackbone({}, activation="gelu", logit_scale=1.0, name="nothing")
