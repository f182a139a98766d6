import json

import numpy as np
import pytest

from clip2point.core.errors import DataError, ModelError, OptionError
from clip2point.search import Entry, Library
from clip2point.search.clustering import choose_count, cluster_shapes, rank_names
from clip2point.search.queries import embed_texts

LABELS = ["chair", "table", "lamp", "a_bed", "sofa", "car"]
MEMBERS = {"chair": 12, "a_bed": 9, "car": 6}


def around(middles, counts, spread=0.1):
    rng = np.random.default_rng(0)
    rows = [
        middle + spread * rng.normal(size=(count, len(middle))) for middle, count in zip(middles, counts, strict=True)
    ]
    vectors = np.concatenate(rows).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model(plain):
    return plain.make_model()


@pytest.fixture(scope="module")
def library(model, tmp_path_factory):
    """Shapes around the vectors of three of the labels."""
    library = Library.create(tmp_path_factory.mktemp("library") / "db", model)
    vectors = around(embed_texts(model, list(MEMBERS)), MEMBERS.values())
    names = [f"/{name}/{number}" for name, count in MEMBERS.items() for number in range(count)]
    with library.writing():
        library.use_labels(LABELS)
        library.put([Entry(path=name, vector=vector) for name, vector in zip(names, vectors, strict=True)])
    return library


@pytest.mark.parametrize("count", [3, None])
def test_clusters_are_found_named_and_ordered(library, model, count):
    found = cluster_shapes(library, model, count)
    assert [cluster.name for cluster in found] == list(MEMBERS)
    for cluster in found:
        assert len(cluster.paths) == MEMBERS[cluster.name]
        assert all(path.startswith(f"/{cluster.name}/") for path in cluster.paths)
        assert list(cluster.centrality) == sorted(cluster.centrality, reverse=True)
        assert 0.8 < cluster.centrality[-1] <= cluster.centrality[0] <= 1.000001
        assert len(set(cluster.alternatives) - {cluster.name}) == 4
    assert cluster_shapes(library, model, count) == found
    record = found[0].to_dict()
    assert record["size"] == 12
    assert json.loads(json.dumps(record)) == record


def test_names_are_those_that_set_a_cluster_apart():
    texts = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.8, 0, 0.6]], np.float32)  # the first fits everything
    middles = np.array([[0.9, 0.4, 0], [0.9, 0, 0.4]], np.float32)
    assert rank_names(middles, texts)[:, 0].tolist() == [1, 2]
    assert rank_names(np.array([[1, 0.1, 0]], np.float32), texts)[0].tolist() == [0, 1, 2]


def test_few_or_equal_shapes_are_one_cluster(plain, model, tmp_path):
    assert choose_count(np.ones((30, 4), np.float32) / 2) == 1
    assert choose_count(np.eye(8, dtype=np.float32)) == 1
    library = Library.create(tmp_path / "db", model)
    with pytest.raises(DataError, match="is empty; add shapes"):
        cluster_shapes(library, model)
    with library.writing():
        library.put([Entry(path=f"/{number}", vector=np.eye(16, dtype=np.float32)[0]) for number in range(3)])
    assert [len(cluster.paths) for cluster in cluster_shapes(library, model)] == [3]
    with pytest.raises(OptionError, match="count 2: expected 1 to 1"):
        cluster_shapes(library, model, 2)
    with pytest.raises(ModelError, match="cannot be compared"):
        cluster_shapes(library, plain.make_model(seed=1))


def test_many_clusters_are_counted():
    middles = np.eye(12, dtype=np.float32)
    assert choose_count(around(middles, [8] * 12, 0.05)) == 12
