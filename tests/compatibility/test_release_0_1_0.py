"""What release 0.1.0 wrote is read today, and gives the same answers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import clip2point
from clip2point.cli.main import main

DATA = Path(__file__).parents[1] / "data"
RELEASE = DATA / "v0.1.0"
RECORD = json.loads((RELEASE / "answers.json").read_text())
CONVERTED = ("converted-clip", "converted-pretraining", "converted-dpa")
HEADS = [name for name in RECORD["models"] if name.startswith("adapted-")]


def restore_tensors(folder):
    """Put the tensors of a converted model together again; its config knows their checksum."""
    kept = json.loads((folder / "tensors.json").read_text())
    files = {
        file: torch.load(DATA / file, weights_only=True) for file in {file for file, _, _ in kept["sources"].values()}
    }
    header = kept["header"].encode()
    parts = [len(header).to_bytes(8, "little"), header]
    for file, key, turned in kept["sources"].values():
        tensor = files[file][key]
        parts.append((tensor.mT if turned and tensor.ndim == 2 else tensor).contiguous().numpy().tobytes())
    (folder / "model.safetensors").write_bytes(b"".join(parts))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A copy of all files of the release, as it left them."""
    folder = tmp_path_factory.mktemp("release") / "v0.1.0"
    shutil.copytree(RELEASE, folder)
    for name in CONVERTED:
        restore_tensors(folder / name)
    return folder


@pytest.fixture(autouse=True)
def place(release, monkeypatch):
    monkeypatch.chdir(release)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(release / "cache"))


def check_answers(name, tolerance):
    expected = RECORD["models"][name]
    model = clip2point.load(name, dtype="fp32")
    labels = [guess["label"] for guess in expected[0]["guesses"]]
    for path, known in zip(sorted(Path("shapes").glob("*.npy")), expected, strict=True):
        answer = model.classify(path, labels, up="y", top=len(labels))
        found = answer.to_dict()
        for key in ("label", "unknown", "familiar", "up", "points", "seed"):
            assert found[key] == known[key], key
        guesses = {guess["label"]: guess for guess in found["guesses"]}
        for guess in known["guesses"]:
            same = guesses[guess["label"]]
            assert same["confidence"] == pytest.approx(guess["confidence"], abs=tolerance)
            assert same["score"] == pytest.approx(guess["score"], rel=tolerance, abs=tolerance)
            assert same["view_scores"] == pytest.approx(guess["view_scores"], abs=tolerance)
        np.testing.assert_allclose(answer.vector, known["vector"], rtol=0, atol=1e-6)


def run_json(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pocket", *CONVERTED[:2], "pretrained/model"])
def test_models_give_the_same_answers(name):
    check_answers(name, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_heads_give_the_same_answers(name):
    check_answers(name, 1e-4)  # small temperatures divide what float32 rounds off the scores


def test_a_converted_model_keeps_its_adapter():
    model = clip2point.load("converted-dpa", dtype="fp32")
    vectors = model.embed(sorted(Path("shapes").glob("*.npy")), up="y")
    known = [answer["vector"] for answer in RECORD["models"]["converted-dpa"]]
    np.testing.assert_allclose(vectors, known, rtol=0, atol=1e-6)
    expected = {name: torch.from_numpy(values) for name, values in np.load(DATA / "official_tiny.npz").items()}
    depth, image = (
        encode(expected["dpa_images"]).unflatten(0, (2, 10))
        for encode in (model.backbone.encode_depth_images, model.backbone.encode_image)
    )
    torch.testing.assert_close(model.adapter(depth, image), expected["dpa_out"], atol=1e-5, rtol=0)


def test_a_classifier_gives_the_same_probabilities():
    classifier = clip2point.FewShotClassifier.load("adapted-gdpa", dtype="fp32")
    found = classifier.predict_proba(sorted(Path("shapes").glob("*.npy")))
    for row, answer in zip(found, RECORD["models"]["adapted-gdpa"], strict=True):
        expected = {guess["label"]: guess["confidence"] for guess in answer["guesses"]}
        assert dict(zip(classifier.classes_, row, strict=True)) == pytest.approx(expected, abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("query", ["text", "shape"])
def test_a_library_finds_the_same(query, capsys):
    pytest.importorskip("lancedb")
    asked = {"text": ["table", "--not", "desk"], "shape": ["--shape", "shapes/chair_0.npy", "--up", "y"]}[query]
    found = run_json(capsys, "search", *asked, "--db", "library", "--top", "4", "--dtype", "fp32")
    for hit, known in zip(found["hits"], RECORD[query]["hits"], strict=True):
        assert hit["score"] == pytest.approx(known["score"], abs=1e-6)
        assert {**hit, "score": None} == {**known, "score": None, "label_scores": pytest.approx(known["label_scores"])}


@pytest.mark.slow
def test_a_library_takes_copies_without_embedding_them_again(release, tmp_path, capsys):
    pytest.importorskip("lancedb")
    library = str(tmp_path / "library")
    shutil.copytree(release / "library", library)
    found = run_json(capsys, "index", "shapes", "--db", library, "--workers", "1")
    assert (found["added"], found["failed"]) == (4, [])
    found = run_json(capsys, "search", "table", "--db", library, "--top", "8")
    assert len(found["hits"]) == 8
    times = {hit["path"].rpartition("/")[2]: hit["indexed_at"] for hit in RECORD["text"]["hits"]}
    assert all(hit["indexed_at"] == times[Path(hit["path"]).name] for hit in found["hits"])


@pytest.mark.slow
def test_a_training_goes_on_to_the_same_model(capsys):
    pytest.importorskip("lightning_fabric")
    assert main(["pretrain", "recipe.yaml", "--out", "pretraining", "--resume"]) == 0
    assert capsys.readouterr().out.startswith("Trained 6 steps")
    found = clip2point.load("pretraining/model").backbone.state_dict()
    for name, tensor in clip2point.load("pretrained/model").backbone.state_dict().items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_pairs_go_on_where_they_were(release, tmp_path, in_threads, monkeypatch, capsys):
    in_threads(monkeypatch)
    shutil.copytree(release / "pairs", tmp_path / "pairs")
    begun = (tmp_path / "pairs" / "pairs-000000.tar").read_bytes()
    command = ["pairs", "folder:meshes", "--up", "y", "--shard-size", "2", "--workers", "1"]
    assert main([*command, "--out", str(tmp_path / "pairs")]) == 0
    captured = capsys.readouterr()
    assert "2 of 3 models are done already" in captured.err
    assert "3 pairs of 3 models" in captured.out
    assert (tmp_path / "pairs" / "pairs-000000.tar").read_bytes() == begun
    index = json.loads((tmp_path / "pairs" / "index.json").read_text())
    assert [shard["keys"] for shard in index["shards"]] == [["chair-seven", "lamp-seven"], ["table-seven"]]


def test_a_cache_disturbs_nothing(capsys):
    command = ["evaluate", "npz:labelled.npz", "--model", "converted-pretraining", "--dtype", "fp32"]
    found, known = run_json(capsys, *command), RECORD["evaluation"]
    assert found["confusion"] == known["confusion"]
    assert found["calibration_error"] == pytest.approx(known["calibration_error"], abs=1e-6)
