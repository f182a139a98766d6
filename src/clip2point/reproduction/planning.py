"""What a recipe needs and whether it is there; and the plain commands that a recipe comes to."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from clip2point.core.errors import Clip2PointError, ModelError
from clip2point.core.files import replacing
from clip2point.pretraining.recipe import read_recipe, recipe_from_dict
from clip2point.reproduction.paper_recipe import PAPER, PaperRecipe, recipe_folder

#: What a run in quick mode says beside the recipe's own words, by protocol; the last of several values counts.
_QUICK = {
    "zero-shot": "--limit 8 --seeds 1",
    "few-shot": "--limit 8 --seeds 1 --shots 1 --copies 1 --validation-shots 1",
    "supervised": "--limit 8 --seeds 1 --copies 1",
}
#: And what it changes of a pre-training: enough to see that it runs.
_QUICK_PAIRS, _QUICK_EPOCHS = 8, 3
_QUICK_TRAINING: dict[str, Any] = {"training": {"epochs": 1, "batch_size": 4}, "validation": {"limit": 8}}

_BASE = "paper-vit-b-32.yaml"
_SHAPENET = "ShapeNetCore.v2"


@dataclass(frozen=True)
class Place:
    """Where things lie, and how a run is to go.

    Attributes:
        root: folder below which the data sets lie, each in its own layout, and the pairs in ``pairs``.
        out: folder for results and trained models.
        weights: folder with models in transformers format, each under the last part of its name, which are used rather
            than the hub's; None for the hub's.
        model: in place of the model of the recipe "pretrain"; None for that one.
        device: name of a torch device.
        quick: whether to check the whole path on a few shapes only.
    """

    root: Path
    out: Path
    weights: Path | None = None
    model: str | None = None
    device: str = "cpu"
    quick: bool = False

    @property
    def results(self) -> Path:
        """Where results go: those of quick runs mean nothing and lie apart."""
        return self.out / "quick" if self.quick else self.out

    @property
    def pairs(self) -> Path:
        """Where rendered pairs lie."""
        return self.results / "pairs" if self.quick else self.root / "pairs"


class Missing(NamedTuple):
    """Something that a recipe needs and that is not there.

    Attributes:
        kind: "data", "pairs" or "model".
        why: what was looked for, where, and what to do, in a sentence.
    """

    kind: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to.

    Attributes:
        recipe: which.
        commands: words after "clip2point", in the order in which they run; the last one measures.
        training: file of the pre-training and its content, to be written before; None without.
        missing: what is not there; the recipe can run if that is nothing.
        downloads: models that the hub's cache does not hold yet.
        quick: whether it is a check on a few shapes.
    """

    recipe: PaperRecipe
    commands: tuple[tuple[str, ...], ...]
    training: tuple[Path, dict[str, Any]] | None
    missing: tuple[Missing, ...]
    downloads: tuple[str, ...]
    quick: bool

    @property
    def lines(self) -> list[str]:
        """The commands as they would be typed."""
        return [shlex.join(["clip2point", *words]) for words in self.commands]

    def prepare(self) -> None:
        """Write what the commands read."""
        if self.training is not None:
            path, content = self.training
            with replacing(path) as unfinished:
                unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class Planner:
    """Makes plans. Looks at each piece once, loads no weights and asks no hub.

    Args:
        place: where things lie.
        recipes: all of them, by name.
    """

    def __init__(self, place: Place, recipes: Mapping[str, PaperRecipe]) -> None:
        self.place, self._recipes = place, recipes
        self._opened: dict[tuple[str, str], str] = {}
        self._stamps: dict[tuple[str, int, int], str] = {}

    def plan(self, recipe: PaperRecipe) -> Plan:
        """What a recipe comes to, as things stand now."""
        model, missing, downloads = self._model(recipe)
        missing += self._data(recipe)
        training, commands = None, []
        if recipe.pretraining is not None:
            folder = self.place.results / recipe.name
            training = (folder / "training.yaml", self._training(recipe, model))
            missing += self._pairs()
            commands = [*self._rendering(), self._pretrain(folder, training[0])]
            model = str(folder / "model")
        commands.append(self._measure(recipe, model))
        missing = list(dict.fromkeys(missing))
        return Plan(recipe, tuple(map(tuple, commands)), training, tuple(missing), tuple(downloads), self.place.quick)

    def stamp(self, plan: Plan) -> dict[str, Any]:
        """What the result of a plan depends on, as JSON types: of the same stamp, it need not be had again."""
        recipe = plan.recipe
        return {
            "command": recipe.command,
            "quick": self.place.quick,
            "root": str(self.place.root.absolute()),
            "model": self._model_stamp(recipe),
            "pretraining": plan.training[1] if plan.training else None,
        }

    # --- the model

    def _model(self, recipe: PaperRecipe) -> tuple[str, list[Missing], list[str]]:
        """Name of a recipe's model for a command line, what is missing of it, and what would be downloaded."""
        maker = self._recipes.get(recipe.model)
        if maker is not None:
            return self._trained(maker)
        name = recipe.model
        if self.place.weights is not None and (folder := self.place.weights / name.rpartition("/")[2]).is_dir():
            return str(folder), [], []
        return (name, *_on_the_hub(name))

    def _trained(self, maker: PaperRecipe) -> tuple[str, list[Missing], list[str]]:
        """The same of a model that another recipe trains, or that the user gives in place of the paper's."""
        if maker.name == PAPER and self.place.model is not None:
            given = self.place.model
            if Path(given).is_dir() or given == "pocket":
                return given, [], []
            return (given, *_on_the_hub(given))
        folder = self.place.results / maker.name / "model"
        if (folder / "config.json").is_file():
            return str(folder), [], []
        instead = ", or give --model with the authors' checkpoint, converted" if maker.name == PAPER else ""
        quick = " --quick" if self.place.quick else ""
        why = f"{folder}: not trained yet: run 'clip2point reproduce {maker.name}{quick}'{instead}"
        return str(folder), [Missing("model", why)], []

    def _model_stamp(self, recipe: PaperRecipe) -> list[str]:
        """Name of the model and, of a folder, what is in it."""
        name, _, _ = self._model(recipe)
        name = _whole(name)
        files = [Path(name) / file for file in ("config.json", "model.safetensors")]
        return [name, *(self._file_stamp(file) for file in files if file.is_file())]

    def _file_stamp(self, path: Path) -> str:
        """What is in a file, which is read again only after it has changed."""
        from clip2point.data.layouts import file_stamp

        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self._stamps:
            self._stamps[key] = file_stamp(path)
        return self._stamps[key]

    # --- the data

    def _data(self, recipe: PaperRecipe) -> list[Missing]:
        """What is missing of the data that a recipe measures on."""
        splits = ["test"] if recipe.protocol == "zero-shot" else ["test", "train"]
        dataset = recipe.filled(self._values(""))[1]
        errors = [error for split in splits if (error := self._open(dataset, split))]
        # Benchmarks say themselves what they are and where to get them.
        return [Missing("data", f"{error}: {recipe.data}" if ":" in dataset else error) for error in errors]

    def _open(self, dataset: str, split: str) -> str:
        """Why a split cannot be opened, or nothing."""
        from clip2point.data import open_dataset

        key = (dataset, split)
        if key not in self._opened:
            own = ":" in dataset
            try:
                with warnings.catch_warnings():  # that it is incomplete is said when it is measured on
                    warnings.simplefilter("ignore")
                    open_dataset(dataset, root=None if own else self.place.root, split=None if own else split)
                self._opened[key] = ""
            except Clip2PointError as error:
                self._opened[key] = str(error)
        return self._opened[key]

    def _pairs(self) -> list[Missing]:
        """What is missing of the data that towers are trained on, and by which their weights are chosen."""
        missing = [Missing("data", error)] if (error := self._open("modelnet40", "train")) else []
        if not (self._shapenet.is_dir() or (self.place.pairs / "index.json").is_file()):
            why = (
                f"{self._shapenet}: no such folder; expected ShapeNetCore.v2 (SYNSET/MODEL/models/"
                f"model_normalized.obj), or pairs that were rendered of it in {self.place.pairs}. Get it from "
                "shapenet.org after registration"
            )
            missing.append(Missing("pairs", why))
        return missing

    @property
    def _shapenet(self) -> Path:
        return self.place.root / _SHAPENET

    # --- the commands

    def _values(self, model: str) -> dict[str, str]:
        return {"root": str(self.place.root), "model": model, "device": self.place.device}

    def _measure(self, recipe: PaperRecipe, model: str) -> list[str]:
        """The command that measures."""
        words = [*recipe.filled(self._values(model)), "--json"]
        if not self.place.quick:
            return words
        words += _QUICK[recipe.protocol].split()
        if "--heads" in words:
            at = words.index("--heads") + 1
            words[at] = ",".join(map(_quick_head, words[at].split(",")))
        return words

    def _rendering(self) -> list[list[str]]:
        """The command that renders the pairs; it goes on where it was, and does nothing where all are there."""
        if not self._shapenet.is_dir():
            return []
        command = ["pairs", str(self._shapenet), "--out", str(self.place.pairs)]
        if (excluded := self.place.root / "excluded.txt").is_file():
            command += ["--excluded", str(excluded)]
        return [command + (["--limit", str(_QUICK_PAIRS), "--workers", "1"] if self.place.quick else [])]

    def _pretrain(self, folder: Path, training: Path) -> list[str]:
        """The command that trains."""
        from clip2point.training.checkpoints import has_checkpoint

        resume = ["--resume"] if has_checkpoint(folder) else []
        return ["pretrain", str(training), "--out", str(folder), "--device", self.place.device, *resume]

    def _training(self, recipe: PaperRecipe, backbone: str) -> dict[str, Any]:
        """The paper's pre-training with what a recipe changes, on the pairs and validation shapes that are here."""
        # Whole paths, so that a training that was stopped goes on from wherever the command is given.
        here = {
            "data": {"pairs": [str(self.place.pairs.absolute())]},
            "validation": {"root": str(self.place.root.absolute())},
        }
        content = _merged(self._base, recipe.pretraining or {})
        if self.place.quick:
            content = _merged(content, _QUICK_TRAINING)
        content = _merged(content, here)
        content |= {"description": recipe.title, "backbone": _whole(backbone)}
        return recipe_from_dict(content, f"recipe {recipe.name}, pretraining").to_dict()

    @cached_property
    def _base(self) -> Mapping[str, Any]:
        return read_recipe(recipe_folder() / _BASE).to_dict()


def _quick_head(head: str) -> str:
    """A head that trains for a few epochs only, if it trains for epochs at all."""
    from clip2point.heads.registry import make_head, parse_head

    name, options = parse_head(head)
    return f"{head}:epochs={_QUICK_EPOCHS}" if "epochs" in make_head(name, options).options else head


def _on_the_hub(name: str) -> tuple[list[Missing], list[str]]:
    """What is missing of a model of the hub, and what would be downloaded."""
    from huggingface_hub import constants

    from clip2point.backbones.transformers_backbone import ALIASES
    from clip2point.core.repositories import find_cached_folder

    if name not in ALIASES and not name.startswith("hf:"):
        why = (
            f"{name}: no such folder or model: expected a folder, hf:ORGANISATION/NAME, pocket or {', '.join(ALIASES)}"
        )
        return [Missing("model", why)], []
    repository = ALIASES.get(name, name.removeprefix("hf:"))
    try:
        if find_cached_folder(repository) is not None:
            return [], []
    except ModelError as error:
        return [Missing("model", str(error))], []
    if not constants.HF_HUB_OFFLINE:
        return [], [repository]
    why = (
        f"{name}: the hub's cache does not hold {repository}, and HF_HUB_OFFLINE is set: unset it, or give --weights "
        f"with a folder that holds {name.rpartition('/')[2]}"
    )
    return [Missing("model", why)], []


def _whole(model: str) -> str:
    """The name of a model; of a folder, its whole path."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of ``base`` with the values of ``changes`` in their places."""
    merged = dict(base)
    for key, value in changes.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged
