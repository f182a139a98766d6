"""Models of ours onto a hub and back."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import clip2point
from clip2point.cli.main import main
from clip2point.core.errors import ModelError
from clip2point.model.cards import write_model_card
from clip2point.model.checkpoint import read_config, write_config
from clip2point.model.publishing import push

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    clip2point.convert(DATA / "official_pretrain_tiny.pth", folder, clip=DATA / "openai_clip_tiny.pth")
    return folder


@pytest.fixture
def folder(converted, tmp_path):
    """A model of ours, and a file beside it that is nobody's business."""
    copy = shutil.copytree(converted, tmp_path / "model")
    (copy / "notes.txt").write_text("private")
    return copy


@pytest.fixture
def logged_in(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_tests")
    return hub


def test_there_and_back(logged_in, folder, tmp_path, capsys):
    assert main(["push", str(folder), "org/tiny"]) == 0
    captured = capsys.readouterr()
    assert f"{logged_in.address}/org/tiny now holds README.md, config.json, model.safetensors" in captured.out
    assert "a model card was written" in captured.err
    sent = logged_in.files("org/tiny")
    assert sorted(sent) == [".gitattributes", "README.md", "config.json", "model.safetensors"]
    assert sent["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert not (folder / "README.md").exists()
    assert "org/tiny" not in logged_in.private
    depth = torch.rand(1, 2, 64, 64)
    here, there = (clip2point.load(model, dtype="fp32").backbone for model in (folder, "hf:org/tiny"))
    assert torch.equal(here.encode_depth(depth), there.encode_depth(depth))


def test_a_second_push_replaces_the_first_and_own_cards_are_kept(logged_in, folder, capsys):
    push(folder, "org/tiny")
    (folder / "README.md").write_text("# Mine\n")
    write_config(folder, {**read_config(folder), "points": 99})
    assert main(["push", str(folder), "hf:org/tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "hf:org/tiny"
    assert found["files"] == ["README.md", "config.json", "model.safetensors"]
    assert not found["card_written"]
    assert found["commit"] == logged_in.branches["org/tiny", "main"]
    assert logged_in.files("org/tiny")["README.md"] == b"# Mine\n"
    assert clip2point.load("hf:org/tiny").settings.points == 99
    again = push(folder, "org/tiny")  # with nothing new
    assert again.commit == found["commit"]


def test_paths_of_this_machine_stay_here(logged_in, folder):
    paths = {
        "fine_tuned_on": {
            "dataset": "folder:/home/me/secret/parts",
            "fine": ["npz:C:\\Users\\me\\set.npz", "/home/me/set.npz/"],
        },
        "fine_tuned_from": "~me/models/mine",
        "notes": ["modelnet40", "https://example.org/home/a", "a/b", "1/2", "train", "", "//server/me"],
    }
    write_config(folder, {**read_config(folder), **paths})
    push(folder, "org/tiny")
    sent = logged_in.files("org/tiny")
    config = json.loads(sent["config.json"])
    assert config["fine_tuned_on"] == {"dataset": "folder:parts", "fine": ["npz:set.npz", "set.npz"]}
    assert config["fine_tuned_from"] == "mine"
    assert config["notes"] == [*paths["notes"][:-1], "me"]
    assert b"secret" not in sent["README.md"]
    assert read_config(folder)["fine_tuned_on"] == paths["fine_tuned_on"]
    assert clip2point.load("hf:org/tiny").settings == clip2point.load(folder).settings


def test_private(logged_in, folder):
    push(folder, "org/secret", private=True)
    assert logged_in.private == {"org/secret"}
    push(folder, "org/secret", private=True)
    push(folder, "org/open")
    before = logged_in.files("org/open")
    with pytest.raises(ModelError, match=r"^org/open: exists already and is public: make it private first"):
        push(folder, "org/open", private=True)
    assert logged_in.files("org/open") == before


def test_the_base_inside_goes_along_and_one_outside_is_refused(logged_in, folder, tiny_clip):
    shutil.copytree(tiny_clip, folder / "words")
    (folder / "words" / "junk.bin").write_text("junk")
    write_config(folder, {**read_config(folder), "tokenizer": "./words"})
    sent = push(folder, "org/tiny").files
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    assert set(sent) == {"README.md", "config.json", "model.safetensors", *(f"words/{name}" for name in names)}
    shutil.copytree(tiny_clip, folder.parent / "elsewhere")
    for value in ("../elsewhere", "./none", str(tiny_clip), str(folder / "words")):
        write_config(folder, {**read_config(folder), "tokenizer": value})
        with pytest.raises(ModelError, match=r"model: its tokenizer \S+ would stay behind: copy it into the folder"):
            push(folder, "org/tiny")


def test_what_is_no_model_is_refused(logged_in, folder, tiny_clip, tmp_path):
    with pytest.raises(ModelError, match=r"no model of clip2point's own format; push others with 'hf upload'$"):
        push(tiny_clip, "org/tiny")
    with pytest.raises(ModelError, match="none.config.json: cannot be read"):
        push(tmp_path / "none", "org/tiny")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="the file is damaged or belongs to another checkpoint"):
        push(folder, "org/tiny")
    for name in ("tiny", "org/tiny@v1", "org/"):
        with pytest.raises(ModelError, match="expected ORGANISATION/NAME"):
            push(folder, name)
    assert logged_in.requests == []


def test_nobody_logged_in_or_no_network(hub, folder, monkeypatch, capsys):
    assert main(["push", str(folder), "org/tiny"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "error: org/tiny: nobody is logged in: log in with 'hf auth login' and a token that may write"
    )
    assert len(error.splitlines()) == 1
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"^org/tiny: HF_HUB_OFFLINE is set, so nothing can be pushed: unset it$"):
        push(folder, "org/tiny")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            403,
            r"error 403, and the model was not pushed: log in with 'hf auth login' and a token that may write there$",
        ),
        (400, r"error 400, and the model was not pushed: try again$"),
    ],
)
def test_a_hub_that_does_not_take_it(logged_in, folder, fault, message):
    logged_in.faults["/api/"] = fault
    with pytest.raises(ModelError, match=message):
        push(folder, "org/tiny")
    assert logged_in.branches == {}


def test_cards_say_what_is_known():
    config = {
        "backbone": "transformers",
        "base": "clip-vit-b-32",
        "views": "ring-6@20",
        "templates": ["a {}", "the {}"],
        "training_data_licences": {"meshes": {"CC-BY-4.0": 12, "CC0-1.0 | or so": 3}},
        "validation": {"dataset": "held-out", "accuracy": 0.52173913},
        "licences": {"depth tower": "Apache-2.0"},
    }
    card = write_model_card(config, "org/tower")
    assert card.startswith("---\nlibrary_name: clip2point\n")
    assert "base_model: openai/clip-vit-base-patch32\n---\n\n# tower\n" in card
    for line in (
        "--model hf:org/tower",
        "| views | ring-6@20 |",
        "| prompts | a {}, the {} |",
        "| meshes | 12 | CC-BY-4.0 |",
        r"| meshes | 3 | CC0-1.0 \| or so |",
        "| accuracy | 0.5217 |",
        "| depth tower | Apache-2.0 |",
    ):
        assert line in card


def test_cards_say_what_is_not_known_and_where_a_model_is_from(converted):
    card = write_model_card(read_config(converted), "org/tiny")
    assert "converted for clip2point from official_pretrain_tiny.pth (authors-pretraining, sha256 " in card
    for words in ("The model does not say.", "None were measured", "Not stated yet"):
        assert words in card
    assert "base_model" not in card


def test_cards_of_heads():
    record = {"shapes": 30, "validation": {"accuracy": 0.9}}
    config = {"head": {"kind": "gdpa"}, "classes": ["bolt", "nut"], "base": "pocket", "record": record}
    card = write_model_card(config, "org/parts")
    assert "A head (gdpa) of clip2point that learned to name 2 kinds of 3D shapes from examples: bolt, nut." in card
    assert "| shapes | 30 |" in card
    assert "| accuracy | 0.9 |" in card
