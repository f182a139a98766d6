"""Whether a shape is like anything that was learned: confidence alone cannot tell.

A head that was trained to be sure is sure of shapes of foreign classes as well, because its confidence only weighs the
classes that it knows against each other. Familiarity is absolute: the cosine of a shape's vector with the nearest
class. It does not depend on the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from clip2point.backbones import PATHS
from clip2point.backbones.pooling import mean_unit_features
from clip2point.core.errors import OptionError
from clip2point.heads.examples import Examples, join

#: Share of the shapes of known classes that may be called unfamiliar.
_TURNED_AWAY = 0.05


@dataclass(frozen=True, eq=False)
class Familiarity:
    """How near shapes come to the classes that were learned.

    Attributes:
        classes: [C, D] unit vectors, each halfway between the name of a class and the mean of its examples.
        least: cosine in [-1, 1] with the nearest of them that a shape of a known class should have.
    """

    classes: Tensor
    least: float

    def __post_init__(self) -> None:
        if not -1 <= self.least <= 1:
            raise OptionError(f"a least familiarity of {self.least}: expected a cosine from -1 to 1")

    def of(self, vectors: Tensor) -> Tensor:
        """Cosines [N] of unit vectors [N, D], as ``Recogniser.embed`` gives them, with the nearest class."""
        return (vectors.float() @ self.classes.T).amax(-1)

    def with_classes(self, text: Tensor, examples: Examples | None) -> Familiarity:
        """The same with more classes.

        Args:
            text: [C', D] features of their names, any length.
            examples: of them, or None where there are names alone.
        """
        added = normalize(text.float(), dim=-1) if examples is None else _class_vectors(examples, text)
        return Familiarity(torch.cat([self.classes, added]), self.least)


def find_familiarity(train: Examples, validation: Examples, text: Tensor) -> Familiarity:
    """What is familiar to who learned some examples, by what others of the same classes have in common with them.

    Args:
        train: examples to learn from.
        validation: examples of the same classes: 19 of 20 of them reach the least familiarity, and all if they are
            fewer. The class vectors are then made of both sets.
        text: [C, D] features of the class names, any length.

    Raises:
        OptionError: if there is no validation example, or the examples do not fit together.
    """
    if not len(validation):
        raise OptionError("no validation examples: expected at least one, to find the least familiarity by")
    first = Familiarity(_class_vectors(train, text), least=-1.0)
    reached = first.of(_vectors(validation))
    # A twentieth of a few shapes is less than one of them: none is turned away.
    least = (reached.min() if len(reached) < 1 / _TURNED_AWAY else reached.quantile(_TURNED_AWAY)).item()
    return Familiarity(_class_vectors(join(train, validation), text), least)


def _class_vectors(examples: Examples, text: Tensor) -> Tensor:
    """[C, D] unit vectors halfway between names [C, D] and the means of the examples; of a name alone, the name."""
    names = normalize(text.float(), dim=-1)
    sums = torch.zeros_like(names).index_add_(0, examples.labels, _vectors(examples))
    return normalize(normalize(sums, dim=-1) + names, dim=-1)


def _vectors(examples: Examples) -> Tensor:
    """[N, D] unit vectors of shapes as they are measured, on the depth path."""
    return mean_unit_features(examples.measured[:, PATHS.index("depth")].float()).cpu()
