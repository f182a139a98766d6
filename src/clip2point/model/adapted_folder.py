"""Folders of models with a head: the head as a checkpoint that names the model whose features it reads.

The folder is a checkpoint of ``checkpoint`` whose ``config.json`` has, besides the settings under which the
features were made,

- ``head``: ``kind``, ``options``, ``temperature``, ``threshold`` (null if every answer is sure enough) and
  ``least_familiarity`` (null or missing if every shape is familiar),
- ``classes``: their names, in the order of the head's scores,
- ``base``: the model whose features the head reads: a name, or a folder, if relative then to the checkpoint,
- ``base_fingerprint``: of its towers by path, as they were loaded in ``base_dtype``,
- ``record``: what the head was fitted on, and how good it was,

and whose tensors are the state of the head, under names that begin with ``head.``, and if there is a least familiarity
``familiar_classes``, see ``heads.ood``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip2point.backbones import PATHS, Backbone
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.labels import check_labels
from clip2point.heads.ood import Familiarity
from clip2point.heads.registry import head_from_state
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.base_loading import load_base
from clip2point.model.checkpoint import Checkpoint, holds_head, is_checkpoint, read_config, write_checkpoint
from clip2point.model.folders import model_folder, relative_to_folder
from clip2point.model.recogniser import Recogniser
from clip2point.model.saving import save_model
from clip2point.model.settings import Settings
from clip2point.rendering import view_set

_HEAD = "head."  # begins the names of a head's tensors
_FAMILIAR = "familiar_classes"

#: Where the towers of a model lie if no other folder has them.
_OWN_BASE = "./base"
_DTYPES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def save_adapted(folder: Path, model: Recogniser) -> None:
    """Write a recogniser with a head, so that ``load`` makes the same one from the folder.

    The model that it was fitted on is named there, not copied, unless no model of that name has these towers: they are
    then written into the sub-folder ``base``.

    Args:
        folder: is made if need be.
        model: with a head.

    Raises:
        OptionError: if the folder is that of the model itself, or holds something else.
        ModelError: if its towers can neither be named nor written.
    """
    if model.adapted is None:
        raise OptionError(f"{model.name}: has no head that learned from examples; fit one, or use save_model")
    check_target(folder, model.adapted.base)
    dtype = _DTYPES[model.backbone.dtype]
    fingerprints = _fingerprints(model.backbone)
    base = _named(folder, model.adapted.base)
    if not _gives(model.adapted.base, dtype, fingerprints):
        base = _OWN_BASE
        save_model(folder / base, model.backbone, model.settings, {}, adapter=model.adapter)
    towers = {"base": base, "base_dtype": dtype, "base_fingerprint": fingerprints}
    config = {**model.settings.to_dict(), **_head_config(model.adapted), **towers}
    write_checkpoint(folder, _head_tensors(model.adapted), config)


def check_target(folder: Path, base: str | Path) -> None:
    """Make sure that a model with a head can be written to a folder.

    Args:
        folder: may exist.
        base: the model that it is fitted on, which is not to be written over.

    Raises:
        OptionError: if the folder is that of the base, or holds something that is no model of ours.
    """
    if folder.resolve() == model_folder(base).resolve():
        raise OptionError(f"{folder}: is the folder of the model to learn with; choose another one to write to")
    if (folder.exists() and not folder.is_dir()) or ((folder / "config.json").exists() and not is_checkpoint(folder)):
        raise OptionError(f"{folder}: holds something else already; choose a new folder")


def load_adapted(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """A recogniser on the model that a head was fitted on, with the head.

    Args:
        checkpoint: that ``save_adapted`` wrote.
        name: of the model, for reports.
        device: see ``load``.
        dtype: see ``load``.

    Raises:
        ModelError: that says what is missing, broken or does not belong together.
    """
    folder, settings, adapted = checkpoint.folder, _settings(checkpoint), _read(checkpoint)
    base = _base_of_head(folder, adapted.base)
    try:
        model = load_base(base, device=device, dtype=dtype)
    except ModelError as error:
        raise ModelError(f"{folder} builds on another model: {error}") from error
    fitted, expected = (checkpoint.config.get(name) for name in ("base_dtype", "base_fingerprint"))
    if not isinstance(fitted, str) or fitted not in _DTYPES.values() or not isinstance(expected, dict):
        raise ModelError(
            f'{folder}: config.json should say what to know the base model by, as "base_dtype" and "base_fingerprint"'
        )
    # A fingerprint is that of the weights as loaded: in another number format the base has another one.
    same_format = _DTYPES[model.backbone.dtype] == fitted
    found = _fingerprints((model if same_format else load_base(base, dtype=fitted)).backbone)
    if found != expected:
        raise ModelError(f'{folder}: its head was fitted on another model than {base}; correct "base" in config.json')
    try:
        adapted.check_features(len(PATHS), len(view_set(settings.views)), model.backbone.dim)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error
    return Recogniser(model.backbone, settings, name, model.adapter, replace(adapted, base=str(base)))


def _head_tensors(adapted: AdaptedHead) -> dict[str, Tensor]:
    """The head's state, and what is familiar, under the names that they have in a checkpoint."""
    familiar = {} if adapted.familiarity is None else {_FAMILIAR: adapted.familiarity.classes}
    return {**{_HEAD + name: tensor for name, tensor in adapted.head.state.items()}, **familiar}


def _head_config(adapted: AdaptedHead) -> dict[str, Any]:
    """What a checkpoint has to say of the head, as JSON types."""
    head = {
        "kind": adapted.head.name,
        "options": adapted.head.options,
        "temperature": adapted.temperature,
        "threshold": adapted.threshold,
        "least_familiarity": adapted.familiarity and adapted.familiarity.least,
    }
    return {"head": head, "classes": list(adapted.classes), "base": adapted.base, "record": adapted.record}


def _read(checkpoint: Checkpoint) -> AdaptedHead:
    """The head that a checkpoint holds; its base is not looked at.

    Raises:
        ModelError: that says what is missing, too many, misshapen or senseless, and in which folder.
    """
    try:
        return _adapted(checkpoint.config, checkpoint.tensors)
    except (ModelError, OptionError) as error:
        raise ModelError(f"{checkpoint.folder}: {error}") from error


def _settings(checkpoint: Checkpoint) -> Settings:
    """The settings under which the features of a head are made, none of which may be missing.

    Raises:
        ModelError: if one is missing or senseless.
    """
    if missing := [field.name for field in fields(Settings) if field.name not in checkpoint.config]:
        raise ModelError(
            f'{checkpoint.folder}: config.json should have "{missing[0]}", which the head was fitted under'
        )
    try:
        return Settings.from_dict(checkpoint.config)
    except (OptionError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{checkpoint.folder}: config.json has senseless settings ({error})") from error


def _adapted(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> AdaptedHead:
    section = _entry(config, "head", dict)
    classes = _entry(config, "classes", list)
    if not all(isinstance(name, str) for name in classes) or check_labels(classes) != classes:
        raise ModelError('config.json should have names without blanks around them as "classes"')
    if extra := [name for name in tensors if not name.startswith(_HEAD) and name != _FAMILIAR]:
        raise ModelError(f"the tensor {extra[0]!r} is not part of a head ({len(extra)} in all)")
    if bad := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ModelError(f"the tensor {bad[0]!r} has values that are not finite")
    state = {name.removeprefix(_HEAD): tensor for name, tensor in tensors.items() if name != _FAMILIAR}
    head = head_from_state(_entry(section, "kind", str), _entry(section, "options", dict), state)
    temperature = _number(section, "temperature")
    threshold = None if section.get("threshold", 0) is None else _number(section, "threshold")
    if temperature <= 0 or (threshold is not None and not 0 <= threshold <= 1):
        raise ModelError(
            f"config.json has the temperature {temperature} and the threshold {threshold}: expected one above 0, and "
            "one from 0 to 1 or null"
        )
    base, record = _entry(config, "base", str), _entry(config, "record", dict)
    familiarity = _familiarity(section, tensors.get(_FAMILIAR))
    return AdaptedHead(head, tuple(classes), temperature, threshold, base, record, familiarity)


def _familiarity(section: Mapping[str, Any], classes: Tensor | None) -> Familiarity | None:
    """What is familiar, of which a checkpoint has all or nothing."""
    least = None if section.get("least_familiarity") is None else _number(section, "least_familiarity")
    if (least is None) != (classes is None):
        raise ModelError(f'expected both "least_familiarity" in config.json and the tensor {_FAMILIAR!r}, or neither')
    return None if least is None or classes is None else Familiarity(classes.float(), least)


def _base_of_head(folder: Path, base: str) -> str | Path:
    """The model that a head in a folder was fitted on, as ``load`` takes it."""
    path = folder / base
    if base == "pocket" or not path.is_dir():
        if base.startswith(".") or Path(base).is_absolute():
            raise ModelError(
                f'{path}: missing; {folder} builds on this model: copy it there, or correct "base" in config.json'
            )
        return base
    if is_checkpoint(path) and holds_head(read_config(path)):
        raise ModelError(f"{folder}: its base {path} has a head itself: expected the model that both were fitted on")
    return path


def _named(folder: Path, base: str) -> str:
    """What a head in a folder calls its base; one that lies in the folder moves with it."""
    if base == "pocket":
        return base
    path, owner = Path(base).resolve(), folder.resolve()
    if path.is_dir() and path.is_relative_to(owner):
        return f"./{path.relative_to(owner).as_posix()}"
    return relative_to_folder(folder, base)


def _gives(base: str, dtype: str, fingerprints: Mapping[str, str]) -> bool:
    """Whether a model of that name can be loaded and has the towers with these fingerprints."""
    try:
        return _fingerprints(load_base(base, dtype=dtype).backbone) == fingerprints
    except ModelError:
        return False


def _fingerprints(backbone: Backbone) -> dict[str, str]:
    """Of the towers that read depth maps, by path."""
    return {path: backbone.fingerprint(path) for path in PATHS}


def _entry(section: Mapping[str, Any], name: str, kind: type) -> Any:
    """An entry of the config, of the right type."""
    if not isinstance(value := section.get(name), kind) or not (value or kind is dict):
        words = {"dict": "an object", "list": "a list", "str": "a text"}
        raise ModelError(f'config.json should have {words[kind.__name__]} as "{name}", not {value!r}')
    return value


def _number(section: Mapping[str, Any], name: str) -> float:
    """A finite number of the config."""
    value = section.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelError(f'config.json should have a number as "{name}" of the head, not {value!r}')
    return float(value)
