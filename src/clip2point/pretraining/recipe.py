"""Recipes: all that a pre-training depends on, in one file of YAML that is read strictly."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clip2point.core.errors import OptionError
from clip2point.core.strict_config import read_section, to_plain
from clip2point.core.yaml_files import parse_yaml
from clip2point.model.settings import Settings
from clip2point.pretraining.batches import RenderingSettings
from clip2point.pretraining.captions import CaptionSettings
from clip2point.pretraining.module import LossSettings
from clip2point.shapes.augmentation import AugmentationSettings

#: Name of the validation data set that is made of the models left out of the training.
HELD_OUT = "held-out"

#: Number formats of training, as Lightning Fabric names them.
Precision = Literal["32-true", "bf16-mixed"]


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
        _expect(plain.isalnum() and plain.isascii(), "name", repr(self.name), "letters, digits, - and _")
        _expect(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")


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
        _expect(0 <= self.balance <= 1, "balance", self.balance, "0 to 1")


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimiser.

    Attributes:
        name: "adamw" or "lamb".
        lr: highest learning rate.
        weight_decay: decoupled.
        betas: decay rates of the running means of gradients and of their squares.
        eps: added to the root of the latter.
        decay_vectors: whether biases and the weights of norms decay, too.
        clip: longest gradient, over all tensors together; longer ones are shortened. 0 for no limit.
    """

    name: Literal["adamw", "lamb"] = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    decay_vectors: bool = False
    clip: float = 1.0

    def __post_init__(self) -> None:
        _expect(0 < self.lr <= 1, "lr", self.lr, "above 0, at most 1")
        _expect(0 <= self.weight_decay < 1, "weight_decay", self.weight_decay, "from 0 to below 1")
        _expect(all(0 <= beta < 1 for beta in self.betas), "betas", self.betas, "two numbers from 0 to below 1")
        _expect(0 < self.eps < 1, "eps", self.eps, "above 0, below 1")
        _expect(self.clip >= 0, "clip", self.clip, "0 (no limit) or more")


@dataclass(frozen=True)
class ScheduleSettings:
    """How the learning rate changes from step to step.

    Attributes:
        name: "warmup-cosine" (up linearly, then down along a cosine until the end) or "cosine-restarts" (down along a
            cosine, again and again).
        warmup_epochs: of the former.
        restart_epochs: length of a round of the latter.
        min_lr: lowest learning rate.
    """

    name: Literal["warmup-cosine", "cosine-restarts"] = "warmup-cosine"
    warmup_epochs: float = 1.0
    restart_epochs: float = 2.0
    min_lr: float = 1e-6

    def __post_init__(self) -> None:
        _expect(self.warmup_epochs >= 0, "warmup_epochs", self.warmup_epochs, "0 or more")
        _expect(self.restart_epochs > 0, "restart_epochs", self.restart_epochs, "above 0")
        _expect(self.min_lr >= 0, "min_lr", self.min_lr, "0 or more")


@dataclass(frozen=True)
class TrainingSettings:
    """The length of the training and the state that it keeps.

    Attributes:
        epochs: rounds through the data.
        batch_size: pairs of a step, or shapes in fine-tuning, over all devices together.
        seed: of every draw.
        precision: "32-true", or "bf16-mixed" (matrix products in bfloat16).
        average_decay: share that an exponential moving average of the weights keeps at each step; the average is what
            is validated and exported. 0 for none.
        checkpoint_steps: steps from one checkpoint to the next; 0 to go by the time alone.
        checkpoint_minutes: minutes from one checkpoint to the next, at most.
        half: whether the finished model stores its kernels and matrices in fp16, which halves its size.
    """

    epochs: int = 20
    batch_size: int = 64
    seed: int = 0
    precision: Precision = "32-true"
    average_decay: float = 0.999
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    half: bool = False

    def __post_init__(self) -> None:
        _expect(1 <= self.epochs <= 1_000_000, "epochs", self.epochs, "1 to 1000000")
        _expect(2 <= self.batch_size <= 1_000_000, "batch_size", self.batch_size, "2 to 1000000")
        _expect(0 <= self.seed < 2**32, "seed", self.seed, "0 to 4294967295")
        _expect(0 <= self.average_decay < 1, "average_decay", self.average_decay, "from 0 to below 1")
        _expect(self.checkpoint_steps >= 0, "checkpoint_steps", self.checkpoint_steps, "0 or more")
        _expect(self.checkpoint_minutes > 0, "checkpoint_minutes", self.checkpoint_minutes, "above 0")


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
        _expect(self.every_epochs > 0, "every_epochs", self.every_epochs, "above 0")
        _expect(self.limit is None or self.limit > 0, "limit", self.limit, "1 or more")
        if self.dataset == HELD_OUT:
            given = [name for name in ("root", "split", "up", "limit") if getattr(self, name) is not None]
            _expect(not given, "dataset", HELD_OUT, f"no {' and no '.join(given)} beside it, it has its own")


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


def _expect(fine: bool, key: str, value: object, expected: str) -> None:
    if not fine:
        raise OptionError(f"{key} is {value}: expected {expected}")
