"""A converted model against features that its original gave."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from clip2point.backbones.clip import ClipBackbone
from clip2point.core.arrays import normalize_rows
from clip2point.core.errors import Clip2PointError, OptionError, reason

#: Least cosine with the reference: fp16 changes less.
_LEAST_COSINE = 0.999
_EXPECTED = (
    "expected an NPZ of arrays 'images' [B, 3, S, S], normalised, and 'image_features' [B, D], or 'tokens' [B, L] and "
    "'text_features' [B, D], or both"
)


def compare_with_reference(backbone: ClipBackbone, path: Path) -> dict[str, float]:
    """Compare features with those of the original model.

    Args:
        backbone: Converted towers.
        path: NPZ of inputs and features; see the messages.

    Returns:
        Least cosine of "image" and "text", as far as the file has them.

    Raises:
        OptionError: If the file is none, or features differ: then the checkpoint was converted wrongly.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise OptionError(f"{path}: cannot be read ({reason(error)[:80]}): {_EXPECTED}") from None
    cosines = {}
    for tower, given, encode in (
        ("image", "images", backbone.encode_pixels),
        ("text", "tokens", backbone.encode_tokens),
    ):
        if not {given, f"{tower}_features"} <= arrays.keys():
            continue
        try:
            values = arrays[given]
            found = np.asarray(encode(values.astype(np.float32) if tower == "image" else values.astype(np.int64)))
            cosine = (normalize_rows(found) * normalize_rows(arrays[f"{tower}_features"].astype(np.float32))).sum(-1)
        except (Clip2PointError, ValueError, RuntimeError) as error:
            raise OptionError(f"{path}: {given} do not fit the model ({reason(error)[:100]}): {_EXPECTED}") from None
        cosines[tower] = float(cosine.min())
        if not cosines[tower] >= _LEAST_COSINE:
            raise OptionError(
                f"{path}: features of the {tower} tower have a cosine of {cosines[tower]:.4f} with the reference: "
                f"expected {_LEAST_COSINE} or more; nothing was written; try another --activation, or get the model in "
                "transformers format"
            )
    if not cosines:
        raise OptionError(f"{path}: has the arrays {', '.join(sorted(arrays)) or 'none'}: {_EXPECTED}")
    return cosines
