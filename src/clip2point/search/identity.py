"""What a library knows its model by."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clip2point.model import Recogniser


def lasting_name(model: str) -> str:
    """The name of a model, wherever one is: that of a folder becomes absolute."""
    return str(Path(model).absolute()) if model != "pocket" and Path(model).is_dir() else model


def embedding_fingerprint(model: Recogniser) -> str:
    """Hash of all that decides whether vectors can be compared: towers, views, points, radius, style.

    Not the device or the number format, which change a cosine by some 0.0001.
    """
    from clip2point.backbones.protocol import hash_tensors

    backbone, settings = model.backbone, model.settings
    config = {key: value for key, value in backbone.config().items() if key not in ("base", "tokenizer", "logit_scale")}
    parts = {
        "towers": hash_tensors(backbone.state_dict().items()),
        "config": config,
        "views": [list(angles) for angles in model.views.angles],
        "points": settings.points,
        "radius": settings.radius,
        "style": settings.style,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
