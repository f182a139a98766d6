"""Devices and number formats of towers."""

from __future__ import annotations

import torch

from clip2point.core.errors import OptionError, reason

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

#: Names of number formats that may be asked for.
DTYPES = ("auto", *_DTYPES)


def choose_device(device: str | torch.device = "cpu") -> torch.device:
    """Return the device of that name, once it is known to exist.

    Raises:
        OptionError: If there is no such device on this machine.

    Examples:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"device {device!r} cannot be used ({reason(error)}); try 'cpu'") from error
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Return the number format for a tower.

    Args:
        dtype: "fp32", "bf16", or "auto": bf16 where the hardware multiplies matrices in it (AMX on the CPU, Ampere or
            later on CUDA), fp32 elsewhere. Features in bf16 differ from those in fp32 by a cosine of about 0.0001;
            published accuracies should be taken in fp32.
        device: Device of the tower.

    Returns:
        The number format.

    Raises:
        OptionError: If the format is unknown.

    Examples:
        >>> choose_dtype("fp32", torch.device("cpu"))
        torch.float32
    """
    if dtype not in DTYPES:
        raise OptionError(f"unknown dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
    if dtype != "auto":
        return _DTYPES[dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float32
    return torch.bfloat16 if device.type == "cpu" and has_amx() else torch.float32


def has_amx() -> bool:
    """Tell whether the CPU has Intel's matrix extensions, with which bf16 is about four times as fast as fp32."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())
