import json
from pathlib import Path

from clip2point.cli.main import main

DATA = Path(__file__).parent.parent / "data"


def test_a_checkpoint_of_the_authors_with_its_clip(tmp_path, capsys):
    clip = DATA / "openai_clip_tiny.pth"
    out = tmp_path / "out"
    assert main(["convert", str(DATA / "official_pretrain_tiny.pth"), "--clip", str(clip), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "authors-pretraining" in captured.out
    assert "image, depth, text" in captured.out
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]


def test_json_and_remarks(tmp_path, capsys):
    arguments = ["convert", str(DATA / "official_dpa_tiny.pth"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["adapter"] == "dpa"
    assert found["activation"] == "quick_gelu"
    assert main(arguments) == 0
    assert "give the CLIP file too (--clip ViT-B-32.pt)" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path, capsys):
    (tmp_path / "model.pth").write_text("<html></html>")
    assert main(["convert", str(tmp_path / "model.pth"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "web page" in error
    assert len(error.splitlines()) == 1
