"""The state of a training on disk: enough to go on as if it had never stopped."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.core.files import replacing
from clip2point.core.strict_config import find_changed_key

_VERSION = 1
_CHECKPOINTS, _LAST, _BEST = "checkpoints", "last.pt", "best.pt"
#: Parts of a recipe that may change from one run of a training to the next.
_FREE = {"description": None, "data": ("pairs",), "training": ("checkpoint_steps", "checkpoint_minutes")}


class StateFolder:
    """The checkpoints of one training: the last state, and the best weights so far.

    Args:
        folder: of the training; the checkpoints lie in ``checkpoints`` there.
        recipe: as a dict.
        pairs: fingerprint of the pairs; None for a training without, whose data the recipe pins.
    """

    def __init__(self, folder: Path, recipe: dict[str, Any], pairs: str | None = None) -> None:
        self.folder = folder / _CHECKPOINTS
        self._identity = {**_bound(recipe), **({} if pairs is None else {"pairs": pairs})}

    def save(self, state: dict[str, Any]) -> None:
        """Write the last state; the one before stays until this one is whole."""
        _write(self.folder / _LAST, {**state, "version": _VERSION, "identity": self._identity})

    def load(self) -> dict[str, Any]:
        """Read the last state.

        Raises:
            ModelError: if it is missing, damaged, or of another version.
            OptionError: if it was made with another recipe or other pairs; the message names the key.
        """
        path = self.folder / _LAST
        state = _read(path)
        if state.get("version") != _VERSION or not isinstance(state.get("identity"), dict):
            raise ModelError(f"{path}: is no training state of this version; begin anew in another folder")
        if changed := find_changed_key(state["identity"], self._identity):
            raise OptionError(
                f"{path}: was made with another recipe: {changed}; give the same recipe to go on, or another folder "
                "to begin anew"
            )
        return state

    def save_best(self, weights: dict[str, Any]) -> None:
        """Write the weights that did best so far, with their step and accuracies."""
        _write(self.folder / _BEST, {**weights, "version": _VERSION})

    def load_best(self) -> dict[str, Any] | None:
        """Read them; None if there are none.

        Raises:
            ModelError: if they are damaged.
        """
        path = self.folder / _BEST
        return _read(path) if path.is_file() else None


def has_state(folder: Path) -> bool:
    """Whether the folder of a training has a state to go on from."""
    return (folder / _CHECKPOINTS / _LAST).is_file()


def check_folder(out: Path, resume: bool) -> None:
    """Make sure that there is something to go on from, or nothing that would be lost.

    Raises:
        OptionError: if that is not so.
    """
    if resume and not has_state(out):
        raise OptionError(f"{out}: holds no checkpoint to go on from; leave --resume away")
    if not resume and has_state(out):
        raise OptionError(f"{out}: a training was begun here; give --resume to go on, or another folder")


def _bound(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe without what may change."""
    bound = {}
    for name, value in recipe.items():
        free = _FREE.get(name, ())
        if isinstance(value, dict) and free:
            bound[name] = {key: setting for key, setting in value.items() if key not in free}
        elif free is not None:
            bound[name] = value
    return bound


def _write(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as unfinished:
        torch.save(state, unfinished)


def _read(path: Path) -> dict[str, Any]:
    try:
        # Nothing but tensors and plain values is read, so that no file can run code.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); begin without --resume") from None
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: is damaged or no training state ({reason(error)}); begin anew") from None
    if not isinstance(state, dict):
        raise ModelError(f"{path}: is no training state; begin anew")
    return state
