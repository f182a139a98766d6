"""Tensors of TorchScript archives, such as OpenAI's ``ViT-B-32.pt``, without running the code in them.

An archive holds the attributes of a module and its submodules as a pickle, the numbers of each tensor as a file of
their own, and code. Here only the first two are read, by an unpickler that knows nothing but stand-ins.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from clip2point.core.errors import ModelError, reason

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_MAX_MODULES = 100_000


class _Module:
    """Stand-in for every class of an archive; keeps the attributes."""

    attributes: object = None

    def __setstate__(self, state: object) -> None:
        self.attributes = state


class _Unpickler(pickle.Unpickler):
    """Unpickler of the attributes of modules; anything else that a pickle names is refused.

    Args:
        archive: Open archive.
        root: Folder of the archive with all members, with a slash at its end.
    """

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")))
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a class or function."""
        if module.startswith("__torch__"):
            return _Module
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch.jit._pickle":
            return lambda value, *_: value
        known = {"_rebuild_tensor_v2": _view_storage, "OrderedDict": OrderedDict}
        if (module, name) in (("torch._utils", "_rebuild_tensor_v2"), ("collections", "OrderedDict")):
            return known[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a model")

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers [N] of a storage, one after the other."""
        _, dtype, key, *_ = pid
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._root}data/{key}"))
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return self._storages[key]


def _view_storage(storage: Tensor, offset: int, size: Sequence[int], stride: Sequence[int], *_: object) -> Tensor:
    """Return a tensor within the numbers of a storage."""
    if math.prod(size) > len(storage):
        raise pickle.UnpicklingError(f"a tensor of shape {list(size)} in {len(storage)} numbers")
    return storage.as_strided(tuple(size), tuple(stride), offset)


def read_torchscript(archive: zipfile.ZipFile, root: str) -> dict[str, Tensor]:
    """Read the tensors of a TorchScript archive by name, as in the state dict of its module.

    Args:
        archive: Open archive, checked against bombs and foreign objects.
        root: Folder of the archive with all members, with a slash at its end.

    Raises:
        ModelError: If the archive is damaged; the message lacks the file's name.
    """
    try:
        return dict(_list_tensors(_Unpickler(archive, root).load()))
    except Exception as error:  # a pickle that is not what it should be fails in any way
        raise ModelError(f"is a damaged TorchScript archive ({reason(error)}): download it again") from error


def _list_tensors(module: object) -> Iterator[tuple[str, Tensor]]:
    """Yield the named tensors of a module and all below it."""
    waiting = [("", module)]
    for _ in range(_MAX_MODULES):
        if not waiting:
            return
        name, item = waiting.pop()
        if isinstance(item, Tensor):
            yield name, item
        elif isinstance(item, _Module) and isinstance(item.attributes, dict):
            prefix = f"{name}." if name else ""
            waiting += [(f"{prefix}{key}", value) for key, value in item.attributes.items()]
    raise ModelError("has too many modules")
