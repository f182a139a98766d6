"""List of the models that ``load`` takes, without loading any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clip2point.core.errors import ModelError
from clip2point.core.registries import BACKBONES
from clip2point.model.checkpoint import FORMAT, holds_head, read_config

#: Types of transformers models that ``load`` reads.
_TRANSFORMERS_TYPES = ("clip", "siglip", "siglip2")


def list_models(folder: str | Path | None = None) -> dict[str, str]:
    """List the names that ``load`` takes: built-in models, presets on the hub, installed plug-ins, and local folders.

    Any other model of the hub in a supported format can be named as "hf:ORGANISATION/NAME".

    Args:
        folder: Folder whose sub-folders are looked through for models, or None for none.

    Returns:
        One-line descriptions by name; local folders come last, by path.

    Examples:
        >>> models = list_models()
        >>> list(models)[:2]
        ['pocket', 'clip-vit-b-32']
        >>> models["clip-vit-b-32"]
        "CLIP ViT-B/32, the paper's; downloaded from openai/clip-vit-base-patch32"
    """
    models = {name: _describe_backbone(name) for name in BACKBONES.names()}
    if folder is None:
        return models
    if not Path(folder).is_dir():
        raise ModelError(f"{folder}: no such folder: expected one whose sub-folders are models")
    for path in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        if description := _describe_folder(path):
            models[str(path)] = description
    return models


def _describe_backbone(name: str) -> str:
    """Describe a built-in model, a preset or a plug-in."""
    entry = BACKBONES.built_in.get(name)
    if entry is None:
        return "plug-in"
    return entry.summary + (f"; downloaded from {entry.repository}" if entry.repository else "; embedded, offline")


def _describe_folder(folder: Path) -> str | None:
    """Describe the model in a folder; None if there is none."""
    try:
        config = read_config(folder)
    except ModelError:
        return None
    if config.get("format") == FORMAT:
        return _describe_head(config) if holds_head(config) else _describe_checkpoint(config)
    kind = config.get("model_type")
    return f"{kind} in transformers format" if kind in _TRANSFORMERS_TYPES else None


def _describe_head(config: Mapping[str, Any]) -> str:
    """Describe a model with a head by its ``config.json``."""
    head, classes = config.get("head"), config.get("classes")
    kind = head.get("kind") if isinstance(head, Mapping) else None
    return f"head {kind} for {len(classes) if isinstance(classes, list) else 0} classes on {config.get('base')}"


def _describe_checkpoint(config: Mapping[str, Any]) -> str:
    """Describe a model without a head by its ``config.json``."""
    base = f" on {config['base']}" if config.get("base") else ""
    trained = ", with a trained depth tower" if "depth_tower" in config else ""
    return f"backbone {config.get('backbone')}{base}{trained}"
