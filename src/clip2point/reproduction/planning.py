"""Plans of recipes: their commands, and the missing models and data."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from clip2point.core.errors import Clip2PointError, ModelError
from clip2point.core.files import replacing
from clip2point.pretraining.recipe import read_recipe, recipe_from_dict
from clip2point.reproduction.commands import command_line
from clip2point.reproduction.paper_recipe import PAPER, PaperRecipe, recipe_folder

#: Options of a quick check after the recipe's own words, by protocol; the last of several values counts.
_QUICK = {
    "zero-shot": "--limit 8 --seeds 1",
    "few-shot": "--limit 8 --seeds 1 --shots 1 --copies 1 --validation-shots 1",
    "supervised": "--limit 8 --seeds 1 --copies 1",
}
#: Changes of a quick check to a pre-training: enough to see that it runs.
_QUICK_PAIRS, _QUICK_EPOCHS = 8, 3
_QUICK_TRAINING: dict[str, Any] = {"training": {"epochs": 1, "batch_size": 4}, "validation": {"limit": 8}}

_BASE = "paper-vit-b-32.yaml"
_SHAPENET = "ShapeNetCore.v2"


@dataclass(frozen=True)
class ReproductionSettings:
    """Folders and device of a reproduction.

    Attributes:
        root: Folder of the data sets, each in its own layout, and of the pairs in ``pairs``.
        out: Folder of results and trained models.
        weights: Folder with models in transformers format, each under the last part of its name, in place of the hub's;
            None for the hub's.
        model: Model in place of that of the recipe "pretrain"; None for that one.
        device: Name of a torch device.
        quick: True to check the whole path on a few shapes only.
    """

    root: Path
    out: Path
    weights: Path | None = None
    model: str | None = None
    device: str = "cpu"
    quick: bool = False

    @property
    def results(self) -> Path:
        """Folder of the results; those of quick checks mean nothing and lie apart."""
        return self.out / "quick" if self.quick else self.out

    @property
    def pairs(self) -> Path:
        """Folder of the rendered pairs."""
        return self.results / "pairs" if self.quick else self.root / "pairs"


class MissingInput(NamedTuple):
    """Missing input of a recipe.

    Attributes:
        kind: "data", "pairs" or "model".
        why: Sentence with the input, its place, and what to do.
    """

    kind: str
    why: str


@dataclass(frozen=True)
class RecipePlan:
    """Commands of a recipe, and its missing inputs.

    Attributes:
        recipe: Recipe of the plan.
        commands: Words after "clip2point" of each command, in their order; the last command measures.
        training: File of the pre-training and its content, to be written before; None without.
        missing: Missing inputs; the recipe can run if there are none.
        downloads: Names of models that the hub's cache does not hold yet.
        quick: True for a quick check on a few shapes.
    """

    recipe: PaperRecipe
    commands: tuple[tuple[str, ...], ...]
    training: tuple[Path, dict[str, Any]] | None
    missing: tuple[MissingInput, ...]
    downloads: tuple[str, ...]
    quick: bool

    @property
    def lines(self) -> list[str]:
        """Command lines."""
        return [command_line(words) for words in self.commands]

    def write_training(self) -> None:
        """Write the recipe of the pre-training, if there is one."""
        if self.training is not None:
            path, content = self.training
            with replacing(path) as unfinished:
                unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class RecipePlanner:
    """Maker of plans. It looks at each input once, loads no weights and asks no hub.

    Attributes:
        settings: Folders and device.

    Args:
        settings: Folders and device.
        recipes: All recipes by name.
    """

    def __init__(self, settings: ReproductionSettings, recipes: Mapping[str, PaperRecipe]) -> None:
        self.settings, self._recipes = settings, recipes
        self._opened: dict[tuple[str, str], str] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}

    def plan(self, recipe: PaperRecipe) -> RecipePlan:
        """Return the plan of a recipe, with the inputs that are there now."""
        model, missing, downloads = self._model(recipe)
        missing += self._data(recipe)
        training, commands = None, []
        if recipe.pretraining is not None:
            folder = self.settings.results / recipe.name
            training = (folder / "training.yaml", self._training(recipe, model))
            missing += self._pairs()
            commands = [*self._rendering(), self._pretrain(folder, training[0])]
            model = str(folder / "model")
        commands.append(self._measure(recipe, model))
        missing = list(dict.fromkeys(missing))
        return RecipePlan(
            recipe, tuple(map(tuple, commands)), training, tuple(missing), tuple(downloads), self.settings.quick
        )

    def fingerprint(self, plan: RecipePlan) -> dict[str, Any]:
        """Return the identity of model, data and command, as JSON types; equal ones have the same result."""
        recipe = plan.recipe
        return {
            "command": recipe.command,
            "quick": self.settings.quick,
            "root": str(self.settings.root.absolute()),
            "model": self._model_fingerprint(recipe),
            "pretraining": plan.training[1] if plan.training else None,
        }

    # --- the model

    def _model(self, recipe: PaperRecipe) -> tuple[str, list[MissingInput], list[str]]:
        """Return the name of a recipe's model for a command line, its missing files, and its downloads."""
        maker = self._recipes.get(recipe.model)
        if maker is not None:
            return self._find_trained(maker)
        name = recipe.model
        if self.settings.weights is not None and (folder := self.settings.weights / name.rpartition("/")[2]).is_dir():
            return str(folder), [], []
        return (name, *_on_the_hub(name))

    def _find_trained(self, maker: PaperRecipe) -> tuple[str, list[MissingInput], list[str]]:
        """Return the same for a model that another recipe trains, or that the user gives in place of the paper's."""
        if maker.name == PAPER and self.settings.model is not None:
            given = self.settings.model
            if Path(given).is_dir() or given == "pocket":
                return given, [], []
            return (given, *_on_the_hub(given))
        folder = self.settings.results / maker.name / "model"
        if (folder / "config.json").is_file():
            return str(folder), [], []
        instead = ", or give --model with the authors' checkpoint, converted" if maker.name == PAPER else ""
        quick = " --quick" if self.settings.quick else ""
        why = f"{folder}: not trained yet: run 'clip2point reproduce {maker.name}{quick}'{instead}"
        return str(folder), [MissingInput("model", why)], []

    def _model_fingerprint(self, recipe: PaperRecipe) -> list[str]:
        """Return the name of the model and, for a folder, the hashes of its files."""
        name, _, _ = self._model(recipe)
        name = _absolute(name)
        files = [Path(name) / file for file in ("config.json", "model.safetensors")]
        return [name, *(self._file_hash(file) for file in files if file.is_file())]

    def _file_hash(self, path: Path) -> str:
        """Return the hash of a file, which is read again only after it has changed."""
        from clip2point.data.layouts import fingerprint_file

        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = fingerprint_file(path)
        return self._hashes[key]

    # --- the data

    def _data(self, recipe: PaperRecipe) -> list[MissingInput]:
        """Return the missing data that a recipe measures on."""
        splits = ["test"] if recipe.protocol == "zero-shot" else ["test", "train"]
        dataset = recipe.fill(self._values(""))[1]
        errors = [error for split in splits if (error := self._open(dataset, split))]
        # The errors of benchmarks say where to get them.
        return [MissingInput("data", f"{error}: {recipe.data}" if ":" in dataset else error) for error in errors]

    def _open(self, dataset: str, split: str) -> str:
        """Return why a split cannot be opened, or ""."""
        from clip2point.data import open_dataset

        key = (dataset, split)
        if key not in self._opened:
            own = ":" in dataset
            try:
                with warnings.catch_warnings():  # about incomplete data: the measurement repeats them
                    warnings.simplefilter("ignore")
                    open_dataset(dataset, root=None if own else self.settings.root, split=None if own else split)
                self._opened[key] = ""
            except Clip2PointError as error:
                self._opened[key] = str(error)
        return self._opened[key]

    def _pairs(self) -> list[MissingInput]:
        """Return the missing data of a pre-training and its validation."""
        missing = [MissingInput("data", error)] if (error := self._open("modelnet40", "train")) else []
        if not (self._shapenet.is_dir() or (self.settings.pairs / "index.json").is_file()):
            why = (
                f"{self._shapenet}: no such folder; expected ShapeNetCore.v2 (SYNSET/MODEL/models/"
                f"model_normalized.obj), or pairs that were rendered of it in {self.settings.pairs}. Get it from "
                "shapenet.org after registration"
            )
            missing.append(MissingInput("pairs", why))
        return missing

    @property
    def _shapenet(self) -> Path:
        return self.settings.root / _SHAPENET

    # --- the commands

    def _values(self, model: str) -> dict[str, str]:
        return {"root": str(self.settings.root), "model": model, "device": self.settings.device}

    def _measure(self, recipe: PaperRecipe, model: str) -> list[str]:
        """Return the command of the measurement."""
        words = [*recipe.fill(self._values(model)), "--json"]
        if not self.settings.quick:
            return words
        words += _QUICK[recipe.protocol].split()
        if "--heads" in words:
            at = words.index("--heads") + 1
            words[at] = ",".join(map(_quick_head, words[at].split(",")))
        return words

    def _rendering(self) -> list[list[str]]:
        """Return the command that renders the missing pairs."""
        if not self._shapenet.is_dir():
            return []
        command = ["pairs", str(self._shapenet), "--out", str(self.settings.pairs)]
        if (excluded := self.settings.root / "excluded.txt").is_file():
            command += ["--excluded", str(excluded)]
        return [command + (["--limit", str(_QUICK_PAIRS), "--workers", "1"] if self.settings.quick else [])]

    def _pretrain(self, folder: Path, training: Path) -> list[str]:
        """Return the command of the pre-training."""
        from clip2point.training.checkpoints import has_checkpoint

        resume = ["--resume"] if has_checkpoint(folder) else []
        return ["pretrain", str(training), "--out", str(folder), "--device", self.settings.device, *resume]

    def _training(self, recipe: PaperRecipe, backbone: str) -> dict[str, Any]:
        """Return the paper's pre-training with the changes of a recipe, on the data below the root."""
        # Absolute paths, so that an interrupted training can be resumed from any working directory.
        here = {
            "data": {"pairs": [str(self.settings.pairs.absolute())]},
            "validation": {"root": str(self.settings.root.absolute())},
        }
        content = _merge(self._base, recipe.pretraining or {})
        if self.settings.quick:
            content = _merge(content, _QUICK_TRAINING)
        content = _merge(content, here)
        content |= {"description": recipe.title, "backbone": _absolute(backbone)}
        return recipe_from_dict(content, f"recipe {recipe.name}, pretraining").to_dict()

    @cached_property
    def _base(self) -> Mapping[str, Any]:
        return read_recipe(recipe_folder() / _BASE).to_dict()


def _quick_head(head: str) -> str:
    """Return a head that trains for a few epochs only, if it trains for epochs at all."""
    from clip2point.heads.head_registry import make_head, parse_head

    name, options = parse_head(head)
    return f"{head}:epochs={_QUICK_EPOCHS}" if "epochs" in make_head(name, options).options else head


def _on_the_hub(name: str) -> tuple[list[MissingInput], list[str]]:
    """Return the missing files of a model of the hub, and its downloads."""
    from huggingface_hub import constants

    from clip2point.backbones.transformers_backbone import ALIASES
    from clip2point.core.repositories import find_cached_folder

    if name not in ALIASES and not name.startswith("hf:"):
        why = (
            f"{name}: no such folder or model: expected a folder, hf:ORGANISATION/NAME, pocket or {', '.join(ALIASES)}"
        )
        return [MissingInput("model", why)], []
    repository = ALIASES.get(name, name.removeprefix("hf:"))
    try:
        if find_cached_folder(repository) is not None:
            return [], []
    except ModelError as error:
        return [MissingInput("model", str(error))], []
    if not constants.HF_HUB_OFFLINE:
        return [], [repository]
    why = (
        f"{name}: the hub's cache does not hold {repository}, and HF_HUB_OFFLINE is set: unset it, or give --weights "
        f"with a folder that holds {name.rpartition('/')[2]}"
    )
    return [MissingInput("model", why)], []


def _absolute(model: str) -> str:
    """Return the name of a model; for a folder, its absolute path."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of ``base`` with the values of ``changes`` in their places."""
    merged = dict(base)
    for key, value in changes.items():
        under = merged.get(key)
        merged[key] = _merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
