"""Readers of foreign model files, which are told apart by their first bytes and not trusted."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from clip2point.core.errors import ModelError, reason
from clip2point.model.checkpoint import FORMAT, holds_head, read_config
from clip2point.model.conversion.pickles import check_pickle
from clip2point.model.conversion.torchscript import read_torchscript

_HEADER = re.compile(r"[^/]+/data\.pkl")
_MAX_PICKLE = 64 << 20
_AGAIN = "download it again, and compare its size with the one published"
_EXPECTED = (
    "expected a checkpoint of OpenAI's CLIP (a state dict or ViT-B-32.pt), of OpenCLIP, or of the authors of CLIP2Point"
)


class ForeignFile(NamedTuple):
    """Contents of a model file.

    Attributes:
        tensors: Tensors by their names in the file.
        torchscript: True for a TorchScript archive.
        experiment: Name of the training run if the file is a whole training checkpoint; None if it is not.
    """

    tensors: dict[str, Tensor]
    torchscript: bool = False
    experiment: str | None = None


def read_foreign(path: Path) -> ForeignFile:
    """Read a PyTorch, TorchScript or safetensors file without running anything that it holds.

    Raises:
        ModelError: If it is none of these, damaged or unsafe; the message says what the file is.
    """
    try:
        _refuse_folders(path)
        start = _read_start(path)
        if start[5:9] == b"\0\0\0{":  # first, because the length before it may begin like another format
            return ForeignFile(_read_safetensors(path))
        if start.startswith(b"PK"):
            return _read_zip(path)
        if start.startswith(b"\x80"):
            return _read_legacy(path)
        raise ModelError(f"is no checkpoint but {_describe_content(start)}")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}): check the path") from error


def _refuse_folders(path: Path) -> None:
    """Raise ModelError for a folder, and for a file of a folder that can be loaded as it is."""
    folder = path if path.is_dir() else path.parent
    try:
        config = read_config(folder)
    except ModelError:
        config = {}
    ours = str(config.get("format", "")).startswith(FORMAT)
    if ours and (path.is_dir() or path.suffix == ".safetensors"):
        kind = "few-shot model" if holds_head(config) else "model"
        raise ModelError(
            f"is a {kind} in clip2point's own format already: load {folder} as it is, there is nothing to convert"
        )
    if path.is_dir():
        if "model_type" in config:
            raise ModelError("is a folder in transformers format: give it to --model or clip2point.load as it is")
        raise ModelError("is a folder: give the checkpoint file in it")


def _read_start(path: Path) -> bytes:
    """Return the first bytes of a file."""
    if not path.exists():
        raise ModelError("no such file: check the path")
    if not path.is_file():
        raise ModelError("is not a regular file: give a checkpoint on disk")
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise ModelError(f"is empty: {_AGAIN}")
    return start


def _describe_content(start: bytes) -> str:
    """Describe a file that is no checkpoint, and what to do."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        return (
            "a web page (HTML), which file hosts send instead of a file that is too large to scan or downloaded too "
            "often: open the link in a browser and download the file itself"
        )
    if text.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS: run 'git lfs pull' where it comes from, or download the file itself"
    if text.startswith((b"\x1f\x8b", b"bzh", b"\xfd7zxz", b"7z\xbc\xaf", b"rar!")) or start[257:262] == b"ustar":
        return "a packed archive: unpack it and give the checkpoint in it"
    if b"\0" not in start:
        return f"text that begins with {start[:24]!r}: {_EXPECTED}"
    return f"a file of another kind, which begins with {start[:8]!r}: {_EXPECTED}"


def _read_zip(path: Path) -> ForeignFile:
    """Read PyTorch's format since 1.6, or TorchScript; both are zip archives with numbers stored as they are."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            root = next((name.removesuffix("data.pkl") for name in sorted(names) if _HEADER.fullmatch(name)), None)
            if root is None:
                raise ModelError(
                    f"is a zip archive without a model (it holds {min(names, default='nothing')}): {_EXPECTED}"
                )
            torchscript = f"{root}constants.pkl" in names
            # TorchScript packs its code, which is not read.
            prefixes = (f"{root}data.pkl", f"{root}data/") if torchscript else ("",)
            _check_members([member for member in members if member.filename.startswith(prefixes)], size)
            _check_header(archive, f"{root}data.pkl", torchscript)
            if torchscript:
                return ForeignFile(read_torchscript(archive, root), torchscript=True)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"is cut off or damaged ({size:,} bytes; {reason(error)}): {_AGAIN}") from error
    # Mapped into memory, a tensor cannot reach beyond the file, whatever size its header claims.
    return _load(path, mmap=True)


def _check_members(members: Sequence[zipfile.ZipInfo], size: int) -> None:
    """Raise ModelError unless the members of an archive of ``size`` bytes are stored uncompressed, each for itself."""
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > size:
        raise ModelError(f"decompresses to more than it holds, which no checkpoint does: {_AGAIN}")


def _check_header(archive: zipfile.ZipFile, name: str, torchscript: bool) -> None:
    """Check the pickle of an archive."""
    size = archive.getinfo(name).file_size
    if size > _MAX_PICKLE:
        raise ModelError(f"has a header of {size:,} bytes: expected at most {_MAX_PICKLE:,} for a model")
    with archive.open(name) as file:
        check_pickle(file, size, torchscript=torchscript)


def _read_legacy(path: Path) -> ForeignFile:
    """Read PyTorch's format before 1.6: five pickles, then the numbers."""
    with path.open("rb") as file:
        start = file.read(32)
        if torch.serialization.MAGIC_NUMBER.to_bytes(10, "little") not in start:
            raise ModelError(f"is a pickle, but not one of PyTorch: {_EXPECTED}")
        file.seek(0)
        for _ in range(5):
            check_pickle(file, path.stat().st_size)
    return _load(path, mmap=False)


def _load(path: Path, *, mmap: bool) -> ForeignFile:
    """Load a file of PyTorch that was checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # whatever a damaged file leads to
        raise ModelError(f"is damaged or cut off ({reason(error)}): {_AGAIN}") from error
    experiment = None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        experiment = str(content.get("name", ""))
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"holds a {type(content).__name__} that has no tensors by name: {_EXPECTED}")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ModelError(f"holds {name!r}, a {type(tensor).__name__}, among its tensors: {_EXPECTED}")
        if tensor.layout != torch.strided or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ModelError(f"the tensor {name!r} of shape {list(tensor.shape)} is larger than its numbers: {_AGAIN}")
    return ForeignFile(dict(content), experiment=experiment)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"is a safetensors file that is damaged or cut off ({reason(error)}): {_AGAIN}") from error
