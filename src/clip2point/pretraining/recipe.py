"""Recipes: all settings that a pre-training depends on, in one YAML file that is read strictly."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from clip2point.core.errors import OptionError
from clip2point.core.json_schema import make_schema
from clip2point.core.ranges import check_ranges, declare_range
from clip2point.core.strict_config import read_section, rename_keys, to_plain
from clip2point.core.yaml_files import parse_yaml
from clip2point.model.settings import Settings
from clip2point.pretraining.batches import RenderingSettings
from clip2point.pretraining.captions import CaptionSettings
from clip2point.pretraining.module import LossSettings
from clip2point.shapes.augmentation import AugmentationSettings
from clip2point.training.training_settings import (
    OptimizerSettings,
    ScheduleSettings,
    SelectionSettings,
    TrainingSettings,
)

#: Name of the validation data set that is made of the models left out of the training.
HELD_OUT = "held-out"

#: Present names of the keys that release 0.1.0 named otherwise.
RENAMED_KEYS: Mapping[str, str] = MappingProxyType({"captions.name_share": "captions.name_probability"})


@dataclass(frozen=True)
class SourceSettings:
    """Source of models, from which the training renders pairs itself before it begins.

    Attributes:
        name: Name of the folder for them, below ``pairs`` in the folder of the training: letters, digits, - and _.
        source: Source as for ``clip2point.pretraining.pairs.open_source``; a relative path counts from the recipe's
            folder.
        seed: Seed of the points and of generated shapes.
    """

    name: str
    source: str
    seed: int = declare_range(0, "[0, 4294967295]")

    def __post_init__(self) -> None:
        plain = self.name.replace("-", "").replace("_", "")
        if not (plain.isalnum() and plain.isascii()):
            raise OptionError(f"name is {self.name!r}: expected letters, digits, - and _")
        check_ranges(self)


@dataclass(frozen=True)
class DataSettings:
    """Training data.

    Attributes:
        pairs: Folders that ``clip2point pairs`` filled; relative ones count from the working directory.
        sources: Sources of which pairs are rendered if ``pairs`` is empty.
        without: Models to leave out, as patterns for SOURCE/CATEGORY/KEY ("sweethome3d:*", "*/vehicles/*"); the
            validation data set "held-out" is made of them.
        balance: 0 to show each model once an epoch; up to 1 to show each name equally often, for which models are
            drawn again each time and may come twice in a batch.
    """

    pairs: tuple[str, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    without: tuple[str, ...] = ()
    balance: float = declare_range(0.0, "[0, 1]")

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class ValidationSettings(SelectionSettings):
    """Zero-shot accuracy on labelled shapes, by which the best weights are chosen.

    Attributes:
        dataset: Data set as for ``clip2point.data.open_dataset``; or "held-out" for the models that ``data.without``
            leaves out, with their names as classes, or the first of a group of synonyms (see ``captions``).
        root: Folder of a benchmark, if it does not lie where it is expected.
        split: Split of the data set.
        up: Axis that points up, if the data set does not declare it.
        limit: Largest number of shapes, spread over the split.
        choose_by: Measure by which the best weights are chosen. Accuracy is the paper's; cross-entropy is steadier
            where shapes are few.
        every_epochs: Epochs from one validation to the next (> 0); there is one more at the end.
        allow_test: True to allow the split "test". A figure on a test split that chose the weights cannot be reported.
    """

    dataset: str
    root: str | None = None
    split: str | None = None
    up: str | None = None
    limit: int | None = declare_range(None, "[1, inf)")
    allow_test: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset == HELD_OUT:
            given = [name for name in ("root", "split", "up", "limit") if getattr(self, name) is not None]
            if given:
                raise OptionError(
                    f"dataset is {HELD_OUT}: expected no {' and no '.join(given)} beside it, it has its own"
                )


@dataclass(frozen=True)
class Recipe:
    """A pre-training.

    Attributes:
        description: Purpose of the training, for people.
        backbone: Model whose depth tower is trained, as for ``clip2point.load``.
        start: Initial weights of the depth tower: a copy of the "image" tower, as in the paper, or the backbone's own
            "depth" tower, to train it further.
        data: Training data.
        rendering: Rendering of the depth maps.
        augmentation: Augmentation of the points.
        captions: Captions made of names and tags, for the loss that needs them.
        loss: Parts of the loss.
        optimizer: Optimiser of the weights.
        schedule: Schedule of the learning rate.
        training: Duration and state.
        recognition: Settings of the trained model; None for those of the backbone, as far as they lie within the
            settings of the training.
        validation: Choice of the best weights; None to keep the last ones.
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
        """Return JSON types, which ``recipe_from_dict`` reads."""
        return dict(to_plain(self))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: YAML file; keys that it leaves out have their defaults.

    Raises:
        OptionError: If it cannot be read, or a key is unknown, or a value is of the wrong type or out of its range; the
            message names file and key.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "my.yaml"
        ...     _ = path.write_text("optimizer: {name: lamb, lr: 6e-3}")
        ...     read_recipe(path).optimizer.lr
        0.006
    """
    return recipe_from_dict(parse_yaml(path, "a recipe"), str(path))


def recipe_from_dict(values: Any, source: str) -> Recipe:
    """Check values and make a recipe of them.

    Args:
        values: Sections by name, each a mapping.
        source: Name of the file, for messages.

    Raises:
        OptionError: See ``read_recipe``.

    Examples:
        >>> recipe = recipe_from_dict({"training": {"epochs": 5}, "optimizer": {"name": "lamb"}}, "my.yaml")
        >>> recipe.training.epochs, recipe.optimizer.lr
        (5, 0.0003)
        >>> recipe_from_dict({"training": {"epochs": 0}}, "my.yaml")
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: my.yaml: training.epochs is 0: expected 1 to 1000000
    """
    if isinstance(values, Mapping):
        for former, present in RENAMED_KEYS.items():
            section, _, key = former.partition(".")
            if isinstance(inside := values.get(section), Mapping) and key in inside:
                warnings.warn(f"{source}: {former} is now {present}; rename the key", stacklevel=2)
        values = rename_keys(values, RENAMED_KEYS)
    return read_section(Recipe, {} if values is None else values, source)


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipes, which ``recipes/schema.json`` holds for editors.

    Examples:
        >>> recipe_schema()["properties"]["training"]["properties"]["epochs"]["maximum"]
        1000000
    """
    return make_schema(Recipe)
