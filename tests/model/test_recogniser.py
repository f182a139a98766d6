import numpy as np
import pytest
import torch

from clip2point.backbones.transformers_backbone import load_transformers_backbone
from clip2point.core.errors import OptionError, ShapeError
from clip2point.model import Classification, Failure, Recogniser, zero_shot_logits
from clip2point.model.settings import Settings
from clip2point.shapes import load_shape, sample_points, to_unit_sphere, to_y_up
from clip2point.shapes.demo_shapes import demo_files
from clip2point_shapes import generate, write_mesh

LABELS = ["chair", "table", "lamp", "night_stand"]


@pytest.fixture(scope="module")
def model(tiny_clip):
    return Recogniser(load_transformers_backbone(tiny_clip, dtype="fp32"), Settings(points=256, radius=0.08), "tiny")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    paths = [folder / f"{name}.off" for name in ("chair", "table", "lamp", "vase", "bed")]
    for seed, path in enumerate(paths):
        write_mesh(generate(path.stem, seed=seed), path)
    return paths


def test_answers_are_those_of_the_protocol(model, files):
    answer = model.classify(files[0], LABELS, up="z", top=4)
    points = to_unit_sphere(sample_points(load_shape(files[0]), 256, 0))
    text = model.class_features(LABELS)
    batch = torch.from_numpy(points[None])
    logits = zero_shot_logits(model.backbone, batch, text, radius=0.08, rotate_modelnet=True)[0]
    for guess in answer.guesses:
        assert guess.score * 6 == pytest.approx(float(logits[LABELS.index(guess.label)]), abs=1e-4)
        assert np.mean(guess.view_scores) == pytest.approx(guess.score, abs=1e-6)
    confidence = torch.softmax(logits.double() / 6 * model.backbone.logit_scale, 0)
    assert answer.confidence == pytest.approx(float(confidence.max()), abs=1e-4)
    assert [g.score for g in answer.guesses] == sorted((g.score for g in answer.guesses), reverse=True)
    assert sum(g.confidence for g in answer.guesses) == pytest.approx(1)


def test_files_shapes_and_arrays_are_the_same_to_it(model, files):
    shape = load_shape(files[1], up="y")
    points = sample_points(shape, 256, 0)
    from_file, from_shape = model.classify(files[1], LABELS, up="y"), model.classify(shape, LABELS)
    from_array = model.classify(points, LABELS, up="y")
    assert from_file.guesses == from_shape.guesses == from_array.guesses


def test_streams_give_the_same_answers_in_order_and_go_past_broken_files(model, files, tmp_path):
    broken = tmp_path / "broken.off"
    broken.write_text("OFF\n3 1 0\n0 0")
    sources = [*files[:3], broken, tmp_path / "missing.ply", *files[3:]] * 3
    answers = list(model.classify_many(sources, LABELS, up="y", keep_views=True))
    assert [answer.source for answer in answers] == [str(source) for source in sources]
    for source, answer in zip(sources, answers, strict=True):
        if source in files:
            assert isinstance(answer, Classification)
            alone = model.classify(source, LABELS, up="y")
            assert [g.label for g in answer.guesses] == [g.label for g in alone.guesses]
            assert answer.guesses[0].score == pytest.approx(alone.guesses[0].score, abs=1e-5)
            assert answer.depth.shape == (6, 32, 32)
        else:
            assert isinstance(answer, Failure)
            assert source.name in answer.error


def test_streams_carry_no_depth_maps_and_single_answers_do(model, files):
    assert all(answer.depth is None for answer in model.classify_many(files, LABELS, up="y"))
    assert model.classify(files[0], LABELS, up="y").depth is not None
    assert model.classify(files[0], LABELS, up="y", keep_views=False).depth is None


def test_an_answer_below_the_threshold_is_unknown_without_any_doubt_about_the_shape(model, files):
    sure = model.classify(files[0], LABELS, up="y", unknown_below=0.0)
    unsure = model.classify(files[0], LABELS, up="y", unknown_below=1.0)
    assert (sure.unknown, unsure.unknown) == (False, True)
    edge = model.classify(files[0], LABELS, up="y", unknown_below=sure.confidence)
    assert not edge.unknown  # a confidence at the threshold is known
    assert sure.in_distribution
    assert unsure.in_distribution


def test_streams_read_only_a_little_ahead(model, files):
    asked = []

    def sources():
        for index in range(1000):
            asked.append(index)
            yield files[index % 5]

    answers = model.classify_many(sources(), LABELS, up="y")
    next(answers)
    assert len(asked) < 60
    answers.close()
    assert len(asked) < 60


def test_the_up_axis_is_believed_or_tried(model, files):
    declared = model.classify(files[0], LABELS, up="x")
    assert (declared.up, declared.up_from) == ("x", "declared")
    by_format = model.classify(demo_files()["chair"], LABELS)
    assert (by_format.up, by_format.up_from) == ("y", "format")
    guessed = model.classify(files[0], LABELS)
    assert guessed.up_from == "guessed"
    both = [model.classify(files[0], LABELS, up=up) for up in ("y", "z")]
    best = max(both, key=lambda answer: answer.confidence)
    assert (guessed.up, guessed.label) == (best.up, best.label)
    assert guessed.confidence == pytest.approx(best.confidence, abs=1e-5)


def test_a_turned_shape_with_its_up_axis_declared_is_the_same_shape(model, files):
    points = sample_points(load_shape(files[0]), 256, 0)
    turned = np.stack([-points[:, 2], -points[:, 0], points[:, 1]], axis=1)  # y-up into ModelNet's z-up frame
    np.testing.assert_array_equal(to_y_up(turned, "z"), points)
    upright, laid = model.classify(points, LABELS, up="y"), model.classify(turned, LABELS, up="z")
    assert [g.score for g in upright.guesses] == pytest.approx([g.score for g in laid.guesses], abs=1e-6)


def test_embeddings_are_unit_vectors_and_repeat(model, files):
    vectors = model.embed(files, up="y")
    assert vectors.shape == (5, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(model.embed(files, up="y"), vectors)
    np.testing.assert_allclose(model.embed(files[2:3], up="y"), vectors[2:3], atol=1e-5)
    assert model.embed([]).shape == (0, 24)


def test_answers_carry_the_vector_of_the_axis_that_was_kept(model, files):
    for answer in model.classify_many(files, LABELS):
        vector = model.embed([answer.source], up=answer.up)[0]
        np.testing.assert_allclose(answer.vector, vector, atol=1e-5)
        assert "vector" not in answer.to_dict()


def test_json_types_only(model, files):
    import json

    record = model.classify(files[0], LABELS, top=2).to_dict()
    assert json.loads(json.dumps(record)) == record
    assert len(record["guesses"]) == 2
    assert len(record["guesses"][0]["view_scores"]) == 6


def test_text_features_are_computed_once(model, tmp_path, monkeypatch):
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path))  # another test may have stored these labels
    calls = []
    encode = model.backbone.encode_text
    monkeypatch.setattr(model.backbone, "encode_text", lambda texts: calls.append(texts) or encode(texts))
    for _ in range(3):
        model.class_features(["depth", "map"])
    assert sum("depth" in texts[0] for texts in calls) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "no labels"), (["a", " "], "an empty label"), (["chair", "chair "], "repeated labels: chair")],
)
def test_invalid_labels_are_refused(model, files, labels, message):
    with pytest.raises(OptionError, match=message):
        model.classify(files[0], labels)


def test_a_single_broken_file_raises(model, tmp_path):
    with pytest.raises(ShapeError, match=r"nothing.off"):
        model.classify(tmp_path / "nothing.off", LABELS)
