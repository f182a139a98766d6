"""Runs of recipes: commands of a plan one after another, and the state of each recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from clip2point.core.errors import Clip2PointError, DataError, OptionError, reason
from clip2point.reproduction.commands import CommandResult, Runner, command_line, run_process
from clip2point.reproduction.measured_results import RecipeResult, make_rows, read_result, write_result
from clip2point.reproduction.paper_recipe import PaperRecipe
from clip2point.reproduction.planning import RecipePlan, RecipePlanner

#: Name that stands for all recipes.
_ALL = "all"


@dataclass(frozen=True)
class RecipeStatus:
    """State of one recipe.

    Attributes:
        plan: Commands and missing inputs.
        result: Result of this run or an earlier one; None if there is none.
        current: True if the result is that of the present model, data and recipe.
        error: Message of the failure, or "".
        interrupted: True if the run was asked to stop in this recipe.
    """

    plan: RecipePlan
    result: RecipeResult | None
    current: bool
    error: str = ""
    interrupted: bool = False

    @property
    def state(self) -> str:
        """State in a few words: "done", "ready", "no data", "failed" ..."""
        if self.interrupted:
            return "interrupted"
        if self.error:
            return "failed"
        if self.result and self.current:
            return f"done, {self.result.failures} shapes left out" if self.result.failures else "done"
        before = "outdated result; " if self.result else ""
        if self.plan.missing:
            return f"{before}no {' and no '.join(dict.fromkeys(missing.kind for missing in self.plan.missing))}"
        return before + (f"will download {', '.join(self.plan.downloads)}" if self.plan.downloads else "ready")

    @property
    def complaints(self) -> list[str]:
        """Missing inputs or the failure, in sentences; none for a recipe that is done."""
        if self.result and self.current and not self.error:
            return []
        return [missing.why for missing in self.plan.missing] or ([self.error] if self.error else [])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types."""
        return {
            **self.plan.recipe.to_dict(),
            "commands": self.plan.lines,
            "state": self.state,
            "missing": [missing._asdict() for missing in self.plan.missing],
            "downloads": list(self.plan.downloads),
            "error": self.error or None,
            "result": None if self.result is None else self.result.to_dict(),
        }


def choose_recipes(recipes: Mapping[str, PaperRecipe], names: Sequence[str]) -> list[PaperRecipe]:
    """Return the recipes that names or patterns stand for, in the order of the recipes.

    Args:
        recipes: All recipes by name.
        names: Names, patterns such as "zero-shot-*", or "all"; all recipes if empty.

    Raises:
        OptionError: If no recipe has the name or fits the pattern.

    Examples:
        >>> from clip2point.reproduction.paper_recipe import paper_recipes
        >>> [recipe.name for recipe in choose_recipes(paper_recipes(), ["zero-shot-modelnet10-*"])]
        ['zero-shot-modelnet10-10-views', 'zero-shot-modelnet10-6-views']
    """
    patterns = ["*" if name == _ALL else name for name in names] or ["*"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in recipes):
            raise OptionError(f"no recipe {pattern!r}: expected all, or some of {', '.join(recipes)}")
    return [recipe for name, recipe in recipes.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]


def inspect_recipe(planner: RecipePlanner, recipe: PaperRecipe) -> RecipeStatus:
    """Return the state of a recipe without running anything."""
    plan = planner.plan(recipe)
    try:
        result = read_result(planner.settings.results, recipe.name)
    except DataError as error:
        return RecipeStatus(plan, None, current=False, error=str(error))
    current = result is not None and result.fingerprint == planner.fingerprint(plan)
    return RecipeStatus(plan, result, current)


def run_recipes(
    planner: RecipePlanner,
    recipes: Sequence[PaperRecipe],
    *,
    again: bool = False,
    runner: Runner = run_process,
    tell: Callable[[str], object] = print,
) -> list[RecipeStatus]:
    """Run recipes one after another; a recipe that fails or lacks inputs stops no other one.

    A recipe with a current result is not run again. After an interruption (Ctrl-C, SIGTERM) the remaining recipes
    are inspected only.

    Args:
        planner: Maker of the plans.
        recipes: Recipes to run, those of models before those that measure them.
        again: True to repeat recipes that are done.
        runner: Function that runs a command.
        tell: Function that takes lines of progress.

    Returns:
        The state of each recipe.
    """
    states: list[RecipeStatus] = []
    for recipe in recipes:
        state = inspect_recipe(planner, recipe)
        if not any(before.interrupted for before in states):
            state = _run_recipe(planner, state, again, runner, tell)
        states.append(state)
    return states


def _run_recipe(
    planner: RecipePlanner, before: RecipeStatus, again: bool, runner: Runner, tell: Callable[[str], object]
) -> RecipeStatus:
    """Run a recipe, unless it is done or lacks inputs."""
    plan = before.plan
    name = plan.recipe.name
    if before.current and not again:
        tell(f"{name}: done already (--again to repeat it).")
        return before
    if plan.missing:
        tell(f"{name}: cannot run, see below.")
        return before
    try:
        return _measure(planner, plan, before, runner, tell)
    except Clip2PointError as error:
        message = str(error)
    except Exception as error:  # a full disk, say: the others can still run
        message = f"{type(error).__name__}: {reason(error)}"
    tell(f"{name}: failed: {message}")
    return RecipeStatus(plan, before.result, before.current, error=message)


def _measure(
    planner: RecipePlanner, plan: RecipePlan, before: RecipeStatus, runner: Runner, tell: Callable[[str], object]
) -> RecipeStatus:
    """Run the commands of a plan, the last of which measures, and write the result."""
    plan.write_training()
    began, results = time.perf_counter(), list[CommandResult]()
    for words in plan.commands:
        tell(f"$ {command_line(words)}")
        results.append(runner(words))
        if results[-1].interrupted:
            return RecipeStatus(plan, before.result, before.current, interrupted=True)
        results[-1].check()
    measurement = results[-1].json()
    result = RecipeResult(
        recipe=plan.recipe.name,
        fingerprint=planner.fingerprint(plan),
        commands=tuple(result.line for result in results),
        rows=make_rows(measurement),
        seconds=time.perf_counter() - began,
        device=_device_name(planner.settings.device),
        failures=len(measurement.get("failures", ())),
        measurement=measurement,
    )
    write_result(planner.settings.results, result)
    return RecipeStatus(plan, result, current=True)


def _device_name(device: str) -> str:
    """Return the device of a measurement, in words."""
    from clip2point.core.machine import available_cores

    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"{available_cores()} cores" if device == "cpu" else device
