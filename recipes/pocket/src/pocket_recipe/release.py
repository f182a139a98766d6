"""Put a trained model into the package as "pocket", with the record that ``clip2point verify`` compares with.

    python -m pocket_recipe.release pocket/model

The record has to be made anew whenever the weights, the demo shapes, the readers or the renderer change:
``python -m pocket_recipe.release`` without a folder does that alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from clip2point.core.errors import Clip2PointError, ModelError
from clip2point.core.files import replacing
from clip2point.evaluation.verification import measure
from clip2point.model import Recogniser, load
from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
from clip2point.model.folders import POCKET, weight_checksums

#: Licences of what the package carries or installs beside it.
LICENCES = {
    "map and depth tower": "Apache-2.0",
    "all-MiniLM-L6-v2": "Apache-2.0",
    "EfficientNet-Lite2": "Apache-2.0",
}


def release(folder: Path, out: Path = POCKET) -> None:
    """Copy a trained model, with what its card has to say; the training's own folder stays as it is.

    Args:
        folder: Model folder of a training.
        out: Folder of the weights.

    Raises:
        ModelError: If the folder holds no such model.
    """
    model = read_checkpoint(folder)
    if model.config.get("backbone") != "pocket" or "depth_tower" not in model.config:
        raise ModelError(f"{folder}: holds no depth tower for pocket; train one with recipes/pocket/pocket.yaml")
    config: dict[str, Any] = {**model.config, "licences": LICENCES, "card": "README.md"}
    write_checkpoint(out, model.tensors, config)


def record(out: Path = POCKET) -> dict[str, Any]:
    """Write what the model gives for the demo shapes, and return it."""
    model = load(out, dtype="fp32")
    expected = measure(Recogniser(model.backbone, model.settings, "pocket"), weight_checksums(out))
    with replacing(out / "expected.json") as unfinished:
        unfinished.write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    return expected


def main(folders: list[str]) -> None:
    """Release the model of a folder, if one is given, and make the record."""
    try:
        for folder in folders[:1]:
            release(Path(folder))
        expected = record()
    except Clip2PointError as error:
        raise SystemExit(f"error: {error}") from None
    size = (POCKET / "model.safetensors").stat().st_size
    print(f"{POCKET}: {size / 1e6:.1f} MB, {expected['accuracy']:.1%} of {len(expected['files'])} demo shapes")


if __name__ == "__main__":
    main(sys.argv[1:])
