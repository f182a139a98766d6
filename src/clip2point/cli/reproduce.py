"""``clip2point reproduce``: results of the paper, measured beside quoted."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import output
from clip2point.cli.figures import command_line
from clip2point.core.errors import OptionError
from clip2point.core.listing import list_some

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.report.reproduction_page import ReproductionLine
    from clip2point.reproduction.running import RecipeStatus

_DESCRIPTION = """Without names: list the recipes of the paper's results with published and measured figures and missing
inputs. With names: run them; each consists of plain clip2point commands, which are printed. Results are saved: an
interrupted run continues when the same command is given again."""

_SUFFIXES = (".html", ".md")


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "reproduce",
        help="run the recipes of the paper's results, measured beside quoted",
        description=_DESCRIPTION,
        epilog="Data sets lie below --root in their own layouts (ModelNet10, ModelNet40, h5_files, ShapeNet55-34, "
        "ShapeNetCore.v2, objaverse-lvis); rendered pairs in its folder pairs.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="recipes to run, patterns such as 'zero-shot-*', or all"
    )
    parser.add_argument(
        "--root", type=Path, default=Path("data"), metavar="DIR", help="folder of the data (default data)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder of results and models (default results)",
    )
    parser.add_argument(
        "--model", metavar="M", help="model in place of that of the recipe 'pretrain', the authors' for example"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder with models in transformers format by the names of the recipes (clip-vit-b-32, ...), instead of "
        "the hub",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps, ...")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check the whole path on a few shapes (supervised: on all of train); the figures mean nothing and are "
        "saved apart",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="repeat recipes that are done (to repeat a training, remove its folder)",
    )
    parser.add_argument("--dry-run", action="store_true", help="run nothing, describe the recipes and their commands")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table to FILE, .html or .md")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List recipes, or run them."""
    if arguments.report and arguments.report.suffix not in _SUFFIXES:
        raise OptionError(f"--report {arguments.report}: expected a file that ends in {' or '.join(_SUFFIXES)}")
    from clip2point.reproduction import commands
    from clip2point.reproduction.paper_recipe import paper_recipes
    from clip2point.reproduction.planning import RecipePlanner, ReproductionSettings
    from clip2point.reproduction.running import choose_recipes, inspect_recipe, run_recipes

    recipes = paper_recipes()
    names = ("root", "out", "weights", "model", "device", "quick")
    settings = ReproductionSettings(**{name: getattr(arguments, name) for name in names})
    planner, chosen = RecipePlanner(settings, recipes), choose_recipes(recipes, arguments.names)
    running = bool(arguments.names) and not arguments.dry_run
    if running:
        runner = commands.run_process
        states = run_recipes(planner, chosen, again=arguments.again, runner=runner, tell=output.remark)
    else:
        states = [inspect_recipe(planner, recipe) for recipe in chosen]
    _show(arguments, states)
    if any(state.interrupted for state in states):
        output.remark("Interrupted; the same command continues.")
        return 130
    return 1 if running and any(state.state != "done" for state in states) else 0


def _show(arguments: argparse.Namespace, states: Sequence[RecipeStatus]) -> None:
    """Print the states, and write the report."""
    if arguments.report:
        from clip2point.report.reproduction_page import write_reproduction

        command = command_line(arguments)
        write_reproduction(arguments.report, _entries(states), quick=arguments.quick, command=command)
        output.remark(f"Report: {arguments.report}")
    if arguments.json:
        values = [state.to_dict() for state in states]
        output.print_json({"quick": arguments.quick, "command": command_line(arguments), "recipes": values})
    elif arguments.dry_run:
        for state in states:
            _describe(state)
    else:
        _print(states, arguments.quick)


def _entries(states: Sequence[RecipeStatus]) -> list[ReproductionLine]:
    from clip2point.report.reproduction_page import entries_of

    return [entry for state in states for entry in entries_of(state.plan, state.result, state.state)]


def _print(states: Sequence[RecipeStatus], quick: bool) -> None:
    """Print a line for each figure; then the missing inputs and failures, each once."""
    if quick:
        print("Quick check on a few shapes: these figures mean nothing.")
    output.print_table(
        ("recipe", "row", "quoted %", "measured %", "state"),
        ((entry.recipe, entry.row, entry.quoted, entry.measured, entry.state) for entry in _entries(states)),
        right=("quoted %", "measured %"),
    )
    done = sum(state.result is not None for state in states)
    print(
        f"{done} of {len(states)} recipes have a result. Quoted figures are stated by papers and were never measured "
        "here; 'clip2point reproduce NAME --dry-run' shows the source of each."
    )
    complaints: dict[str, list[str]] = {}
    for state in states:
        for complaint in state.complaints:
            complaints.setdefault(complaint, []).append(state.plan.recipe.name)
    if complaints:
        output.remark("\nMissing or failed:")
        for complaint, names in complaints.items():
            output.remark(f"  {list_some(names, 3)}:\n    {complaint}")


def _describe(state: RecipeStatus) -> None:
    """Print all about one recipe."""
    recipe = state.plan.recipe
    print(f"{recipe.name}: {recipe.title}")
    lines = {"data": recipe.data, "time": recipe.time, "notes": recipe.notes}
    for name, text in lines.items():
        print(f"  {name:<10}{' '.join(text.split()) or 'none'}")
    for row, published in recipe.published:
        where = f" ({row})" if row else ""
        remarks = "; ".join(part for part in (published.backbone, published.source, published.note) if part)
        print(f"  {'quoted':<10}{published.accuracy:g} % for {published.system}{where}: {remarks}")
    for repository in state.plan.downloads:
        print(f"  {'downloads':<10}{repository}")
    if recipe.pretraining is not None:
        changes = f", changed by {json.dumps(recipe.pretraining)}" if recipe.pretraining else ""
        print(f"  {'trains as':<10}paper-vit-b-32.yaml{changes}, from {recipe.model}")
    for missing in state.plan.missing:
        print(f"  {'missing':<10}{missing.why}")
    for line in state.plan.lines:
        print(f"  $ {line}")
    print()
