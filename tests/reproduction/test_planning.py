import json
import re
import shutil

import pytest

from clip2point.core.errors import OptionError
from clip2point.reproduction.paper_recipe import PaperRecipe, paper_recipes
from clip2point.reproduction.planning import RecipePlanner, ReproductionSettings

RECIPES = paper_recipes()
ZERO_SHOT, PRETRAIN = RECIPES["zero-shot-modelnet40-6-views"], RECIPES["pretrain"]


@pytest.fixture
def place(root, weights, tmp_path):
    """Settings with all inputs but a trained model."""
    return {"root": root, "out": tmp_path / "results", "weights": weights}


def plan(recipe, **place):
    return RecipePlanner(ReproductionSettings(**place), RECIPES).plan(recipe)


def words_after(line, option):
    words = line.split()
    return words[words.index(option) + 1]


def test_a_plan_without_missing_inputs_is_plain_commands(place, root, tiny_clip):
    found = plan(ZERO_SHOT, **place, model=str(tiny_clip), device="cuda:1")
    assert found.missing == found.downloads == ()
    assert found.training is None
    assert found.lines == [
        f"clip2point evaluate modelnet40 --root {root} --model {tiny_clip} --views clip2point-6 --style clip2point "
        "--radius 0.02 --points 1024 --prompts 'image of a {}' --dtype fp32 --device cuda:1 --json"
    ]


def test_pretraining_is_the_papers_with_the_changes(place, root, weights):
    found = plan(RECIPES["ablation-loss-cross-only"], **place)
    assert found.missing == ()
    folder = place["out"] / "ablation-loss-cross-only"
    pairs, pretrain, evaluate = found.lines
    assert pairs == f"clip2point pairs {root}/ShapeNetCore.v2 --out {root}/pairs"
    assert pretrain == f"clip2point pretrain {folder}/training.yaml --out {folder} --device cpu"
    assert words_after(evaluate, "--model") == f"{folder}/model"
    found.write_training()
    written, paper = (json.loads((folder / "training.yaml").read_text()), plan(PRETRAIN, **place).training[1])
    assert written["backbone"] == str(weights / "clip-vit-b-32")
    assert written["data"]["pairs"] == [str(root / "pairs")]
    assert written["validation"]["root"] == str(root)
    assert (written["loss"].pop("intra"), paper["loss"].pop("intra")) == (False, True)
    assert written.pop("description") != paper.pop("description")
    assert written == paper
    assert (paper["training"]["epochs"], paper["training"]["batch_size"]) == (100, 256)


def test_a_list_of_excluded_models_is_used(place, tmp_path):
    data = tmp_path / "data"
    (data / "ShapeNetCore.v2").mkdir(parents=True)
    (data / "excluded.txt").write_text("abc\n")
    pairs = plan(PRETRAIN, **{**place, "root": data}).lines[0]
    assert pairs.endswith(f"--excluded {data}/excluded.txt")


def test_a_started_training_is_resumed(place):
    folder = place["out"] / "pretrain" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "last.pt").write_bytes(b"state")
    assert plan(PRETRAIN, **place).lines[1].endswith("--resume")


def test_a_quick_check_is_small_and_lies_apart(place, tiny_clip):
    line = plan(ZERO_SHOT, **place, model=str(tiny_clip), quick=True).lines[-1]
    assert line.endswith("--limit 8 --seeds 1")
    found = plan(PRETRAIN, **place, quick=True)
    assert f"--out {place['out']}/quick/pairs --limit 8" in found.lines[0]
    assert f"--out {place['out']}/quick/pretrain " in found.lines[1]
    assert found.training[1]["training"]["epochs"] == 1
    few = plan(RECIPES["few-shot-modelnet40-16-shot"], **place, model=str(tiny_clip), quick=True).lines[-1]
    assert words_after(few, "--heads") == "gdpa:epochs=3,dpa:epochs=3"


def test_rendered_pairs_do_without_the_meshes(place, tmp_path, root):
    data = tmp_path / "data"
    data.mkdir()
    (data / "ModelNet40").symlink_to(root / "ModelNet40")
    place = {**place, "root": data}
    (missing,) = plan(PRETRAIN, **place).missing
    assert missing.kind == "pairs"
    assert str(data / "ShapeNetCore.v2") in missing.why
    assert "shapenet.org" in missing.why
    (data / "pairs").mkdir()
    (data / "pairs" / "index.json").write_text("{}")
    found = plan(PRETRAIN, **place)
    assert found.missing == ()
    assert [words[0] for words in found.commands] == ["pretrain", "evaluate"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zero-shot-modelnet10-6-views", "Get ModelNet10 from the Princeton ModelNet page"),
        (
            "zero-shot-scanobjectnn-pb-t50-rs-10-views",
            "main_split/test_objectdataset_augmentedrot_scale75.h5. Get Scan",
        ),
        ("zero-shot-shapenet55", "Get ShapeNet-55 from the data notes of the Point-BERT repository"),
        ("zero-shot-objaverse-lvis", "objaverse-lvis: .*Objaverse-LVIS, 46,832 shapes"),
    ],
)
def test_missing_data_are_named_with_their_source(name, message, place, tmp_path, tiny_clip):
    (tmp_path / "empty").mkdir()
    (missing,) = plan(RECIPES[name], **{**place, "root": tmp_path / "empty"}, model=str(tiny_clip)).missing
    assert missing.kind == "data"
    assert re.search(message, missing.why)


def test_learning_needs_the_train_split_too(place, tmp_path, root, tiny_clip):
    data = tmp_path / "data" / "ModelNet40"
    for folder in (root / "ModelNet40").iterdir():
        (data / folder.name).mkdir(parents=True)
        (data / folder.name / "test").symlink_to(folder / "test")
    place = {**place, "root": data.parent, "model": str(tiny_clip)}
    assert plan(ZERO_SHOT, **place).missing == ()
    (missing,) = plan(RECIPES["supervised-modelnet40"], **place).missing
    assert "train: no such folder" in missing.why


def test_a_model_that_is_not_trained_yet(place):
    (missing,) = plan(ZERO_SHOT, **place).missing
    assert missing.kind == "model"
    assert "run 'clip2point reproduce pretrain', or give --model" in missing.why
    model = place["out"] / "pretrain" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert plan(ZERO_SHOT, **place).missing == ()


def test_models_of_the_hub(place, monkeypatch, tmp_path, tiny_clip):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "hub"), raising=False)
    del place["weights"]
    recipe = RECIPES["untrained-laion-vit-b-32"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    found = plan(recipe, **place)
    assert (found.missing, found.downloads) == ((), ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K",))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (missing,) = plan(recipe, **place).missing
    assert "give --weights with a folder that holds CLIP-ViT-B-32-laion2B-s34B-b79K" in missing.why
    snapshot = tmp_path / "hub" / "models--openai--clip-vit-base-patch32" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(tiny_clip)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    found = plan(RECIPES["ablation-no-pretraining"], **place)
    assert (found.missing, found.downloads) == ((), ())
    assert words_after(found.lines[0], "--model") == "clip-vit-b-32"


def test_a_model_that_does_not_exist(place):
    (missing,) = plan(ZERO_SHOT, **place, model="models/none").missing
    assert missing.why.startswith("models/none: no such folder or model: expected a folder, hf:")


def test_the_given_model_replaces_the_papers_alone(place, tiny_siglip, weights):
    line = plan(RECIPES["untrained-vit-l-14"], **place, model=str(tiny_siglip)).lines[0]
    assert words_after(line, "--model") == str(weights / "clip-vit-l-14")


def test_the_fingerprint_of_a_model_is_that_of_its_files(place, tiny_clip, tiny_siglip, tmp_path, monkeypatch):
    def fingerprint(**changes):
        planner = RecipePlanner(ReproductionSettings(**{**place, "model": str(tiny_clip), **changes}), RECIPES)
        return planner.fingerprint(planner.plan(ZERO_SHOT))

    first = fingerprint()
    assert fingerprint() == json.loads(json.dumps(first)) == first
    assert fingerprint(device="cuda") == first
    assert fingerprint(model=str(tiny_siglip)) != first
    assert fingerprint(quick=True) != first
    model = shutil.copytree(tiny_clip, tmp_path / "model")
    before = fingerprint(model=str(model))
    (model / "config.json").write_text((model / "config.json").read_text() + "\n")
    assert fingerprint(model=str(model)) != before
    monkeypatch.chdir(place["root"])
    assert fingerprint(root=place["root"].relative_to(place["root"])) == first


def test_invalid_changes_are_named(place):
    recipe = PaperRecipe("t", "clip-vit-b-32", PRETRAIN.command, "d", "t", name="larger-x", pretraining={"los": {}})
    with pytest.raises(OptionError, match="recipe larger-x, pretraining: unexpected key los"):
        plan(recipe, **place)
