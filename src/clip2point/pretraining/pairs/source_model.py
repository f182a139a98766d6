"""A model to be rendered: what is known of it without opening it, and how to open it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clip2point.data.pairs import PairInfo
from clip2point.shapes import Shape


@dataclass(frozen=True)
class SourceModel:
    """One model of a source.

    Attributes:
        info: Description of the model, as it is stored beside its images.
        open: Reader of the model as a y-up Shape, its front towards -z; raises ShapeError. It can be pickled, so that
            another process may call it.
        pictures: Reader of the images of its ten views, [224, 224, 3] uint8 each, if they are there already; a model
            of which they are need not have a surface.
    """

    info: PairInfo
    open: Callable[[], Shape]
    pictures: Callable[[], Iterable[NDArray[np.uint8]]] | None = None

    @property
    def key(self) -> str:
        """Name of the model, unique in its source."""
        return self.info.key

    def with_info(self, **changes: str) -> SourceModel:
        """Return the model with another key or other words in its description."""
        return replace(self, info=replace(self.info, **changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class SourceRequest:
    """A source that is asked for its models.

    Attributes:
        text: The rest of its name behind "KIND:", often a path.
        seed: Seed of generated models, at least 0.
        up: Up-axis of meshes whose source does not know it; "auto" goes by the file format.
    """

    text: str
    seed: int = 0
    up: str = "auto"


def name_to_words(name: str) -> str:
    """Turn the name of a file, folder or class into words: no underscores, no numbers at the end.

    Examples:
        >>> name_to_words("night_stand_0123")
        'night stand'
        >>> name_to_words("bedsideTable2")
        'bedside table'
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = " ".join(re.sub(r"[\W_]+", " ", spaced).split()).lower()
    return words.rstrip("0123456789 ") or words
