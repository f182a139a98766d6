"""Which tensors of a foreign file belong to which tower: three families of names, each consumed to the last tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clip2point.core.errors import ModelError

_TEXT = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")
_CAMERAS = "selector.view_selector.views_"
_ADAPTERS = ("adapter1.", "adapter2.")


@dataclass
class Parts:
    """What a foreign file turned out to hold.

    Attributes:
        kind: "clip", "authors-pretraining" or "authors-dpa".
        states: tensors of the towers "image", "depth" and "text", by OpenAI's names, as far as there are such.
        adapters: tensors ``adapter1.*`` and ``adapter2.*``, by the authors' names.
        numbers: single numbers: "logit_scale" (a logarithm), "weights" (the pre-training loss's sigma), and of
            TorchScript files "input_resolution", "context_length" and "vocab_size".
        cameras: "elev", "azim" and "dist" of each view, in degrees and radii.
        openclip: whether the names are such as OpenCLIP alone uses.
    """

    kind: str
    states: dict[str, dict[str, Tensor]]
    adapters: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    cameras: dict[str, list[float]] = field(default_factory=dict)
    openclip: bool = False


def split(tensors: Mapping[str, Tensor]) -> Parts:
    """Find out which kind of checkpoint this is, and sort its tensors.

    Args:
        tensors: by name; all of them may begin with "module.", as training on several GPUs makes them.

    Returns:
        All of them, each in its place.

    Raises:
        ModelError: (without the file's name) if the kind is unknown, or a tensor has no place.
    """
    left = dict(tensors)
    if all(name.startswith("module.") for name in left):
        left = {name.removeprefix("module."): tensor for name, tensor in left.items()}
    if _any(left, ("point_model.",)):
        parts = _authors_pretraining(left)
    elif _any(left, ("pre_model.", "ori_model.", *_ADAPTERS)):
        parts = _authors_dpa(left)
    elif _any(left, ("visual.", "text.", "token_embedding.")):
        parts = _clip(left)
    else:
        raise ModelError(
            f"holds the tensor {next(iter(left))!r} and {len(left) - 1} others, which belong to no known model: "
            "expected visual.* (CLIP), point_model.* (the authors' pre-training), or pre_model.*, ori_model.*, "
            "adapter1.* and adapter2.* (the authors' DPA)"
        )
    if left:
        raise ModelError(f"the tensor {min(left)!r} has no place in a model of this kind ({len(left)} such in all)")
    return parts


def _clip(left: dict[str, Tensor]) -> Parts:
    """OpenAI's names, or OpenCLIP's, which has the text tower under "text." at times."""
    if _any(left, ("visual.trunk.", "visual.head.", "text.transformer.encoder.", "logit_bias")):
        raise ModelError(
            "holds a model of OpenCLIP with towers of other libraries (timm, transformers) or of SigLIP: get it in "
            "transformers format and give that folder to --model"
        )
    own = _any(left, ("text.",))
    masks = _take_masks(left)
    image, text = _take(left, "visual."), _take(left, "text." if own else "", _TEXT)
    numbers = _numbers(left, ("logit_scale", "input_resolution", "context_length", "vocab_size"))
    # OpenCLIP keeps one mask for all layers; in OpenAI's code every layer has its own.
    states = _present({"image": image, "text": text})
    return Parts("clip", states, numbers=numbers, openclip=own or "attn_mask" in masks)


def _authors_pretraining(left: dict[str, Tensor]) -> Parts:
    """The model that the authors pre-train: the depth tower, CLIP's image tower, the weight of a loss, the cameras."""
    states = {"depth": _take(left, "point_model."), "image": _take(left, "image_model.")}
    return Parts("authors-pretraining", _present(states), numbers=_numbers(left, ("weights",)), cameras=_cameras(left))


def _authors_dpa(left: dict[str, Tensor]) -> Parts:
    """The authors' few-shot model: both vision towers, an adapter after each, the cameras."""
    states = {"depth": _take(left, "pre_model."), "image": _take(left, "ori_model.")}
    adapters = {name: left.pop(name) for name in list(left) if name.startswith(_ADAPTERS)}
    for prefix in _ADAPTERS:
        if not _any(adapters, (prefix,)):
            raise ModelError(f"holds a DPA model without the tensors {prefix}*: {_DPA}")
    if not states["depth"]:
        raise ModelError(f"holds a DPA model without the tensors pre_model.*: {_DPA}")
    return Parts("authors-dpa", _present(states), adapters=adapters, cameras=_cameras(left))


_DPA = "expected pre_model.*, ori_model.*, adapter1.* and adapter2.*; the file is incomplete, download it again"


def _any(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> bool:
    """Whether a name begins so."""
    return any(name.startswith(prefixes) for name in tensors)


def _take(left: dict[str, Tensor], prefix: str, starts: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """Remove the tensors under a prefix, those that go on in one of the ways of ``starts``."""
    wanted = tuple(prefix + start for start in starts)
    return {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(wanted)}


def _present(states: Mapping[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """The towers that have tensors."""
    return {tower: state for tower, state in states.items() if state}


def _numbers(left: dict[str, Tensor], names: Sequence[str]) -> dict[str, float]:
    """Remove tensors that are one number each."""
    numbers = {}
    for name in names:
        if name not in left:
            continue
        tensor = left.pop(name)
        if tensor.numel() != 1 or not tensor.isfinite().all():
            raise ModelError(f"the tensor {name!r} of shape {list(tensor.shape)}: expected one finite number")
        numbers[name] = tensor.detach().item()
    return numbers


def _take_masks(left: dict[str, Tensor]) -> set[str]:
    """Remove the masks that hide later tokens, once they are known to do just that, and return their names."""
    masks = {name for name, tensor in left.items() if name.endswith("attn_mask") and _is_causal(tensor)}
    for name in masks:
        del left[name]
    return masks


def _is_causal(mask: Tensor) -> bool:
    """Whether a tensor is minus infinity above the diagonal and 0 elsewhere."""
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or not mask.is_floating_point():
        return False
    return torch.equal(mask, torch.full_like(mask, float("-inf")).triu(1))


def _cameras(left: dict[str, Tensor]) -> dict[str, list[float]]:
    """Remove the cameras; the views of a model have one angle pair and one distance each."""
    cameras = {}
    for axis, tensor in _take(left, _CAMERAS).items():
        if tensor.ndim != 1 or axis not in ("elev", "azim", "dist") or not tensor.isfinite().all():
            raise ModelError(
                f"the tensor {_CAMERAS + axis!r} of shape {list(tensor.shape)}: expected the finite elev, azim or dist "
                "of each view"
            )
        cameras[axis] = tensor.tolist()
    return cameras
