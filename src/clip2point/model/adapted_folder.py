"""Folders of models with a head: the head as a checkpoint that names the model whose features it reads.

The folder is a checkpoint of ``checkpoint`` whose ``config.json`` has, besides the settings under which the
features were made,

- ``head``: ``kind``, ``options``, ``temperature``, ``threshold`` (null if every answer is confident enough) and
  ``ood_threshold`` (null or missing without an OOD detector; "least_familiarity" in release 0.1),
- ``classes``: their names, in the order of the head's scores,
- ``base``: the model whose features the head reads: a name, or a folder, absolute or relative to the checkpoint,
- ``base_fingerprint``: fingerprints of its towers by path, as they were loaded in ``base_dtype``,
- ``record``: training data, settings and validation metrics of the head,

and whose tensors are the state of the head, under names that begin with ``head.``, and with an OOD detector
``ood_centroids`` ("familiar_classes" in release 0.1), see ``heads.ood``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import PATHS, Backbone
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.labels import check_names
from clip2point.heads.head_registry import head_from_state
from clip2point.heads.ood import OODDetector
from clip2point.model.adapted_head import AdaptedHead
from clip2point.model.base_loading import load_base
from clip2point.model.checkpoint import Checkpoint, holds_head, is_checkpoint, read_config, write_checkpoint
from clip2point.model.folders import model_folder, relative_to_folder
from clip2point.model.recogniser import Recogniser
from clip2point.model.saving import save_model
from clip2point.model.settings import Settings
from clip2point.rendering import view_set

_HEAD_PREFIX = "head."  # of the names of a head's tensors
_CENTROIDS, _OOD_THRESHOLD = "ood_centroids", "ood_threshold"
#: Names of both in folders that release 0.1 wrote.
_FORMER_CENTROIDS, _FORMER_OOD_THRESHOLD = "familiar_classes", "least_familiarity"

#: Sub-folder of the towers of a model that no other folder has.
_OWN_BASE = "./base"
_DTYPES = {"float32": "fp32", "bfloat16": "bf16"}


def save_adapted(folder: Path, model: Recogniser) -> None:
    """Write a recogniser with a head, so that ``load`` makes the same one from the folder.

    The model that it was fitted on is named there, not copied, unless no model of that name has these towers: they are
    then written into the sub-folder ``base``.

    Args:
        folder: Folder to write to; created if need be.
        model: Recogniser with a head.

    Raises:
        OptionError: If the folder is that of the model itself, or holds something else.
        ModelError: If its towers can neither be named nor written.
    """
    if model.adapted is None:
        raise OptionError(f"{model.name}: has no head that learned from examples; fit one, or use save_model")
    check_target(folder, model.adapted.base)
    dtype = _short_dtype(model.backbone)
    fingerprints = _fingerprint_towers(model.backbone)
    base = _name_base(folder, model.adapted.base)
    if not _is_loadable(model.adapted.base, dtype, fingerprints):
        base = _OWN_BASE
        save_model(folder / base, model.backbone, model.settings, {}, adapter=model.adapter)
    towers = {"base": base, "base_dtype": dtype, "base_fingerprint": fingerprints}
    config = {**model.settings.to_dict(), **_head_config(model.adapted), **towers}
    write_checkpoint(folder, _head_tensors(model.adapted), config)


def check_target(folder: Path, base: str | Path) -> None:
    """Check that a model with a head can be written to a folder.

    Args:
        folder: Folder to write to; may exist.
        base: Model that the head is fitted on, which is not to be written over.

    Raises:
        OptionError: If the folder is that of the base, or holds something that is no model of ours.
    """
    if folder.resolve() == model_folder(base).resolve():
        raise OptionError(f"{folder}: is the folder of the model to learn with; choose another one to write to")
    if (folder.exists() and not folder.is_dir()) or ((folder / "config.json").exists() and not is_checkpoint(folder)):
        raise OptionError(f"{folder}: holds something else already; choose a new folder")


def load_adapted(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """Load a head and the model that it was fitted on.

    Args:
        checkpoint: Checkpoint that ``save_adapted`` wrote.
        name: Name of the model, for reports.
        device: Name of a torch device, see ``load``.
        dtype: Number format, see ``load``.

    Raises:
        ModelError: If something is missing, broken or does not belong together.
    """
    folder, settings, adapted = checkpoint.folder, _read_settings(checkpoint), _read_head(checkpoint)
    base = _find_base(folder, adapted.base)
    try:
        model = load_base(base, device=device, dtype=dtype)
    except ModelError as error:
        raise ModelError(f"{folder} builds on another model: {error}") from error
    fitted_dtype, expected = (checkpoint.config.get(key) for key in ("base_dtype", "base_fingerprint"))
    if not isinstance(fitted_dtype, str) or fitted_dtype not in _DTYPES.values() or not isinstance(expected, dict):
        raise ModelError(f'{folder}: config.json should identify the base model by "base_dtype" and "base_fingerprint"')
    # A fingerprint is that of the weights as loaded: in another number format the base has another one.
    same_format = _short_dtype(model.backbone) == fitted_dtype
    found = _fingerprint_towers((model if same_format else load_base(base, dtype=fitted_dtype)).backbone)
    if found != expected:
        raise ModelError(f'{folder}: its head was fitted on another model than {base}; correct "base" in config.json')
    try:
        adapted.check_features(len(PATHS), len(view_set(settings.views)), model.backbone.dim)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error
    return Recogniser(model.backbone, settings, name, model.adapter, replace(adapted, base=str(base)))


def _head_tensors(adapted: AdaptedHead) -> dict[str, Any]:
    """Return the head's state and OOD centroids under their names in a checkpoint."""
    centroids = {} if adapted.ood is None else {_CENTROIDS: adapted.ood.centroids}
    return {**{_HEAD_PREFIX + name: tensor for name, tensor in adapted.head.state.items()}, **centroids}


def _head_config(adapted: AdaptedHead) -> dict[str, Any]:
    """Return the head's entries of ``config.json``, as JSON types."""
    head = {
        "kind": adapted.head.name,
        "options": adapted.head.options,
        "temperature": adapted.temperature,
        "threshold": adapted.threshold,
        _OOD_THRESHOLD: adapted.ood and adapted.ood.threshold,
    }
    return {"head": head, "classes": list(adapted.classes), "base": adapted.base, "record": adapted.record}


def _read_head(checkpoint: Checkpoint) -> AdaptedHead:
    """Return the head that a checkpoint holds; its base is not looked at.

    Raises:
        ModelError: If something is missing, unexpected, misshapen or invalid.
    """
    try:
        return _parse_head(checkpoint.config, checkpoint.tensors)
    except (ModelError, OptionError) as error:
        raise ModelError(f"{checkpoint.folder}: {error}") from error


def _read_settings(checkpoint: Checkpoint) -> Settings:
    """Return the settings under which the features of a head are computed.

    Raises:
        ModelError: If one is missing or invalid.
    """
    if missing := [field.name for field in fields(Settings) if field.name not in checkpoint.config]:
        raise ModelError(
            f'{checkpoint.folder}: config.json should have "{missing[0]}", which the head was fitted under'
        )
    try:
        return Settings.from_dict(checkpoint.config)
    except (OptionError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{checkpoint.folder}: config.json has invalid settings ({error})") from error


def _parse_head(config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> AdaptedHead:
    """Return the head of a ``config.json`` and its tensors."""
    tensors = {_CENTROIDS if name == _FORMER_CENTROIDS else name: tensor for name, tensor in tensors.items()}
    section = _entry(config, "head", dict)
    classes = _entry(config, "classes", list)
    if not all(isinstance(name, str) for name in classes) or check_names(classes) != classes:
        raise ModelError('config.json should have names without blanks around them as "classes"')
    if extra := [name for name in tensors if not name.startswith(_HEAD_PREFIX) and name != _CENTROIDS]:
        raise ModelError(f"the tensor {extra[0]!r} is not part of a head ({len(extra)} in all)")
    if bad := [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]:
        raise ModelError(f"the tensor {bad[0]!r} has values that are not finite")
    state = {name.removeprefix(_HEAD_PREFIX): tensor for name, tensor in tensors.items() if name != _CENTROIDS}
    head = head_from_state(_entry(section, "kind", str), _entry(section, "options", dict), state)
    temperature = _number(section, "temperature")
    threshold = None if section.get("threshold", 0) is None else _number(section, "threshold")
    if temperature <= 0 or (threshold is not None and not 0 <= threshold <= 1):
        raise ModelError(
            f"config.json has the temperature {temperature} and the threshold {threshold}: expected one above 0, and "
            "one from 0 to 1 or null"
        )
    base, record = _entry(config, "base", str), _entry(config, "record", dict)
    detector = _parse_ood(section, tensors.get(_CENTROIDS))
    return AdaptedHead(head, tuple(classes), temperature, threshold, base, record, detector)


def _parse_ood(section: Mapping[str, Any], centroids: NDArray[Any] | None) -> OODDetector | None:
    """Return the OOD detector, of which a checkpoint has all or nothing."""
    key = _FORMER_OOD_THRESHOLD if _FORMER_OOD_THRESHOLD in section else _OOD_THRESHOLD
    threshold = None if section.get(key) is None else _number(section, key)
    if threshold is None and centroids is None:
        return None
    if threshold is None or centroids is None:
        raise ModelError(f'expected both "{_OOD_THRESHOLD}" in config.json and the tensor {_CENTROIDS!r}, or neither')
    return OODDetector(centroids.astype(np.float32), threshold)


def _find_base(folder: Path, base: str) -> str | Path:
    """Return the model that a head in a folder was fitted on, as ``load`` takes it."""
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


def _name_base(folder: Path, base: str) -> str:
    """Return the name of the base for a head in a folder; a base inside the folder has a relative name."""
    if base == "pocket":
        return base
    path, owner = Path(base).resolve(), folder.resolve()
    if path.is_dir() and path.is_relative_to(owner):
        return f"./{path.relative_to(owner).as_posix()}"
    return relative_to_folder(folder, base)


def _is_loadable(base: str, dtype: str, fingerprints: Mapping[str, str]) -> bool:
    """Tell whether a model of that name can be loaded and has the towers with these fingerprints."""
    try:
        return _fingerprint_towers(load_base(base, dtype=dtype).backbone) == fingerprints
    except ModelError:
        return False


def _fingerprint_towers(backbone: Backbone) -> dict[str, str]:
    """Return the fingerprints of the towers that read depth maps, by path."""
    return {path: backbone.fingerprint(path) for path in PATHS}


def _short_dtype(backbone: Backbone) -> str:
    """Return the name by which ``load`` knows the number format of the towers."""
    return _DTYPES[str(backbone.dtype).removeprefix("torch.")]


def _entry(section: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return an entry of the config; ModelError unless it has the right type."""
    if not isinstance(value := section.get(name), kind) or not (value or kind is dict):
        words = {"dict": "an object", "list": "a list", "str": "a text"}
        raise ModelError(f'config.json should have {words[kind.__name__]} as "{name}", not {value!r}')
    return value


def _number(section: Mapping[str, Any], name: str) -> float:
    """Return a finite number of the config; ModelError if it is none."""
    value = section.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelError(f'config.json should have a number as "{name}" of the head, not {value!r}')
    return float(value)
