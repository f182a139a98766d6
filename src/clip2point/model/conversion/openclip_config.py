"""OpenCLIP's description beside a checkpoint, ``open_clip_config.json``: all of it is read, or refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip2point.backbones.clip import MEAN, STD
from clip2point.backbones.clip_towers import HEAD_WIDTH, Activation
from clip2point.core.errors import ModelError

_NAME = "open_clip_config.json"
_INSTEAD = "if the model exists in transformers format as type clip or siglip, give that folder to --model"
#: Keys of which a tensor or the training alone depends, so that any value will do.
_FREE = {
    "": ("custom_text", "init_logit_scale", "cast_dtype", "embed_dim", "quick_gelu", "vision_cfg", "text_cfg"),
    "vision_cfg": ("layers", "width", "patch_size", "image_size", "head_width", "mlp_ratio", "patch_dropout"),
    "text_cfg": ("context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "pad_id", "proj_bias"),
}
#: Keys that say how a tower computes, with the values that ours compute.
_COMPUTED: dict[str, dict[str, tuple[Any, ...]]] = {
    "": {},
    "vision_cfg": {"pool_type": ("tok",), "pos_embed_type": ("learnable",), "block_type": ("default",)},
    "text_cfg": {"pool_type": ("argmax", "eos"), "proj_type": ("linear",), "block_type": ("default",)},
}
_NOTHING: tuple[Any, ...] = (None, False, 0, "", "none", [], {})


@dataclass(frozen=True)
class OpenClipConfig:
    """What a checkpoint of OpenCLIP says of itself beside its tensors.

    Attributes:
        path: File that says it.
        activation: Activation of the towers.
        heads: Numbers of attention heads of "vision" and "text", as far as they are said.
        normalisation: Mean and deviation with which images are normalised.
        stated: Sizes that the tensors have to have: by name, of the towers' configs.
    """

    path: Path
    activation: Activation
    heads: dict[str, int]
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]
    stated: dict[str, int]

    def check(self, found: Mapping[str, int]) -> None:
        """Hold what is stated against the tensors.

        Args:
            found: Sizes by the same names.

        Raises:
            ModelError: If one differs.
        """
        for name, value in self.stated.items():
            if name in found and found[name] != value:
                raise ModelError(
                    f"{self.path}: says {name} {value}, and the tensors say {found[name]}: expected the description of "
                    "this very checkpoint; correct it or move it away"
                )


def read_openclip_config(checkpoint: Path) -> OpenClipConfig | None:
    """Read the description that OpenCLIP wrote beside a file, if it did.

    Raises:
        ModelError: If it is none, or names what is not implemented.
    """
    path = checkpoint.with_name(_NAME)
    if not path.is_file():
        return None
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        model, images = whole["model_cfg"], whole.get("preprocess_cfg", {})
        vision, text = model.get("vision_cfg", {}), model.get("text_cfg", {})
        sections = {"": model, "vision_cfg": vision, "text_cfg": text}
        if not all(isinstance(section, dict) for section in (*sections.values(), images)):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not a configuration of OpenCLIP; correct it or move it away") from error
    for name, section in sections.items():
        _refuse_unknown(path, name, section)
    _check_end(path, text)
    return OpenClipConfig(
        path,
        "quick_gelu" if model.get("quick_gelu") else "gelu",
        _read_heads(path, vision, text),
        (_read_triple(path, images, "mean", MEAN, at_least=0), _read_triple(path, images, "std", STD, at_least=1e-6)),
        _read_sizes(model, vision, text),
    )


def _refuse_unknown(path: Path, section: str, values: Mapping[str, Any]) -> None:
    """Refuse keys of which ours know nothing, unless they say that there is nothing."""
    where = f"model_cfg.{section}." if section else "model_cfg."
    for key, value in values.items():
        known = _COMPUTED[section].get(key)
        if key in _FREE[section] or (section == "text_cfg" and key == "eos_id"):
            continue
        if value not in (_NOTHING if known is None else known):
            wanted = f"expected {' or '.join(map(str, known))}; " if known else ""
            raise ModelError(f"{path}: {where}{key} {str(value)[:60]!r} is not implemented: {wanted}{_INSTEAD}")
    layers = values.get("layers")
    if isinstance(layers, list):
        raise ModelError(f"{path}: {where}layers {layers}: a ResNet, which is not implemented: {_INSTEAD}")


def _check_end(path: Path, text: Mapping[str, Any]) -> None:
    """Refuse texts that end with another token than the one of the highest number."""
    end, vocabulary = text.get("eos_id"), text.get("vocab_size", 49408)
    if text.get("pool_type") == "eos" and end is not None and end != vocabulary - 1:
        raise ModelError(
            f"{path}: model_cfg.text_cfg.eos_id {end} is not implemented: expected the last of {vocabulary} tokens; "
            f"{_INSTEAD}"
        )


def _read_heads(path: Path, vision: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, int]:
    heads = {}
    if "width" in vision:
        width, own = vision["width"], vision.get("head_width", HEAD_WIDTH)
        if not (_is_count(width) and _is_count(own) and width % own == 0):
            raise ModelError(f"{path}: model_cfg.vision_cfg.head_width {own!r} does not divide the width {width!r}")
        heads["vision"] = width // own
    if "heads" in text:
        if not (_is_count(text["heads"]) and text.get("width", text["heads"]) % text["heads"] == 0):
            raise ModelError(f"{path}: model_cfg.text_cfg.heads {text['heads']!r} does not divide the width")
        heads["text"] = text["heads"]
    return heads


def _read_triple(
    path: Path, images: Mapping[str, Any], key: str, otherwise: tuple[float, ...], *, at_least: float
) -> tuple[float, ...]:
    values = images.get(key)
    if values is None:
        return otherwise
    numbers = [values] * 3 if isinstance(values, int | float) else values
    whole = isinstance(numbers, list) and len(numbers) == 3 and all(map(_is_number, numbers))
    if not whole or min(numbers) < at_least:
        raise ModelError(f"{path}: preprocess_cfg.{key} {values!r}: expected three numbers, one for each channel")
    return tuple(map(float, numbers))


def _read_sizes(model: Mapping[str, Any], vision: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, int]:
    """Return the stated sizes that tensors tell as well."""
    side = vision.get("image_size")
    sides = side if isinstance(side, list) else [side]
    stated: dict[str, Any] = {
        "embed_dim": model.get("embed_dim"),
        "image_size": sides[0] if len(set(map(str, sides))) == 1 else None,
        **{f"vision_cfg.{key}": vision.get(key) for key in ("width", "layers", "patch_size")},
        **{f"text_cfg.{key}": text.get(key) for key in ("width", "layers", "context_length", "vocab_size")},
    }
    return {name: value for name, value in stated.items() if _is_count(value)}


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
