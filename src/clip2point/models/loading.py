"""From a model's name to a recogniser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clip2point.errors import ModelError
from clip2point.models.checkpoint import Checkpoint, check_tensors, is_checkpoint, read_checkpoint, sha256
from clip2point.models.recogniser import Recogniser
from clip2point.settings import Settings

#: The model that the package carries.
POCKET = Path(__file__).parent.parent / "weights" / "pocket"


def load(model: str | Path = "pocket", *, device: str = "cpu", dtype: str = "auto") -> Recogniser:
    """Load a model.

    Args:
        model: "pocket" (embedded, offline); a checkpoint folder of ours; a CLIP or SigLIP model in transformers format
            as a folder, as "hf:ORGANISATION/NAME" on a hub, or by a short name such as "clip-vit-b-32".
        device: name of a torch device.
        dtype: "auto", "fp32" or "bf16" for the vision towers.

    Returns:
        A recogniser with the model's own settings, or the paper's where it has none.

    Raises:
        ModelError: if there is no such model, or its files are missing, broken or not what they should be.
        OptionError: if the device or dtype cannot be used.
    """
    folder = _folder(model)
    if is_checkpoint(folder):
        return _from_checkpoint(read_checkpoint(folder), str(model), device, dtype)
    from clip2point.backbones.hub import ALIASES, load_hub_backbone

    name = str(model)
    if not (folder.is_dir() or name in ALIASES or name.startswith("hf:")):
        raise ModelError(
            f"unknown model {name!r}: expected pocket, {', '.join(ALIASES)}, hf:ORGANISATION/NAME, "
            "or a folder with a checkpoint or a transformers model"
        )
    backbone = load_hub_backbone(name.removeprefix("hf:"), device=device, dtype=dtype)
    return Recogniser(backbone, Settings(), name)


def expected_record(model: str | Path) -> dict[str, Any] | None:
    """What verification should find for a model, if the model carries such a record (``expected.json``).

    Raises:
        ModelError: if the record cannot be read.
    """
    path = _folder(model) / "expected.json"
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
    """Checksums of the weight files of a model, by name; empty for models that keep no record of them."""
    folder = _folder(model)
    if not is_checkpoint(folder):
        return {}
    from clip2point.backbones import efficientnet, minilm

    files = {
        "clip2point": folder / "model.safetensors",
        "all-MiniLM-L6-v2": minilm.weight_file(),
        "EfficientNet-Lite2": efficientnet.weight_file(),
    }
    return {name: sha256(file) for name, file in files.items()}


def _folder(model: str | Path) -> Path:
    """Where a checkpoint of ours would lie."""
    return POCKET if model == "pocket" else Path(model)


def _from_checkpoint(checkpoint: Checkpoint, name: str, device: str, dtype: str) -> Recogniser:
    """A recogniser on the backbone that a checkpoint names."""
    from clip2point.backbones.pocket import TENSORS, PocketBackbone

    kind = checkpoint.config.get("backbone")
    if kind != "pocket":
        raise ModelError(f"{checkpoint.folder}: unknown backbone {kind!r}, expected 'pocket'; update clip2point")
    check_tensors(checkpoint, TENSORS)
    scale = float(checkpoint.config["logit_scale"])
    backbone = PocketBackbone(checkpoint.tensors, logit_scale=scale, device=device, dtype=dtype)
    return Recogniser(backbone, Settings.from_dict(checkpoint.config), name)
