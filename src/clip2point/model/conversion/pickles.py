"""Inspection of a pickle before anything reads it: named objects and completeness."""

from __future__ import annotations

import pickletools
import re
from typing import IO

from clip2point.core.errors import ModelError, reason

#: Objects in the state dict of a model besides numbers, texts and containers, as "module name".
_STATE_DICT = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (\w+Storage|Size|device)"
)
#: Further objects in a TorchScript archive: its own classes, and marks on its lists.
_TORCHSCRIPT = re.compile(rf"{_STATE_DICT.pattern}|__torch__\S* \S+|torch\.jit\._pickle \w+")

#: Instructions that name an object by a computed value, which PyTorch does not write.
_HIDDEN_NAMES = ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4")
_STORE = ("PUT", "BINPUT", "LONG_BINPUT")


def check_pickle(file: IO[bytes], size: int, *, torchscript: bool = False) -> None:
    """Check that a pickle is whole and consists of tensors and plain values only.

    Reading one that names other objects would run their code, or needs their classes.

    Args:
        file: Open file at the start of the pickle; afterwards at its end.
        size: Size of the file in bytes, an upper bound of the numbers that make a reader reserve memory.
        torchscript: Allow the objects of a TorchScript archive.

    Raises:
        ModelError: If it does not; the message lacks the file's name.
    """
    allowed = _TORCHSCRIPT if torchscript else _STATE_DICT
    try:
        for operation, argument, _ in pickletools.genops(file):
            name = str(argument) if operation.name == "GLOBAL" else operation.name
            if operation.name in _HIDDEN_NAMES or (operation.name == "GLOBAL" and not allowed.fullmatch(name)):
                raise ModelError(
                    f"holds a Python object besides tensors ({name.replace(' ', '.')}), and reading it could run code: "
                    "expected a state dict; save one with torch.save(model.state_dict(), FILE) where it was made"
                )
            if operation.name in _STORE and int(argument or 0) > size:
                raise ModelError("is damaged, or made to exhaust memory: download it again from where it was published")
    except (ValueError, EOFError, IndexError, OverflowError, MemoryError) as error:
        raise ModelError(f"is damaged or cut off ({reason(error)}): download it again") from None
