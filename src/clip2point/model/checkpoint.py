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

import numpy as np
from numpy.typing import NDArray

from clip2point.core.arrays import to_array
from clip2point.core.errors import ModelError
from clip2point.core.files import replacing, sha256

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

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
        tensors: Tensors by name, as arrays; those in bfloat16, which NumPy lacks, are float32.
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, NDArray[Any]]


def is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder claims to be a checkpoint of ours rather than, say, a transformers model."""
    try:
        return bool(read_config(folder).get("format") == FORMAT)
    except ModelError:
        return False


def holds_head(config: Mapping[str, Any]) -> bool:
    """Tell whether a ``config.json`` is that of a head which learned from examples rather than of a backbone."""
    return bool({"head", "classes"} & config.keys())


def write_checkpoint(folder: Path, tensors: Mapping[str, Array], config: Mapping[str, Any]) -> None:
    """Write a checkpoint; each file appears whole or not at all, the config last.

    Args:
        folder: Folder to write to; created if need be.
        tensors: Arrays or tensors by name.
        config: Anything that JSON holds; format, version and checksum are added.
    """
    from safetensors.numpy import save

    with replacing(folder / _TENSORS) as unfinished:
        unfinished.write_bytes(
            save({name: np.asarray(to_array(values), order="C") for name, values in tensors.items()})
        )
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
        return Checkpoint(folder, config, _read_tensors(path))
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
    from clip2point.backbones.depth_tensors import check_tensors as check_exactly

    check_exactly(checkpoint.tensors, expected, str(checkpoint.folder))


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read a safetensors file into arrays of their own."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        halves = {name for name in file.keys() if file.get_slice(name).get_dtype() == "BF16"}  # noqa: SIM118
        tensors = {name: file.get_tensor(name) for name in file.keys() if name not in halves}  # noqa: SIM118
    return {**tensors, **(_read_bfloat16(path, halves) if halves else {})}


def _read_bfloat16(path: Path, names: set[str]) -> dict[str, NDArray[Any]]:
    """Read tensors in bfloat16 as float32, from a file that is known to be whole."""
    data = np.memmap(path, np.uint8, mode="r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header, found = json.loads(data[8:start].tobytes()), {}
    for name in names:
        begin, end = header[name]["data_offsets"]
        bits = data[start + begin : start + end].view(np.uint16).astype(np.uint32) << 16
        found[name] = bits.view(np.float32).reshape(header[name]["shape"])
    return found
