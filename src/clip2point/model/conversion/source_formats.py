"""Formats of foreign files: three families of names, whose tensors are sorted by tower to the last one."""

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
class SortedTensors:
    """Sorted contents of a foreign file.

    Attributes:
        kind: "clip", "authors-pretraining" or "authors-dpa".
        states: Tensors of the towers "image", "depth" and "text" by OpenAI's names, where there are any.
        adapters: Tensors ``adapter1.*`` and ``adapter2.*``, by the authors' names.
        numbers: Single numbers: "logit_scale" (a logarithm), "weights" (the pre-training loss's sigma), and of
            TorchScript files "input_resolution", "context_length" and "vocab_size".
        cameras: "elev", "azim" and "dist" of each view, in degrees and radii.
        openclip: True if only OpenCLIP uses such names.
    """

    kind: str
    states: dict[str, dict[str, Tensor]]
    adapters: dict[str, Tensor] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    cameras: dict[str, list[float]] = field(default_factory=dict)
    openclip: bool = False


def sort_tensors(tensors: Mapping[str, Tensor]) -> SortedTensors:
    """Find the kind of a checkpoint, and sort its tensors.

    Args:
        tensors: Tensors by name; all names may begin with "module.", as training on several GPUs writes them.

    Returns:
        All of them, each in its place.

    Raises:
        ModelError: If the kind is unknown, or a tensor has no place; the message lacks the file's name.
    """
    left = dict(tensors)
    if all(name.startswith("module.") for name in left):
        left = {name.removeprefix("module."): tensor for name, tensor in left.items()}
    if _has_prefix(left, ("point_model.",)):
        parts = _sort_authors_pretraining(left)
    elif _has_prefix(left, ("pre_model.", "ori_model.", *_ADAPTERS)):
        parts = _sort_authors_dpa(left)
    elif _has_prefix(left, ("visual.", "text.", "token_embedding.")):
        parts = _sort_clip(left)
    else:
        raise ModelError(
            f"holds the tensor {next(iter(left))!r} and {len(left) - 1} others, which belong to no known model: "
            "expected visual.* (CLIP), point_model.* (the authors' pre-training), or pre_model.*, ori_model.*, "
            "adapter1.* and adapter2.* (the authors' DPA)"
        )
    if left:
        raise ModelError(f"the tensor {min(left)!r} has no place in a model of this kind ({len(left)} such in all)")
    return parts


def _sort_clip(left: dict[str, Tensor]) -> SortedTensors:
    """Sort OpenAI's names, or OpenCLIP's, some of which have the text tower under "text."."""
    if "logit_bias" in left:
        raise ModelError(
            "holds a SigLIP model of OpenCLIP: expected it in transformers format (type siglip), such as "
            "google/siglip-base-patch16-224; give that folder or name to --model"
        )
    if _has_prefix(left, ("visual.trunk.", "visual.head.", "text.transformer.encoder.")):
        raise ModelError(
            "holds a model of OpenCLIP with towers of other libraries (timm, transformers), such as EVA-02, MobileCLIP "
            "or multilingual texts, which are not implemented: expected towers of OpenAI's kind (ViT)"
        )
    own = _has_prefix(left, ("text.",))
    masks = _take_masks(left)
    image, text = _take(left, "visual."), _take(left, "text." if own else "", _TEXT)
    numbers = _take_numbers(left, ("logit_scale", "input_resolution", "context_length", "vocab_size"))
    # OpenCLIP keeps one mask for all layers; in OpenAI's code every layer has its own.
    states = _drop_empty({"image": image, "text": text})
    return SortedTensors("clip", states, numbers=numbers, openclip=own or "attn_mask" in masks)


def _sort_authors_pretraining(left: dict[str, Tensor]) -> SortedTensors:
    """Sort the authors' pre-training model: depth tower, CLIP's image tower, weight of a loss, cameras."""
    states = {"depth": _take(left, "point_model."), "image": _take(left, "image_model.")}
    return SortedTensors(
        "authors-pretraining",
        _drop_empty(states),
        numbers=_take_numbers(left, ("weights",)),
        cameras=_take_cameras(left),
    )


def _sort_authors_dpa(left: dict[str, Tensor]) -> SortedTensors:
    """Sort the authors' few-shot model: both vision towers, an adapter after each, cameras."""
    states = {"depth": _take(left, "pre_model."), "image": _take(left, "ori_model.")}
    adapters = {name: left.pop(name) for name in list(left) if name.startswith(_ADAPTERS)}
    for prefix in _ADAPTERS:
        if not _has_prefix(adapters, (prefix,)):
            raise ModelError(f"holds a DPA model without the tensors {prefix}*: {_DPA}")
    if not states["depth"]:
        raise ModelError(f"holds a DPA model without the tensors pre_model.*: {_DPA}")
    return SortedTensors("authors-dpa", _drop_empty(states), adapters=adapters, cameras=_take_cameras(left))


_DPA = "expected pre_model.*, ori_model.*, adapter1.* and adapter2.*; the file is incomplete, download it again"


def _has_prefix(tensors: Mapping[str, Tensor], prefixes: tuple[str, ...]) -> bool:
    """Tell whether any name begins with one of the prefixes."""
    return any(name.startswith(prefixes) for name in tensors)


def _take(left: dict[str, Tensor], prefix: str, starts: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """Remove and return the tensors under a prefix whose names go on with one of ``starts``."""
    wanted = tuple(prefix + start for start in starts)
    return {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(wanted)}


def _drop_empty(states: Mapping[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """Return the towers that have tensors."""
    return {tower: state for tower, state in states.items() if state}


def _take_numbers(left: dict[str, Tensor], names: Sequence[str]) -> dict[str, float]:
    """Remove and return tensors that are one number each."""
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
    """Remove the masks that hide later tokens, and return their names."""
    masks = {name for name, tensor in left.items() if name.endswith("attn_mask") and _is_causal(tensor)}
    for name in masks:
        del left[name]
    return masks


def _is_causal(mask: Tensor) -> bool:
    """Tell whether a tensor is minus infinity above the diagonal and 0 elsewhere."""
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or not mask.is_floating_point():
        return False
    return torch.equal(mask, torch.full_like(mask, float("-inf")).triu(1))


def _take_cameras(left: dict[str, Tensor]) -> dict[str, list[float]]:
    """Remove and return the cameras; each view has one pair of angles and one distance."""
    cameras = {}
    for axis, tensor in _take(left, _CAMERAS).items():
        if tensor.ndim != 1 or axis not in ("elev", "azim", "dist") or not tensor.isfinite().all():
            raise ModelError(
                f"the tensor {_CAMERAS + axis!r} of shape {list(tensor.shape)}: expected the finite elev, azim or dist "
                "of each view"
            )
        cameras[axis] = tensor.tolist()
    return cameras
