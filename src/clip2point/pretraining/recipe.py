"""Recipes: all that a pre-training depends on, in one file of YAML that is read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clip2point.core.strict_config import expect, read_section, to_plain
from clip2point.core.yaml_files import parse_yaml
from clip2point.model.settings import Settings
from clip2point.pretraining.batches import RenderingSettings
from clip2point.pretraining.captions import CaptionSettings
from clip2point.pretraining.module import LossSettings
from clip2point.shapes.augmentation import AugmentationSettings
from clip2point.training.settings import OptimizerSettings, ScheduleSettings, TrainingSettings

#: Name of the validation data set that is made of the models left out of the training.
HELD_OUT = "held-out"


@dataclass(frozen=True)
class SourceSettings:
    """Models of which the training renders pairs itself, before it begins.

    Attributes:
        name: of the folder for them, below ``pairs`` in the folder of the training.
        source: as for ``clip2point.pretraining.pairs.open_source``; a relative path counts from the recipe's folder.
        seed: of the points and of generated shapes.
    """

    name: str
    source: str
    seed: int = 0

    def __post_init__(self) -> None:
        plain = self.name.replace("-", "").replace("_", "")
        expect(plain.isalnum() and plain.isascii(), "name", repr(self.name), "letters, digits, - and _")
        expect(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")


@dataclass(frozen=True)
class DataSettings:
    """What is trained on.

    Attributes:
        pairs: folders that ``clip2point pairs`` filled; relative ones count from where the command runs.
        sources: of which pairs are rendered if ``pairs`` is empty.
        without: models to leave out, as patterns for SOURCE/CATEGORY/KEY ("sweethome3d:*", "*/vehicles/*"), for example
            to be measured on; the validation data set "held-out" is made of them.
        balance: 0 to show each model once in a round; up to 1 to show each name equally often, for which models are
            drawn anew each time and may come twice in a batch.
    """

    pairs: tuple[str, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    without: tuple[str, ...] = ()
    balance: float = 0.0

    def __post_init__(self) -> None:
        expect(0 <= self.balance <= 1, "balance", self.balance, "0 to 1")


@dataclass(frozen=True)
class ValidationSettings:
    """Zero-shot accuracy on labelled shapes, by which the best weights are chosen.

    Attributes:
        dataset: as for ``clip2point.data.open_dataset``; or "held-out" for the models that ``data.without`` leaves
            out, with their names as classes, or the first of a group of synonyms (see ``captions``).
        root: where a benchmark lies, if that has to be said.
        split: of the data set.
        up: the axis that points up, if the data set does not declare it.
        limit: at most so many shapes, spread over the split.
        choose_by: what the best weights are best in. Accuracy is what the paper goes by; cross-entropy is steadier
            where shapes are few.
        every_epochs: epochs from one validation to the next; there is one more at the end.
        allow_test: whether the split may be "test". What is chosen by a test split cannot be reported on it.
    """

    dataset: str
    root: str | None = None
    split: str | None = None
    up: str | None = None
    limit: int | None = None
    choose_by: Literal["accuracy", "cross_entropy"] = "accuracy"
    every_epochs: float = 1.0
    allow_test: bool = False

    def __post_init__(self) -> None:
        expect(self.every_epochs > 0, "every_epochs", self.every_epochs, "above 0")
        expect(self.limit is None or self.limit > 0, "limit", self.limit, "1 or more")
        if self.dataset == HELD_OUT:
            given = [name for name in ("root", "split", "up", "limit") if getattr(self, name) is not None]
            expect(not given, "dataset", HELD_OUT, f"no {' and no '.join(given)} beside it, it has its own")


@dataclass(frozen=True)
class Recipe:
    """A pre-training.

    Attributes:
        description: of what it is for.
        backbone: whose depth tower is trained, as for ``clip2point.load``.
        start: what the depth tower begins as: a copy of the "image" tower, as in the paper, or the backbone's own
            "depth" tower, to train it further.
        data: what is trained on.
        rendering: of the depth maps.
        augmentation: of the points.
        captions: how words are made of names and tags, for the loss that needs them.
        loss: which losses are added up.
        optimizer: see there.
        schedule: of the learning rate.
        training: length and state.
        recognition: how the trained model looks at shapes and words; None for the settings of the backbone, as far as
            they lie within what was trained.
        validation: by what the best weights are chosen; None to keep the last ones.
    """

    description: str = ""
    backbone: str = "pocket"
    start: Literal["image", "depth"] = "image"
    data: DataSettings = field(default_factory=DataSettings)
    rendering: RenderingSettings = field(default_factory=RenderingSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    captions: CaptionSettings = field(default_factory=CaptionSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    recognition: Settings | None = None
    validation: ValidationSettings | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; ``recipe_from_dict`` reads them back."""
        return dict(to_plain(self))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file. What it leaves out has the default.

    Raises:
        OptionError: if it cannot be read, or a key is unknown, or a value is of the wrong type or out of its range; the
            message names file and key.
    """
    return recipe_from_dict(parse_yaml(path, "a recipe"), str(path))


def recipe_from_dict(values: Any, source: str) -> Recipe:
    """Check values and make a recipe of them.

    Args:
        values: sections by name, each a mapping.
        source: name of the file, for messages.

    Raises:
        OptionError: see ``read_recipe``.
    """
    return read_section(Recipe, {} if values is None else values, source)
