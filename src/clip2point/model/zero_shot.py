"""Zero-shot classification of depth maps (section 3.1 of the paper, conventions of the public code).

The features of every view and of every class name are normalised; their cosines are summed over the views; the class
with the largest sum wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clip2point.backbones import Backbone
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.arrays import Container, Float32, match_container, normalize_rows, to_array
from clip2point.core.labels import split_synonyms
from clip2point.model.settings import PAPER_TEMPLATES
from clip2point.rendering import ViewSet, render_depth
from clip2point.rendering import rotate_modelnet as rotate_modelnet_points

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def class_features(backbone: Backbone, labels: Sequence[str], templates: Sequence[str] = PAPER_TEMPLATES) -> Float32:
    """Encode class names: one unit text feature for each class.

    Args:
        backbone: Backbone with a text tower.
        labels: C class names; underscores are read as spaces, and the features of synonyms ("mug|cup") are averaged.
        templates: T prompts with one ``{}`` each. Features of several are normalised, averaged and normalised again.

    Returns:
        [C, D] float32 unit features.

    Examples:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> backbone = SimpleNamespace(encode_text=lambda texts: np.array([[len(text), 1.0] for text in texts]))
        >>> class_features(backbone, ["bed", "night_stand"], ["a {}", "my {}"]).shape
        (2, 2)
    """
    words = [split_synonyms(label.replace("_", " ")) for label in labels]
    names = [name for synonyms in words for name in synonyms]
    prompts = [template.format(name) for name in names for template in templates]
    features = to_array(backbone.encode_text(prompts))
    features = mean_unit_features(features.reshape(len(names), len(templates), -1)).astype("float32", copy=False)
    if len(names) == len(words):
        return features
    ends = np.cumsum([len(synonyms) for synonyms in words])
    return np.concatenate([mean_unit_features(own[None]) for own in np.split(features, ends[:-1])])


def view_cosines(view_features: Container, text_features: Array) -> Container:
    """Compute the cosines of every view with every class.

    Args:
        view_features: [B, V, D] features of views, any length, an array or a tensor.
        text_features: [C, D] features of class names, any length.

    Returns:
        [B, V, C] in [-1, 1], in the container of the view features.

    Examples:
        >>> import numpy as np
        >>> view_cosines(np.array([[[2.0, 0.0], [0.0, 3.0]]]), np.eye(2)).tolist()
        [[[1.0, 0.0], [0.0, 1.0]]]
    """
    cosines = normalize_rows(to_array(view_features)) @ normalize_rows(to_array(text_features)).T
    return match_container(cosines, view_features)


def zero_shot_logits(
    backbone: Backbone,
    points: Container,
    text_features: Array,
    views: ViewSet | str = "clip2point-6",
    *,
    image_size: int | None = None,
    radius: float = 0.02,
    rotate_modelnet: bool = False,
    style: str = "clip2point",
) -> Container:
    """Classify unit-sphere points: render, encode, compare.

    Args:
        backbone: Backbone with a depth tower.
        points: [B, N, 3] float32 in the unit sphere, an array or a tensor; y up, or in ModelNet's own frame if
            ``rotate_modelnet``.
        text_features: [C, D] as from ``class_features``.
        views: View set, or its name.
        image_size: Side of the depth maps in pixels; the backbone's own by default.
        radius: Radius of the discs, in half image widths.
        rotate_modelnet: Rotate ModelNet's z-up frame into the y-up one first.
        style: Style of the depth maps.

    Returns:
        [B, C] class scores: cosines summed over the views, in [-V, V], in the container of the points.

    Examples:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> backbone = SimpleNamespace(image_size=32, encode_depth=lambda depth: depth[..., 16, ::8])  # no tower
        >>> points = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 256, 3)).astype(np.float32)
        >>> zero_shot_logits(backbone, points, np.eye(3, 4)).shape
        (2, 3)
    """
    if rotate_modelnet:
        points = rotate_modelnet_points(points)
    size = image_size or backbone.image_size
    depth = render_depth(points, views, image_size=size, radius=radius, style=style)
    features = to_array(backbone.encode_depth(depth))
    return match_container(view_cosines(features, text_features).sum(1), points)
