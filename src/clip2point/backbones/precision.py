"""Devices and number formats of towers, by their names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from clip2point.core.errors import OptionError, reason
from clip2point.core.lazy import require

_DTYPES = {"fp32": "float32", "bf16": "bfloat16"}

#: Names of number formats that may be asked for.
DTYPES = ("auto", *_DTYPES)


def choose_device(device: object = "cpu") -> str:
    """Return the name of a device, once it is known to exist.

    Raises:
        OptionError: If there is no such device on this machine, or PyTorch, which others than the CPU need, is absent.

    Examples:
        >>> choose_device("cpu")
        'cpu'
    """
    if str(device) == "cpu":
        return "cpu"
    torch = require("torch", "train", f"the device {str(device)!r}")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise OptionError(f"device {device!r} cannot be used ({reason(error)}); try 'cpu'") from error
    return str(chosen)


def choose_dtype(dtype: str, device: str) -> str:
    """Return the name of the number format in which PyTorch computes a tower.

    Args:
        dtype: "fp32", "bf16", or "auto": bf16 where the hardware multiplies matrices in it (AMX on the CPU, Ampere or
            later on CUDA), fp32 elsewhere. Features in bf16 differ from those in fp32 by a cosine of about 0.0001;
            published accuracies should be taken in fp32.
        device: Device of the tower.

    Returns:
        "float32" or "bfloat16".

    Raises:
        OptionError: If the format is unknown.

    Examples:
        >>> choose_dtype("fp32", "cpu")
        'float32'
    """
    if dtype not in DTYPES:
        raise OptionError(f"unknown dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    if dtype != "auto":
        return _DTYPES[dtype]
    if device.startswith("cuda"):
        import torch

        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    return "bfloat16" if device == "cpu" and has_amx() else "float32"


def short_name(dtype: str) -> str:
    """Return the name by which a number format may be asked for.

    Examples:
        >>> short_name("bfloat16")
        'bf16'
    """
    return {name: short for short, name in _DTYPES.items()}[dtype]


@lru_cache(maxsize=1)
def has_amx() -> bool:
    """Tell whether the CPU has Intel's matrix extensions, with which bf16 is about four times as fast as fp32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # other systems than Linux have them switched off
        return False
    return "amx_bf16" in flags and "amx_tile" in flags
