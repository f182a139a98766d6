"""Between a tower and what it became by fine-tuning: a few examples cannot make it forget all others.

Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT, CVPR 2022): the weights in the middle recognise what
both ends do, and more of shapes that are unlike the examples.
"""

from __future__ import annotations

import torch

from clip2point.core.errors import OptionError
from clip2point.model.recogniser import Recogniser


def interpolate(model: Recogniser, tuned: Recogniser, keep: float) -> Recogniser:
    """A model whose depth tower lies between those of two others.

    Args:
        model: before its depth tower was trained.
        tuned: what ``fine_tune`` made of it.
        keep: share of the weights before the training, in [0, 1]: 0 for ``tuned``, 1 for ``model``.

    Returns:
        ``tuned`` with other weights; its logit scale is the geometric mean with the same shares.

    Raises:
        OptionError: if ``keep`` is out of range, or the towers are of different kinds.
    """
    if not 0 <= keep <= 1:
        raise OptionError(f"keep is {keep}: expected a share from 0 to 1")
    first, last = (found.backbone.depth_tower().state_dict() for found in (model, tuned))
    if {name: tensor.shape for name, tensor in first.items()} != {name: tensor.shape for name, tensor in last.items()}:
        raise OptionError(f"{model.name} and {tuned.name}: have depth towers of different kinds")
    tower = {
        name: torch.lerp(tensor, first[name].to(tensor), keep) if tensor.is_floating_point() else tensor
        for name, tensor in last.items()
    }
    backbone = tuned.backbone.with_depth_tower(tower, image_size=tuned.backbone.image_size)
    backbone.logit_scale = model.backbone.logit_scale**keep * tuned.backbone.logit_scale ** (1 - keep)
    return Recogniser(backbone, tuned.settings, tuned.name)
