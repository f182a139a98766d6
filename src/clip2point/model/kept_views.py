"""View features of clouds, kept by the clouds themselves: what was seen once is not seen again, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clip2point.backbones import Backbone, DepthPath
from clip2point.backbones.backbone_registry import backbone_code
from clip2point.core.plugin_code import room_code
from clip2point.core.store import make_base, make_key, open_store
from clip2point.core.version import __version__
from clip2point.model.encoding import encode_paths
from clip2point.rendering.depth import rendering_key

if TYPE_CHECKING:
    from clip2point.core.arrays import Array
    from clip2point.model.settings import Settings
    from clip2point.rendering import ViewSet

Float32 = NDArray[np.float32]

_KIND = "views"
#: Fingerprints of backbones whose weights cannot change.
_fingerprints: WeakKeyDictionary[Backbone, dict[DepthPath, str]] = WeakKeyDictionary()


class Observer(Protocol):
    """What sees clouds: a ``Recogniser``, whatever its head.

    Attributes:
        backbone: Towers.
        settings: Rendering settings.
        views: View set.
    """

    backbone: Backbone
    settings: Settings
    views: ViewSet

    def depth_maps(self, points: Float32) -> Array:
        """Render points [B, N, 3] in the unit sphere as depth maps [B, V, S, S]."""
        ...


class KeptViews:
    """View features under one model, computed or found; made anew for every task, since weights may be changed between.

    A cloud's features are those that it was given when it was seen first. In another batch they may differ by rounding.

    Args:
        model: Model whose towers and rendering settings are used; a head has no part in it.
    """

    def __init__(self, model: Observer) -> None:
        self._model = model
        self._bases: dict[DepthPath, bytes] = {}

    def encode(self, clouds: Float32, paths: Sequence[DepthPath] = ("depth",)) -> Float32:
        """Render and encode clouds, or find what an earlier call found.

        Args:
            clouds: [B, N, 3] float32 points in the unit sphere, y up.
            paths: P of ``PATHS``.

        Returns:
            [B, P, V, D] float32 features, not normalised.
        """
        store = open_store()
        if not (store.is_on and len(clouds) and hasattr(self._model.backbone, "fingerprint")):
            return self._compute(clouds, paths)
        keys = self._make_keys(clouds, paths)
        shape = len(self._model.views), self._model.backbone.dim
        found = store.get_many(_KIND, [key for own in keys for key in own])
        known = {key: np.frombuffer(value, "<f4").reshape(shape) for key, value in found.items()}
        new: dict[bytes, Float32] = {}
        if rows := [row for row, own in enumerate(keys) if not known.keys() >= set(own)]:
            columns = [number for number in range(len(paths)) if any(keys[row][number] not in known for row in rows)]
            features = self._compute(clouds[rows], [paths[number] for number in columns])
            for place, row in enumerate(rows):
                for part, number in enumerate(columns):
                    if keys[row][number] not in known:
                        new[keys[row][number]] = features[place, part]
            store.put_many(_KIND, {key: np.ascontiguousarray(value, "<f4").tobytes() for key, value in new.items()})
        known |= new
        return np.stack([np.stack([known[key] for key in own]) for own in keys])

    def _make_keys(self, clouds: Float32, paths: Sequence[DepthPath]) -> list[list[bytes]]:
        """Return the key of each cloud by each path."""
        for path in paths:
            if path not in self._bases:
                self._bases[path] = make_base(view_key(self._model, path))
        contents = [np.ascontiguousarray(cloud, "<f4").tobytes() for cloud in clouds]
        return [[make_key(self._bases[path], content) for path in paths] for content in contents]

    def _compute(self, clouds: Float32, paths: Sequence[DepthPath]) -> Float32:
        return encode_paths(self._model.backbone, self._model.depth_maps(clouds), paths)


def view_key(model: Observer, path: DepthPath) -> dict[str, Any]:
    """Return everything that the features of a cloud by one path depend on besides the cloud, as JSON types."""
    backbone = model.backbone
    return {
        "version": __version__,
        "code": room_code("rendering", "backbones", "model"),
        "tower": _fingerprint(backbone, path),
        "computed": [str(backbone.device), str(backbone.dtype), getattr(backbone, "runtime", "torch")],
        "image_size": backbone.image_size,
        **rendering_key(model.views, model.settings.radius, model.settings.style),
        **backbone_code(backbone),
    }


def _fingerprint(backbone: Backbone, path: DepthPath) -> str:
    """Return the fingerprint of a tower, which takes a tenth of a second."""
    if not getattr(backbone, "frozen", False):
        return backbone.fingerprint(path)
    known = _fingerprints.setdefault(backbone, {})
    if path not in known:
        known[path] = backbone.fingerprint(path)
    return known[path]
