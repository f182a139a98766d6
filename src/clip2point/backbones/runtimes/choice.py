"""Which runtime computes the towers of ``pocket``: the inference engine, or PyTorch."""

from __future__ import annotations

import os
from importlib.util import find_spec

from clip2point.core.errors import OptionError

#: Names of runtimes that may be asked for.
RUNTIMES = ("auto", "openvino", "torch")

#: Environment variable with the runtime where the caller leaves it to "auto".
VARIABLE = "CLIP2POINT_RUNTIME"

_INSTALL = {
    "openvino": "pip install openvino",
    "torch": "pip install 'clip2point[train]'",
}


def choose_runtime(runtime: str = "auto", device: str = "cpu") -> str:
    """Return the runtime that computes the towers.

    Args:
        runtime: "openvino", "torch", or "auto": the engine on a CPU where it is installed, PyTorch elsewhere. The
            environment variable ``CLIP2POINT_RUNTIME`` stands in for "auto".
        device: Device of the towers; the engine computes on the CPU alone.

    Returns:
        "openvino" or "torch".

    Raises:
        OptionError: There is no such runtime, it is not installed, or it does not compute on this device.

    Examples:
        >>> choose_runtime("openvino")
        'openvino'
    """
    wanted = os.environ.get(VARIABLE, "auto") if runtime == "auto" else runtime
    if wanted not in RUNTIMES:
        raise OptionError(f"unknown runtime {wanted!r}: expected one of {', '.join(RUNTIMES)}")
    if wanted == "openvino" and device != "cpu":
        raise OptionError(f"the runtime 'openvino' computes on the CPU, not on {device!r}: choose 'torch'")
    if wanted == "auto":
        order = ("openvino", "torch") if device == "cpu" else ("torch",)
        found = [name for name in order if _is_installed(name)]
        if not found:
            raise OptionError(f"no runtime is installed that computes on {device!r}: {_INSTALL[order[0]]}")
        return found[0]
    if not _is_installed(wanted):
        raise OptionError(f"the runtime {wanted!r} is not installed: {_INSTALL[wanted]}")
    return wanted


def _is_installed(name: str) -> bool:
    """Tell whether a runtime can be imported, without importing it."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
