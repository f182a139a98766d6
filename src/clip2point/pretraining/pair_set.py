"""Pairs as arrays: the points of models, and what the frozen image tower says of their pictures.

Each shard is unpacked and its pictures are encoded once; both are kept in the cache, so that training reads memory
maps and the image tower does not run in it.
"""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip2point.backbones import Backbone
from clip2point.core.cache import load_or_compute
from clip2point.core.errors import DataError, OptionError
from clip2point.core.progress import Progress
from clip2point.pretraining.pairs import read_shard
from clip2point.pretraining.pairs.shards import INDEX
from clip2point.rendering import view_set

Float32 = NDArray[np.float32]

#: To be raised whenever the arrays would come out differently.
_VERSION = 1
_MAX_SIDE = 4096  # of a picture, in pixels


@dataclass(frozen=True)
class PairInfo:
    """What is known of a model beside its arrays.

    Attributes:
        key: of the model in its folder.
        captions: its name first.
        source: the collection that it comes from.
        licence: under which it was published, or "".
        creator: who made it, or "".
    """

    key: str
    captions: tuple[str, ...]
    source: str
    licence: str
    creator: str


class PairSet:
    """The models of pair folders.

    Attributes:
        infos: of the M models, in the order of folders, shards and keys.
        views: name of the view set of the pictures.
    """

    def __init__(
        self,
        folders: Sequence[str | Path],
        *,
        without: Sequence[str] = (),
        only: Sequence[str] = ("*",),
        progress: Progress | None = None,
    ) -> None:
        """Open folders that ``clip2point pairs`` filled.

        Args:
            folders: at least one.
            without: models to leave out, as patterns for SOURCE/CATEGORY/KEY: "sweethome3d:*", "*/vehicles/*".
            only: models to take, likewise.
            progress: wraps an iterable of a given length, to show how far it is.

        Raises:
            DataError: if a folder has no pairs or damaged ones, or folders differ in their views.
        """
        self._shards = [shard for folder in folders for shard in _shards(Path(folder))]
        watched = self._shards if progress is None else progress(self._shards, len(self._shards))
        self._points = [_unpacked(path) for path in watched]
        infos = [json.loads(bytes(arrays["infos"])) for arrays in self._points]
        views = {info["views"] for block in infos for info in block}
        if len(views) != 1:
            raise DataError(
                f"the pairs show different views ({', '.join(sorted(views))}): expected the same; render them anew"
            )
        self.views: str = views.pop()
        kept = [
            ((shard, row), _info(info))
            for shard, block in enumerate(infos)
            for row, info in enumerate(block)
            if _fits(info, only) and not _fits(info, without)
        ]
        if not kept:
            raise DataError(
                f"no model of the pairs is left (of {', '.join(only)}; without {', '.join(without) or 'none'}): "
                "expected patterns for SOURCE/CATEGORY/KEY that leave some"
            )
        self._places = [place for place, _ in kept]
        self.infos = tuple(info for _, info in kept)

    def __len__(self) -> int:
        return len(self.infos)

    def points(self, model: int) -> Float32:
        """[P, 3] float32 in the unit sphere, y up, front towards -z."""
        shard, row = self._places[model]
        return np.asarray(self._points[shard]["points"][row])

    def fingerprint(self) -> list[list[Any]]:
        """What identifies the pairs: names, sizes and times of the shards."""
        return [_stamp(path) for path in self._shards]

    def image_features(self, backbone: Backbone, progress: Progress | None = None) -> ImageFeatures:
        """Features of all pictures under the image tower of a backbone; computed once, then found in the cache."""
        watched = self._shards if progress is None else progress(self._shards, len(self._shards))
        return ImageFeatures([_encoded(path, backbone) for path in watched], self._places)

    def licences(self) -> dict[str, dict[str, int]]:
        """How many models have which licence, by source."""
        counts: dict[str, Counter[str]] = {}
        for info in self.infos:
            counts.setdefault(info.source, Counter())[info.licence or "not stated"] += 1
        return {source: dict(sorted(counter.items())) for source, counter in sorted(counts.items())}


class ImageFeatures:
    """Features of the pictures of a ``PairSet``."""

    def __init__(self, shards: list[Float32], places: list[tuple[int, int]]) -> None:
        self._shards, self._places = shards, places

    def __call__(self, model: int, view: int) -> Float32:
        """[D] feature of a picture."""
        shard, row = self._places[model]
        return np.asarray(self._shards[shard][row, view])


def _fits(info: dict[str, Any], patterns: Sequence[str]) -> bool:
    """Whether one of the patterns fits a model."""
    place = f"{info['source']}/{info['category']}/{info['key']}".lower()
    return any(fnmatchcase(place, pattern.lower()) for pattern in patterns)


def _shards(folder: Path) -> list[Path]:
    """The shards that the index of a folder lists."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        paths = [folder / Path(entry["file"]).name for entry in index["shards"] if entry["keys"]]
    except OSError as error:
        raise DataError(
            f"{folder}: holds no pairs ({error.strerror}): expected a folder that 'clip2point pairs' filled"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / INDEX}: is damaged ({error}): make the pairs again") from None
    if not paths:
        raise DataError(f"{folder}: holds no pairs yet: run 'clip2point pairs' until it is done")
    return paths


def _stamp(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): make the pairs again") from None
    return [path.name, found.st_size, found.st_mtime_ns]


def _unpacked(path: Path) -> dict[str, NDArray[Any]]:
    """Points [M, P, 3] of a shard, and its infos as JSON."""
    return load_or_compute("pairs", {"version": _VERSION, "shard": _stamp(path)}, lambda: _read_pairs(path))


def _read_pairs(path: Path) -> dict[str, NDArray[Any]]:
    """The same, read from the shard itself."""
    infos, clouds = [], []
    for key, files in read_shard(path):
        try:
            infos.append(_checked_info(json.loads(files["json"])))
            clouds.append(_cloud(files["points.npy"]))
            if clouds[-1].shape != clouds[0].shape:
                raise ValueError(f"points {clouds[-1].shape} beside {clouds[0].shape}")
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: the pair {key!r} is damaged ({error}): make the shard again") from None
    text = np.frombuffer(json.dumps(infos).encode(), dtype=np.uint8)
    return {"points": np.stack(clouds), "infos": text}


def _checked_info(info: Any) -> dict[str, Any]:
    """What is told of a model, if all of it is there."""
    texts = {name: info[name] for name in ("key", "category", "source", "licence", "creator", "views")}
    if not all(isinstance(value, str) for value in (*texts.values(), *info["captions"])) or not info["captions"]:
        raise ValueError("its description is not made of texts")
    _view_count(texts["views"])
    return {**texts, "captions": list(info["captions"])}


def _cloud(data: bytes) -> Float32:
    """[P, 3] points of an .npy file, which must be as long as its header says before memory is asked for."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if len(shape) != 2 or shape[1] != 3 or shape[0] < 1 or dtype.kind != "f":
        raise ValueError(f"points of shape {shape} and type {dtype}")
    if len(data) - file.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError("points that are longer or shorter than they say")
    points: Float32 = np.load(io.BytesIO(data), allow_pickle=False).astype(np.float32)
    return points


def _view_count(name: str) -> int:
    """How many views a set has; ValueError if there is no such set."""
    try:
        return len(view_set(name))
    except OptionError as error:
        raise ValueError(str(error)) from None


def _encoded(path: Path, backbone: Backbone) -> Float32:
    """Features [M, V, D] of a shard's pictures."""
    parts = {"version": _VERSION, "shard": _stamp(path), "tower": backbone.fingerprint("image")}
    return load_or_compute("image-features", parts, lambda: {"features": _encode_shard(path, backbone)})["features"]


def _encode_shard(path: Path, backbone: Backbone) -> Float32:
    """The same, computed anew."""
    features = []
    for key, files in read_shard(path):
        views = _view_count(json.loads(files["json"])["views"])  # checked when the shard was unpacked
        images = torch.from_numpy(_pictures(path, key, [files.get(f"view{view}.png", b"") for view in range(views)]))
        with torch.inference_mode():
            features.append(backbone.encode_image(images.permute(0, 3, 1, 2).float() / 255).cpu().numpy())
    return np.stack(features)


def _pictures(path: Path, key: str, files: list[bytes]) -> NDArray[np.uint8]:
    """[V, H, W, 3] of PNG files of one size."""
    from PIL import Image

    pictures = []
    try:
        for data in files:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if max(image.size) > _MAX_SIDE:
                    raise ValueError(f"{image.size[0]} x {image.size[1]} pixels")
                pictures.append(np.asarray(image.convert("RGB")))
        return np.stack(pictures)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: a picture of {key!r} is missing or damaged ({error}): make the shard again") from None


def _info(info: dict[str, Any]) -> PairInfo:
    return PairInfo(info["key"], tuple(info["captions"]), info["source"], info["licence"], info["creator"])
