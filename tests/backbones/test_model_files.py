"""Folders of models: code is never run, files are files."""

import json
import os
import shutil

import pytest

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.cli.main import main
from clip2point.core.errors import ModelError


@pytest.fixture
def folder(tiny_clip, tmp_path):
    return shutil.copytree(tiny_clip, tmp_path / "model")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "preprocessor_config.json"])
def test_code_of_a_folder_is_refused_and_not_run(folder, name, capsys):
    path = folder / name
    settings = json.loads(path.read_text()) if path.exists() else {}
    settings["auto_map"] = dict.fromkeys(("AutoConfig", "AutoModel", "AutoTokenizer"), "planted.Planted")
    path.write_text(json.dumps(settings))
    (folder / "planted.py").write_text(f"open({str(folder / 'RUN')!r}, 'w')\nclass Planted: pass\n")
    with pytest.raises(ModelError, match=f"{name}: asks for code of its own to be run"):
        load_transformers_backbone(folder)
    assert main(["classify", str(folder / "none.off"), "--model", str(folder), "--labels", "a,b"]) == 2
    assert "nothing in a model's folder is run" in capsys.readouterr().err
    assert not (folder / "RUN").exists()


def test_code_in_a_part_of_the_settings_is_refused(folder):
    settings = json.loads((folder / "config.json").read_text())
    settings["text_config"]["auto_map"] = {"AutoModel": "a.B"}
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="asks for code of its own"):
        load_transformers_backbone(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_pipes_and_devices_are_no_settings(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=f"{name}: is no regular file"):
        load_transformers_backbone(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=f"{name}: is no regular file"):
        load_transformers_backbone(folder)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\xff"])
def test_settings_that_are_no_json_are_one_error(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"config\.json: cannot be read as JSON"):
        load_transformers_backbone(folder)
