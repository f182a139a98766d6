"""Captions of the models in training: from names and tags to texts and their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clip2point.backbones import Backbone
from clip2point.core.errors import OptionError
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.model.settings import PAPER_TEMPLATES


@dataclass(frozen=True)
class CaptionSettings:
    """Captions made of names and tags.

    Attributes:
        templates: Sentences with one ``{}`` each; a caption's feature is the mean over them.
        ignored: Tags that do not say what a thing is, in lower case.
        synonyms: Groups of words with the same meaning, in lower case. A caption that is one of them, or ends in one
            after a space ("double bed"), brings the others along; of several the longest counts.
        name_probability: Probability of a model's name, rather than one of its other captions, in (0, 1].
    """

    templates: tuple[str, ...] = PAPER_TEMPLATES
    ignored: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()
    name_probability: float = declare_range(0.5, "(0, 1]")

    def __post_init__(self) -> None:
        check_ranges(self)
        words = [*self.ignored, *(word for group in self.synonyms for word in group)]
        if odd := [word for word in words if word != normalize_text(word)]:
            raise OptionError(
                f"ignored and synonyms have {odd[0]!r}: expected {normalize_text(odd[0])!r}, as captions are compared"
            )
        for template in self.templates or ("",):
            if template.count("{}") != 1:
                raise OptionError(f"templates has {template!r}: expected sentences with one {{}} each")


class Vocabulary:
    """All captions of a set of models.

    Attributes:
        texts: Different captions, sorted.

    Args:
        captions: Captions of each model, its name first.
        settings: Templates, ignored tags and synonyms.

    Examples:
        >>> settings = CaptionSettings(ignored=("new",), synonyms=(("couch", "sofa"),))
        >>> Vocabulary([["Red_Couch", "new"], ["chair", "seat"]], settings).texts
        ('chair', 'couch', 'red couch', 'seat', 'sofa')
    """

    def __init__(self, captions: Sequence[Sequence[str]], settings: CaptionSettings) -> None:
        self._settings = settings
        self._ignored = frozenset(settings.ignored)
        self._groups = _groups(settings)
        of_models = [self._expand(texts) for texts in captions]
        self.texts = tuple(sorted({text for texts in of_models for text in texts}))
        number = {text: index for index, text in enumerate(self.texts)}
        self._of_models = [np.array([number[text] for text in texts]) for texts in of_models]

    def draw(self, model: int, rng: np.random.Generator) -> int:
        """Return the number of one caption of a model."""
        numbers = self._of_models[model]
        if len(numbers) == 1 or rng.random() < self._settings.name_probability:
            return int(numbers[0])
        return int(numbers[rng.integers(1, len(numbers))])

    def features(self, backbone: Backbone) -> Tensor:
        """Return the unit text features [C, D] of the C captions."""
        from clip2point.model import class_features

        return torch.from_numpy(class_features(backbone, self.texts, self._settings.templates))

    def _expand(self, captions: Sequence[str]) -> list[str]:
        """Return the name, the tags that are not ignored, and their synonyms, each once."""
        texts = [normalize_text(text) for text in captions]
        used = texts[:1] + [text for text in texts[1:] if text and text not in self._ignored]
        return list(dict.fromkeys([*used, *(word for text in used for word in _group(text, self._groups))]))


def class_name(text: str, settings: CaptionSettings) -> str:
    """Return the class of a name: the first word of its group of synonyms, or the name itself.

    Examples:
        >>> class_name("Double sofa", CaptionSettings(synonyms=(("couch", "sofa"),)))
        'couch'
    """
    name = normalize_text(text)
    return (_group(name, _groups(settings)) or (name,))[0]


def normalize_text(text: str) -> str:
    """Return a text in lower case with single spaces.

    Examples:
        >>> normalize_text("Red_Office  Chair ")
        'red office chair'
    """
    return " ".join(text.lower().replace("_", " ").split())


def _groups(settings: CaptionSettings) -> dict[str, tuple[str, ...]]:
    """Return the group of each word; of several the first."""
    return {word: group for group in reversed(settings.synonyms) for word in group}


def _group(text: str, groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the group of a text, or of its longest end that has one; an empty one if none has."""
    words = text.split(" ")
    ends = (" ".join(words[start:]) for start in range(len(words)))
    return next((groups[end] for end in ends if end in groups), ())
