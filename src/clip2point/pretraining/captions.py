"""Words for training: which texts describe a model, and how a text tower sees all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from clip2point.backbones import Backbone
from clip2point.core.errors import OptionError
from clip2point.model.settings import PAPER_TEMPLATES


@dataclass(frozen=True)
class CaptionSettings:
    """How captions are made of names and tags.

    Attributes:
        templates: sentences with one ``{}`` each; a caption's feature is the mean over them.
        ignored: tags that do not say what a thing is, in lower case.
        synonyms: groups of words that mean the same, in lower case. A caption that is one of them, or ends in one
            after a space ("double bed"), brings the others along; of several the longest counts.
        name_share: how often a model goes by its name rather than by one of its other captions.
    """

    templates: tuple[str, ...] = PAPER_TEMPLATES
    ignored: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    name_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.name_share <= 1:
            raise OptionError(f"name_share is {self.name_share}: expected above 0, at most 1")
        words = [*self.ignored, *(word for group in self.synonyms for word in group)]
        if odd := [word for word in words if word != plain(word)]:
            raise OptionError(
                f"ignored and synonyms have {odd[0]!r}: expected {plain(odd[0])!r}, as captions are compared"
            )
        for template in self.templates or ("",):
            if template.count("{}") != 1:
                raise OptionError(f"templates has {template!r}: expected sentences with one {{}} each")


class Vocabulary:
    """All captions of a set of models.

    Attributes:
        texts: C different captions, sorted.

    Args:
        captions: of each model, its name first.
        settings: what to make of them.
    """

    def __init__(self, captions: Sequence[Sequence[str]], settings: CaptionSettings) -> None:
        self._settings = settings
        self._ignored = frozenset(settings.ignored)
        self._groups = _groups(settings)
        of_models = [self._all(texts) for texts in captions]
        self.texts = tuple(sorted({text for texts in of_models for text in texts}))
        number = {text: index for index, text in enumerate(self.texts)}
        self._of_models = [np.array([number[text] for text in texts]) for texts in of_models]

    def draw(self, model: int, rng: np.random.Generator) -> int:
        """The number of one caption of a model."""
        numbers = self._of_models[model]
        if len(numbers) == 1 or rng.random() < self._settings.name_share:
            return int(numbers[0])
        return int(numbers[rng.integers(1, len(numbers))])

    def features(self, backbone: Backbone) -> Tensor:
        """[C, D] unit text features."""
        from clip2point.model import class_features

        return class_features(backbone, self.texts, self._settings.templates)

    def _all(self, captions: Sequence[str]) -> list[str]:
        """Name, tags that say something, and their synonyms, each once."""
        texts = [plain(text) for text in captions]
        kept = texts[:1] + [text for text in texts[1:] if text and text not in self._ignored]
        return list(dict.fromkeys([*kept, *(word for text in kept for word in _group(text, self._groups))]))


def class_name(text: str, settings: CaptionSettings) -> str:
    """The class of a name: the first word of the group of synonyms that it belongs to, or the name itself."""
    name = plain(text)
    return (_group(name, _groups(settings)) or (name,))[0]


def plain(text: str) -> str:
    """A text in lower case with single spaces."""
    return " ".join(text.lower().replace("_", " ").split())


def _groups(settings: CaptionSettings) -> dict[str, tuple[str, ...]]:
    """The group of each word; of several the first."""
    return {word: group for group in reversed(settings.synonyms) for word in group}


def _group(text: str, groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The group of a text, or of its longest end that has one; empty if none has."""
    words = text.split(" ")
    ends = (" ".join(words[start:]) for start in range(len(words)))
    return next((groups[end] for end in ends if end in groups), ())
