"""Nothing twice, and nothing stale: points, view features and label vectors from the store."""

import json
import os

import numpy as np
import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.model import Recogniser, kept_samples, kept_views
from clip2point.model.settings import Settings
from clip2point_shapes import generate, write_mesh

LABELS, OTHERS = ["chair", "lamp"], ["table", "airplane", "night stand"]
NAMES = ("chair", "table", "lamp", "vase")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def backbone(tiny_clip):
    return load_transformers_backbone(tiny_clip, dtype="fp32")


@pytest.fixture
def model(backbone):
    return Recogniser(backbone, Settings(points=128, radius=0.08), "tiny")


@pytest.fixture
def files(tmp_path):
    """Four files of equal size and date."""
    paths = [tmp_path / "shapes" / f"{name}.off" for name in NAMES]
    paths[0].parent.mkdir()
    for seed, path in enumerate(paths):
        write_mesh(generate(path.stem, seed=seed), path)
    size = max(path.stat().st_size for path in paths)
    for path in paths:
        put(path, path.read_bytes().ljust(size, b"\n"))
    return paths


@pytest.fixture
def work(monkeypatch, backbone):
    """Files read, shapes encoded and texts encoded, as they happen."""
    done = {"read": [], "seen": [], "texts": []}
    draw, encode, text = Recogniser._draw, kept_views.encode_paths, backbone.encode_text
    monkeypatch.setattr(Recogniser, "_draw", lambda *a: done["read"].append(a[1]) or draw(*a))
    monkeypatch.setattr(kept_views, "encode_paths", lambda *a: done["seen"].append(len(a[1])) or encode(*a))
    monkeypatch.setattr(backbone, "encode_text", lambda texts: done["texts"].extend(texts) or text(texts))
    return done


def put(path, content):
    path.write_bytes(content)
    os.utime(path, ns=(0, 0))


def ask(model, files, labels=LABELS, **options):
    return [answer.to_dict() for answer in model.classify_many(files, labels, **options)]


def forget(work):
    for done in work.values():
        done.clear()


def test_other_labels_read_and_see_nothing_again(model, backbone, files, work):
    ask(model, files)
    assert len(work["read"]) == 4
    assert sum(work["seen"]) == 8  # y and z up
    forget(work)
    again = ask(Recogniser(backbone, model.settings, "tiny"), files, OTHERS)
    assert work["read"] == work["seen"] == []
    assert [answer["source"] for answer in again] == [str(path) for path in files]


def test_what_is_found_is_what_would_be_computed(model, backbone, files, tmp_path, monkeypatch):
    ask(model, files, OTHERS)
    found = ask(Recogniser(backbone, model.settings, "tiny"), files)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "empty"))
    assert found == ask(Recogniser(backbone, model.settings, "tiny"), files)


def test_files_that_change_places_are_answered_by_what_they_hold(model, files, work):
    before = ask(model, files)
    forget(work)
    one, other = files[0].read_bytes(), files[1].read_bytes()
    put(files[0], other)
    put(files[1], one)
    after = ask(model, files)
    assert len(work["read"]) == 2  # once more, since names belong to what a file is known by
    assert work["seen"] == []
    swapped = [before[1], before[0], *before[2:]]
    assert [each["guesses"] for each in after] == [each["guesses"] for each in swapped]


def test_a_copy_in_another_folder_is_known(model, files, tmp_path, work):
    ask(model, files)
    forget(work)
    (tmp_path / "copy").mkdir()
    copies = [tmp_path / "copy" / path.name for path in files]
    for path, copy in zip(files, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    assert [answer["source"] for answer in ask(model, copies)] == list(map(str, copies))
    assert work["read"] == work["seen"] == []


@pytest.mark.parametrize("changes", [{"radius": 0.2}, {"views": "ring-3"}, {"style": "pointclip"}, {"points": 129}])
def test_other_settings_are_seen_anew(model, backbone, files, work, tmp_path, monkeypatch, changes):
    from dataclasses import replace

    ask(model, files)
    forget(work)
    other = Recogniser(backbone, replace(model.settings, **changes), "tiny")
    answers = ask(other, files)
    assert sum(work["seen"]) == 8
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "empty"))
    assert ask(other, files) == answers


def test_another_seed_or_up_axis_is_drawn_anew(model, files, work):
    ask(model, files, up="y")
    forget(work)
    ask(model, files, up="y", seed=1)
    assert len(work["read"]) == 4
    assert sum(work["seen"]) == 4
    forget(work)
    ask(model, files, up="-y")
    assert sum(work["seen"]) == 4


def test_changed_weights_are_seen_anew(model, backbone, files, work):
    ask(model, files)
    forget(work)
    with torch.no_grad():
        backbone._towers["depth"].vision.encoder.layers[1].mlp.fc1.bias[0] += 0.5
    ask(model, files)
    assert work["read"] == []
    assert sum(work["seen"]) == 8


def test_a_buffer_beside_a_file_belongs_to_it(model, tmp_path, work):
    def write(points):
        buffer.write_bytes(np.asarray(points, "<f4").tobytes())
        os.utime(buffer, ns=(0, 0))

    path, buffer = tmp_path / "a.gltf", tmp_path / "a.bin"
    accessor = {"bufferView": 0, "componentType": 5126, "count": 60, "type": "VEC3"}
    scene = {"asset": {"version": "2.0"}, "buffers": [{"uri": "a.bin", "byteLength": 720}]}
    scene |= {"bufferViews": [{"buffer": 0, "byteLength": 720}], "accessors": [accessor]}
    scene |= {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}], "nodes": [{"mesh": 0}]}
    path.write_text(json.dumps({**scene, "scenes": [{"nodes": [0]}], "scene": 0}))
    points = np.random.default_rng(0).random((60, 3))
    write(points)
    first = ask(model, [path])
    write(points * [1, 5, 1])
    second = ask(model, [path])
    assert len(work["read"]) == 2
    assert first[0]["guesses"] != second[0]["guesses"]
    forget(work)
    assert ask(model, [path]) == second
    assert work["read"] == []


def test_a_neighbour_that_any_reader_asks_for_belongs_to_the_file(model, tmp_path, work):
    path = tmp_path / "a.obj"
    write_mesh(generate("chair"), path)
    path.write_text("mtllib a.mtl\nusemtl wood\n" + path.read_text())
    for number, text in enumerate((None, "newmtl wood\nKd 1 0 0\n", "newmtl wood\nKd 0 1 0\n"), start=1):
        if text:
            (tmp_path / "a.mtl").write_text(text)
        for _ in range(2):
            ask(model, [path])
        assert len(work["read"]) == number
    assert work["seen"][1:] == []


def test_nothing_is_kept_of_a_file_that_changes_while_it_is_read(model, files, work, monkeypatch):
    draw = Recogniser._draw

    def change(self, shape, *arguments):
        drawn = draw(self, shape, *arguments)
        put(files[0], other)
        return drawn

    one, other = files[0].read_bytes(), files[1].read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Recogniser, "_draw", change)
        ask(model, files[:1])
    for content in (one, other):
        put(files[0], content)
        forget(work)
        ask(model, files[:1])
        assert len(work["read"]) == 1


def test_edited_readers_and_renderers_find_nothing(model, files, work, monkeypatch):
    ask(model, files)
    for module in (kept_samples, kept_views):
        forget(work)
        monkeypatch.setattr(module, "room_code", lambda *rooms: "edited")
        ask(model, files)
        assert (len(work["read"]), sum(work["seen"])) == ((4, 0) if module is kept_samples else (0, 8))


def test_labels_are_encoded_once_whatever_their_order(backbone, work):
    def features(labels, **changes):
        return Recogniser(backbone, Settings(**changes), "tiny").class_features(labels)

    first = features(LABELS + OTHERS)
    forget(work)
    second = features(OTHERS + LABELS)
    np.testing.assert_array_equal(second, np.concatenate([first[2:], first[:2]]))
    assert not any("chair" in text and "image of" in text for text in work["texts"] if text != work["texts"][0])
    forget(work)
    features([*LABELS, "depth"])
    assert sum("depth" in text for text in work["texts"] if "round table" not in text) == 1
    other = features(LABELS, templates=("a {}",))
    assert not np.array_equal(other, first[:2])


def test_another_text_tower_finds_no_labels(backbone, tiny_siglip):
    from_clip = Recogniser(backbone, Settings(), "tiny").class_features(LABELS)
    other = load_transformers_backbone(tiny_siglip, dtype="fp32")
    assert Recogniser(other, Settings(), "tiny").class_features(LABELS).shape != from_clip.shape


def test_a_store_that_is_off_changes_no_answer(model, backbone, files, work, monkeypatch, tmp_path):
    expected = ask(model, files)
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "off"))
    monkeypatch.setenv("CLIP2POINT_CACHE_LIMIT", "0")
    other = Recogniser(backbone, model.settings, "tiny")
    assert ask(other, files) == ask(other, files) == expected
    assert not (tmp_path / "off").exists()


def test_an_index_and_embeddings_see_nothing_that_classify_has_seen(model, files, work):
    from clip2point.search.embedding import Job, embed_files

    answers = list(model.classify_many(files, LABELS))
    forget(work)
    entries = list(embed_files(model, [Job(str(path), "") for path in files], LABELS))
    vectors = model.embed(files)
    assert work["seen"] == []
    for answer, entry in zip(answers, entries, strict=True):
        np.testing.assert_array_equal(answer.vector, entry.vector)
    assert vectors.shape == (4, 24)
