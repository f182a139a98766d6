"""CLIP from its own tensors, with the depth tower of CLIP2Point beside it; no model hub is needed.

Converted checkpoints (``clip2point.model.conversion``) are of this kind. Either vision tower or the text tower may be
absent, because the authors' checkpoints hold no text tower; what needs an absent one says so.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn

from clip2point.backbones.clip_names import to_openai_names
from clip2point.backbones.clip_towers import Activation, build_text_tower, build_vision_tower
from clip2point.backbones.depth_tower import check_image_size, fill_tower
from clip2point.backbones.fingerprints import hash_tensors
from clip2point.backbones.model_files import refuse_code
from clip2point.backbones.precision import choose_device, choose_dtype
from clip2point.backbones.protocol import DepthPath, check_path, check_pixels, check_tokens
from clip2point.backbones.torch_borders import encode_in_batches, give_back, to_tensor
from clip2point.backbones.transformers_towers import TextTower, VisionTower
from clip2point.core.arrays import Container, Float32
from clip2point.core.errors import ModelError, reason
from clip2point.core.repositories import Repository

if TYPE_CHECKING:
    from clip2point.core.arrays import Array

#: Mean and deviation with which CLIP's images are normalised, channel by channel.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

#: Mean and deviation of each channel.
Normalisation: TypeAlias = tuple[Sequence[float], Sequence[float]]
CLIP_NORMALISATION: Normalisation = (MEAN, STD)

#: An image with a value outside has been normalised before: resizing, sharpening and noise carry images in [0, 1] less
#: than a whole range beyond their ends, while normalising spreads them over -1.79 to 2.15.
_RANGE = (-1.0, 2.0)


class ClipDepthTower(VisionTower):
    """A vision tower that reads depth maps as three equal channels, as the authors trained theirs.

    Args:
        tower: Tower for images of three channels, whose weights it takes.
        normalisation: Mean and deviation with which its images are normalised.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, tower: VisionTower, normalisation: Normalisation = CLIP_NORMALISATION) -> None:
        super().__init__(tower.vision, tower.projection)
        for name, values in zip(("mean", "std"), normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return features [N, D] of depth maps [N, 1, S, S] in [0, 1]."""
        return super().forward((images - self.mean) / self.std)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Refuse the state of a training of 0.1, whose optimizer knows other tensors; exported models are read."""
        if f"{prefix}vision.conv1.weight" in state_dict:
            raise ModelError(
                "a training that clip2point 0.1 began with a converted CLIP, whose towers have other tensors now: "
                "finish it with clip2point 0.1, or start again in another folder"
            )
        super()._load_from_state_dict(state_dict, prefix, *rest)


class _VisionPath(NamedTuple):
    """A vision tower in three forms.

    Attributes:
        stored: Tower in fp32, on the CPU.
        color: Tower as it computes.
        grayscale: The same for depth maps of one channel; only its first convolution is its own.
    """

    stored: VisionTower
    color: VisionTower
    grayscale: VisionTower


class ClipBackbone:
    """CLIP with or without a trained depth tower; implements ``Backbone``.

    The towers are those of transformers. They compute what OpenAI's code and that of the authors of CLIP2Point compute
    with the same tensors, within 1e-5 in fp32. Depth maps of one channel (``encode_depth``) go through a copy of their
    tower whose first convolution has the repeating to three channels and the normalising folded into it; all other
    weights are shared. Without a depth tower, both paths are the image tower; without an image tower, there is no path
    "image". A checkpoint holds all towers in fp32, by OpenAI's names, whatever the number format they compute in.

    Attributes:
        name: Name for reports and messages.
        activation: Activation of all towers.
        normalisation: Mean and deviation with which images are normalised.
        tokenizer: Folder or name on the hub of the tokenizer for texts; None if none is known, and then texts go in as
            the numbers of their tokens (``encode_tokens``).
        dim: D, width of the embedding space.
        image_size: S, side of photos and depth maps in pixels.
        logit_scale: Factor on cosines before a softmax.
        device: Name of the device of the towers.
        dtype: Name of the number format in which the vision towers compute: "float32" or "bfloat16".

    Args:
        states: Tensors of the towers "image", "depth" and "text", as far as there are such, by OpenAI's names.
        activation: Activation of all towers.
        heads: Numbers of attention heads of "vision" and "text"; by the rule of the published models if not given.
        logit_scale: Factor on cosines before a softmax.
        name: Name for reports.
        tokenizer: Folder or name on the hub of the tokenizer for texts, if known.
        normalisation: Mean and deviation with which images are normalised.
        device: Name of a torch device.
        dtype: "auto", "fp32" or "bf16", for the vision towers. The text tower computes in fp32.

    Raises:
        ModelError: If a tensor is not what it should be (the message names it), or there is no vision tower.
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
        normalisation: Normalisation = CLIP_NORMALISATION,
        device: str = "cpu",
        dtype: str = "auto",
    ) -> None:
        self.name, self.activation, self.logit_scale, self.tokenizer = name, activation, logit_scale, tokenizer
        self.normalisation = normalisation
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self._format: torch.dtype = getattr(torch, self.dtype)
        heads = heads or {}
        self._paths: dict[DepthPath, _VisionPath] = {}
        paths: tuple[DepthPath, ...] = ("image", "depth")
        for path in paths:
            if path in states:
                stored = build_vision_tower(states[path], activation, f"{name}, {path} tower", heads.get("vision"))
                self._paths[path] = self._make_path(stored)
        if not self._paths:
            raise ModelError(f"{name}: no vision tower; expected one for images, for depth maps, or both")
        self._trained = "depth" in self._paths
        self._paths.setdefault("depth", next(iter(self._paths.values())))
        self._text: TextTower | None = None
        if "text" in states:
            text = build_text_tower(states["text"], activation, f"{name}, text tower", heads.get("text"))
            self._text = text.to(self.device)
        self._tokenizer: Any = None
        self._check_sizes()
        self.dim = int(self._vision_config.projection_dim)
        self.image_size = self._paths["depth"].stored.image_size

    @property
    def towers(self) -> tuple[str, ...]:
        """Which towers there are: some of "image", "depth" and "text"."""
        present = {"image": "image" in self._paths, "depth": self._trained, "text": self._text is not None}
        return tuple(tower for tower, there in present.items() if there)

    @property
    def configs(self) -> dict[str, Any]:
        """Configs of transformers: of "vision", the image tower and the depth tower, and of "text" if there is one."""
        text = {} if self._text is None else {"text": self._text.text.config}
        return {"vision": self._vision_config, **text}

    @property
    def heads(self) -> dict[str, int]:
        """Numbers of attention heads of "vision" and, if there is a text tower, of "text"."""
        return {tower: int(config.num_attention_heads) for tower, config in self.configs.items()}

    def fingerprint(self, path: DepthPath = "depth") -> str:
        """Hash the tower that reads depth maps, its activation and its number of heads."""
        state = to_openai_names(self._path(path).grayscale.state_dict(), "vision")
        blocks = f"{self.activation}.{self.heads['vision']}"
        return hash_tensors((f"{blocks}.{name}", tensor) for name, tensor in state.items())

    def encode_depth(self, depth: Container, path: DepthPath = "depth") -> Container:
        """Return features [B, V, D] of depth maps [B, V, S, S] in [0, 1]."""
        images = to_tensor(depth).flatten(0, 1)[:, None].to(self.device, self._format)
        features = encode_in_batches(self._path(path).grayscale, images)
        return give_back(features.unflatten(0, tuple(depth.shape[:2])), depth)

    def encode_depth_images(self, images: Container, *, normalized: bool | None = None) -> Container:
        """Return features [N, D] by the depth tower of depth maps that are images already.

        Args:
            images: Depth maps [N, 1, S, S] in [0, 1], or [N, 3, H, W] as ``encode_image`` takes them.
            normalized: See ``encode_image``; for images of three channels.

        Raises:
            OptionError: If the images have another number of axes or channels.
        """
        if images.ndim == 4 and images.shape[1] == 1:
            return cast(Container, self.encode_depth(images)[:, 0])
        return self._encode_color(images, "depth", normalized)

    def encode_image(self, images: Container, *, normalized: bool | None = None) -> Container:
        """Return features [B, D] of colour images.

        Args:
            images: [B, 3, H, W], in [0, 1] or normalised by CLIP's mean and deviation; they are resized to the size of
                the tower, and those in [0, 1] normalised.
            normalized: True if they are normalised, False if they are in [0, 1]. If not given, each image tells by its
                values: one with any below -1 or above 2 is normalised. A normalised image without dark and bright
                pixels has none of these and would be taken for one in [0, 1], so callers that normalise should say so.

        Raises:
            ModelError: If there is no image tower.
            OptionError: If the images have another number of axes or channels.
        """
        return self._encode_color(images, "image", normalized)

    def encode_pixels(self, pixels: Container, path: DepthPath = "image") -> Container:
        """Return features [N, D] of images [N, 3, S, S] as they are; see ``Backbone.encode_pixels``."""
        tower = self._path(path).color
        check_pixels(pixels)
        return give_back(encode_in_batches(tower, to_tensor(pixels).to(self.device, self._format)), pixels)

    def encode_text(self, texts: Sequence[str]) -> Float32:
        """Return features [C, D] of C texts; longer ones than the tower takes are cut.

        Raises:
            ModelError: If there is no text tower, or its tokenizer cannot be loaded.
        """
        text = self._text_tower()
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer(text.vocabulary)
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=text.context, return_tensors="np"
        )
        return self.encode_tokens(tokens["input_ids"])

    def encode_tokens(self, ids: Container) -> Container:
        """Return features [B, D] of texts given as the numbers of their tokens; needs no tokenizer.

        Args:
            ids: Integers [B, L], each text with the end token, which is the one with the highest number; what comes
                after does not matter. L is at most the length of the tower, 77 for CLIP.

        Raises:
            ModelError: If there is no text tower.
            OptionError: If the tokens are not of that form.
        """
        text = self._text_tower()
        check_tokens(ids, text.vocabulary, text.context)
        return give_back(encode_in_batches(text, to_tensor(ids).to(self.device, torch.int64)), ids)

    def depth_tower(self, path: DepthPath = "depth") -> ClipDepthTower:
        """Copy the tower of a path to be trained, for depth maps of the model's own size."""
        tower = ClipDepthTower(copy.deepcopy(self._path(path).stored), self.normalisation)
        return tower.to(self.device).eval().requires_grad_(True)

    def with_depth_tower(
        self, tower: nn.Module | Mapping[str, Array], *, image_size: int | None = None
    ) -> ClipBackbone:
        """Make a backbone with a trained depth tower; see ``Backbone.with_depth_tower``."""
        check_image_size(image_size, self.image_size, self.name)
        other = copy.copy(self)
        filled = fill_tower(self.depth_tower().cpu(), tower)
        other._paths = {**self._paths, "depth": self._make_path(VisionTower(filled.vision, filled.projection))}
        other._trained = True
        return other

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of all towers by OpenAI's names.

        They are under ``image.``, ``text.`` and, if a depth tower was trained, ``depth.vision.``.
        """
        states: dict[str, dict[str, Tensor]] = {}
        if self._text is not None:
            states["text"] = to_openai_names(self._text.state_dict(), "text")
        if "image" in self._paths:
            states["image"] = to_openai_names(self._paths["image"].stored.state_dict(), "vision")
        if self._trained:
            states["depth.vision"] = to_openai_names(self._paths["depth"].stored.state_dict(), "vision")
        return {f"{prefix}.{name}": tensor for prefix, state in states.items() for name, tensor in state.items()}

    def config(self) -> dict[str, Any]:
        """Return what a checkpoint has to say besides: what the tensors do not tell, and for people what they do."""
        trained = {"depth_tower": {"image_size": self.image_size}} if self._trained else {}
        tokenizer = {"tokenizer": self.tokenizer} if self.tokenizer else {}
        mean, std = map(list, self.normalisation)
        other = {} if (mean, std) == (list(MEAN), list(STD)) else {"mean": mean, "std": std}
        return {
            "backbone": "clip",
            "towers": list(self.towers),
            "activation": self.activation,
            "heads": self.heads,
            "dim": self.dim,
            "logit_scale": self.logit_scale,
            **trained,
            **tokenizer,
            **other,
        }

    @property
    def _vision_config(self) -> Any:
        """Config of both vision towers."""
        return self._paths["depth"].stored.vision.config

    def _make_path(self, stored: VisionTower) -> _VisionPath:
        """Make the forms of a tower."""
        # Folded before the cast, so that it is rounded once.
        grayscale = stored.grayscale(*self.normalisation)
        if self.device == "cpu" and self._format == torch.float32:
            return _VisionPath(stored, stored, grayscale)
        color, grayscale = copy.deepcopy((stored, grayscale))  # at once, so that they go on sharing their weights
        return _VisionPath(stored, color.to(self.device, self._format), grayscale.to(self.device, self._format))

    def _path(self, path: DepthPath) -> _VisionPath:
        """Return the tower of a path, which has to be there."""
        check_path(path)
        if path not in self._paths:
            raise ModelError(f"{self.name} has no image tower; {_CONVERT_WITH_CLIP}")
        return self._paths[path]

    def _text_tower(self) -> TextTower:
        """Return the text tower, which has to be there."""
        if self._text is None:
            raise ModelError(
                f"{self.name} has no text tower, as the authors' checkpoints hold none; {_CONVERT_WITH_CLIP}"
            )
        return self._text

    def _check_sizes(self) -> None:
        """Make sure that all towers share one space, and that the vision towers are of one kind."""
        image = self._paths.get("image", self._paths["depth"]).stored.vision.config
        if image.to_dict() != self._vision_config.to_dict():
            raise ModelError(f"{self.name}: the image tower and the depth tower differ in size; they should be copies")
        configs = self.configs
        widths = {tower: configs["text" if tower == "text" else "vision"].projection_dim for tower in self.towers}
        if len(set(widths.values())) > 1:
            listed = ", ".join(f"{tower} {width}" for tower, width in widths.items())
            raise ModelError(f"{self.name}: the towers do not share one embedding space: their widths are {listed}")

    def _encode_color(self, images: Container, path: DepthPath, normalized: bool | None) -> Container:
        """Return features [N, D] of colour images [N, 3, H, W]."""
        size = self._path(path).color.image_size
        check_pixels(images)
        photos = to_tensor(images).to(self.device, torch.float32)
        done = _are_normalized(photos) if normalized is None else torch.full((len(photos),), normalized)
        pixels = _prepare(photos, size, done.to(self.device)[:, None, None, None], self.normalisation)
        return give_back(self.encode_pixels(pixels, path), images)

    def _load_tokenizer(self, vocabulary: int) -> Any:
        """Load the tokenizer and make sure that it is that of the text tower."""
        advice = "convert again with --tokenizer and a folder that holds CLIP's, or use encode_tokens"
        if self.tokenizer is None:
            raise ModelError(f"{self.name} names no tokenizer for texts: {advice}")
        try:
            from transformers import AutoTokenizer

            source = _find_tokenizer(self.tokenizer)
            if Path(source).is_dir():
                refuse_code(Path(source))
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        except Exception as error:
            raise ModelError(
                f"{self.name}: texts need the tokenizer {self.tokenizer!r}, which cannot be loaded ({reason(error)}): "
                f"{advice}"
            ) from error
        if len(tokenizer) != vocabulary or tokenizer.eos_token_id != vocabulary - 1:
            raise ModelError(
                f"{self.name}: the tokenizer {self.tokenizer!r} has {len(tokenizer)} tokens and ends texts with "
                f"{tokenizer.eos_token_id}, expected {vocabulary} and {vocabulary - 1}: {advice}"
            )
        return tokenizer


def _find_tokenizer(source: str) -> Path:
    """Return the folder of a tokenizer, fetched from the hub if need be."""
    if Path(source).is_dir():
        return Path(source)
    repository = Repository(source)
    return repository.fetch(repository.list_files(weights=False))


_CONVERT_WITH_CLIP = "convert the checkpoint again and give the CLIP file too: --clip ViT-B-32.pt"


def _are_normalized(images: Tensor) -> Tensor:
    """Tell which of images [N, 3, H, W] have values that only normalising gives, as [N] booleans."""
    return ((images < _RANGE[0]) | (images > _RANGE[1])).flatten(1).any(dim=1)


def _prepare(images: Tensor, size: int, normalized: Tensor, normalisation: Normalisation) -> Tensor:
    """Resize images [N, 3, H, W], and normalise them unless [N, 1, 1, 1] says that they are."""
    if images.shape[-2:] != (size, size):
        resized = nn.functional.interpolate(images, (size, size), mode="bicubic", antialias=True)
        images = torch.where(normalized, resized, resized.clamp(0, 1))
    mean, std = (torch.tensor(values, device=images.device)[:, None, None] for values in normalisation)
    return torch.where(normalized, images, (images - mean) / std)
