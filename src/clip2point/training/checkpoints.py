"""Checkpoints of a training: enough to resume it as if it had never stopped."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.core.files import replacing
from clip2point.core.strict_config import find_changed_key, rename_keys

_VERSION = 1
_FOLDER, _LAST, _BEST = "checkpoints", "last.pt", "best.pt"
#: Parts of a recipe that may change from one run of a training to the next.
_FREE = {"description": None, "data": ("pairs",), "training": ("checkpoint_steps", "checkpoint_minutes")}


class CheckpointFolder:
    """Checkpoints of one training: the last state, and the best weights so far.

    Attributes:
        last: File of the last state.
        best: File of the best weights.

    Args:
        folder: Folder of the training; the checkpoints lie in ``checkpoints`` there.
        recipe: Recipe of the training, as JSON types.
        pairs: Fingerprint of the pairs; None for a training whose recipe pins its data.
        renamed: Present names of the recipe's keys by former ones, see ``rename_keys``.
    """

    def __init__(
        self,
        folder: Path,
        recipe: dict[str, Any],
        pairs: str | None = None,
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._renamed = renamed
        self.last, self.best = folder / _FOLDER / _LAST, folder / _FOLDER / _BEST
        self._identity = {**_select_fixed(recipe), **({} if pairs is None else {"pairs": pairs})}

    def save(self, state: dict[str, Any]) -> None:
        """Write the last state; the previous one stays until this one is complete."""
        _write(self.last, {**state, "version": _VERSION, "identity": self._identity})

    def load(self) -> dict[str, Any]:
        """Read the last state.

        Raises:
            ModelError: If it is missing, damaged, or of another version.
            OptionError: If it was made with another recipe or other pairs; the message names the key.
        """
        state = _read(self.last)
        if state.get("version") != _VERSION or not isinstance(state.get("identity"), dict):
            raise ModelError(f"{self.last}: no training state of version {_VERSION}: start again in another folder")
        if changed := find_changed_key(rename_keys(state["identity"], self._renamed), self._identity):
            raise OptionError(
                f"{self.last}: was made with another recipe: {changed}; give the same recipe to resume, or another "
                "folder to start again"
            )
        return state

    def save_best(self, weights: dict[str, Any]) -> None:
        """Write the best weights so far, with their step and accuracies."""
        _write(self.best, {**weights, "version": _VERSION})

    def load_best(self) -> dict[str, Any] | None:
        """Read the best weights; None if there are none.

        Raises:
            ModelError: If they are damaged.
        """
        return _read(self.best) if self.best.is_file() else None


def has_checkpoint(folder: Path) -> bool:
    """Return True if a training in this folder can be resumed."""
    return (folder / _FOLDER / _LAST).is_file()


def check_folder(out: Path, resume: bool) -> None:
    """Check that there is a checkpoint to resume from, or none that would be lost.

    Raises:
        OptionError: If that is not so.
    """
    if resume and not has_checkpoint(out):
        raise OptionError(f"{out}: holds no checkpoint to resume from: leave out --resume")
    if not resume and has_checkpoint(out):
        raise OptionError(f"{out}: holds a training that was started: give --resume to resume it, or another folder")


def _select_fixed(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe without the parts that may change."""
    fixed = {}
    for name, value in recipe.items():
        free = _FREE.get(name, ())
        if isinstance(value, dict) and free:
            fixed[name] = {key: setting for key, setting in value.items() if key not in free}
        elif free is not None:
            fixed[name] = value
    return fixed


def _write(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as unfinished:
        torch.save(state, unfinished)


def _read(path: Path) -> dict[str, Any]:
    try:
        # Nothing but tensors and plain values is read, so that no file can run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}): start again without --resume") from None
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path}: is damaged or no training state ({reason(error)}): start again in another folder"
        ) from None
    if not isinstance(state, dict):
        raise ModelError(f"{path}: no training state: start again in another folder")
    return state
