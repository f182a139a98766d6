import json
import shutil

import numpy as np
import pytest
import torch

import clip2point
from clip2point.core.errors import ModelError, OptionError

VISION = {"image_size": 24, "layers": 1, "width": 128, "patch_size": 8}
TEXT = {"context_length": 12, "vocab_size": 50, "width": 192, "heads": 3, "layers": 2}
MODEL = {"embed_dim": 48, "vision_cfg": VISION, "text_cfg": TEXT}


@pytest.fixture
def convert(state, saved, tmp_path):
    """Convert the small CLIP with a description beside it, changed as given."""

    def convert(changes=(), images=None, **options):
        config = {"model_cfg": json.loads(json.dumps(MODEL)), "preprocess_cfg": images or {}}
        for place, value in changes:
            *sections, key = place.split(".")
            target = config["model_cfg"]
            for section in sections:
                target = target[section]
            target[key] = value
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
        clip2point.convert(saved(state), tmp_path / "out", **options)
        return clip2point.load(tmp_path / "out", dtype="fp32").backbone

    return convert


def test_mean_and_deviation_are_those_of_the_description(convert, state):
    backbone = convert(images={"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"})
    image = np.random.default_rng(0).random((1, 3, 24, 24)).astype(np.float32)
    expected = backbone.encode_pixels((image - 0.5) / 0.5)
    np.testing.assert_allclose(backbone.encode_image(image), expected, atol=1e-5)
    gray = image[:, :1]
    expected = backbone.encode_pixels((np.repeat(gray, 3, axis=1) - 0.5) / 0.5)
    np.testing.assert_allclose(backbone.encode_depth(gray)[:, 0], expected, atol=1e-5)
    tower = backbone.depth_tower()
    np.testing.assert_allclose(tower(torch.from_numpy(gray)).detach(), expected, atol=1e-5)


def test_heads_are_those_of_the_description(convert):
    assert convert().heads == {"vision": 2, "text": 3}
    assert convert([("vision_cfg.head_width", 32), ("text_cfg.heads", 6)]).heads == {"vision": 4, "text": 6}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("vision_cfg.pool_type", "avg"),
        ("vision_cfg.timm_model_name", "eva02_base_patch14_224"),
        ("vision_cfg.attentional_pool", True),
        ("vision_cfg.pos_embed_type", "sin_cos_2d"),
        ("vision_cfg.no_ln_pre", True),
        ("vision_cfg.something_new", 3),
        ("text_cfg.hf_model_name", "xlm-roberta-base"),
        ("text_cfg.pool_type", "last"),
        ("text_cfg.no_causal_mask", True),
        ("text_cfg.embed_cls", True),
        ("multimodal_cfg", {"layers": 2}),
        ("init_logit_bias", -10),
        ("vision_cfg.layers", [3, 4, 6, 3]),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(convert, place, value, tmp_path):
    with pytest.raises(ModelError, match=rf"open_clip_config\.json: model_cfg\.{place} .*not implemented"):
        convert([(place, value)])
    assert not (tmp_path / "out").exists()


def test_the_end_of_texts(convert):
    assert convert([("text_cfg.pool_type", "eos"), ("text_cfg.eos_id", 49)])
    with pytest.raises(ModelError, match="eos_id 2 is not implemented: expected the last of 50 tokens"):
        convert([("text_cfg.pool_type", "eos"), ("text_cfg.eos_id", 2)])


@pytest.mark.parametrize(
    ("place", "value"),
    [("embed_dim", 512), ("vision_cfg.layers", 12), ("vision_cfg.image_size", 336), ("text_cfg.context_length", 77)],
)
def test_a_description_of_another_checkpoint(convert, place, value):
    with pytest.raises(ModelError, match=rf"says .*{place.rpartition('.')[2]} {value}, and the tensors say"):
        convert([(place, value)])


def test_wrong_values(convert):
    with pytest.raises(ModelError, match="preprocess_cfg.std .*: expected three numbers"):
        convert(images={"std": [0, 1, 1]})
    with pytest.raises(ModelError, match="head_width 60 does not divide the width 128"):
        convert([("vision_cfg.head_width", 60)])


def test_reference_features(convert, reference, activation, tmp_path):
    pixels, tokens = torch.randn(2, 3, 24, 24), torch.tensor([[48, 3, 4, 49], [48, 7, 9, 49]])
    with torch.no_grad():
        arrays = {
            "images": pixels.numpy(),
            "image_features": reference.visual_projection(reference.vision_model(pixels).pooler_output).numpy(),
            "tokens": tokens.numpy(),
            "text_features": reference.text_projection(reference.text_model(tokens).pooler_output).numpy(),
        }
    np.savez(tmp_path / "features.npz", **arrays)
    assert convert([("quick_gelu", activation == "quick_gelu")], reference=tmp_path / "features.npz")
    shutil.rmtree(tmp_path / "out")
    np.savez(tmp_path / "features.npz", **{**arrays, "text_features": -arrays["text_features"]})
    with pytest.raises(OptionError, match="features of the text tower have a cosine of -.* with the reference"):
        convert([("quick_gelu", activation == "quick_gelu")], reference=tmp_path / "features.npz")
    assert not (tmp_path / "out").exists()
    np.savez(tmp_path / "features.npz", x=np.zeros(3))
    with pytest.raises(OptionError, match="has the arrays x: expected an NPZ of arrays 'images'"):
        convert(reference=tmp_path / "features.npz")


def test_the_tokenizer_is_in_the_folder_which_can_be_moved(state, saved, tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "chair", *(f"w{number}" for number in range(46)), "<begin>", "<end>"]
    fast = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<pad>"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.post_processor = processors.TemplateProcessing("<begin> $A <end>", None, [("<begin>", 48), ("<end>", 49)])
    given = PreTrainedTokenizerFast(tokenizer_object=fast, pad_token="<pad>", eos_token="<end>", bos_token="<begin>")
    given.save_pretrained(tmp_path / "words")
    clip2point.convert(saved(state), tmp_path / "out", tokenizer=tmp_path / "words")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["tokenizer"] == "tokenizer"
    before = clip2point.load(tmp_path / "out", dtype="fp32").backbone.encode_text(["chair"])
    shutil.rmtree(tmp_path / "words")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "out", tmp_path / "elsewhere" / "moved")
    moved = clip2point.load(tmp_path / "elsewhere" / "moved", dtype="fp32").backbone
    np.testing.assert_array_equal(moved.encode_text(["chair"]), before)
