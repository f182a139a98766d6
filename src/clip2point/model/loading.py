"""From a model's name to a recogniser."""

from __future__ import annotations

from pathlib import Path

from clip2point.model.base_loading import find_model, load_base_from
from clip2point.model.checkpoint import holds_head, is_checkpoint, read_checkpoint, read_config
from clip2point.model.recogniser import Recogniser


def load(model: str | Path = "pocket", *, device: str = "cpu", dtype: str = "auto") -> Recogniser:
    """Load a model.

    Args:
        model: "pocket" (embedded, offline); a folder that we wrote, also one with a head that learned from examples; a
            folder of a CLIP or SigLIP model in transformers format; either kind of folder on a hub, as
            "hf:ORGANISATION/NAME" or "hf:ORGANISATION/NAME@REVISION"; or a short name such as "clip-vit-b-32".
        device: name of a torch device.
        dtype: "auto", "fp32" or "bf16" for the vision towers.

    Returns:
        A recogniser with the model's own settings, or the paper's where it has none.

    Raises:
        ModelError: if there is no such model, or its files are missing, broken or not what they should be.
        OptionError: if the device or dtype cannot be used.
    """
    folder = find_model(model)
    if is_checkpoint(folder) and holds_head(read_config(folder)):
        # Heads are not imported for models without one.
        from clip2point.model.adapted_folder import load_adapted

        return load_adapted(read_checkpoint(folder), str(model), device, dtype)
    return load_base_from(folder, str(model), device, dtype)
