"""The files of one pair: what is known of its model, points of its surface, and colour images of its views."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.version import __version__

Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

#: Endings of a pair's files, behind its key and a dot. WebDataset takes all behind the first dot for the ending.
INFO_ENDING, POINTS_ENDING, IMAGE_ENDING = "json", "points.npy", "view{}.png"

#: With an ending it stays within the 100 bytes that a plain tar header has for a name.
_KEY = re.compile(r"[A-Za-z0-9_-]{1,88}")
#: Longest key that is made of a name alone, without a checksum.
_KEY_LENGTH = 72
#: Compression level of PNG: three quarters of the time of Pillow's default (6) for 3 % more bytes. Fast lossless WebP
#: is no smaller.
_COMPRESSION = 4
_MAX_SIDE = 4096  # of an image, in pixels


@dataclass(frozen=True)
class PairInfo:
    """Description of a pair's model, as its JSON file has it.

    Attributes:
        key: Name of the pair, unique in its source and the same in every run: letters, digits, "_" and "-".
        captions: Texts that describe the model, its name first; at least one.
        category: Class or department of the model, or "".
        licence: Licence under which the model was published, or "" if its source does not say.
        creator: Author of the model, or "".
        source: Collection that the model comes from; never a path of a machine.
    """

    key: str
    captions: tuple[str, ...]
    category: str
    licence: str
    creator: str
    source: str

    @property
    def caption(self) -> str:
        """Name of the model."""
        return self.captions[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the description as JSON types."""
        return {
            "key": self.key,
            "caption": self.caption,
            "captions": list(self.captions),
            "category": self.category,
            "licence": self.licence,
            "creator": self.creator,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, values: Any) -> PairInfo:
        """Read a description from JSON types; other keys are ignored.

        Raises:
            ValueError: If a key is missing or no text.
        """
        try:
            texts = {name: values[name] for name in ("key", "category", "licence", "creator", "source")}
            captions = list(values["captions"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"its description has no {error}") from None
        if not all(isinstance(text, str) for text in (*texts.values(), *captions)) or not captions:
            raise ValueError("its description is not made of texts")
        return cls(captions=tuple(captions), **texts)


def encode_pair(info: PairInfo, points: Float32, images: Iterable[UInt8], *, views: str, seed: int) -> dict[str, bytes]:
    """Make the files of a pair.

    Args:
        info: Description of the model.
        points: Points of its surface, [P, 3] float32 in the unit sphere, y up.
        images: Image of each view, [S, S, 3] uint8 RGB.
        views: Name of the view set.
        seed: Seed of the points.

    Returns:
        Content by ending, in the order of the shard; the same bytes for the same arguments and version.

    Examples:
        >>> info = PairInfo("chair_1", ("chair",), "chair", "CC0-1.0", "", "folder:chairs")
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> files = encode_pair(info, np.zeros((4, 3), np.float32), images, views="ring-2", seed=0)
        >>> list(files)
        ['json', 'points.npy', 'view0.png', 'view1.png']
        >>> decode_info(files["json"]) == (info, "ring-2")
        True
    """
    facts = {**info.to_dict(), "views": views, "seed": seed, "version": __version__}
    return {
        INFO_ENDING: json.dumps(facts, ensure_ascii=False, sort_keys=True).encode(),
        POINTS_ENDING: _encode_points(points),
        **{IMAGE_ENDING.format(view): _encode_image(image) for view, image in enumerate(images)},
    }


def decode_info(data: bytes) -> tuple[PairInfo, str]:
    """Read a pair's JSON file.

    Returns:
        The description and the name of the view set.

    Raises:
        ValueError: If it is no such file.
    """
    facts = json.loads(data)
    info = PairInfo.from_dict(facts)
    if not isinstance(facts.get("views"), str):
        raise ValueError("its description does not name the views")
    return info, facts["views"]


def decode_points(data: bytes) -> Float32:
    """Read a pair's points, whose file must be as long as its header says before memory is asked for.

    Returns:
        Points, [P, 3] float32.

    Raises:
        ValueError: If it is no such file.
    """
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


def decode_images(files: Sequence[bytes]) -> UInt8:
    """Read a pair's PNG files.

    Args:
        files: Content of the file of each view; empty where it is missing.

    Returns:
        Images of one size, [V, H, W, 3] uint8 RGB.

    Raises:
        ValueError: If one is missing, too large or no PNG file, or if sizes differ.
    """
    from PIL import Image

    images = []
    try:
        for data in files:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                if max(image.size) > _MAX_SIDE:
                    raise ValueError(f"{image.size[0]} x {image.size[1]} pixels")
                images.append(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError) as error:
        raise ValueError(str(error)) from None
    return np.stack(images)


def make_keys(names: Sequence[str]) -> list[str]:
    """Make keys of pairs from names.

    Args:
        names: Any texts, in an order that is the same at every run.

    Returns:
        One key for each name, all different, also where case does not count. A key depends on the other names only
        where several would get the same one; then each of these ends in a checksum of its name.

    Examples:
        >>> make_keys(["chair/arm.v2", "sofa"])
        ['chair-arm-v2', 'sofa']
    """
    slugs = [_slug(name) for name in names]
    same_slug = Counter(slug.lower() for slug in slugs)
    seen: Counter[str] = Counter()
    keys = []
    for slug, name in zip(slugs, names, strict=True):
        seen[name] += 1
        mark = hashlib.sha256(f"{name}#{seen[name]}".encode("utf-8", "replace")).hexdigest()[:12]
        keys.append(slug if same_slug[slug.lower()] == 1 else f"{slug}-{mark}")
    return keys


def is_key(name: str) -> bool:
    """Tell whether a name can be that of a pair.

    Examples:
        >>> is_key("chair-arm-v2"), is_key("chair/arm.v2")
        (True, False)
    """
    return _KEY.fullmatch(name) is not None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-")[:_KEY_LENGTH].strip("-") or "model"


def _encode_points(points: Float32) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, points, allow_pickle=False)
    return buffer.getvalue()


def _encode_image(image: UInt8) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=_COMPRESSION)
    return buffer.getvalue()
