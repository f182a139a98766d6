"""Weight interpolation (WiSE-FT): few examples should not make a tower forget everything else.

Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022): a tower between the weights before and after a
fine-tuning recognises what both ends do, and more of the shapes that are unlike the examples.
"""

from __future__ import annotations

import torch

from clip2point.core.errors import OptionError
from clip2point.model.recogniser import Recogniser


def interpolate_weights(model: Recogniser, tuned: Recogniser, alpha: float) -> Recogniser:
    """Interpolate the depth towers of a model before and after its fine-tuning.

    Args:
        model: Model before the fine-tuning.
        tuned: Model after it.
        alpha: Mixing coefficient of WiSE-FT, in [0, 1]: 0 for the weights of ``model``, 1 for those of ``tuned``.

    Returns:
        The model of the interpolated weights, under the settings and with the name of ``model``; its logit scale is
        the weighted geometric mean.

    Raises:
        OptionError: ``alpha`` is out of range, or the towers are of different kinds.
    """
    if not 0 <= alpha <= 1:
        raise OptionError(f"wise_ft_alpha is {alpha}: expected 0 (before the fine-tuning) to 1 (after it)")
    first, last = (found.backbone.depth_tower().state_dict() for found in (model, tuned))
    if {name: tensor.shape for name, tensor in first.items()} != {name: tensor.shape for name, tensor in last.items()}:
        raise OptionError(f"{model.name} and {tuned.name}: have depth towers of different kinds")
    tower = {
        name: torch.lerp(tensor, first[name].to(tensor), 1 - alpha) if tensor.is_floating_point() else tensor
        for name, tensor in last.items()
    }
    backbone = tuned.backbone.with_depth_tower(tower, image_size=tuned.backbone.image_size)
    backbone.logit_scale = model.backbone.logit_scale ** (1 - alpha) * tuned.backbone.logit_scale**alpha
    return Recogniser(backbone, tuned.settings, model.name)
