"""Folders of models from elsewhere: none of their code is run, and none of their files may be anything but a file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from clip2point.core.errors import ModelError

#: Most bytes of a file of settings; tokenizers are larger.
_MAX_BYTES = 16 * 1024**2


def refuse_code(folder: Path) -> None:
    """Make sure that nothing in a folder in transformers format asks for code of its own.

    Raises:
        ModelError: If a file of settings names code (``auto_map``), cannot be read, or is a device, a pipe, or too
            large.
    """
    for path in sorted(folder.glob("*.json")):
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{path}: is no regular file: expected a file of settings; copy the model again")
            if not path.name.endswith("config.json"):
                continue
            if status.st_size > _MAX_BYTES:
                raise ModelError(f"{path}: has {status.st_size:,} bytes: expected settings of at most {_MAX_BYTES:,}")
            settings = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: cannot be read as JSON ({error}): copy the model again") from None
        if _names_code(settings):
            raise ModelError(
                f"{path}: asks for code of its own to be run (auto_map): nothing in a model's folder is run; expected "
                "a model that transformers knows itself"
            )


def _names_code(settings: object) -> bool:
    if isinstance(settings, dict):
        return "auto_map" in settings or any(map(_names_code, settings.values()))
    return isinstance(settings, list) and any(map(_names_code, settings))
