"""Writing models without a head, so that ``load`` makes the same ones again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.backbones import Backbone
from clip2point.core.errors import ModelError
from clip2point.model.checkpoint import ADAPTER_PREFIX, DEPTH_PREFIX, write_checkpoint
from clip2point.model.folders import relative_to_folder
from clip2point.model.settings import Settings
from clip2point.model.tokenizers import FOLDER, store_tokenizer

if TYPE_CHECKING:
    from clip2point.heads import DPA


def save_model(
    folder: Path,
    backbone: Backbone,
    settings: Settings,
    config: Mapping[str, Any],
    *,
    half: bool = False,
    adapter: DPA | None = None,
) -> None:
    """Write a checkpoint that ``load`` makes the same model from.

    Args:
        folder: Folder to write to; created if need be.
        backbone: Backbone of any kind; one from a hub or a folder with a depth tower that was trained.
        settings: Rendering and prompt settings of the model.
        config: Further entries of ``config.json``: training data, licences, recipe.
        half: Store the matrices and kernels of the depth tower in fp16: half the size, and nearly the same features.
        adapter: Adapter of a converted model.

    Raises:
        ModelError: If there is nothing to be saved, or a value is not finite.
    """
    from clip2point.backbones.torch_borders import to_tensor

    tensors = {name: to_tensor(values) for name, values in backbone.state_dict().items()}
    if not tensors:
        raise ModelError(f"{backbone.name}: no depth tower was trained, so there is nothing to be saved")
    if half:
        tensors = {
            name: tensor.half() if name.startswith(DEPTH_PREFIX) and tensor.ndim > 1 else tensor
            for name, tensor in tensors.items()
        }
    kind = {}
    if adapter is not None:
        tensors |= {ADAPTER_PREFIX + name: tensor for name, tensor in adapter.state_dict().items()}
        kind = {"adapter": {"kind": "dpa", "views": adapter.depth.views, "view_set": adapter.view_set}}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ModelError(
                f"{folder}: not written, because {name!r} has values that are not finite in {tensor.dtype}"
            )
    own = backbone.config()
    if "base" in own:
        own["base"] = relative_to_folder(folder, own["base"])
    if Path(own.get("tokenizer", "")).is_dir() and "tokenizer" in own:
        store_tokenizer(own["tokenizer"], folder)
        own["tokenizer"] = FOLDER
    write_checkpoint(folder, tensors, {**config, **settings.to_dict(), **own, **kind})
