"""Answers through the adapter of a converted checkpoint: DPA, which makes features of shapes from both paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clip2point.backbones import PATHS
from clip2point.core.arrays import Float32, normalize_rows
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.backbones import Backbone
    from clip2point.heads import DPA
    from clip2point.model.settings import Settings

#: Remark on every such answer.
NOTE = (
    "answered through the adapter of the checkpoint (DPA), which knows the classes that it was trained on: names of "
    "others may be wrong"
)


def check_adapter(adapter: DPA, backbone: Backbone, settings: Settings, name: str) -> None:
    """Make sure that a model can answer through its adapter.

    Args:
        adapter: Adapter that came with the model.
        backbone: Towers of the model.
        settings: Settings of the model.
        name: Name of the model, for messages.

    Raises:
        OptionError: If its cameras are unknown, others are set, or a tower is missing.
    """
    if adapter.view_set is None:
        raise OptionError(
            f"{name}: its adapter was trained on cameras that are none of the known view sets, so it cannot name "
            "shapes: expected those of clip2point-10 or clip2point-6; give depth maps of your own to model.adapter"
        )
    if settings.views != adapter.view_set:
        raise OptionError(
            f"views {settings.views}: the adapter of {name} was trained on {adapter.view_set}; leave the views away"
        )
    towers = getattr(backbone, "towers", ("image", "depth", "text"))
    if lacking := [tower for tower in ("image", "text") if tower not in towers]:
        raise OptionError(
            f"{name}: its adapter needs the {lacking[0]} tower, which is missing: convert the checkpoint again "
            "with --clip ViT-B-32.pt"
        )


def score_by_adapter(adapter: DPA, paths: Float32, text: Float32) -> Float32:
    """Return the cosines [B, C] of shapes and class names.

    Args:
        adapter: Adapter that came with a model.
        paths: [B, 2, V, D] features of views by the depth path and the image path, not normalised.
        text: [C, D] features of class names.
    """
    import torch

    depth, image = (torch.from_numpy(np.ascontiguousarray(paths[:, PATHS.index(path)])) for path in ("depth", "image"))
    device = next(adapter.parameters()).device
    with torch.inference_mode():
        features = adapter(depth.to(device), image.to(device)).float().cpu().numpy()
    scores: Float32 = features @ normalize_rows(text).T
    return scores
