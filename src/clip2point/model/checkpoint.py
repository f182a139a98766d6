"""Checkpoints: a folder with ``model.safetensors`` and ``config.json``, read strictly.

``config.json`` holds at least ``format`` ("clip2point"), ``format_version``, ``backbone`` and ``sha256`` (of the tensor
file), the fields of ``Settings``, and the contents of a model card: training data and licences, expected accuracies. A
trained depth tower has the entry ``depth_tower``, with the ``image_size`` of its depth maps, and all its tensors under
names that begin with ``depth.``, in fp32 or fp16.

The backbone ``pocket`` also stores the map from images to texts. For ``transformers``, a CLIP or SigLIP model with a
trained depth tower, that is all; ``base`` then names the model (a name on the hub, a short name, or a folder, absolute
or relative to the checkpoint) and ``base_fingerprint``, if given, identifies it. Both kinds state ``logit_scale``, the
factor on cosines before a softmax.

A folder may hold a head that learned from examples instead of a backbone, see ``adapted_folder``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.core.errors import ModelError
from clip2point.core.files import replacing, sha256

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, FORMAT_VERSION = "clip2point", 1
#: Prefixes of the names of tensors: those of a trained depth tower, and those of an adapter.
DEPTH_PREFIX, ADAPTER_PREFIX = "depth.", "adapter."
_TENSORS, _CONFIG = "model.safetensors", "config.json"
_MAX_CONFIG_BYTES = 64 << 20


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint folder.

    Attributes:
        folder: Path of the folder.
        config: Contents of ``config.json``.
        tensors: Tensors by name.
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]


def is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder claims to be a checkpoint of ours rather than, say, a transformers model."""
    try:
        return bool(read_config(folder).get("format") == FORMAT)
    except ModelError:
        return False


def holds_head(config: Mapping[str, Any]) -> bool:
    """Tell whether a ``config.json`` is that of a head which learned from examples rather than of a backbone."""
    return bool({"head", "classes"} & config.keys())


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Write a checkpoint; each file appears whole or not at all, the config last.

    Args:
        folder: Folder to write to; created if need be.
        tensors: Tensors by name.
        config: Anything that JSON holds; format, version and checksum are added.
    """
    from safetensors.torch import save

    with replacing(folder / _TENSORS) as unfinished:
        unfinished.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
        checksum = sha256(unfinished)
    write_config(folder, {**config, "format": FORMAT, "format_version": FORMAT_VERSION, "sha256": checksum})


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Replace the ``config.json`` of a folder in one step."""
    with replacing(folder / _CONFIG) as unfinished:
        unfinished.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_config(folder: Path) -> dict[str, Any]:
    """Read the ``config.json`` of a folder, whatever its format.

    Raises:
        ModelError: If it is missing or broken.
    """
    path = folder / _CONFIG
    try:
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise ModelError(f"{path}: larger than {_MAX_CONFIG_BYTES >> 20} MiB; this is no config")
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); a checkpoint is a folder with {_CONFIG}"
        ) from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error})") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: expected a JSON object, got {type(config).__name__}")
    return config


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ModelError: If a file is missing or broken, of a newer version, or differs from its checksum.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = read_config(folder)
    if config.get("format") != FORMAT:
        raise ModelError(f'{folder / _CONFIG}: not a clip2point checkpoint (no "format": "{FORMAT}")')
    if config.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"{folder / _CONFIG}: format version {config.get('format_version')}, expected {FORMAT_VERSION}; "
            "update clip2point"
        )
    path = folder / _TENSORS
    if not path.is_file():
        raise ModelError(f"{path}: missing; a checkpoint is a folder with {_TENSORS} and {_CONFIG}")
    found = sha256(path)
    if found != config.get("sha256"):
        raise ModelError(
            f"{path}: its sha256 is {found[:12]}..., but {_CONFIG} says {str(config.get('sha256'))[:12]}...; "
            "the file is damaged or belongs to another checkpoint: copy both again"
        )
    try:
        return Checkpoint(folder, config, load_file(path))
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file ({error})") from error


def check_tensors(checkpoint: Checkpoint, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Check that a checkpoint has exactly the expected tensors.

    Args:
        checkpoint: Checkpoint to check.
        expected: Shapes by name.

    Raises:
        ModelError: If a tensor is missing, unexpected, misshapen or not finite; it is named.
    """
    from clip2point.backbones import depth_tower

    depth_tower.check_tensors(checkpoint.tensors, expected, str(checkpoint.folder))
