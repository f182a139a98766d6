"""``clip2point reproduce``: results of the paper, what they need, and what is measured beside what is quoted."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clip2point.cli import output
from clip2point.cli.figures import command_line
from clip2point.cli.typed import run_typed
from clip2point.core.errors import Clip2PointError, DataError, OptionError, reason

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.report.reproduction_page import Entry
    from clip2point.reproduction.measured_results import Result
    from clip2point.reproduction.paper_recipe import PaperRecipe
    from clip2point.reproduction.planning import Plan, Planner

_DESCRIPTION = """Without names: list the recipes of the paper's results, what papers state, what was measured, and what
is missing. With names: run them, one plain clip2point command after another, each of which is printed. What is done
stays done: a run that was stopped goes on when it is started again."""

#: Of everything in one word.
_ALL = "all"
_SUFFIXES = (".html", ".md")


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "reproduce",
        help="results of the paper: what they need, measured beside quoted",
        description=_DESCRIPTION,
        epilog="Data sets lie below --root in their own layouts (ModelNet10, ModelNet40, h5_files, ShapeNet55-34, "
        "ShapeNetCore.v2, objaverse-lvis); rendered pairs in its folder pairs.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="recipes to run; * stands for anything, as in 'zero-shot-*'; or all"
    )
    parser.add_argument("--root", type=Path, default=Path("data"), metavar="DIR", help="of the data (default data)")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), metavar="DIR", help="for results and models (default results)"
    )
    parser.add_argument(
        "--model", metavar="M", help="in place of the model that the recipe 'pretrain' makes: the authors', for example"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder with models in transformers format by the names of the recipes (clip-vit-b-32, ...), instead of "
        "the hub",
    )
    parser.add_argument("--device", default="cpu", help="cpu (the default), cuda, mps, ...")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check the whole path on a few shapes (but of supervised on all of train) and models; the figures mean "
        "nothing and are kept apart",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also measure what is done already (to train anew, remove the folder of the training)",
    )
    parser.add_argument("--dry-run", action="store_true", help="run nothing; tell all about the recipes and commands")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table to FILE, .html or .md")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


@dataclass
class _Outcome:
    """What is known of one recipe at the end.

    Attributes:
        plan: what it comes to.
        result: what came out of it, now or before.
        current: whether the result is of this model, these data and this recipe as they are now.
        error: why it failed.
    """

    plan: Plan
    result: Result | None
    current: bool
    error: str = ""

    @property
    def state(self) -> str:
        """How things stand, in a few words."""
        if self.error:
            return "failed"
        if self.result and self.current:
            return f"done, {self.result.failures} shapes left out" if self.result.failures else "done"
        before = "made otherwise before; " if self.result else ""
        if self.plan.missing:
            return f"{before}no {' and no '.join(dict.fromkeys(missing.kind for missing in self.plan.missing))}"
        return before + (f"will download {', '.join(self.plan.downloads)}" if self.plan.downloads else "ready")

    @property
    def complaints(self) -> list[str]:
        """What is missing or went wrong, in sentences."""
        return [missing.why for missing in self.plan.missing] or ([self.error] if self.error else [])

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            **self.plan.recipe.to_dict(),
            "commands": self.plan.lines,
            "state": self.state,
            "missing": [missing._asdict() for missing in self.plan.missing],
            "downloads": list(self.plan.downloads),
            "error": self.error or None,
            "result": None if self.result is None else self.result.to_dict(),
        }


def run(arguments: argparse.Namespace) -> int:
    """List, or run."""
    if arguments.report and arguments.report.suffix not in _SUFFIXES:
        raise OptionError(f"--report {arguments.report}: expected a file that ends in {' or '.join(_SUFFIXES)}")
    from clip2point.reproduction.paper_recipe import paper_recipes
    from clip2point.reproduction.planning import Place, Planner

    recipes = paper_recipes()
    names = ("root", "out", "weights", "model", "device", "quick")
    planner = Planner(Place(**{name: getattr(arguments, name) for name in names}), recipes)
    chosen = _chosen(recipes, arguments.names)
    running = arguments.names and not arguments.dry_run
    outcomes = [_run(planner, recipe, arguments) if running else _look(planner, recipe) for recipe in chosen]
    if arguments.report:
        _report(arguments, outcomes)
    if arguments.json:
        output.print_json(
            {
                "quick": arguments.quick,
                "command": command_line(arguments),
                "recipes": [found.to_dict() for found in outcomes],
            }
        )
    elif arguments.dry_run:
        for found in outcomes:
            _describe(found)
    else:
        _print(outcomes, arguments.quick)
    if not running:
        return 0
    return 0 if all(found.state == "done" for found in outcomes) else 1


def _chosen(recipes: Mapping[str, PaperRecipe], names: Sequence[str]) -> list[PaperRecipe]:
    """The recipes that names or patterns stand for, in the order of the recipes; all of them if none is given."""
    patterns = ["*" if name == _ALL else name for name in names] or ["*"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in recipes):
            raise OptionError(f"no recipe {pattern!r}: expected all, or some of {', '.join(recipes)}")
    return [recipe for name, recipe in recipes.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]


# --- running


def _look(planner: Planner, recipe: PaperRecipe) -> _Outcome:
    """What there is, without running anything."""
    from clip2point.reproduction.measured_results import read_result

    plan = planner.plan(recipe)
    try:
        result = read_result(planner.place.results, recipe.name)
    except DataError as error:
        return _Outcome(plan, None, current=False, error=str(error))
    return _Outcome(plan, result, current=result is not None and result.stamp == planner.stamp(plan))


def _run(planner: Planner, recipe: PaperRecipe, arguments: argparse.Namespace) -> _Outcome:
    """Run a recipe, unless it is done or something is missing; what goes wrong stops no other one."""
    from clip2point.reproduction.measured_results import write_result

    found = _look(planner, recipe)
    if found.current and not arguments.again:
        output.remark(f"{recipe.name}: done already (--again to repeat it).")
        return found
    if found.plan.missing:
        output.remark(f"{recipe.name}: cannot run, see below.")
        return found
    try:
        result = _measured(planner, found.plan)
        write_result(planner.place.results, result)
        return _Outcome(found.plan, result, current=True)
    except Clip2PointError as error:
        found.error = str(error)
    except Exception as error:  # out of memory, say: the others can still run
        found.error = f"{type(error).__name__}: {reason(error)}"
    output.remark(f"{recipe.name}: failed: {found.error}")
    return found


def _measured(planner: Planner, plan: Plan) -> Result:
    """Run the commands of a plan; the last one measures."""
    from clip2point.reproduction.measured_results import Result, rows_of

    plan.prepare()
    began, lines, printed = time.perf_counter(), [], ""
    for words in plan.commands:
        line, printed = run_typed(words)
        lines.append(line)
    measurement = json.loads(printed)
    rows = rows_of(measurement)
    return Result(
        recipe=plan.recipe.name,
        stamp=planner.stamp(plan),
        commands=tuple(lines),
        rows=rows,
        seconds=time.perf_counter() - began,
        device=_device_name(planner.place.device),
        failures=len(measurement.get("failures", ())),
        measurement=measurement,
    )


def _device_name(device: str) -> str:
    """What a measurement ran on, in words."""
    import torch

    from clip2point.core.machine import available_cores

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{available_cores()} cores" if device == "cpu" else device


# --- showing


def _entries(outcomes: Sequence[_Outcome]) -> list[Entry]:
    from clip2point.report.reproduction_page import entries_of

    return [entry for found in outcomes for entry in entries_of(found.plan, found.result, found.state)]


def _print(outcomes: Sequence[_Outcome], quick: bool) -> None:
    """A line for each figure; then what is missing, each piece once."""
    if quick:
        print("Quick check on a few shapes: these figures mean nothing.")
    output.print_table(
        ("recipe", "row", "quoted %", "measured %", "state"),
        ((entry.recipe, entry.row, entry.quoted, entry.measured, entry.state) for entry in _entries(outcomes)),
        right=("quoted %", "measured %"),
    )
    done = sum(found.result is not None for found in outcomes)
    print(
        f"{done} of {len(outcomes)} recipes have a result. Quoted: stated by papers, never measured here; 'clip2point "
        "reproduce NAME --dry-run' gives the source of each."
    )
    missing: dict[str, list[str]] = {}
    for found in outcomes:
        for piece in [] if found.state.startswith("done") else found.complaints:
            missing.setdefault(piece, []).append(found.plan.recipe.name)
    if missing:
        output.remark("\nMissing or failed:")
        for piece, names in missing.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            output.remark(f"  {', '.join(names[:3])}{more}:\n    {piece}")


def _describe(found: _Outcome) -> None:
    """All about one recipe."""
    recipe = found.plan.recipe
    print(f"{recipe.name}: {recipe.title}")
    lines = {"data": recipe.data, "time": recipe.time, "notes": recipe.notes}
    for name, text in lines.items():
        print(f"  {name:<10}{' '.join(text.split()) or 'none'}")
    for row, published in recipe.published:
        where = f" ({row})" if row else ""
        words = "; ".join(part for part in (published.backbone, published.source, published.note) if part)
        print(f"  {'quoted':<10}{published.accuracy:g} % for {published.system}{where}: {words}")
    for repository in found.plan.downloads:
        print(f"  {'downloads':<10}{repository}")
    if recipe.pretraining is not None:
        changes = f", changed by {json.dumps(recipe.pretraining)}" if recipe.pretraining else ""
        print(f"  {'trains as':<10}paper-vit-b-32.yaml{changes}, from {recipe.model}")
    for piece in found.plan.missing:
        print(f"  {'missing':<10}{piece.why}")
    for line in found.plan.lines:
        print(f"  $ {line}")
    print()


def _report(arguments: argparse.Namespace, outcomes: Sequence[_Outcome]) -> None:
    """Write the table."""
    from clip2point.report.reproduction_page import write_reproduction

    write_reproduction(arguments.report, _entries(outcomes), quick=arguments.quick, command=command_line(arguments))
    output.remark(f"Report: {arguments.report}")
