"""From a foreign checkpoint to a folder of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from clip2point.backbones.clip import CLIP_NORMALISATION, ClipBackbone
from clip2point.backbones.clip_towers import ACTIVATIONS, HEAD_WIDTH, Activation
from clip2point.core.errors import ModelError, OptionError
from clip2point.core.files import sha256
from clip2point.model.checkpoint import is_checkpoint
from clip2point.model.conversion.openclip_config import OpenClipConfig, read_openclip_config
from clip2point.model.conversion.reading import read_foreign
from clip2point.model.conversion.reference import compare_with_reference
from clip2point.model.conversion.source_formats import SortedTensors, sort_tensors
from clip2point.model.saving import save_model
from clip2point.model.settings import Settings
from clip2point.model.tokenizers import store_tokenizer
from clip2point.rendering import view_set

if TYPE_CHECKING:
    from clip2point.heads import DPA

#: Factor on cosines of all of OpenAI's models, for checkpoints that do not have it.
_LOGIT_SCALE = 100.0

#: Tokenizer for models with a vocabulary of this size.
_CLIP_TOKENIZER, _CLIP_VOCABULARY = "openai/clip-vit-base-patch32", 49408

#: View sets that a checkpoint's cameras are compared with, and the tolerance of angles and distances.
_VIEW_SETS, _CAMERA_TOLERANCE = ("clip2point-10", "clip2point-6"), 1e-3

#: Relative and absolute tolerance between two copies of one CLIP, of which one may have been rounded to fp16.
_ROUNDING = 1e-2, 1e-3


@dataclass(frozen=True)
class Conversion:
    """Record of a conversion.

    Attributes:
        source: Path of the file.
        out: New folder.
        kind: "openai-clip", "openclip", "authors-pretraining" or "authors-dpa".
        towers: Some of "image", "depth" and "text".
        adapter: "dpa", or None.
        activation: "quick_gelu" or "gelu".
        dim: Width of the embedding space.
        image_size: Side of the images in pixels.
        views: Name of the view set.
        remarks: Sentences about assumptions that the file does not confirm, and about limits of the model.
    """

    source: str
    out: str
    kind: str
    towers: tuple[str, ...]
    adapter: str | None
    activation: str
    dim: int
    image_size: int
    views: str
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {**asdict(self), "towers": list(self.towers), "remarks": list(self.remarks)}


class _Source(NamedTuple):
    """Contents of a file.

    Attributes:
        path: Path of the file.
        parts: Tensors by tower.
        kind: Kind of the checkpoint, see ``Conversion``.
        activation: Activation of its towers.
        assumed: True if the file does not tell the activation.
        config: Description by OpenCLIP that lies beside it, or None.
    """

    path: Path
    parts: SortedTensors
    kind: str
    activation: Activation
    assumed: bool
    config: OpenClipConfig | None = None


def convert(
    path: str | Path,
    out: str | Path,
    *,
    clip: str | Path | None = None,
    activation: str | None = None,
    tokenizer: str | Path | None = None,
    reference: str | Path | None = None,
) -> Conversion:
    """Convert a checkpoint of OpenAI's CLIP, OpenCLIP or the authors of CLIP2Point for ``clip2point.load``.

    Nothing in the file is run, and each of its tensors is used or named in an error.

    Args:
        path: State dict, whole training checkpoint, TorchScript archive or safetensors file.
        out: Folder for the result; created if need be.
        clip: File of the CLIP model that a checkpoint of the authors builds on, for its text tower, which these do not
            hold. Without it the result reads images and depth maps only.
        activation: "quick_gelu" or "gelu", which no tensor tells. By default QuickGELU for OpenAI and the authors, and
            for OpenCLIP the one of ``open_clip_config.json`` beside the file or of the training run's name, else GELU.
        tokenizer: Folder or name on the hub, whose files are copied into ``out``; by default that of CLIP on the hub
            for models with its vocabulary.
        reference: NPZ with inputs and features of the original ("images" and "image_features", "tokens" and
            "text_features"), which the result has to give too.

    Returns:
        Record of the conversion.

    Raises:
        ModelError: If a file cannot be read or converted.
        OptionError: If an option makes no sense.
    """
    out = Path(out)
    if activation not in (None, *ACTIVATIONS):
        raise OptionError(f"unknown activation {activation!r}: expected one of {', '.join(ACTIVATIONS)}")
    if (out.exists() and not out.is_dir()) or ((out / "config.json").exists() and not is_checkpoint(out)):
        raise OptionError(f"{out}: holds something else already; choose a new folder")
    source = _read_source(Path(path))
    if clip is not None:
        _add_clip(source, _read_source(Path(clip)))
    chosen: Activation = activation or source.activation  # type: ignore[assignment]
    backbone = ClipBackbone(
        source.parts.states,
        activation=chosen,
        logit_scale=_find_logit_scale(source.parts),
        name=str(path),
        heads=source.config.heads if source.config else None,
        normalisation=source.config.normalisation if source.config else CLIP_NORMALISATION,
        dtype="fp32",
    )
    if source.config:
        source.config.check(_list_sizes(backbone))
    cosines = compare_with_reference(backbone, Path(reference)) if reference is not None else {}
    backbone.tokenizer, fetched = store_tokenizer(_choose_tokenizer(tokenizer, source.parts), out)
    adapter = _build_adapter(source, backbone.dim)
    views = _find_views(source.parts, adapter)
    settings = replace(Settings(), views=views or Settings.views)
    if adapter is not None:
        adapter.view_set = views
    save_model(out, backbone, settings, {"converted_from": _describe_source(source)}, adapter=adapter)
    return Conversion(
        source=str(path),
        out=str(out),
        kind=source.kind,
        towers=backbone.towers,
        adapter="dpa" if adapter else None,
        activation=chosen,
        dim=backbone.dim,
        image_size=backbone.image_size,
        views=str(settings.views),
        remarks=_collect_remarks(
            backbone,
            assumed=source.assumed and activation is None,
            cameras_known=views is not None,
            heads_known=bool(source.config and source.config.heads),
            fetched=fetched,
        )
        + tuple(f"Features of the {tower} tower: least cosine {value:.6f}." for tower, value in cosines.items()),
    )


def _read_source(path: Path) -> _Source:
    """Read a file, find its kind, and check its numbers against its tensors."""
    foreign = read_foreign(path)
    try:
        parts = sort_tensors(foreign.tensors)
        _check_numbers(parts)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if parts.kind != "clip" or foreign.torchscript:
        return _Source(path, parts, "openai-clip" if foreign.torchscript else parts.kind, "quick_gelu", assumed=False)
    config = read_openclip_config(path)
    named = path.name.startswith("open_clip")
    if not (parts.openclip or named or config is not None or foreign.experiment is not None):
        return _Source(path, parts, "openai-clip", "quick_gelu", assumed=True)
    if config is not None:
        return _Source(path, parts, "openclip", config.activation, assumed=False, config=config)
    if "quickgelu" in (foreign.experiment or "").lower():
        return _Source(path, parts, "openclip", "quick_gelu", assumed=False)
    return _Source(path, parts, "openclip", "gelu", assumed=True)


def _check_numbers(parts: SortedTensors) -> None:
    """Check the numbers that a TorchScript archive states against its tensors."""
    text, image = parts.states.get("text", {}), parts.states.get("image", {})
    found = {}
    if {"positional_embedding", "token_embedding.weight"} <= text.keys():
        found["context_length"] = text["positional_embedding"].shape[0]
        found["vocab_size"] = text["token_embedding.weight"].shape[0]
    if {"positional_embedding", "conv1.weight"} <= image.keys():
        grid = math.isqrt(max(image["positional_embedding"].shape[0] - 1, 0))
        found["input_resolution"] = grid * image["conv1.weight"].shape[-1]
    for name, size in found.items():
        if parts.numbers.get(name, size) != size:
            raise ModelError(f"the tensor {name!r} says {parts.numbers[name]:g}, but the others say {size}")


def _add_clip(source: _Source, base: _Source) -> None:
    """Complete a checkpoint of the authors with the text tower of the CLIP model that it builds on."""
    if source.parts.kind == "clip" and "text" in source.parts.states:
        raise OptionError(f"{source.path}: is a CLIP model itself: leave out --clip")
    usable = base.parts.kind == "clip" and "text" in base.parts.states
    if not usable or (base.activation != source.activation and not base.assumed):
        found = base.kind if "text" in base.parts.states else f"{base.kind} without a text tower"
        raise ModelError(f"{base.path}: expected one of OpenAI's CLIP models such as ViT-B-32.pt, found {found}")
    own, other = (parts.states.get("image", {}) for parts in (source.parts, base.parts))
    for name in sorted(own.keys() | other.keys()) if own else ():
        same = name in own and name in other and own[name].shape == other[name].shape
        if not (same and own[name].float().allclose(other[name].float(), *_ROUNDING)):
            raise ModelError(
                f"{base.path}: another CLIP model than the one in {source.path}, first at {name!r} of the image tower"
            )
    source.parts.states["text"] = base.parts.states["text"]
    source.parts.states.setdefault("image", other)
    source.parts.numbers.update({key: value for key, value in base.parts.numbers.items() if key == "logit_scale"})


def _find_logit_scale(parts: SortedTensors) -> float:
    """Return the factor on cosines before a softmax."""
    return math.exp(min(parts.numbers["logit_scale"], 50.0)) if "logit_scale" in parts.numbers else _LOGIT_SCALE


def _choose_tokenizer(given: str | Path | None, parts: SortedTensors) -> str | None:
    """Return the folder or hub name of the tokenizer for texts, if it is known."""
    if given is None:
        embedding = parts.states.get("text", {}).get("token_embedding.weight")
        return _CLIP_TOKENIZER if embedding is not None and len(embedding) == _CLIP_VOCABULARY else None
    path = Path(given)
    if not path.is_dir() and (path.exists() or path.is_absolute() or str(given).startswith(".")):
        raise OptionError(
            f"tokenizer {str(given)!r}: expected a folder, or a name on the hub such as {_CLIP_TOKENIZER}"
        )
    return str(given)


def _build_adapter(source: _Source, dim: int) -> DPA | None:
    """Return the adapter of a DPA checkpoint."""
    state = source.parts.adapters
    if not state:
        return None
    from clip2point.heads import DPA

    views, mix = (state.get(f"adapter1.{name}", torch.empty(())) for name in ("fusion_ratio", "global_f.3.weight"))
    # Before an adapter of that size is made.
    if views.ndim != 1 or tuple(mix.shape) != (dim, len(views) * dim):
        raise ModelError(
            f"{source.path}: the tensors 'adapter1.fusion_ratio' and 'adapter1.global_f.3.weight' have shapes "
            f"{list(views.shape)} and {list(mix.shape)}, expected [V] and [{dim}, V * {dim}]"
        )
    try:
        return DPA(len(views), dim).load_authors_state(state).eval()
    except ModelError as error:
        raise ModelError(f"{source.path}: {error}") from error


def _find_views(parts: SortedTensors, adapter: DPA | None) -> str | None:
    """Return the name of a model's view set: the one with an adapter's cameras, else that of the paper's zero-shot.

    None if no view set has the cameras of the adapter.
    """
    if adapter is None:
        return str(Settings.views)
    for views in map(view_set, _VIEW_SETS):
        expected = {
            "elev": [e for e, _ in views.angles],
            "azim": [a for _, a in views.angles],
            "dist": [1.0] * len(views),
        }
        known = all(_is_close(values, expected[axis]) for axis, values in parts.cameras.items())
        if known and len(views) == adapter.depth.views:
            return views.name
    return None


def _is_close(a: Sequence[float], b: Sequence[float]) -> bool:
    """Tell whether two lists hold the same numbers."""
    return len(a) == len(b) and all(abs(x - y) <= _CAMERA_TOLERANCE for x, y in zip(a, b, strict=True))


def _describe_source(source: _Source) -> dict[str, Any]:
    """Return the origin of a checkpoint, and the values that only training needs."""
    record: dict[str, Any] = {"kind": source.kind, "file": source.path.name, "sha256": sha256(source.path)}
    if source.parts.cameras:
        record["cameras"] = source.parts.cameras
    if "weights" in source.parts.numbers:
        record["sigma"] = source.parts.numbers["weights"]
    return record


def _list_sizes(backbone: ClipBackbone) -> dict[str, int]:
    """Return the sizes of towers by the names that OpenCLIP has for them."""
    vision, text = backbone.configs["vision"], backbone.configs.get("text")
    sizes = {
        "embed_dim": backbone.dim,
        "image_size": backbone.image_size,
        "vision_cfg.width": vision.hidden_size,
        "vision_cfg.layers": vision.num_hidden_layers,
        "vision_cfg.patch_size": vision.patch_size,
    }
    if text is None:
        return sizes
    return {
        **sizes,
        "text_cfg.width": text.hidden_size,
        "text_cfg.layers": text.num_hidden_layers,
        "text_cfg.context_length": text.max_position_embeddings,
        "text_cfg.vocab_size": text.vocab_size,
    }


def _collect_remarks(
    backbone: ClipBackbone, *, assumed: bool, cameras_known: bool, heads_known: bool, fetched: bool
) -> tuple[str, ...]:
    """Return what the user should know, in sentences."""
    remarks = []
    if assumed:
        other = (
            "gelu, as in most of OpenCLIP's" if backbone.activation == "quick_gelu" else "quick_gelu, as in OpenAI's"
        )
        remarks.append(
            f"The file does not say which activation it was trained with; {backbone.activation} is assumed. "
            f"If it is {other} models, convert again with --activation."
        )
    if not heads_known and (heads := _describe_guessed_heads(backbone)):
        remarks.append(
            "No published model has towers as narrow as these, and the file does not say how many attention heads they "
            f'have; {heads} are assumed. If that is wrong, correct "heads" in config.json.'
        )
    if "image" not in backbone.towers:
        remarks.append("The file holds no image tower: give the CLIP file too (--clip ViT-B-32.pt) to read photos.")
    if "text" not in backbone.towers:
        remarks.append(
            "The file holds no text tower, so class names cannot be read: give the CLIP file too (--clip ViT-B-32.pt)."
        )
    elif backbone.tokenizer is None:
        remarks.append("No tokenizer is known for this vocabulary: give its folder (--tokenizer DIR) to read texts.")
    elif not fetched:
        remarks.append(
            f"The tokenizer {backbone.tokenizer} could not be fetched, so the first text needs the hub: convert again "
            "with --tokenizer DIR to have it in the folder."
        )
    if not cameras_known:
        remarks.append("The cameras of the adapter are none of the known view sets: it cannot be used on shapes yet.")
    return tuple(remarks)


def _describe_guessed_heads(backbone: ClipBackbone) -> str:
    """Return the numbers of attention heads, in words, of towers whose width does not tell them; "" if all do."""
    narrow = {t: h for t, h in backbone.heads.items() if backbone.configs[t].hidden_size < h * HEAD_WIDTH}
    return " and ".join(f"{heads} ({tower})" for tower, heads in narrow.items())
