"""Recipes of results: command of the measurement, model, data, and figures that papers state."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from clip2point.core.errors import OptionError
from clip2point.core.strict_config import read_section
from clip2point.core.yaml_files import describe_value, parse_yaml
from clip2point.evaluation.published import Published, find_published

#: Parts of a command that the user gives; they stand in braces.
PLACEHOLDERS = frozenset(("root", "model", "device"))
#: Prefixes of the names of recipes, in the order in which they are listed and run. Others measure models of the first.
KINDS = ("pretrain", "zero-shot", "few-shot", "supervised", "ablation", "larger", "laion", "untrained", "pointclip")
#: Recipe of the paper's model.
PAPER = "pretrain"

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NAME = re.compile(rf"({'|'.join(KINDS)})(-[a-z0-9-]+)?")

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class QuotedFigure:
    """Figure that a paper states; it has to be one of ``clip2point.evaluation.published``.

    Attributes:
        accuracy: Accuracy in percent.
        system: Name of the system.
        protocol: Protocol: "zero-shot", "16-shot" or "supervised".
        row: Name of the row of the measurement beside which it stands, see ``ResultRow``.
        dataset: Name of the data set, as published; that of the command by default.
    """

    accuracy: float
    system: str = "CLIP2Point"
    protocol: str = "zero-shot"
    row: str = ""
    dataset: str | None = None


@dataclass(frozen=True)
class PaperRecipe:
    """Recipe of one result.

    Attributes:
        title: Title of the result.
        model: Measured model: name of a recipe that trains it, or a model as for ``clip2point.load``. With
            ``pretraining``, initial model of the training.
        command: Words after "clip2point", the first of which is "evaluate"; {root}, {model} and {device} stand for
            the user's values.
        data: Description of the data, for people.
        time: Duration and hardware, with the source of this figure.
        quoted: Figures that papers state.
        notes: Notes for comparisons.
        name: Name of the recipe, which is that of its file.
        pretraining: Changes to the paper's pre-training, by section; None for a recipe that trains no tower.
    """

    title: str
    model: str
    command: str
    data: str
    time: str
    quoted: tuple[QuotedFigure, ...] = ()
    notes: str = ""
    name: str = ""
    pretraining: Mapping[str, Any] | None = None

    @cached_property
    def words(self) -> list[str]:
        """Words of the command."""
        return shlex.split(self.command)

    @property
    def dataset(self) -> str:
        """Data set of the measurement."""
        return self.words[1]

    @property
    def protocol(self) -> str:
        """Protocol of the measurement."""
        return self.words[self.words.index("--protocol") + 1] if "--protocol" in self.words else "zero-shot"

    @property
    def published(self) -> list[tuple[str, Published]]:
        """Published figures in full, each with the row of the measurement that it belongs to."""
        return [(quote.row, row) for quote in self.quoted if (row := self._find_published(quote))]

    def _find_published(self, quote: QuotedFigure) -> Published | None:
        rows = find_published(quote.dataset or self.dataset, quote.protocol)
        found = [row for row in rows if (row.system, row.accuracy) == (quote.system, quote.accuracy)]
        return found[0] if found else None

    def fill(self, values: Mapping[str, str]) -> list[str]:
        """Return the words of the command with values in the places of the placeholders."""
        return [_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in self.words]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {
            **{name: getattr(self, name) for name in ("name", "title", "model", "command", "data", "time", "notes")},
            "quoted_not_measured": [{"row": row, **published.to_dict()} for row, published in self.published],
            "pretraining": None if self.pretraining is None else dict(self.pretraining),
        }


def recipe_folder() -> Path:
    """Return the folder of the recipes: in the package, or beside ``src`` in a checkout."""
    inside = _PACKAGE / "recipes"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "recipes"


def paper_recipes() -> dict[str, PaperRecipe]:
    """Read all recipes of results, by name; recipes of models that others measure come first.

    Raises:
        OptionError: If there are none, or one cannot be read.

    Examples:
        >>> paper_recipes()["zero-shot-modelnet40-6-views"].dataset
        'modelnet40'
    """
    paths = sorted((recipe_folder() / "paper").glob("*.yaml"))
    if not paths:
        raise OptionError(f"{recipe_folder() / 'paper'}: holds no recipes; install clip2point again")
    recipes = [read_paper_recipe(path) for path in paths]
    recipes.sort(key=lambda recipe: [recipe.name.startswith(kind) for kind in KINDS].index(True))
    return {recipe.name: recipe for recipe in recipes}


def read_paper_recipe(path: Path) -> PaperRecipe:
    """Read the recipe of a result.

    Args:
        path: YAML file, named after the result.

    Raises:
        OptionError: If it cannot be read, a key is unknown, missing or of the wrong type, its command is no
            measurement, or it quotes a figure that ``clip2point.evaluation.published`` does not have; the message
            names the file.
    """
    values = parse_yaml(path, "a recipe")
    changes = values.get("pretraining") if isinstance(values, Mapping) else None
    if changes is not None:
        values = {key: value for key, value in values.items() if key != "pretraining"}
        if not isinstance(changes, Mapping):
            raise OptionError(
                f"{path}: pretraining is {describe_value(changes)}: expected sections and values, or {{}}"
            )
    recipe = replace(read_section(PaperRecipe, values, str(path)), name=path.stem, pretraining=changes)
    _check(recipe, path)
    return recipe


def _check(recipe: PaperRecipe, path: Path) -> None:
    """Check that a recipe can be run, and that papers state the figures that it quotes."""
    if not _NAME.fullmatch(recipe.name):
        raise OptionError(
            f"{path}: a recipe's name begins with {', '.join(KINDS[:-1])} or {KINDS[-1]}; rename the file"
        )
    try:
        words: Sequence[str] = recipe.words
    except ValueError as error:
        raise OptionError(f"{path}: command cannot be split into words ({error}); correct its quotes") from None
    if len(words) < 2 or words[0] != "evaluate" or words[1].startswith("-"):
        raise OptionError(f"{path}: command is {recipe.command[:80]!r}: expected 'evaluate DATASET ...'")
    for name in _PLACEHOLDER.findall(recipe.command):
        if name not in PLACEHOLDERS:
            raise OptionError(f"{path}: command has {{{name}}}: expected {', '.join(sorted(PLACEHOLDERS))} in braces")
    for quote in recipe.quoted:
        if recipe._find_published(quote) is None:
            raise OptionError(
                f"{path}: quotes {quote.accuracy:g} % for {quote.system}, {quote.protocol} on "
                f"{quote.dataset or recipe.dataset}, which the list of published figures does not have: correct the "
                "recipe, or add the figure with its source to clip2point.evaluation.published"
            )
