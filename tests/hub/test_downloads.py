"""Models from a hub, over HTTP: download, progress, cache, revisions, mirrors, and what goes wrong on the way."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file, save

import clip2point
from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import ModelError
from clip2point.core.repositories import Repository
from clip2point.model.folders import read_expected_record, weight_checksums
from clip2point.model.saving import save_model

NEEDED = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
USELESS = ("README.md", "pytorch_model.bin", "flax_model.msgpack", "model.fp16.safetensors", "onnx/config.json")
OTHERS = dict.fromkeys(USELESS, b"never needed")
DEPTH = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))


def features(model):
    return clip2point.load(model, dtype="fp32").backbone.encode_depth(DEPTH)


def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_only_what_is_needed_comes_with_progress_and_stays(hub, tiny_clip, monkeypatch, capsys):
    hub.publish("org/clip", tiny_clip, OTHERS)
    first = features("hf:org/clip")
    assert torch.equal(first, features(tiny_clip))
    assert hub.downloads() == NEEDED
    captured = capsys.readouterr()
    assert "Fetching 4 files: 100%" in captured.err
    assert captured.out == ""
    hub.requests.clear()
    assert torch.equal(features("hf:org/clip"), first)
    assert hub.requests == ["GET /api/models/org/clip"]  # whether there is something new
    offline(monkeypatch)
    assert torch.equal(features("hf:org/clip"), first)
    assert len(hub.requests) == 1
    assert capsys.readouterr().err == ""


def test_what_changed_on_the_hub_is_fetched_again(hub, tiny_clip):
    hub.publish("org/clip", tiny_clip)
    before = features("hf:org/clip")
    changed = {name: tensor * 1.5 for name, tensor in load_file(tiny_clip / "model.safetensors").items()}
    hub.publish("org/clip", tiny_clip, {"model.safetensors": save(changed, {"format": "pt"})})
    hub.requests.clear()
    assert not torch.allclose(features("hf:org/clip"), before)
    assert hub.downloads() == ["model.safetensors"]


@pytest.mark.parametrize("kind", ["branch", "commit"])
def test_a_revision_may_be_asked_for(hub, tiny_clip, kind):
    old = {"config.json": b"{}", "model.safetensors": b"old"}
    commit = hub.publish("org/clip", old, branch="v1.0")
    hub.publish("org/clip", tiny_clip)
    repository = Repository(f"org/clip@{'v1.0' if kind == 'branch' else commit}")
    folder = repository.fetch(repository.list_files())
    assert (folder / "model.safetensors").read_bytes() == b"old"
    assert folder.name == commit


def test_short_names_and_the_name_in_a_checkpoint_lead_to_the_hub(hub, tiny_clip, tmp_path):
    hub.publish("openai/clip-vit-base-patch32", tiny_clip)
    model = clip2point.load("clip-vit-b-32", dtype="fp32")
    assert (model.name, model.backbone.name) == ("clip-vit-b-32", "clip-vit-b-32")
    trained = model.backbone.with_depth_tower(model.backbone.depth_tower())
    save_model(tmp_path / "trained", trained, clip2point.Settings(), {})
    assert torch.equal(features(tmp_path / "trained"), model.backbone.encode_depth(DEPTH))


def test_a_hub_that_is_down_does_not_matter_once_the_model_is_cached(hub, tiny_clip):
    hub.publish("org/clip", tiny_clip)
    first = features("hf:org/clip")
    hub.faults["/"] = 503
    with pytest.warns(UserWarning, match=r"org/clip: http://.* answers with error 503; the copy in the cache is used"):
        assert torch.equal(features("hf:org/clip"), first)


def test_a_download_that_breaks_off_goes_on_where_it_was(hub, tiny_clip, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.publish("org/clip", tiny_clip)
    hub.faults["/org/clip/model.safetensors"] = "cut"
    assert torch.equal(features("hf:org/clip"), features(tiny_clip))
    assert hub.downloads().count("model.safetensors") == 2
    half = (tiny_clip / "model.safetensors").stat().st_size // 2
    assert hub.ranges == [f"bytes={half // 10_000 * 10_000}-"]


def test_a_part_of_a_model_in_the_cache_is_not_enough(hub, tiny_clip, monkeypatch):
    hub.publish("org/clip", tiny_clip)
    Repository("org/clip").fetch(["config.json"])
    offline(monkeypatch)
    with pytest.raises(ModelError, match=r"^org/clip: the cache holds a part of it only.*'pocket' works now$"):
        clip2point.load("hf:org/clip")


@pytest.mark.parametrize(
    ("name", "fault", "message"),
    [
        ("org/none", None, r"^org/none: http://\S+ has no such repository, or it is private: .* 'hf auth login'$"),
        ("org/clip@v9", None, r"^org/clip@v9: the repository has no such branch, tag or commit: "),
        ("org/clip", "gated", r"^org/clip: its owners ask you to accept terms first: do so at http://\S+/org/clip,"),
        ("org/clip", 401, r"^org/clip: http://\S+ has no such repository, or it is private: .*log in with"),
        ("org/clip", 403, r"^org/clip: http://\S+ answers with error 403: log in with 'hf auth login'$"),
        ("org/clip", 404, r"^org/clip: http://\S+ answers with error 404, and the cache \S+ does not hold"),
        (
            "org/clip",
            500,
            r"error 500, and the cache \S+ does not hold .* HF_ENDPOINT .*; the model 'pocket' works now$",
        ),
        ("a b", None, r"^'a b' names no repository: expected ORGANISATION/NAME or ORGANISATION/NAME@REVISION$"),
        ("org/clip@", None, r"^'org/clip@' names no repository"),
    ],
)
def test_faults_are_one_sentence(hub, tiny_clip, name, fault, message):
    hub.publish("org/clip", tiny_clip)
    if fault:
        hub.faults["/api/models"] = fault
    with pytest.raises(ModelError, match=message) as found:
        clip2point.load(f"hf:{name}")
    assert "\n" not in str(found.value)


def test_an_address_where_nobody_listens(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ModelError, match=r"^org/x: http://127.0.0.1:9 cannot be reached \(.*\), and the cache .* mirror"
    ):
        clip2point.load("hf:org/x")


@pytest.mark.parametrize(
    "files", [{}, {"config.json": b"{}"}, {"open_clip_pytorch_model.bin": b""}, {"model.safetensors": b""}]
)
def test_repositories_without_a_model(hub, files):
    hub.publish("org/other", {"README.md": b"", **files})
    with pytest.raises(
        ModelError, match=r"^org/other: holds no config.json with model.safetensors or pytorch_model.bin"
    ):
        clip2point.load("hf:org/other")
    assert hub.downloads() == []


def test_a_cache_that_cannot_be_written_to(hub, tiny_clip, tmp_path):
    hub.publish("org/clip", tiny_clip)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        ModelError, match="^org/clip: the cache .*cache cannot be written to .*: set HF_HOME to a folder"
    ):
        clip2point.load("hf:org/clip")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickles_are_read_only_where_there_is_nothing_else_and_run_nothing(hub, tiny_clip, tmp_path):
    state = load((tiny_clip / "model.safetensors").read_bytes())
    torch.save(state, tmp_path / "good.bin")
    torch.save({**state, "trap": Trap(tmp_path / "trap")}, tmp_path / "bad.bin")
    files = {file.name: file.read_bytes() for file in tiny_clip.iterdir() if file.suffix == ".json"}
    hub.publish("org/good", files, {"pytorch_model.bin": (tmp_path / "good.bin").read_bytes()})
    hub.publish("org/bad", files, {"pytorch_model.bin": (tmp_path / "bad.bin").read_bytes()})
    assert torch.equal(features("hf:org/good"), features(tiny_clip))
    with pytest.raises(ModelError, match="cannot load the model .*; check its files"):
        clip2point.load("hf:org/bad")
    assert not (tmp_path / "trap").exists()
    pickle.loads(pickle.dumps(Trap(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()  # so the trap would have worked


def test_a_model_of_ours_with_its_base_inside(hub, tiny_clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("ours")
    shutil.copytree(tiny_clip, folder / "base")
    backbone = load_transformers_backbone(folder / "base", dtype="fp32")
    tower = backbone.depth_tower()
    with torch.no_grad():
        tower.projection.weight.mul_(2)
    save_model(folder, backbone.with_depth_tower(tower), clip2point.Settings(points=77), {})
    (folder / "expected.json").write_text('{"answers": 3}')
    hub.publish("org/ours", folder, {"base/pytorch_model.bin": b"", "notes.txt": b"", "events/log": b""})
    model = clip2point.load("hf:org/ours", dtype="fp32")
    assert hub.downloads() == sorted(["expected.json", *NEEDED[:2], *(f"base/{name}" for name in NEEDED)])
    assert (model.name, model.settings.points) == ("hf:org/ours", 77)
    assert torch.equal(model.backbone.encode_depth(DEPTH), features(folder))
    hub.requests.clear()
    assert read_expected_record("hf:org/ours") == {"answers": 3}
    assert weight_checksums("hf:org/ours") == weight_checksums(folder)
    assert hub.requests == []
    config = json.loads((folder / "config.json").read_text())
    hub.publish("org/ours", folder, {"config.json": json.dumps({**config, "sha256": "0"}).encode()})
    with pytest.raises(ModelError, match="the file is damaged or belongs to another checkpoint"):
        clip2point.load("hf:org/ours")


def test_a_tokenizer_by_name_comes_without_weights(hub, tiny_clip, tmp_path):
    hub.publish("org/clip", tiny_clip)
    data = Path(__file__).parent.parent / "data"
    clip2point.convert(data / "openai_clip_tiny.pth", tmp_path / "out", tokenizer="org/clip")
    with pytest.raises(ModelError, match="the tokenizer '.*tokenizer' has 16 tokens"):
        clip2point.load(tmp_path / "out").backbone.encode_text(["lamp"])
    assert hub.downloads() == [name for name in NEEDED if name != "model.safetensors"]


@pytest.mark.slow
def test_mirror_cache_and_offline_mode_by_the_variables_of_the_environment(hub, tmp_path):
    hub.publish("org/clip", {"config.json": b"{}", "model.safetensors": b"weights"})
    code = (
        "from clip2point.core.repositories import Repository\n"
        "r = Repository('org/clip'); print(r.fetch(r.list_files()))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE"):
        environment.pop(name, None)

    def run(**more):
        return subprocess.run(
            [sys.executable, "-c", code], env={**environment, **more}, capture_output=True, text=True, check=True
        )

    first = run()
    assert "Fetching 2 files: 100%" in first.stderr
    folder = Path(first.stdout.strip())
    assert folder.is_relative_to(tmp_path / "home" / "hub" / "models--org--clip")
    hub.requests.clear()
    assert run(HF_HUB_OFFLINE="1").stdout == first.stdout
    assert hub.requests == []


def test_bars_of_transformers_are_as_before(hub, tiny_clip, capsys):
    from transformers.utils import logging

    assert logging.is_progress_bar_enabled()
    load_transformers_backbone(tiny_clip)
    assert logging.is_progress_bar_enabled()
    assert capsys.readouterr().err == ""
