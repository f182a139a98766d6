"""CLIP from its own tensors, with the depth tower of CLIP2Point beside it; no model hub is needed.

Converted checkpoints (``clip2point.model.conversion``) are of this kind. Either vision tower or the text tower may
be absent, because the authors' checkpoints hold no text tower; what needs an absent one says so.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from clip2point.backbones.clip_towers import (
    Activation,
    Architecture,
    TextTransformer,
    VisionTransformer,
    text_tower,
    vision_tower,
)
from clip2point.backbones.depth_tower import check_image_size, filled
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import DepthPath, check_path, hash_tensors, in_batches
from clip2point.backbones.single_channel import fold_first_convolution, shared_copy
from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.core.repositories import Repository

#: With which CLIP's images are normalised, channel by channel.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

#: An image with a value outside has been normalised before: resizing, sharpening and noise carry images in [0, 1] less
#: than a whole range beyond their ends, while normalising spreads them over -1.79 to 2.15.
_RANGE = (-1.0, 2.0)


class ClipDepthTower(nn.Module):
    """A vision tower that reads depth maps as three equal channels, which is how the authors trained theirs.

    Args:
        vision: with a first convolution of three channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, vision: VisionTransformer) -> None:
        super().__init__()
        self.vision = vision
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, D] of depth maps [N, 1, S, S] in [0, 1]."""
        return self.vision((images - self.mean) / self.std)


class _Path(NamedTuple):
    """A vision tower in three forms.

    Attributes:
        stored: in fp32, on the CPU.
        color: as it computes.
        grey: the same for depth maps of one channel; only its first convolution is its own.
    """

    stored: VisionTransformer
    color: VisionTransformer
    grey: VisionTransformer


class ClipBackbone:
    """CLIP with or without a trained depth tower; implements ``Backbone``.

    The towers compute what OpenAI's code and that of the authors of CLIP2Point compute with the same tensors, within
    1e-5 in fp32. Depth maps of one channel (``encode_depth``) go through a copy of their tower whose first
    convolution has the repeating to three channels and the normalising folded into it; all other weights are shared.
    Without a depth tower, both paths are the image tower; without an image tower, there is no path "image". A
    checkpoint holds all towers in fp32, whatever the number format they compute in.

    Attributes:
        name: for reports and messages.
        activation: of all towers.
        tokenizer: folder or name on the hub of the tokenizer for texts; None if none is known, and then texts go in as
            the numbers of their tokens (``encode_tokens``).
        dim: D, width of the embedding space.
        image_size: S, pixels, of photos and depth maps.
        logit_scale: factor on cosines before a softmax.
        device: where the towers are.
        dtype: in which the vision towers compute.

    Args:
        states: tensors of the towers "image", "depth" and "text", as far as there are such, by OpenAI's names.
        activation: of all towers.
        heads: of the attentions of "vision" and "text"; by the rule of the published models where not given.
        logit_scale: factor on cosines before a softmax.
        name: for reports.
        tokenizer: folder or name on the hub of the tokenizer for texts, if known.
        device: name of a torch device.
        dtype: "auto", "fp32" or "bf16", of the vision towers. The text tower computes in fp32.

    Raises:
        ModelError: that names a tensor which is not what it should be, or if there is no vision tower.
    """

    def __init__(
        self,
        states: Mapping[str, Mapping[str, Tensor]],
        *,
        activation: Activation,
        heads: Mapping[str, int] | None = None,
        logit_scale: float,
        name: str,
        tokenizer: str | None = None,
        device: str = "cpu",
        dtype: str = "auto",
    ) -> None:
        self.name, self.activation, self.logit_scale, self.tokenizer = name, activation, logit_scale, tokenizer
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        heads = heads or {}
        self._paths: dict[DepthPath, _Path] = {}
        paths: tuple[DepthPath, ...] = ("image", "depth")
        for path in paths:
            if path in states:
                stored = vision_tower(states[path], activation, f"{name}, {path} tower", heads.get("vision"))
                self._paths[path] = self._path_of(stored)
        if not self._paths:
            raise ModelError(f"{name}: no vision tower; expected one for images, for depth maps, or both")
        self._trained = "depth" in self._paths
        self._paths.setdefault("depth", next(iter(self._paths.values())))
        self._text: TextTransformer | None = None
        if "text" in states:
            text = text_tower(states["text"], activation, f"{name}, text tower", heads.get("text"))
            self._text = text.to(self.device)
        self._tokenizer: Any = None
        self._check_sizes()
        self.dim = self._paths["depth"].stored.dim
        self.image_size = self._paths["depth"].stored.image_size

    @property
    def towers(self) -> tuple[str, ...]:
        """Which towers there are: some of "image", "depth" and "text"."""
        present = {"image": "image" in self._paths, "depth": self._trained, "text": self._text is not None}
        return tuple(tower for tower, there in present.items() if there)

    @property
    def architectures(self) -> dict[str, Architecture]:
        """Of the towers: "vision", which the image tower and the depth tower share, and "text" if there is one."""
        text = {} if self._text is None else {"text": self._text.architecture}
        return {"vision": self._paths["depth"].stored.architecture, **text}

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash of the tower that reads depth maps, its activation and its number of heads."""
        grey = self._path(path).grey
        blocks = f"{self.activation}.{grey.architecture.heads}"
        return hash_tensors((f"{blocks}.{name}", tensor) for name, tensor in grey.state_dict().items())

    def encode_depth(self, depth: Tensor, path: DepthPath = "depth") -> Tensor:
        """Features [B, V, D] of depth maps [B, V, S, S] in [0, 1]."""
        images = depth.flatten(0, 1)[:, None].to(self.device, self.dtype)
        return in_batches(self._path(path).grey, images).unflatten(0, depth.shape[:2])

    def encode_depth_images(self, images: Tensor, *, normalized: bool | None = None) -> Tensor:
        """Features [N, D] by the depth tower of depth maps that are images already.

        Args:
            images: [N, 1, S, S] in [0, 1], or [N, 3, H, W] as ``encode_image`` takes them.
            normalized: of images of three channels; see ``encode_image``.

        Raises:
            OptionError: if the images have another number of axes or channels.
        """
        if images.ndim == 4 and images.shape[1] == 1:
            return self.encode_depth(images)[:, 0]
        return self._encode_color(images, "depth", normalized)

    def encode_image(self, images: Tensor, *, normalized: bool | None = None) -> Tensor:
        """Features [B, D] of colour images.

        Args:
            images: [B, 3, H, W], in [0, 1] or normalised by CLIP's mean and deviation; they are resized to the size of
                the tower, and those in [0, 1] normalised.
            normalized: which of both they are. If not given, each image tells by its values: one with any below -1 or
                above 2 is normalised. A normalised image without dark and bright pixels has none of these and would be
                taken for one in [0, 1], so callers that normalise should say so.

        Raises:
            ModelError: if there is no image tower.
            OptionError: if the images have another number of axes or channels.
        """
        return self._encode_color(images, "image", normalized)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Features [C, D] of C texts; longer ones than the tower takes are cut.

        Raises:
            ModelError: if there is no text tower, or its tokenizer cannot be had.
        """
        text = self._text_tower()
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer(text.vocabulary)
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=text.context, return_tensors="pt"
        )
        return self.encode_tokens(tokens["input_ids"])

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Features [C, D] of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            tokens: [C, L] integers, each text with the end token, which is the one with the highest number; what comes
                after does not matter. L is at most the length of the tower, 77 for CLIP.

        Raises:
            ModelError: if there is no text tower.
            OptionError: if the tokens are not of that form.
        """
        text = self._text_tower()
        if tokens.ndim != 2 or tokens.is_floating_point() or not 1 <= tokens.shape[1] <= text.context:
            raise OptionError(
                f"tokens of shape {list(tokens.shape)} in {tokens.dtype}: expected integers [C, L], "
                f"L from 1 to {text.context}"
            )
        if tokens.numel() and not (int(tokens.min()) >= 0 and int(tokens.max()) < text.vocabulary):
            raise OptionError(
                f"tokens from {int(tokens.min())} to {int(tokens.max())}: expected 0 to {text.vocabulary - 1}"
            )
        return in_batches(text, tokens.to(self.device, torch.int64))

    def depth_tower(self, path: DepthPath = "depth") -> ClipDepthTower:
        """A copy of the tower of a path to be trained, for depth maps of the model's own size."""
        vision = copy.deepcopy(self._path(path).stored)
        return ClipDepthTower(vision).to(self.device).eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Tensor], *, image_size: int | None = None
    ) -> ClipBackbone:
        """A backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        check_image_size(image_size, self.image_size, self.name)
        other = copy.copy(self)
        trained = self._path_of(filled(self.depth_tower().cpu(), tower).vision)
        other._paths = {**self._paths, "depth": trained}
        other._trained = True
        return other

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of all towers, under ``image.``, ``text.`` and, if trained, ``depth.vision.``."""
        modules: dict[str, nn.Module | None] = {"text": self._text}
        if "image" in self._paths:
            modules["image"] = self._paths["image"].stored
        if self._trained:
            modules["depth.vision"] = self._paths["depth"].stored
        return {
            f"{prefix}.{name}": tensor
            for prefix, module in modules.items()
            if module is not None
            for name, tensor in module.state_dict().items()
        }

    def config(self) -> dict[str, Any]:
        """What a checkpoint has to say besides: what the tensors do not tell, and for people what they do."""
        trained = {"depth_tower": {"image_size": self.image_size}} if self._trained else {}
        tokenizer = {"tokenizer": self.tokenizer} if self.tokenizer else {}
        heads = {tower: architecture.heads for tower, architecture in self.architectures.items()}
        return {
            "backbone": "clip",
            "towers": list(self.towers),
            "activation": self.activation,
            "heads": heads,
            "dim": self.dim,
            "logit_scale": self.logit_scale,
            **trained,
            **tokenizer,
        }

    def _path_of(self, stored: VisionTransformer) -> _Path:
        """The forms of a tower."""
        # Folded before the cast, so that it is rounded once.
        grey = _one_channel_copy(stored)
        if self.device.type == "cpu" and self.dtype == torch.float32:
            return _Path(stored, stored, grey)
        color, grey = copy.deepcopy((stored, grey))  # at once, so that they go on sharing their weights
        return _Path(stored, color.to(self.device, self.dtype), grey.to(self.device, self.dtype))

    def _path(self, path: DepthPath) -> _Path:
        """The tower of a path, which has to be there."""
        check_path(path)
        if path not in self._paths:
            raise ModelError(f"{self.name} has no image tower; {_CONVERT_WITH_CLIP}")
        return self._paths[path]

    def _text_tower(self) -> TextTransformer:
        """The text tower, which has to be there."""
        if self._text is None:
            raise ModelError(
                f"{self.name} has no text tower, as the authors' checkpoints hold none; {_CONVERT_WITH_CLIP}"
            )
        return self._text

    def _check_sizes(self) -> None:
        """Make sure that all towers share one space, and that the vision towers are of one kind."""
        kinds = {(forms.stored.architecture, forms.stored.image_size) for forms in self._paths.values()}
        if len(kinds) > 1:
            raise ModelError(f"{self.name}: the image tower and the depth tower differ in size; they should be copies")
        widths: dict[str, int] = {path: forms.stored.dim for path, forms in self._paths.items()}
        if self._text is not None:
            widths["text"] = self._text.dim
        if len(set(widths.values())) > 1:
            listed = ", ".join(f"{tower} {width}" for tower, width in widths.items())
            raise ModelError(f"{self.name}: the towers do not share one embedding space: their widths are {listed}")

    def _encode_color(self, images: Tensor, path: DepthPath, normalized: bool | None) -> Tensor:
        """Features [N, D] of colour images [N, 3, H, W]."""
        tower = self._path(path).color
        if images.ndim != 4 or images.shape[1] != 3:
            raise OptionError(f"images of shape {list(images.shape)}: expected [N, 3, H, W]")
        images = images.to(self.device, torch.float32)
        done = _are_normalized(images) if normalized is None else torch.full((len(images),), normalized)
        prepared = _prepared(images, tower.image_size, done.to(self.device)[:, None, None, None])
        return in_batches(tower, prepared.to(self.dtype))

    def _load_tokenizer(self, vocabulary: int) -> Any:
        """The tokenizer, once it is known to be that of the text tower."""
        advice = "convert again with --tokenizer and a folder that holds CLIP's, or use encode_tokens"
        if self.tokenizer is None:
            raise ModelError(f"{self.name} names no tokenizer for texts: {advice}")
        try:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(_tokenizer_folder(self.tokenizer))
        except Exception as error:
            raise ModelError(
                f"{self.name}: texts need the tokenizer {self.tokenizer!r}, which cannot be had ({reason(error)}): "
                f"{advice}"
            ) from error
        if len(tokenizer) != vocabulary or tokenizer.eos_token_id != vocabulary - 1:
            raise ModelError(
                f"{self.name}: the tokenizer {self.tokenizer!r} has {len(tokenizer)} tokens and ends texts with "
                f"{tokenizer.eos_token_id}, expected {vocabulary} and {vocabulary - 1}: {advice}"
            )
        return tokenizer


def _tokenizer_folder(source: str) -> Path:
    """The folder of a tokenizer, from the hub if need be."""
    if Path(source).is_dir():
        return Path(source)
    repository = Repository(source)
    return repository.fetch(repository.list_files(weights=False))


_CONVERT_WITH_CLIP = "convert the checkpoint again and give the CLIP file too: --clip ViT-B-32.pt"


def _are_normalized(images: Tensor) -> Tensor:
    """Which of images [N, 3, H, W] have values that only normalising gives, as [N] booleans."""
    return ((images < _RANGE[0]) | (images > _RANGE[1])).flatten(1).any(dim=1)


def _prepared(images: Tensor, size: int, normalized: Tensor) -> Tensor:
    """Images [N, 3, H, W] as a tower takes them: resized, and normalised unless [N, 1, 1, 1] says that they are."""
    if images.shape[-2:] != (size, size):
        resized = nn.functional.interpolate(images, (size, size), mode="bicubic", antialias=True)
        images = torch.where(normalized, resized, resized.clamp(0, 1))
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, STD))
    return torch.where(normalized, images, (images - mean) / std)


def _one_channel_copy(vision: VisionTransformer) -> VisionTransformer:
    """A tower for depth maps that shares all weights with ``vision`` but those of the first convolution."""
    grey = shared_copy(vision)
    grey.conv1 = fold_first_convolution(grey.conv1, MEAN, STD)
    return grey.requires_grad_(False)
