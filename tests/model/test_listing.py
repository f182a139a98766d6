import json
from pathlib import Path

import pytest

import clip2point
from clip2point.core.errors import ModelError
from clip2point.core.registries import BACKBONES
from clip2point.model.checkpoint import write_config

DATA = Path(__file__).parents[1] / "data" / "v0.1.0"


def test_built_in_models_and_presets_come_first():
    models = clip2point.list_models()
    assert list(models)[: len(BACKBONES.built_in)] == list(BACKBONES.built_in)
    assert models["pocket"].endswith("; embedded, offline")
    assert models["clip-vit-b-32"].endswith("; downloaded from openai/clip-vit-base-patch32")
    assert all("\n" not in description for description in models.values())


def test_local_folders_follow():
    models = clip2point.list_models(DATA)
    assert models[str(DATA / "adapted-gdpa")] == "head gdpa for 3 classes on ../converted-pretraining"
    assert models[str(DATA / "converted-dpa")] == "backbone clip, with a trained depth tower"
    assert models[str(DATA / "tiny-clip")] == "clip in transformers format"


def test_load_takes_the_name_of_a_local_folder(tiny_clip):
    name = str(tiny_clip)
    assert clip2point.list_models(tiny_clip.parent)[name] == "clip in transformers format"
    assert clip2point.load(name).name == name


def test_other_folders_are_passed_over(tmp_path):
    (tmp_path / "empty").mkdir()
    for name, config in {"bert": {"model_type": "bert"}, "list": [1]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    write_config(tmp_path / "broken", {"format": "clip2point", "head": 3, "classes": 4})
    found = {Path(name).name for name in clip2point.list_models(tmp_path)} - set(clip2point.list_models())
    assert found == {"broken"}  # load says what is wrong with it
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        clip2point.list_models(tmp_path / "nowhere")


def test_plugins_are_listed():
    BACKBONES.register("mine", lambda name, **options: None)
    try:
        assert clip2point.list_models()["mine"] == "plug-in"
    finally:
        BACKBONES.unregister("mine")
