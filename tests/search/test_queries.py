import numpy as np
import pytest
import torch
from PIL import Image

from clip2point.core.class_names import MODELNET40
from clip2point.core.errors import DataError, ModelError, OptionError, ShapeError
from clip2point.model import class_features
from clip2point.search import Library, Query, index_shapes, search
from clip2point.search import queries as module
from clip2point.search.queries import embed_photos, embed_query, embed_shapes, embed_texts, restrict_to_labels
from clip2point.shapes import load_shape

SIZES = {"tall.off": (1, 5, 2), "flat.off": (4, 1, 3), "cube.off": (2, 2, 2)}


@pytest.fixture(scope="module")
def model(plain):
    model = plain.make_model()
    weight = model.backbone.weight

    def encode_image(images):
        return torch.nn.functional.interpolate(torch.as_tensor(images), (32, 32)).mean(1).flatten(1) @ weight

    model.backbone.encode_image = encode_image
    return model


@pytest.fixture(scope="module")
def files(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    for name, size in SIZES.items():
        plain.write_box(folder / name, *size)
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def library(model, files, tmp_path_factory):
    library = Library.create(tmp_path_factory.mktemp("library") / "db", model)
    index_shapes(library, model, [files])
    return library


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_phrases_are_read_as_class_names_without_what_all_texts_share(model):
    common = model.class_features(MODELNET40).mean(0)
    expected = class_features(model.backbone, ["lamp", "the night"], model.settings.templates) - common
    found = embed_texts(model, [" a lamp", "The the night "])
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(embed_texts(model, ["an"]), embed_texts(model, ["a an"]), atol=1e-6)


def test_the_parts_of_a_query_have_their_weights(model, files, photo):
    query = Query(("chair", "lamp"), ("table", "airplane"), (photo,), (files / "flat.off",))
    texts, without = (embed_texts(model, phrases) for phrases in (query.texts, query.without))
    wanted = unit(texts.sum(0)) + 0.5 * embed_photos(model, [photo])[0]
    wanted = unit(wanted + 0.5 * embed_shapes(model, query.shapes)[0])
    expected = unit(wanted - 0.5 * unit(without.sum(0)))
    found = embed_query(model, query)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32
    turned = Query(query.texts[::-1], query.without[::-1], query.images, query.shapes)
    np.testing.assert_allclose(embed_query(model, turned), found, atol=1e-6)


def test_labels_axis_and_seed_reach_the_shapes_of_a_query(model, files, library, monkeypatch):
    asked, query = [], Query(shapes=(files / "flat.off",))

    def record(model, shapes, **options):
        asked.append(options)
        return embed_shapes(model, shapes, **options)

    monkeypatch.setattr(module, "embed_shapes", record)
    embed_query(model, query, labels=["chair", "lamp"], up="z", seed=7)
    search(library, model, query, up="z", seed=7)
    assert asked == [
        {"labels": ["chair", "lamp"], "up": "z", "seed": 7},
        {"labels": library.labels, "up": "z", "seed": 7},
    ]


def test_the_seed_draws_the_points_of_a_shape(model, files):
    vectors = [embed_shapes(model, [files / "flat.off"], seed=seed) for seed in (0, 0, 7)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_a_single_part_is_itself_and_what_is_unwanted_said_twice_counts_once(model, photo):
    np.testing.assert_allclose(embed_query(model, Query(images=(photo,))), embed_photos(model, [photo])[0], atol=1e-6)
    once, twice = (embed_query(model, Query(("chair",), ("lamp",) * count)) for count in (1, 2))
    np.testing.assert_allclose(once, twice, atol=1e-6)
    wanted, unwanted = embed_texts(model, ["chair", "lamp"])
    assert once @ unwanted < wanted @ unwanted


def test_a_shape_finds_itself(model, library, files):
    for name in SIZES:
        for shape in (files / name, load_shape(files / name)):
            hits = search(library, model, Query(shapes=(shape,)), top=3)
            assert hits[0].entry.path == str(files / name)
            assert hits[0].score == pytest.approx(1, abs=1e-4)
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_up_axis_of_a_query_can_be_told(model, files):
    told = embed_shapes(model, [files / "tall.off"], up="z")
    np.testing.assert_allclose(told, model.embed([files / "tall.off"], up="z"), atol=1e-6)
    assert float(told[0] @ embed_shapes(model, [files / "tall.off"], up="x")[0]) < 0.9999


def test_hits_are_limited_by_number_and_condition(model, library, files):
    assert len(search(library, model, Query(("chair",)), top=2)) == 2
    hits = search(library, model, Query(("chair",)), where="path like '%flat%'")
    assert [hit.entry.path for hit in hits] == [str(files / "flat.off")]
    record = hits[0].to_dict()
    assert record["score"] == hits[0].score
    assert record["path"] == hits[0].entry.path
    assert "vector" not in record
    with pytest.raises(OptionError, match="columns are path"):
        search(library, model, Query(("chair",)), where="colour = 'red'")


def test_a_condition_on_labels_joins_another_one(library):
    assert restrict_to_labels(library, [], "bytes < 9") == "bytes < 9"
    assert restrict_to_labels(library, []) is None
    assert restrict_to_labels(library, ["night_stand", "couch"]) == "labels[1] in ('night stand', 'sofa')"
    assert restrict_to_labels(library, ["bed"], "bytes < 9 or faces = 1") == (
        "(bytes < 9 or faces = 1) and labels[1] in ('bed')"
    )
    with pytest.raises(
        OptionError, match=r"no shape has the label 'unicorn': expected one of chair, .* and \d+ others"
    ):
        restrict_to_labels(library, ["bed", "unicorn"])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "nothing to look for"),
        ({"without": ("chair",)}, "nothing to look for"),
        ({"texts": (" ",)}, "an empty phrase"),
        ({"texts": ("chair",), "without": ("",)}, "an empty phrase"),
        ({"texts": "chair"}, "texts of a query: expected a tuple"),
    ],
)
def test_invalid_queries_are_refused(parts, message):
    with pytest.raises(OptionError, match=message):
        Query(**parts)


def test_files_that_cannot_be_read_are_named(model, library, tmp_path):
    with pytest.raises(OptionError, match=r"none\.png: no such image file"):
        search(library, model, Query(images=(tmp_path / "none.png",)))
    with pytest.raises(ShapeError, match=r"none\.ply"):
        search(library, model, Query(shapes=(tmp_path / "none.ply",)))


def test_an_empty_library_says_so(model, tmp_path):
    with pytest.raises(DataError, match="is empty; add shapes with 'clip2point index"):
        search(Library.create(tmp_path / "db", model), model, Query(("chair",)))


def test_a_model_is_checked_before_its_first_search_only(model, library, plain, monkeypatch):
    with pytest.raises(ModelError, match="cannot be compared"):
        search(library, plain.make_model(seed=1), Query(("chair",)))
    checked = []
    monkeypatch.setattr(module, "_fitting", type(module._fitting)())
    monkeypatch.setattr(library, "check_model", checked.append)
    for _ in range(3):
        search(library, model, Query(("chair",)))
    assert checked == [model]
