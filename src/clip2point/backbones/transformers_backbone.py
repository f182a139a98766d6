"""CLIP and SigLIP backbones through transformers, from a model hub or a local folder.

What is downloaded and where it is kept is the matter of ``clip2point.core.repositories``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clip2point.backbones.clip import MEAN, STD
from clip2point.backbones.depth_tower import check_image_size, filled
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import DepthPath, check_path, hash_tensors, in_batches
from clip2point.backbones.single_channel import fold_first_convolution, shared_copy
from clip2point.core.errors import ModelError, reason
from clip2point.core.repositories import Repository

#: Short names of models on the hub. The first is the paper's own.
ALIASES = {
    "clip-vit-b-32": "openai/clip-vit-base-patch32",
    "clip-vit-b-16": "openai/clip-vit-base-patch16",
    "clip-vit-l-14": "openai/clip-vit-large-patch14",
    "siglip-b-16": "google/siglip-base-patch16-224",
    "siglip2-b-16": "google/siglip2-base-patch16-224",
}

#: Mean and deviation with which each family's images are normalised, should its folder not say.
_NORMALIZATION = {
    "clip": (MEAN, STD),
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "siglip2": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


class TransformersDepthTower(nn.Module):
    """A vision model whose first convolution takes one channel, and the projection after it.

    Args:
        vision: model of transformers.
        projection: into the shared space.
    """

    def __init__(self, vision: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.vision, self.projection = vision, projection

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, D] of depth maps [N, 1, S, S] in [0, 1]."""
        return self.projection(self.vision(images).pooler_output)


class TransformersBackbone:
    """A CLIP or SigLIP model of transformers; implements ``Backbone``.

    Photos go through the model's own image tower, resized without a crop and normalised by the mean and deviation of
    its preprocessor. Depth maps go through a copy of that tower which shares all weights but the first convolution:
    this one takes one channel and has the repeating and the normalising folded into it, so both give the same features.
    A trained depth tower (``with_depth_tower``) takes the place of the copy on the path "depth"; the path "image"
    keeps it. A checkpoint then holds the trained tower alone and names the model that it builds on.

    Attributes:
        name: the hub name, short name or folder; in a checkpoint, what it builds on.
        dim: D, width of the embedding space.
        image_size: S, pixels, of photos and depth maps.
        logit_scale: factor on cosines before a softmax. SigLIP's bias is not used: it is the same for all classes.
        device: where the towers are.
        dtype: in which the vision towers compute.

    Args:
        model: a CLIPModel or SiglipModel of transformers, in fp32. Its modules are used, not copied.
        tokenizer: that goes with it.
        processor: settings of its image preprocessor; ``image_mean`` and ``image_std`` are used if present.
        name: see above.
        device: name of a torch device.
        dtype: "auto", "fp32" or "bf16", of the vision towers. The text tower computes in fp32.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        processor: Mapping[str, Any],
        *,
        name: str,
        device: str = "cpu",
        dtype: str = "auto",
    ) -> None:
        self.name = name
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self._family: str = model.config.model_type
        self._mean, self._std = _normalization(processor, self._family)
        self._tokenizer = tokenizer
        self._text_length: int = model.config.text_config.max_position_embeddings
        self.image_size: int = model.config.vision_config.image_size
        self.dim: int = getattr(model.config, "projection_dim", model.config.vision_config.hidden_size)
        self.logit_scale = float(model.logit_scale.detach().exp())
        self._text = model.text_model.to(self.device)
        self._text_projection = _projection(model, "text_projection").to(self.device)
        # Folded before the cast, so that it is rounded once.
        depth = _one_channel_copy(model.vision_model, self._mean, self._std)
        self._vision = model.vision_model.to(self.device, self.dtype)
        self._vision_projection = _projection(model, "visual_projection").to(self.device, self.dtype)
        tower = TransformersDepthTower(depth.to(self.device, self.dtype), self._vision_projection)
        #: What reads depth maps on each path, as it computes; and the trained tower as it is stored.
        self._towers: dict[DepthPath, TransformersDepthTower] = {"depth": tower, "image": tower}
        self._trained: TransformersDepthTower | None = None

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash of the tower that reads depth maps and the projection after it."""
        check_path(path)
        state = self._towers[path].state_dict()
        return hash_tensors((name.removeprefix("vision."), tensor) for name, tensor in state.items())

    def encode_depth(self, depth: Tensor, path: DepthPath = "depth") -> Tensor:
        """Features [B, V, D] of depth maps [B, V, S, S] in [0, 1]."""
        check_path(path)
        images = depth.flatten(0, 1)[:, None].to(self.device, self.dtype)
        return in_batches(self._towers[path], images).unflatten(0, depth.shape[:2])

    def encode_image(self, images: Tensor) -> Tensor:
        """Features [B, D] of colour images [B, 3, H, W] in [0, 1], resized to S x S (bicubic, without a crop)."""
        size = (self.image_size, self.image_size)
        images = images.to(self.device, torch.float32)
        if images.shape[-2:] != size:
            images = nn.functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (self._mean, self._std))
        normalized = ((images - mean) / std).to(self.dtype)
        return in_batches(lambda batch: self._vision_projection(self._vision(batch).pooler_output), normalized)

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features [C, D] of C texts; longer ones than the tower takes are cut."""
        # SigLIP was trained with texts padded to full length, CLIP with padding that its mask hides.
        padding = "max_length" if self._family.startswith("siglip") else True
        tokens = self._tokenizer(
            list(texts), padding=padding, truncation=True, max_length=self._text_length, return_tensors="pt"
        ).to(self.device)
        names = ("input_ids",) if self._family.startswith("siglip") else ("input_ids", "attention_mask")
        pooled = self._text(**{name: tokens[name] for name in names}).pooler_output
        return self._text_projection(pooled).float()

    def depth_tower(self, path: DepthPath = "depth") -> TransformersDepthTower:
        """A copy of the tower of a path to be trained, for images of the model's own size.

        Of a backbone in bf16, one that was not trained has the rounded weights.
        """
        check_path(path)
        trained = self._trained if path == "depth" else None
        tower = copy.deepcopy(trained or self._towers[path])
        return tower.to(self.device, torch.float32).eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Tensor], *, image_size: int | None = None
    ) -> TransformersBackbone:
        """A backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        check_image_size(image_size, self.image_size, self.name)
        other = copy.copy(self)
        other._trained = trained = filled(self.depth_tower().cpu(), tower)
        stored = self.device.type == "cpu" and self.dtype == torch.float32
        computing = trained if stored else copy.deepcopy(trained).to(self.device, self.dtype)
        other._towers = {"depth": computing, "image": self._towers["image"]}
        return other

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of a trained depth tower; the others come with the model."""
        trained = self._trained.state_dict() if self._trained is not None else {}
        return {f"depth.{name}": tensor for name, tensor in trained.items()}

    def config(self) -> dict[str, Any]:
        """Which model a checkpoint builds on."""
        return {
            "backbone": "transformers",
            "base": self.name,
            "base_fingerprint": self.base_fingerprint(),
            "logit_scale": self.logit_scale,
            "depth_tower": {"image_size": self.image_size},
        }

    def base_fingerprint(self) -> str:
        """Hash that tells models apart whatever their device and number format: of the text tower's last layers."""
        last = {"norm": self._text.final_layer_norm, "projection": self._text_projection}
        states = ((part, module.state_dict()) for part, module in last.items())
        return hash_tensors((f"{part}.{name}", tensor) for part, state in states for name, tensor in state.items())


def load_transformers_backbone(
    source: str | Path, *, name: str | None = None, device: str = "cpu", dtype: str = "auto"
) -> TransformersBackbone:
    """Load a CLIP or SigLIP model.

    Args:
        source: a folder in transformers format, one of ``ALIASES``, or a repository on the hub as
            ``Repository`` takes it.
        name: by which the backbone is to be known; ``source`` if not given.
        device: name of a torch device.
        dtype: see ``TransformersBackbone``.

    Raises:
        ModelError: if the model cannot be had, is of another family, or lacks weights.
    """
    location = ALIASES.get(str(source), str(source))
    folder = Path(location)
    if not folder.is_dir():
        repository = Repository(location)
        folder = repository.fetch(repository.list_files())
    try:
        model, tokenizer, processor = _load(folder)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"cannot load the model {folder}: {reason(error)}; check its files") from error
    return TransformersBackbone(model, tokenizer, processor, name=name or str(source), device=device, dtype=dtype)


def _load(folder: Path) -> tuple[Any, Any, dict[str, Any]]:
    """Model in fp32, tokenizer and preprocessor settings of a folder."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    config = AutoConfig.from_pretrained(folder)
    if config.model_type not in _NORMALIZATION:
        raise ModelError(
            f"{folder}: a model of type {config.model_type!r}; expected one of {', '.join(_NORMALIZATION)}"
        )
    with _no_bars():
        # Where there are only pickles, they are read as tensors and plain values (weights_only) and run nothing.
        model, report = AutoModel.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    # transformers fills missing weights with random ones and goes on.
    absent = sorted(map(str, {*report["missing_keys"], *report.get("mismatched_keys", ())}))
    if absent:
        raise ModelError(f"{folder}: {len(absent)} weights are missing or misshapen, the first is {absent[0]}")
    return model.eval().requires_grad_(False), AutoTokenizer.from_pretrained(folder), _preprocessor(folder)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keep transformers from showing how it copies weights, and leave its settings as they were."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _preprocessor(folder: Path) -> dict[str, Any]:
    """Contents of ``preprocessor_config.json``, empty if there is none."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        return dict(ImageProcessingMixin.get_image_processor_dict(folder)[0])
    except OSError:
        return {}


def _normalization(processor: Mapping[str, Any], family: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the three channels."""
    mean, std = _NORMALIZATION[family]
    return tuple(processor.get("image_mean", mean)), tuple(processor.get("image_std", std))


def _projection(model: Any, name: str) -> nn.Module:
    """The projection into the shared space: CLIP has one after each tower, SigLIP none."""
    projection: nn.Module = getattr(model, name, None) or nn.Identity()
    return projection


def _one_channel_copy(vision: nn.Module, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """A tower for depth maps that shares all weights with ``vision`` but those of the first convolution."""
    depth = shared_copy(vision)
    embeddings: Any = depth.embeddings
    embeddings.patch_embedding = fold_first_convolution(embeddings.patch_embedding, mean, std)
    return depth.requires_grad_(False)
