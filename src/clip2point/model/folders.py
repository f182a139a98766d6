"""Folders of models: the embedded one, users' own, and the cache of a hub."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from clip2point.core.errors import ModelError
from clip2point.core.files import sha256
from clip2point.core.repositories import Repository, find_cached_folder
from clip2point.model.checkpoint import is_checkpoint, read_config

#: Folder of the model that the package carries.
POCKET = Path(__file__).parent.parent / "weights" / "pocket"

#: Prefix of the names of models on a hub.
HUB_PREFIX = "hf:"


def model_folder(model: str | Path) -> Path:
    """Return the folder of a model if it is a checkpoint of ours; no hub is asked for it."""
    if model == "pocket":
        return POCKET
    if str(model).startswith(HUB_PREFIX):
        return find_cached_folder(str(model).removeprefix(HUB_PREFIX)) or Path(model)
    return Path(model)


def fetch_model(name: str) -> Path:
    """Download a model of a hub into the cache, be it ours or in transformers format.

    Args:
        name: Name of its repository, as ``Repository`` takes it.

    Returns:
        Folder of the model.

    Raises:
        ModelError: If it cannot be downloaded; the message says why in one sentence.
    """
    repository = Repository(name)
    folder = repository.fetch(repository.list_files())
    if is_checkpoint(folder):
        for entry in {"base", "tokenizer"} & read_config(folder).keys():
            below = str(read_config(folder)[entry]).removeprefix("./")
            if any(file.startswith(f"{below}/") for file in repository.files):
                repository.fetch(repository.list_files(below, weights=entry == "base"))
    return folder


def read_expected_record(model: str | Path) -> dict[str, Any] | None:
    """Read the figures that verification should reproduce, if the model carries such a record (``expected.json``).

    Raises:
        ModelError: If the record cannot be read.
    """
    path = model_folder(model) / "expected.json"
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); reinstall the model") from error
    if not isinstance(record, dict):
        raise ModelError(f"{path}: expected a JSON object; reinstall the model")
    return record


def weight_checksums(model: str | Path) -> dict[str, str]:
    """Compute checksums of the weight files of a model, by name; empty for models that keep no record of them."""
    folder = model_folder(model)
    if not is_checkpoint(folder):
        return {}
    files = {"clip2point": folder / "model.safetensors"}
    if read_config(folder).get("backbone") == "pocket":
        from clip2point.backbones import efficientnet_weights, minilm_files

        files["all-MiniLM-L6-v2"] = minilm_files.find_weights()
        files["EfficientNet-Lite2"] = efficientnet_weights.find_weights()
    return {name: sha256(file) for name, file in files.items()}


def relative_to_folder(folder: Path, base: str) -> str:
    """Return the name of a base model for a checkpoint in ``folder``, to which a relative path is made relative."""
    if Path(base).is_absolute() or not Path(base).is_dir():
        return base
    try:
        return Path(os.path.relpath(Path(base).resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(Path(base).resolve())
