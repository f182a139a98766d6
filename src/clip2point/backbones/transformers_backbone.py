"""CLIP and SigLIP backbones through transformers, from a model hub or a local folder.

What is downloaded and where it is kept is the matter of ``clip2point.core.repositories``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clip2point.backbones.clip import MEAN, STD
from clip2point.backbones.depth_tower import check_image_size, fill_tower
from clip2point.backbones.fingerprints import hash_tensors
from clip2point.backbones.model_files import refuse_code
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import DepthPath, check_path, check_pixels, check_tokens
from clip2point.backbones.torch_borders import encode_in_batches, give_back, to_tensor
from clip2point.backbones.transformers_towers import TextTower, VisionTower
from clip2point.core.arrays import Container, Float32
from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.core.registries import BACKBONES
from clip2point.core.repositories import Repository

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

#: Short names of models on the hub. The first is the paper's own.
ALIASES = {name: entry.repository for name, entry in BACKBONES.built_in.items() if entry.repository is not None}

#: Mean and deviation with which each family's images are normalised, should its folder not say.
_NORMALIZATION = {
    "clip": (MEAN, STD),
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
#: Families that are near these and are not implemented, with what can be used instead.
_NOT_IMPLEMENTED = {
    "siglip2": "the NaFlex form of SigLIP 2, for images of any shape, which is not implemented; expected one of fixed "
    "size, such as google/siglip2-base-patch16-224",
}


class TransformersBackbone:
    """A CLIP or SigLIP model of transformers; implements ``Backbone``.

    Photos go through the model's own image tower, resized without a crop and normalised by the mean and deviation of
    its preprocessor. Depth maps go through a copy of that tower which shares all weights but the first convolution:
    this one takes one channel and has the repeating and the normalising folded into it, so both give the same features.
    A trained depth tower (``with_depth_tower``) takes the place of the copy on the path "depth"; the path "image"
    keeps it. A checkpoint then holds the trained tower alone and names the model that it builds on.

    Attributes:
        name: Hub name, short name or folder; in a checkpoint, what it builds on.
        dim: D, width of the embedding space.
        image_size: S, side of photos and depth maps in pixels.
        logit_scale: Factor on cosines before a softmax. SigLIP's bias is not used: it is the same for all classes.
        device: Name of the device of the towers.
        dtype: Name of the number format in which the vision towers compute: "float32" or "bfloat16".

    Args:
        model: CLIPModel or SiglipModel of transformers, in fp32. Its modules are used, not copied.
        tokenizer: Tokenizer of the model.
        processor: Settings of its image preprocessor; ``image_mean`` and ``image_std`` are used if present.
        name: See above.
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16", for the vision towers. The text tower computes in fp32.
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
        self._format: torch.dtype = getattr(torch, self.dtype)
        self._family: str = model.config.model_type
        self._mean, self._std = _normalization(processor, self._family)
        self._tokenizer = tokenizer
        self.dim: int = getattr(model.config, "projection_dim", model.config.vision_config.hidden_size)
        self.logit_scale = float(model.logit_scale.detach().exp())
        self._text = TextTower(model.text_model, _projection(model, "text_projection")).to(self.device)
        image = VisionTower(model.vision_model, _projection(model, "visual_projection"))
        self.image_size = image.image_size
        # Folded before the cast, so that it is rounded once.
        depth = image.grayscale(self._mean, self._std)
        self._image = image.to(self.device, self._format)
        depth = depth.to(self.device, self._format)
        #: What reads depth maps on each path, as it computes; and the trained tower as it is stored.
        self._towers: dict[DepthPath, VisionTower] = {"depth": depth, "image": depth}
        self._trained: VisionTower | None = None

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash the tower that reads depth maps and the projection after it."""
        check_path(path)
        state = self._towers[path].state_dict()
        return hash_tensors((name.removeprefix("vision."), tensor) for name, tensor in state.items())

    def encode_depth(self, depth: Container, path: DepthPath = "depth") -> Container:
        """Return features [B, V, D] of depth maps [B, V, S, S] in [0, 1]."""
        check_path(path)
        images = to_tensor(depth).flatten(0, 1)[:, None].to(self.device, self._format)
        features = encode_in_batches(self._towers[path], images)
        return give_back(features.unflatten(0, tuple(depth.shape[:2])), depth)

    def encode_image(self, images: Container) -> Container:
        """Return features [B, D] of colour images [B, 3, H, W] in [0, 1], resized to S x S (bicubic, no crop)."""
        size = (self.image_size, self.image_size)
        photos = to_tensor(images).to(self.device, torch.float32)
        if photos.shape[-2:] != size:
            photos = nn.functional.interpolate(photos, size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = self._statistics()
        return give_back(self.encode_pixels((photos - mean) / std), images)

    def encode_pixels(self, pixels: Container, path: DepthPath = "image") -> Container:
        """Return features [N, D] of images [N, 3, S, S] as they are; see ``Backbone.encode_pixels``."""
        check_path(path)
        check_pixels(pixels)
        if path == "image" or self._trained is None:
            return give_back(encode_in_batches(self._image, to_tensor(pixels).to(self.device, self._format)), pixels)
        mean, std = self._statistics()
        depth = (to_tensor(pixels).to(self.device, torch.float32) * std + mean).mean(1, keepdim=True)
        return give_back(encode_in_batches(self._towers["depth"], depth.to(self._format)), pixels)

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> Float32:
        """Return features [C, D] of C texts; longer ones than the tower takes are cut."""
        # SigLIP was trained with texts padded to full length, CLIP with padding that its mask hides.
        padding = "max_length" if self._is_siglip else True
        tokens = self._tokenizer(
            list(texts), padding=padding, truncation=True, max_length=self._text.context, return_tensors="pt"
        ).to(self.device)
        features = self._text(tokens["input_ids"], None if self._is_siglip else tokens["attention_mask"])
        found: Float32 = features.float().cpu().numpy()
        return found

    def encode_tokens(self, ids: Container) -> Container:
        """Return features [B, D] of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            ids: Integers [B, L]. CLIP's texts have their end token, and what comes after does not matter; L is at most
                the length of the tower. SigLIP's are padded to it.

        Raises:
            OptionError: If the tokens are not of that form.
        """
        check_tokens(ids, self._text.vocabulary, self._text.context)
        if self._is_siglip and ids.shape[1] != self._text.context:
            raise OptionError(f"texts of {ids.shape[1]} tokens: SigLIP takes them padded to {self._text.context}")
        return give_back(encode_in_batches(self._text, to_tensor(ids).to(self.device, torch.int64)), ids)

    def depth_tower(self, path: DepthPath = "depth") -> VisionTower:
        """Copy the tower of a path to be trained, for images of the model's own size.

        Of a backbone in bf16, one that was not trained has the rounded weights.
        """
        check_path(path)
        trained = self._trained if path == "depth" else None
        tower = copy.deepcopy(trained or self._towers[path])
        return tower.to(self.device, torch.float32).eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Array], *, image_size: int | None = None
    ) -> TransformersBackbone:
        """Make a backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        check_image_size(image_size, self.image_size, self.name)
        other = copy.copy(self)
        other._trained = trained = fill_tower(self.depth_tower().cpu(), tower)
        stored = self.device == "cpu" and self._format == torch.float32
        computing = trained if stored else copy.deepcopy(trained).to(self.device, self._format)
        other._towers = {"depth": computing, "image": self._towers["image"]}
        return other

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of a trained depth tower; the others come with the model."""
        trained = self._trained.state_dict() if self._trained is not None else {}
        return {f"depth.{name}": tensor for name, tensor in trained.items()}

    def config(self) -> dict[str, Any]:
        """Return which model a checkpoint builds on."""
        return {
            "backbone": "transformers",
            "base": self.name,
            "base_fingerprint": self.base_fingerprint(),
            "logit_scale": self.logit_scale,
            "depth_tower": {"image_size": self.image_size},
        }

    def base_fingerprint(self) -> str:
        """Hash the text tower's last layers, which tells models apart whatever their device and number format."""
        last = {"norm": self._text.text.final_layer_norm, "projection": self._text.projection}
        states = ((part, module.state_dict()) for part, module in last.items())
        return hash_tensors((f"{part}.{name}", tensor) for part, state in states for name, tensor in state.items())

    @property
    def _is_siglip(self) -> bool:
        """Whether the model is one of the SigLIP family."""
        return self._family.startswith("siglip")

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the channels, each [3, 1, 1]."""
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (self._mean, self._std))
        return mean, std


def load_transformers_backbone(
    source: str | Path, *, name: str | None = None, device: str = "cpu", dtype: str = "auto"
) -> TransformersBackbone:
    """Load a CLIP or SigLIP model.

    Args:
        source: Folder in transformers format, one of ``ALIASES``, or a repository on the hub as ``Repository`` takes
            it.
        name: Name by which the backbone is to be known; ``source`` if not given.
        device: Name of a torch device.
        dtype: See ``TransformersBackbone``.

    Returns:
        The backbone, for inference.

    Raises:
        ModelError: If the model cannot be loaded, is of another family, or lacks weights.
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
    """Load the model in fp32, the tokenizer and the preprocessor's settings of a folder."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    refuse_code(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.model_type not in _NORMALIZATION:
        known = _NOT_IMPLEMENTED.get(config.model_type)
        raise ModelError(
            f"{folder}: a model of type {config.model_type!r}{f', {known}' if known else ''}; expected one of type "
            f"{' or '.join(_NORMALIZATION)}"
        )
    with _hide_progress_bars():
        # Where there are only pickles, they are read as tensors and plain values (weights_only) and run nothing.
        model, report = AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
    # transformers fills missing weights with random ones and goes on.
    absent = sorted(map(str, {*report["missing_keys"], *report.get("mismatched_keys", ())}))
    if absent:
        raise ModelError(f"{folder}: {len(absent)} weights are missing or misshapen, the first is {absent[0]}")
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return model.eval().requires_grad_(False), tokenizer, _read_preprocessor(folder)


@contextmanager
def _hide_progress_bars() -> Iterator[None]:
    """Keep transformers from showing how it copies weights, and leave its settings as they were."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _read_preprocessor(folder: Path) -> dict[str, Any]:
    """Read ``preprocessor_config.json``; empty if there is none."""
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        return dict(ImageProcessingMixin.get_image_processor_dict(folder)[0])
    except OSError:
        return {}


def _normalization(processor: Mapping[str, Any], family: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of the three channels."""
    mean, std = _NORMALIZATION[family]
    return tuple(processor.get("image_mean", mean)), tuple(processor.get("image_std", std))


def _projection(model: Any, name: str) -> nn.Module:
    """Return the projection into the shared space: CLIP has one after each tower, SigLIP none."""
    projection: nn.Module = getattr(model, name, None) or nn.Identity()
    return projection
