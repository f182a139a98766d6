import numpy as np
import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.model import load
from clip2point.pretraining.captions import CaptionSettings, Vocabulary, class_name

SETTINGS = CaptionSettings(
    ignored=("default",), synonyms=(("night stand", "bedside table"), ("table", "dining table"), ("sofa", "couch"))
)


def draw_texts(vocabulary, model, times=200):
    rng = np.random.default_rng(0)
    return {vocabulary.texts[vocabulary.draw(model, rng)] for _ in range(times)}


def test_names_tags_and_synonyms_become_captions_and_noise_does_not():
    vocabulary = Vocabulary([["Bedside table", "Default"], ["Corner sofa", "Seat"], ["Oak_Table"]], SETTINGS)
    assert draw_texts(vocabulary, 0) == {"bedside table", "night stand"}
    assert draw_texts(vocabulary, 1) == {"corner sofa", "seat", "sofa", "couch"}
    assert draw_texts(vocabulary, 2) == {"oak table", "table", "dining table"}
    assert list(vocabulary.texts) == sorted(set(vocabulary.texts))


def test_a_class_is_the_first_word_of_a_group():
    assert class_name("Bedside  table", SETTINGS) == "night stand"
    assert class_name("red_dining table", SETTINGS) == "table"
    assert class_name("Vase", SETTINGS) == "vase"


def test_a_name_is_kept_even_if_it_would_be_noise_as_a_tag():
    assert Vocabulary([["Default"]], SETTINGS).texts == ("default",)


def test_the_name_is_drawn_as_often_as_asked_for():
    vocabulary = Vocabulary([["lamp", "light", "lantern"]], CaptionSettings(name_probability=0.7))
    rng = np.random.default_rng(1)
    fraction = np.mean([vocabulary.draw(0, rng) == vocabulary.texts.index("lamp") for _ in range(2000)])
    assert fraction == pytest.approx(0.7, abs=0.05)


def test_features_are_the_mean_of_the_prompts(tiny_clip):
    backbone = load(tiny_clip).backbone
    captions = [["chair"], ["night_stand"]]
    both = CaptionSettings(templates=("image of a {}", "depth map of a {}"))
    features = Vocabulary(captions, both).features(backbone)
    assert torch.allclose(features.norm(dim=-1), torch.ones(2), atol=1e-6)
    parts = [
        torch.nn.functional.normalize(torch.from_numpy(backbone.encode_text([template.format("night stand")])), dim=-1)
        for template in both.templates
    ]
    expected = torch.nn.functional.normalize(sum(parts), dim=-1)
    assert torch.allclose(features[1:], expected, atol=1e-5)


def test_invalid_settings_are_refused():
    with pytest.raises(OptionError, match="name_probability is 0: expected above 0"):
        CaptionSettings(name_probability=0)
    with pytest.raises(OptionError, match="sentences with one {} each"):
        CaptionSettings(templates=("a chair",))
    with pytest.raises(OptionError, match="sentences with one {} each"):
        CaptionSettings(templates=())
