"""Fingerprints of weights, the same for arrays and tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from clip2point.core.arrays import Float32

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def hash_tensors(
    tensors: Iterable[tuple[str, Array]], rounded: tuple[str, Iterable[tuple[str, Float32]]] = ("float32", ())
) -> str:
    """Hash named tensors or arrays: names, shapes, number formats and every byte.

    Args:
        tensors: Tensors or arrays by name.
        rounded: Number format, "float32" or "bfloat16", and more arrays by name, which are hashed as tensors in it.

    Examples:
        >>> a, b = np.zeros(2, np.float32), np.ones(2, np.float32)
        >>> hash_tensors([("a", a), ("b", b)]) == hash_tensors([("b", b), ("a", a)])
        True
        >>> hash_tensors([("a", a)]) == hash_tensors([("a", a.astype(np.float64))])
        False
    """
    dtype, others = rounded
    # Formats have PyTorch's names, so that hashes of tensors and arrays are one.
    entries: list[tuple[str, list[int], str, Array]]
    entries = [(name, list(tensor.shape), _name_format(tensor), tensor) for name, tensor in tensors]
    for name, array in others:
        values = round_to_bf16(array) if dtype == "bfloat16" else array
        entries.append((name, list(array.shape), f"torch.{dtype}", values))
    digest = hashlib.sha256()
    for name, shape, form, content in sorted(entries, key=lambda entry: entry[0]):
        digest.update(f"{name} {shape} {form};".encode())
        digest.update(_read_bytes(content))
    return digest.hexdigest()


def round_to_bf16(values: Float32) -> np.ndarray:
    """Return the 16 bits of each number in bfloat16, rounded to the nearest and ties to even.

    Examples:
        >>> [hex(bits) for bits in round_to_bf16(np.array([1.0, -2.0], np.float32))]
        ['0x3f80', '0xc000']
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _name_format(tensor: Array) -> str:
    return f"torch.{tensor.dtype}" if isinstance(tensor, np.ndarray) else str(tensor.dtype)


def _read_bytes(tensor: Array) -> bytes:
    """Return the values in memory order, whatever the layout."""
    if isinstance(tensor, np.ndarray):
        return np.ascontiguousarray(tensor).tobytes()
    import torch

    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
