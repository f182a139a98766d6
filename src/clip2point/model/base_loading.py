"""Models without a head: the embedded one, checkpoints of ours, and CLIP or SigLIP in transformers format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from clip2point.backbones import Backbone
from clip2point.backbones.backbone_registry import load_plugin_backbone
from clip2point.backbones.depth_tensors import check_tensors as check_exactly
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.registries import BACKBONES
from clip2point.model.checkpoint import (
    ADAPTER_PREFIX,
    DEPTH_PREFIX,
    Checkpoint,
    check_tensors,
    holds_head,
    is_checkpoint,
    read_checkpoint,
    read_config,
)
from clip2point.model.folders import HUB_PREFIX, fetch_model, model_folder
from clip2point.model.recogniser import Recogniser
from clip2point.model.settings import Settings
from clip2point.rendering import view_set

if TYPE_CHECKING:
    from torch import Tensor

    from clip2point.core.arrays import Array
    from clip2point.heads import DPA


def find_model(model: str | Path) -> Path:
    """Return the folder of a model, fetched from its hub if need be; it may not exist.

    Raises:
        ModelError: If the hub does not give it.
    """
    name = str(model)
    return fetch_model(name.removeprefix(HUB_PREFIX)) if name.startswith(HUB_PREFIX) else model_folder(model)


def load_base(model: str | Path, *, device: str = "cpu", dtype: str = "auto") -> Recogniser:
    """Load a model without a head that learned from examples; see ``load`` for the arguments.

    Raises:
        ModelError: If there is no such model, it has a head, or its files are missing, broken or not what they should
            be.
        OptionError: If the device or dtype cannot be used.
    """
    return load_base_from(find_model(model), str(model), device, dtype)


def load_base_from(folder: Path, name: str, device: str, dtype: str) -> Recogniser:
    """Load a model without a head from its folder, or by its short name where that is no folder.

    Raises:
        ModelError: Same cases as in ``load_base``.
        OptionError: Same cases as in ``load_base``.
    """
    if is_checkpoint(folder):
        if holds_head(read_config(folder)):
            raise ModelError(f"{folder}: has a head that learned from examples; expected a model without one")
        return _from_checkpoint(read_checkpoint(folder), name, device, dtype)
    if not (folder.is_dir() or name in _presets()):
        if name not in BACKBONES:
            raise ModelError(
                f"unknown model {name!r}: expected {', '.join(BACKBONES.names())}, hf:ORGANISATION/NAME, "
                "or a folder with a checkpoint or a transformers model"
            )
        return Recogniser(load_plugin_backbone(name, device=device, dtype=dtype), Settings(), name)
    from clip2point.backbones.transformers_backbone import load_transformers_backbone

    source = folder if name.startswith(HUB_PREFIX) else name
    backbone = load_transformers_backbone(source, name=name.removeprefix(HUB_PREFIX), device=device, dtype=dtype)
    return Recogniser(backbone, Settings(), name)


def _presets() -> set[str]:
    """Return the short names of models on the hub."""
    return {name for name, entry in BACKBONES.built_in.items() if entry.repository}


def _from_checkpoint(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """Return a recogniser on the backbone that a checkpoint names, with the depth tower that it holds."""
    config = checkpoint.config
    if config.get("backbone") == "clip":
        return _load_clip(checkpoint, name, device, dtype)
    depth = {key: tensor for key, tensor in checkpoint.tensors.items() if key.startswith(DEPTH_PREFIX)}
    others = replace(checkpoint, tensors={k: v for k, v in checkpoint.tensors.items() if k not in depth})
    kind = config.get("backbone")
    backbone: Backbone
    if kind == "pocket":
        backbone = _load_pocket(others, device, dtype)
    elif kind == "transformers":
        backbone = _load_transformers_base(others, device, dtype)
    elif isinstance(kind, str) and kind in BACKBONES and kind not in BACKBONES.built_in:
        backbone = _load_plugin_base(others, kind, device, dtype)
    else:
        raise ModelError(
            f"{checkpoint.folder}: unknown backbone {kind!r}, expected 'pocket', 'transformers' or 'clip'; "
            "update clip2point, or install the package that brings it"
        )
    if kind == "transformers" or depth or "depth_tower" in config:
        tower = {key.removeprefix(DEPTH_PREFIX): tensor for key, tensor in depth.items()}
        try:
            backbone = backbone.with_depth_tower(_as_taken(kind, tower), image_size=_read_depth_image_size(config))
        except (ModelError, OptionError) as error:
            raise ModelError(f"{checkpoint.folder}: {error}") from error
    return Recogniser(backbone, Settings.from_dict(config), name)


def _load_pocket(checkpoint: Checkpoint, device: str, dtype: str) -> Backbone:
    """Return the embedded backbone without its depth tower."""
    from clip2point.backbones.pocket import TENSORS, PocketBackbone

    check_tensors(checkpoint, TENSORS)
    return PocketBackbone(checkpoint.tensors, logit_scale=_read_logit_scale(checkpoint), device=device, dtype=dtype)


def _read_logit_scale(checkpoint: Checkpoint) -> float:
    """Return the factor on cosines before a softmax."""
    scale = checkpoint.config.get("logit_scale")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ModelError(
            f'{checkpoint.folder}: config.json should have a number above 0 as "logit_scale", not {scale!r}'
        )
    return float(scale)


def _load_transformers_base(checkpoint: Checkpoint, device: str, dtype: str) -> Backbone:
    """Return the model in transformers format whose depth tower a checkpoint holds."""
    from clip2point.backbones.transformers_backbone import load_transformers_backbone

    check_tensors(checkpoint, {})
    folder, base = checkpoint.folder, checkpoint.config.get("base")
    if not isinstance(base, str) or not base:
        raise ModelError(f'{folder}: config.json should name the model that this one builds on, as "base"')
    path = folder / base
    if not path.is_dir() and (base.startswith(".") or Path(base).is_absolute()):
        raise ModelError(
            f'{path}: missing; {folder} builds on this model: copy it there, or correct "base" in config.json'
        )
    try:
        backbone = load_transformers_backbone(path if path.is_dir() else base, device=device, dtype=dtype)
    except ModelError as error:
        raise ModelError(f"{folder} builds on another model: {error}") from error
    expected = checkpoint.config.get("base_fingerprint")
    if expected not in (None, backbone.base_fingerprint()):
        raise ModelError(
            f'{folder}: its depth tower was trained with another model than {base}; correct "base" in config.json'
        )
    backbone.logit_scale = _read_logit_scale(checkpoint)
    return backbone


def _load_plugin_base(checkpoint: Checkpoint, kind: str, device: str, dtype: str) -> Backbone:
    """Return the backbone of a plug-in whose depth tower a checkpoint holds."""
    check_tensors(checkpoint, {})
    backbone = load_plugin_backbone(kind, device=device, dtype=dtype)
    if checkpoint.config.get("base_fingerprint") != backbone.config().get("base_fingerprint"):
        raise ModelError(f"{checkpoint.folder}: its depth tower was trained with another version of {kind}")
    backbone.logit_scale = _read_logit_scale(checkpoint)
    return backbone


def _load_clip(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """Return a recogniser on CLIP's own tensors, all of them in the checkpoint, with its adapter if there is one."""
    from clip2point.backbones.clip import ClipBackbone
    from clip2point.backbones.clip_towers import ACTIVATIONS

    folder, config = checkpoint.folder, checkpoint.config
    prefixes = {"image": "image.", "depth": "depth.vision.", "text": "text."}
    towers, activation, heads = (config.get(key) for key in ("towers", "activation", "heads"))
    if not isinstance(towers, list) or not all(tower in prefixes for tower in towers):
        raise ModelError(f'{folder}: config.json should have some of {", ".join(prefixes)} as "towers", not {towers!r}')
    if activation not in ACTIVATIONS:
        raise ModelError(f'{folder}: config.json should have {" or ".join(ACTIVATIONS)} as "activation"')
    if not isinstance(heads, dict) or not all(type(count) is int and count > 0 for count in heads.values()):
        raise ModelError(f'{folder}: config.json should have "heads": {{"vision": NUMBER, "text": NUMBER}}')
    left = dict(checkpoint.tensors)
    states = {tower: _to_tensors(_take_prefixed(left, prefixes[tower])) for tower in towers}
    adapter = (
        _read_dpa(config["adapter"], _take_prefixed(left, ADAPTER_PREFIX), folder) if "adapter" in config else None
    )
    check_tensors(replace(checkpoint, tensors=left), {})
    backbone = ClipBackbone(
        states,
        activation=activation,
        heads=heads,
        logit_scale=_read_logit_scale(checkpoint),
        name=name,
        tokenizer=_find_tokenizer(checkpoint),
        normalisation=_read_normalisation(checkpoint),
        device=device,
        dtype=dtype,
    )
    settings = Settings.from_dict(config)
    if adapter is not None:
        adapter.view_set = _read_view_set(config, adapter.depth.views)
    return Recogniser(backbone, settings, name, adapter=adapter and adapter.to(backbone.device))


def _read_view_set(config: Mapping[str, Any], views: int) -> str | None:
    """Return the view set of an adapter; folders of 0.1 have it among their settings, if its cameras were known."""
    section = config["adapter"]
    if "view_set" in section:
        return section["view_set"] if isinstance(section["view_set"], str) else None
    named = str(Settings.from_dict(config).views)
    try:
        return named if len(view_set(named)) == views else None
    except OptionError:
        return None


def _take_prefixed(left: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Remove and return the tensors whose names begin with a prefix, under names without it."""
    return {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(prefix)}


def _as_taken(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, Array]:
    """Return the state of a depth tower as a backbone takes it: all but pocket compute in PyTorch."""
    return arrays if kind == "pocket" else _to_tensors(arrays)


def _to_tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return arrays as tensors, for towers that compute in PyTorch."""
    from clip2point.heads.tensors import to_tensor

    return {name: to_tensor(array) for name, array in arrays.items()}


def _find_tokenizer(checkpoint: Checkpoint) -> str | None:
    """Return the folder or hub name of the tokenizer for texts, if there is one."""
    tokenizer = checkpoint.config.get("tokenizer")
    if not isinstance(tokenizer, str | None):
        raise ModelError(f'{checkpoint.folder}: config.json should name a folder or a model on the hub as "tokenizer"')
    if tokenizer and (checkpoint.folder / tokenizer).is_dir():
        return str(checkpoint.folder / tokenizer)
    return tokenizer


def _read_normalisation(checkpoint: Checkpoint) -> tuple[Sequence[float], Sequence[float]]:
    """Return mean and deviation of a converted model's images: CLIP's, unless its config has others."""
    from clip2point.backbones.clip import CLIP_NORMALISATION

    if "mean" not in checkpoint.config and "std" not in checkpoint.config:
        return CLIP_NORMALISATION
    found = []
    for name in ("mean", "std"):
        values = checkpoint.config.get(name)
        numbers = isinstance(values, list) and len(values) == 3 and all(type(value) is float for value in values)
        if not isinstance(values, list) or not numbers or (name == "std" and min(values) <= 0):
            raise ModelError(f'{checkpoint.folder}: config.json should have three numbers each as "mean" and "std"')
        found.append(values)
    return found[0], found[1]


def _read_dpa(section: Any, state: Mapping[str, NDArray[Any]], folder: Path) -> DPA:
    """Return the adapter of a converted model, for inference."""
    import torch

    from clip2point.heads import DPA

    out = state.get("depth.out.bias")
    views = section.get("views") if isinstance(section, dict) and section.get("kind") == "dpa" else None
    if type(views) is not int or not 1 <= views <= 360 or out is None or out.ndim != 1:
        raise ModelError(f'{folder}: config.json should have "adapter": {{"kind": "dpa", "views": V}}, and its tensors')
    with torch.device("meta"):
        adapter = DPA(views, len(out))
    expected = {name: tuple(tensor.shape) for name, tensor in adapter.state_dict().items()}
    check_exactly(state, expected, f"{folder}, adapter")
    adapter.load_state_dict(_to_tensors(state), assign=True)
    return adapter.eval().requires_grad_(False)


def _read_depth_image_size(config: Mapping[str, Any]) -> int:
    """Return the side of the depth maps of a trained depth tower, in pixels."""
    section = config.get("depth_tower")
    size = section.get("image_size") if isinstance(section, dict) else None
    if type(size) is not int:
        raise ModelError('config.json should have "depth_tower": {"image_size": PIXELS} beside a trained depth tower')
    return size
