"""Identity of the model of a library."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clip2point.model import Recogniser


def make_absolute(model: str) -> str:
    """Return the name of a model that is valid in any working directory: an absolute path for a folder."""
    return str(Path(model).absolute()) if model != "pocket" and Path(model).is_dir() else model


def fingerprint_embedding(model: Recogniser) -> str:
    """Hash everything that makes vectors comparable: towers, views, points, radius, style and plug-ins' code.

    Device and number format are left out: they change a cosine by about 0.0001.
    """
    from clip2point.backbones.backbone_registry import backbone_code
    from clip2point.backbones.fingerprints import hash_tensors
    from clip2point.rendering.depth import rendering_key

    backbone, settings = model.backbone, model.settings
    config = {key: value for key, value in backbone.config().items() if key not in ("base", "tokenizer", "logit_scale")}
    parts = {
        "towers": hash_tensors(backbone.state_dict().items()),
        "config": config,
        **rendering_key(model.views, settings.radius, settings.style),
        "points": settings.points,
        **backbone_code(backbone),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
