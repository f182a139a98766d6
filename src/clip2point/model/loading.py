"""From a model's name to a recogniser, and from a trained backbone to a folder that has a name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clip2point.backbones import Backbone
from clip2point.backbones.depth_tower import check_tensors as check_exactly
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.files import sha256
from clip2point.core.repositories import Repository, find_cached_folder
from clip2point.model.checkpoint import (
    Checkpoint,
    check_tensors,
    holds_head,
    is_checkpoint,
    read_checkpoint,
    read_config,
    write_checkpoint,
)
from clip2point.model.recogniser import Recogniser
from clip2point.model.settings import Settings

if TYPE_CHECKING:
    from clip2point.heads import DPA

#: The model that the package carries.
POCKET = Path(__file__).parent.parent / "weights" / "pocket"

_HUB = "hf:"  # begins the names of models on a hub
_DEPTH = "depth."  # begins the names of a trained depth tower's tensors
_ADAPTER = "adapter."  # begins those of an adapter


def load(model: str | Path = "pocket", *, device: str = "cpu", dtype: str = "auto") -> Recogniser:
    """Load a model.

    Args:
        model: "pocket" (embedded, offline); a folder that we wrote, also one with a head that learned from examples; a
            folder of a CLIP or SigLIP model in transformers format; either kind of folder on a hub, as
            "hf:ORGANISATION/NAME" or "hf:ORGANISATION/NAME@REVISION"; or a short name such as "clip-vit-b-32".
        device: name of a torch device.
        dtype: "auto", "fp32" or "bf16" for the vision towers.

    Returns:
        A recogniser with the model's own settings, or the paper's where it has none.

    Raises:
        ModelError: if there is no such model, or its files are missing, broken or not what they should be.
        OptionError: if the device or dtype cannot be used.
    """
    from clip2point.backbones.hub import ALIASES, load_hub_backbone

    name = str(model)
    folder = fetch_model(name.removeprefix(_HUB)) if name.startswith(_HUB) else model_folder(model)
    if is_checkpoint(folder):
        if holds_head(read_config(folder)):
            from clip2point.model.adapted import load_adapted

            return load_adapted(read_checkpoint(folder), name, device, dtype)
        return _from_checkpoint(read_checkpoint(folder), name, device, dtype)
    if not (folder.is_dir() or name in ALIASES):
        raise ModelError(
            f"unknown model {name!r}: expected pocket, {', '.join(ALIASES)}, hf:ORGANISATION/NAME, "
            "or a folder with a checkpoint or a transformers model"
        )
    source = folder if name.startswith(_HUB) else name
    backbone = load_hub_backbone(source, name=name.removeprefix(_HUB), device=device, dtype=dtype)
    return Recogniser(backbone, Settings(), name)


def save_model(
    folder: Path,
    backbone: Backbone,
    settings: Settings,
    config: Mapping[str, Any],
    *,
    half: bool = False,
    adapter: DPA | None = None,
) -> None:
    """Write a checkpoint that ``load`` makes the same model from.

    Args:
        folder: is made if need be.
        backbone: of any kind; one from a hub or a folder with a depth tower that was trained.
        settings: under which it is to be used.
        config: what else is to be known: training data, licences, recipe.
        half: store the matrices and kernels of the depth tower in fp16: half the size, and nearly the same features.
        adapter: of converted models.

    Raises:
        ModelError: if there is nothing to be saved, or a value is not finite.
    """
    tensors = backbone.state_dict()
    if not tensors:
        raise ModelError(f"{backbone.name}: no depth tower was trained, so there is nothing to be saved")
    if half:
        tensors = {
            name: tensor.half() if name.startswith(_DEPTH) and tensor.ndim > 1 else tensor
            for name, tensor in tensors.items()
        }
    kind = {}
    if adapter is not None:
        tensors |= {_ADAPTER + name: tensor for name, tensor in adapter.state_dict().items()}
        kind = {"adapter": {"kind": "dpa", "views": adapter.depth.views}}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ModelError(
                f"{folder}: not written, because {name!r} has values that are not finite in {tensor.dtype}"
            )
    own = backbone.config()
    for entry in {"base", "tokenizer"} & own.keys():
        own[entry] = seen_from(folder, own[entry])
    write_checkpoint(folder, tensors, {**config, **settings.to_dict(), **own, **kind})


def expected_record(model: str | Path) -> dict[str, Any] | None:
    """What verification should find for a model, if the model carries such a record (``expected.json``).

    Raises:
        ModelError: if the record cannot be read.
    """
    path = model_folder(model) / "expected.json"
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); reinstall the model") from error
    if not isinstance(record, dict):
        raise ModelError(f"{path}: expected a JSON object; reinstall the model")
    return record


def weight_checksums(model: str | Path) -> dict[str, str]:
    """Checksums of the weight files of a model, by name; empty for models that keep no record of them."""
    folder = model_folder(model)
    if not is_checkpoint(folder):
        return {}
    files = {"clip2point": folder / "model.safetensors"}
    if read_config(folder).get("backbone") == "pocket":
        from clip2point.backbones import efficientnet, minilm

        files["all-MiniLM-L6-v2"] = minilm.weight_file()
        files["EfficientNet-Lite2"] = efficientnet.weight_file()
    return {name: sha256(file) for name, file in files.items()}


def model_folder(model: str | Path) -> Path:
    """The folder where a model would lie if it is a checkpoint of ours; no hub is asked for it."""
    if model == "pocket":
        return POCKET
    if str(model).startswith(_HUB):
        return find_cached_folder(str(model).removeprefix(_HUB)) or Path(model)
    return Path(model)


def fetch_model(name: str) -> Path:
    """Have a model of a hub in the cache, be it ours or in transformers format.

    Args:
        name: of its repository, as ``Repository`` takes it.

    Returns:
        Its folder.

    Raises:
        ModelError: that says in one sentence why it cannot be had.
    """
    repository = Repository(name)
    folder = repository.fetch(repository.list_files())
    if is_checkpoint(folder):
        for entry in {"base", "tokenizer"} & read_config(folder).keys():
            below = str(read_config(folder)[entry]).removeprefix("./")
            if any(file.startswith(f"{below}/") for file in repository.files):
                repository.fetch(repository.list_files(below, weights=entry == "base"))
    return folder


def _from_checkpoint(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """A recogniser on the backbone that a checkpoint names, with the depth tower that it holds."""
    config = checkpoint.config
    if config.get("backbone") == "clip":
        return _clip(checkpoint, name, device, dtype)
    depth = {key: tensor for key, tensor in checkpoint.tensors.items() if key.startswith(_DEPTH)}
    others = replace(checkpoint, tensors={k: v for k, v in checkpoint.tensors.items() if k not in depth})
    kind = config.get("backbone")
    backbone: Backbone
    if kind == "pocket":
        backbone = _pocket(others, device, dtype)
    elif kind == "transformers":
        backbone = _base(others, device, dtype)
    else:
        raise ModelError(
            f"{checkpoint.folder}: unknown backbone {kind!r}, expected 'pocket', 'transformers' or 'clip'; "
            "update clip2point"
        )
    if kind == "transformers" or depth or "depth_tower" in config:
        tower = {key.removeprefix(_DEPTH): tensor for key, tensor in depth.items()}
        try:
            backbone = backbone.with_depth_tower(tower, image_size=_depth_image_size(config))
        except (ModelError, OptionError) as error:
            raise ModelError(f"{checkpoint.folder}: {error}") from error
    return Recogniser(backbone, Settings.from_dict(config), name)


def _pocket(checkpoint: Checkpoint, device: str, dtype: str) -> Backbone:
    """The embedded backbone as it is before a depth tower is trained."""
    from clip2point.backbones.pocket import TENSORS, PocketBackbone

    check_tensors(checkpoint, TENSORS)
    return PocketBackbone(checkpoint.tensors, logit_scale=_logit_scale(checkpoint), device=device, dtype=dtype)


def _logit_scale(checkpoint: Checkpoint) -> float:
    """Factor on cosines before a softmax."""
    scale = checkpoint.config.get("logit_scale")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise ModelError(
            f'{checkpoint.folder}: config.json should have a number above 0 as "logit_scale", not {scale!r}'
        )
    return float(scale)


def _base(checkpoint: Checkpoint, device: str, dtype: str) -> Backbone:
    """The model in transformers format whose depth tower a checkpoint holds."""
    from clip2point.backbones.hub import load_hub_backbone

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
        backbone = load_hub_backbone(path if path.is_dir() else base, device=device, dtype=dtype)
    except ModelError as error:
        raise ModelError(f"{folder} builds on another model: {error}") from error
    expected = checkpoint.config.get("base_fingerprint")
    if expected not in (None, backbone.base_fingerprint()):
        raise ModelError(
            f'{folder}: its depth tower was trained with another model than {base}; correct "base" in config.json'
        )
    backbone.logit_scale = _logit_scale(checkpoint)
    return backbone


def _clip(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """A recogniser on CLIP's own tensors, all of which the checkpoint holds, with its adapter if there is one."""
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
    states = {tower: _under(left, prefixes[tower]) for tower in towers}
    adapter = _dpa(config["adapter"], _under(left, _ADAPTER), folder) if "adapter" in config else None
    check_tensors(replace(checkpoint, tensors=left), {})
    backbone = ClipBackbone(
        states,
        activation=activation,
        heads=heads,
        logit_scale=_logit_scale(checkpoint),
        name=name,
        tokenizer=_tokenizer(checkpoint),
        device=device,
        dtype=dtype,
    )
    return Recogniser(backbone, Settings.from_dict(config), name, adapter=adapter and adapter.to(backbone.device))


def _under(left: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Remove the tensors under a prefix."""
    return {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(prefix)}


def _tokenizer(checkpoint: Checkpoint) -> str | None:
    """Where the tokenizer for texts is to be had."""
    tokenizer = checkpoint.config.get("tokenizer")
    if not isinstance(tokenizer, str | None):
        raise ModelError(f'{checkpoint.folder}: config.json should name a folder or a model on the hub as "tokenizer"')
    if tokenizer and (checkpoint.folder / tokenizer).is_dir():
        return str(checkpoint.folder / tokenizer)
    return tokenizer


def _dpa(section: Any, state: Mapping[str, Tensor], folder: Path) -> DPA:
    """The adapter of a converted model, for inference."""
    from clip2point.heads import DPA

    out = state.get("depth.out.bias")
    views = section.get("views") if isinstance(section, dict) and section.get("kind") == "dpa" else None
    if type(views) is not int or not 1 <= views <= 360 or out is None or out.ndim != 1:
        raise ModelError(f'{folder}: config.json should have "adapter": {{"kind": "dpa", "views": V}}, and its tensors')
    with torch.device("meta"):
        adapter = DPA(views, len(out))
    expected = {name: tuple(tensor.shape) for name, tensor in adapter.state_dict().items()}
    check_exactly(state, expected, f"{folder}, adapter")
    adapter.load_state_dict(state, assign=True)
    return adapter.eval().requires_grad_(False)


def _depth_image_size(config: Mapping[str, Any]) -> int:
    """At which depth maps are rendered for a trained depth tower."""
    section = config.get("depth_tower")
    size = section.get("image_size") if isinstance(section, dict) else None
    if type(size) is not int:
        raise ModelError('config.json should have "depth_tower": {"image_size": PIXELS} beside a trained depth tower')
    return size


def seen_from(folder: Path, base: str) -> str:
    """The name of a model for a checkpoint in ``folder``: a relative path is made relative to the checkpoint."""
    if Path(base).is_absolute() or not Path(base).is_dir():
        return base
    try:
        return Path(os.path.relpath(Path(base).resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(Path(base).resolve())
