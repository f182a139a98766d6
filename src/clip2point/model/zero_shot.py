"""Zero-shot classification of depth maps (section 3.1 of the paper, conventions of the public code).

The features of every view and of every class name are normalised; their cosines are summed over the views; the class
with the largest sum wins.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip2point.backbones import Backbone
from clip2point.backbones.pooling import mean_unit_features
from clip2point.model.settings import PAPER_TEMPLATES
from clip2point.rendering import ViewSet, render_depth
from clip2point.rendering import rotate_modelnet as rotate_modelnet_points


def class_features(backbone: Backbone, labels: Sequence[str], templates: Sequence[str] = PAPER_TEMPLATES) -> Tensor:
    """Encode class names: one unit text feature for each class.

    Args:
        backbone: Backbone with a text tower.
        labels: C class names; underscores are read as spaces.
        templates: T prompts with one ``{}`` each. Features of several are normalised, averaged and normalised again.

    Returns:
        [C, D] float32 unit features.

    Examples:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> backbone = SimpleNamespace(encode_text=lambda texts: torch.tensor([[len(text), 1.0] for text in texts]))
        >>> class_features(backbone, ["bed", "night_stand"], ["a {}", "my {}"]).shape
        torch.Size([2, 2])
    """
    names = [label.replace("_", " ") for label in labels]
    prompts = [template.format(name) for name in names for template in templates]
    return mean_unit_features(backbone.encode_text(prompts).unflatten(0, (len(names), len(templates))))


def view_cosines(view_features: Tensor, text_features: Tensor) -> Tensor:
    """Compute the cosines of every view with every class.

    Args:
        view_features: [B, V, D] features of views, any length.
        text_features: [C, D] features of class names, any length.

    Returns:
        [B, V, C] in [-1, 1].

    Examples:
        >>> import torch
        >>> view_cosines(torch.tensor([[[2.0, 0.0], [0.0, 3.0]]]), torch.eye(2))
        tensor([[[1., 0.],
                 [0., 1.]]])
    """
    return normalize(view_features, dim=-1) @ normalize(text_features, dim=-1).T


def zero_shot_logits(
    backbone: Backbone,
    points: Tensor,
    text_features: Tensor,
    views: ViewSet | str = "clip2point-6",
    *,
    image_size: int | None = None,
    radius: float = 0.02,
    rotate_modelnet: bool = False,
    style: str = "clip2point",
) -> Tensor:
    """Classify unit-sphere points: render, encode, compare.

    Args:
        backbone: Backbone with a depth tower.
        points: [B, N, 3] float32 in the unit sphere; y up, or in ModelNet's own frame if ``rotate_modelnet``.
        text_features: [C, D] as from ``class_features``.
        views: View set, or its name.
        image_size: Side of the depth maps in pixels; the backbone's own by default.
        radius: Radius of the discs, in half image widths.
        rotate_modelnet: Rotate ModelNet's z-up frame into the y-up one first.
        style: Style of the depth maps.

    Returns:
        [B, C] class scores: cosines summed over the views, in [-V, V].

    Examples:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> backbone = SimpleNamespace(image_size=32, encode_depth=lambda depth: depth[..., 16, ::8])  # no tower
        >>> points = torch.nn.functional.normalize(torch.randn(2, 256, 3), dim=-1)
        >>> list(zero_shot_logits(backbone, points, torch.eye(3, 4)).shape)
        [2, 3]
    """
    if rotate_modelnet:
        points = rotate_modelnet_points(points)
    size = image_size or backbone.image_size
    depth = render_depth(points, views, image_size=size, radius=radius, style=style)
    with torch.inference_mode():
        return view_cosines(backbone.encode_depth(depth), text_features).sum(1)
