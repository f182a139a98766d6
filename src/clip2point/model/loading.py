"""From a model's name to a recogniser."""

from __future__ import annotations

from pathlib import Path

from clip2point.model.base_loading import find_model, load_base_from
from clip2point.model.checkpoint import holds_head, is_checkpoint, read_checkpoint, read_config
from clip2point.model.recogniser import Recogniser


def load(model: str | Path = "pocket", *, device: str = "cpu", dtype: str = "auto") -> Recogniser:
    """Load a model.

    Args:
        model: "pocket" (embedded, offline); a folder of this package, also one with a head that learned from examples;
            a folder of a CLIP or SigLIP model in transformers format; either kind of folder on a hub, as
            "hf:ORGANISATION/NAME" or "hf:ORGANISATION/NAME@REVISION"; or a short name such as "clip-vit-b-32".
        device: Name of a torch device.
        dtype: Number format of the vision towers: "auto", "fp32" or "bf16".

    Returns:
        A recogniser with the model's own settings, or the paper's where it has none.

    Raises:
        ModelError: If there is no such model, or its files are missing, broken or not what they should be.
        OptionError: If the device or dtype cannot be used.

    Examples:
        >>> from clip2point import load
        >>> model = load("pocket")
        >>> model.name, model.settings.views, model.backbone.dim
        ('pocket', 'ring-6@20', 384)
    """
    folder = find_model(model)
    if is_checkpoint(folder) and holds_head(read_config(folder)):
        # Heads are not imported for models without one.
        from clip2point.model.adapted_folder import load_adapted

        return load_adapted(read_checkpoint(folder), str(model), device, dtype)
    return load_base_from(folder, str(model), device, dtype)
