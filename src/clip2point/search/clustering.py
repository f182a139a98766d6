"""Clusters: groups of similar shapes in a library, with names from its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import DataError, OptionError
from clip2point.core.labels import name_label
from clip2point.model import Recogniser
from clip2point.search.entry import Float32
from clip2point.search.library import Library
from clip2point.search.queries import embed_texts

#: Numbers of clusters to choose from.
COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
ALTERNATIVES = 4

_SAMPLE = 2000  # shapes by which the number of clusters is chosen
_WHOLE = 20_000  # up to so many shapes every step of k-means looks at all of them
_STARTS = 4
_MEMBERS = 5  # on average, in the smallest clusters that are chosen unasked


@dataclass(frozen=True)
class Cluster:
    """Similar shapes.

    Attributes:
        name: Label of the library that fits these shapes best compared with the other clusters.
        alternatives: Next best labels.
        paths: Paths of all its shapes, the most central first.
        centrality: Cosine of each shape with the centroid.
    """

    name: str
    alternatives: tuple[str, ...]
    paths: tuple[str, ...]
    centrality: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types."""
        return {
            "name": self.name,
            "alternatives": list(self.alternatives),
            "size": len(self.paths),
            "paths": list(self.paths),
            "centrality": list(self.centrality),
        }


def cluster_shapes(library: Library, model: Recogniser, count: int | None = None, *, seed: int = 0) -> list[Cluster]:
    """Group the shapes of a library by k-means on their vectors.

    Args:
        library: Library with at least one shape.
        model: Model of the library; its text tower finds the names.
        count: Number of clusters; None for the number of ``COUNTS`` with the best silhouette.
        seed: Seed of the sample and of the start of k-means.

    Returns:
        Clusters, the largest first.

    Raises:
        OptionError: There are fewer shapes than clusters.
        DataError: The library is empty.
        ModelError: The model's vectors cannot be compared with the library's.
    """
    library.check_model(model)
    paths, vectors = library.vectors()
    if not paths:
        raise DataError(f"{library.path}: is empty; add shapes with 'clip2point index FOLDER --db {library.path}'")
    different = len(np.unique(vectors, axis=0))
    if count is None:
        count = choose_count(vectors, seed)
    elif not 1 <= count <= different:
        raise OptionError(f"count {count}: expected 1 to {different}, as many as there are different shapes")
    members, centroids = _k_means(vectors, count, seed)
    ranked = rank_names(centroids, embed_texts(model, library.labels))
    found = []
    for number, order in enumerate(ranked):
        inside = np.flatnonzero(members == number)
        cosines = vectors[inside] @ centroids[number]
        central = np.argsort(-cosines, kind="stable")
        names = [name_label(library.labels[label]) for label in order[: ALTERNATIVES + 1]]
        found.append(
            Cluster(
                names[0],
                tuple(names[1:]),
                tuple(paths[index] for index in inside[central]),
                tuple(cosines[central].tolist()),
            )
        )
    return sorted(found, key=lambda cluster: (-len(cluster.paths), cluster.paths[0]))


def choose_count(vectors: Float32, seed: int = 0) -> int:
    """Choose the number of clusters, of ``COUNTS``, with the best silhouette on a sample of the vectors.

    Args:
        vectors: [N, D] unit vectors.
        seed: Seed of the sample and of k-means.

    Returns:
        Number of clusters; 1 if there are too few different vectors for more.
    """
    from sklearn.metrics import silhouette_score

    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE])
    sample = vectors[chosen]
    most = len(np.unique(sample, axis=0)) // _MEMBERS
    scores: dict[int, float] = {}
    for count in COUNTS:
        if count <= most:
            members, _ = _k_means(sample, count, seed)
            scores[count] = float(silhouette_score(sample, members))
    return max(scores, key=lambda count: scores[count], default=1)


def rank_names(centroids: Float32, texts: Float32) -> NDArray[np.intp]:
    """Rank names by the margin with which they fit a cluster better than the others.

    Args:
        centroids: [K, D] unit vectors.
        texts: [C, D] unit vectors of the names.

    Returns:
        [K, C] indices of names, the best first.

    Examples:
        >>> centroids = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
        >>> rank_names(centroids, centroids).tolist()
        [[0, 1], [1, 0]]
    """
    fit = centroids @ texts.T
    if len(centroids) > 1:
        fit = fit - (fit.sum(0) - fit) / (len(centroids) - 1)
    return np.argsort(-fit, axis=1, kind="stable")


def _k_means(vectors: Float32, count: int, seed: int) -> tuple[NDArray[np.int32], Float32]:
    """Return the cluster [N] of each vector, and the centroids [K, D], unit vectors."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(vectors) <= _WHOLE else MiniBatchKMeans
    options: dict[str, Any] = {} if kind is KMeans else {"batch_size": 4096}
    fitted = kind(count, n_init=_STARTS, random_state=seed, **options).fit(vectors)
    centroids = fitted.cluster_centers_.astype(np.float32)
    return fitted.labels_, centroids / np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-12)
