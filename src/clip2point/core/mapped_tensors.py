"""Tensors of a safetensors file as views of the mapped file: what is not looked at is not read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FORMATS = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}
_MAX_HEADER_BYTES = 100 << 20  # of the format


def map_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Map the tensors of a file.

    Args:
        path: File in the safetensors format.

    Returns:
        Arrays by name; what is written to them does not reach the file.

    Raises:
        ValueError: The file is no such file, is cut off, or has a number format that NumPy lacks.
        OSError: The file cannot be read.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.numpy import save_file
        >>> with TemporaryDirectory() as folder:
        ...     save_file({"a": np.arange(3)}, Path(folder) / "x.safetensors")
        ...     map_tensors(Path(folder) / "x.safetensors")["a"].tolist()
        [0, 1, 2]
    """
    content = np.memmap(path, np.uint8, mode="c")  # engines share memory that can be written to alone
    length = int.from_bytes(content[:8].tobytes(), "little")
    if length > min(_MAX_HEADER_BYTES, len(content) - 8):
        raise ValueError("is no safetensors file, or is cut off")
    header = json.loads(content[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    data = content[8 + length :]
    return {name: _view(data, **entry) for name, entry in header.items()}


def _view(data: NDArray[np.uint8], dtype: str, shape: list[int], data_offsets: list[int]) -> NDArray[Any]:
    """Return the tensor of an entry of the header."""
    begin, end = data_offsets
    if dtype not in _FORMATS:
        raise ValueError(f"has a tensor in {dtype}: expected one of {', '.join(_FORMATS)}")
    form = np.dtype(_FORMATS[dtype])
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * form.itemsize:
        raise ValueError("has a tensor that lies outside of it, or is cut off")
    values = data[begin:end]
    return (values if begin % form.itemsize == 0 else values.copy()).view(form).reshape(shape)
