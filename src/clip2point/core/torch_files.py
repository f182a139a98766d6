"""Tensors of a file that PyTorch wrote in its format before 1.6, read without PyTorch and without running anything."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_FORMATS = {"FloatStorage": np.float32, "HalfStorage": np.float16, "DoubleStorage": np.float64, "LongStorage": np.int64}


@dataclass
class _Storage:
    """Memory of tensors, which follows the pickle that names it."""

    form: type[np.generic]
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class _View:
    """A tensor: part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self) -> NDArray[Any]:
        """Copy the tensor out of its storage; ValueError if it lies outside."""
        values = self.storage.values
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if values is None or self.offset < 0 or last >= len(values) or min((0, *self.strides)) < 0:
            raise ValueError("a tensor lies outside of its storage")
        steps = tuple(step * values.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False).copy()


class _Reader(pickle.Unpickler):
    """Unpickler that knows ordered dicts and tensors, and refuses all else."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _View(storage, offset, tuple(shape), tuple(strides))
        if module == "torch" and name in _FORMATS:
            return _FORMATS[name]
        raise pickle.UnpicklingError(f"holds an object besides tensors ({module}.{name})")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, form, key = pid[:3]
        if kind != "storage":
            raise pickle.UnpicklingError(f"holds a {kind} besides tensors")
        return self.storages.setdefault(key, _Storage(form))


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a state dict.

    Args:
        path: File in PyTorch's format before 1.6, which is no ZIP archive.

    Returns:
        Tensors by name.

    Raises:
        ValueError: The file is of another format, damaged, or holds something besides tensors.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        try:
            magic, *_ = (_Reader(file).load() for _ in range(3))  # magic number, version, sizes of the writer's types
            if magic != _MAGIC:
                raise ValueError("is no file of PyTorch's format before 1.6")
            reader = _Reader(file)
            state = reader.load()
            for key in _Reader(file).load():
                storage = reader.storages[key]
                count = int.from_bytes(file.read(8), "little")
                storage.values = np.frombuffer(file.read(count * np.dtype(storage.form).itemsize), storage.form)
            return {name: view.read() for name, view in state.items()}
        except ValueError:
            raise
        except Exception as error:  # a broken pickle can raise anything
            raise ValueError(f"is damaged, or holds something besides tensors ({error})") from error
