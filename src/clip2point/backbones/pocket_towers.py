"""The towers of ``pocket`` as a runtime computes them: one protocol, and the inference engine's implementation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones.efficientnet_weights import fuse_weights, read_lite2
from clip2point.backbones.minilm_files import MAX_TOKENS, PADDING, MiniLMFiles
from clip2point.backbones.pocket_state import DepthState
from clip2point.core.arrays import Float32

if TYPE_CHECKING:
    from clip2point.backbones.runtimes.engine import CompiledTower

Weights = Mapping[str, NDArray[Any]]

#: Lengths in tokens that texts are padded to, and texts at once.
_LENGTHS = (6, 8, 10, 12, 14, 16, 20, 24, 32, 64, 128, MAX_TOKENS)
_TEXTS = 16
#: Views of more than so many are computed a few at a time.
_MAX_VIEWS, _FEW_VIEWS = 16, 8


class PocketTowers(Protocol):
    """Towers in one runtime and number format; arrays in and out, in float32."""

    def encode_grayscale(self, images: Float32, views: int) -> Float32:
        """Return features [N, 1280] of grayscale images [N, 1, H, W] in [0, 1] by the image tower.

        Args:
            images: Images of N / views shapes.
            views: Number of images of a shape.
        """
        ...

    def encode_color(self, pixels: Float32) -> Float32:
        """Return features [N, 1280] of normalised images [N, 3, H, W] by the image tower."""
        ...

    def encode_depth(self, images: Float32, views: int) -> Float32:
        """Return features [N, 384] of depth maps [N, 1, S, S] in [0, 1] by the trained depth tower.

        Args:
            images: Depth maps of N / views shapes.
            views: Number of depth maps of a shape.
        """
        ...

    def encode_tokens(self, ids: NDArray[np.int64]) -> Float32:
        """Return embeddings [C, 384], not normalised, of texts given as numbers [C, L] of tokens, 0 for padding."""
        ...


class SharedFiles:
    """The frozen weights that all models of this kind have, read when first used."""

    @cached_property
    def vision(self) -> Weights:
        """Fused weights of EfficientNet-Lite2."""
        return fuse_weights(read_lite2())

    @cached_property
    def text(self) -> MiniLMFiles:
        """Config, weights and tokenizer of MiniLM."""
        from clip2point.backbones.minilm_files import read_minilm

        return read_minilm()


class EngineTowers:
    """Towers on the inference engine; implements ``PocketTowers``.

    Args:
        shared: Frozen weights.
        depth: Trained depth tower, or None.
        dtype: Number format of the vision towers: "float32" or "bfloat16". Texts are computed in float32.
    """

    def __init__(self, shared: SharedFiles, depth: DepthState | None, dtype: str) -> None:
        self._shared, self._dtype = shared, dtype
        self._depth = depth
        self._towers: dict[tuple[str, int], CompiledTower] = {}

    def encode_grayscale(self, images: Float32, views: int) -> Float32:
        """Return features by the image tower; see ``PocketTowers``."""
        return self._vision(_batch_of(views))(images)

    def encode_color(self, pixels: Float32) -> Float32:
        """Return features by the image tower; see ``PocketTowers``."""
        return self._vision(1)(pixels)

    def encode_depth(self, images: Float32, views: int) -> Float32:
        """Return features by the trained depth tower; see ``PocketTowers``."""
        from clip2point.backbones.runtimes.efficientnet_graph import build_efficientnet

        depth = self._depth
        assert depth is not None
        build = partial(build_efficientnet, depth.fused, head=depth.head)
        return self._tower("depth", _batch_of(views), build)(images)

    def encode_tokens(self, ids: NDArray[np.int64]) -> Float32:
        """Return embeddings of texts; see ``PocketTowers``."""
        from clip2point.backbones.runtimes.engine import choose_length
        from clip2point.backbones.runtimes.minilm_graph import build_minilm_graph

        files = self._shared.text
        tower = self._tower("text", _TEXTS, partial(build_minilm_graph, files.weights, files.config))
        places = np.arange(1, ids.shape[1] + 1)
        lengths = np.array([choose_length(int(last), _LENGTHS) for last in ((ids != PADDING) * places).max(1)])
        found = np.empty((len(ids), int(files.config["hidden_size"])), np.float32)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            tokens = np.full((len(rows), length), PADDING, np.int64)
            tokens[:, : ids.shape[1]] = ids[rows, :length]
            found[rows] = tower(files.weights["words.weight"][tokens], (tokens != PADDING).astype(np.float32))
        return found

    def _vision(self, batch: int) -> CompiledTower:
        """Return the image tower for batches of a size."""
        from clip2point.backbones.runtimes.efficientnet_graph import build_efficientnet

        return self._tower("vision", batch, partial(build_efficientnet, self._shared.vision))

    def _tower(self, name: str, batch: int, build: Any) -> CompiledTower:
        """Return a tower for batches of a size, made when first asked for."""
        from clip2point.backbones.runtimes.engine import CompiledTower

        if (name, batch) not in self._towers:
            self._towers[name, batch] = CompiledTower(build, batch, "float32" if name == "text" else self._dtype)
        return self._towers[name, batch]


def _batch_of(views: int) -> int:
    """Return how many views are computed at once: those of a shape, so that each shape is computed alike."""
    return views if views <= _MAX_VIEWS else _FEW_VIEWS
