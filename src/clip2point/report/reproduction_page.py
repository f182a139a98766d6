"""The table of the paper's results: measured beside quoted, and what made each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.core.files import replacing

if TYPE_CHECKING:
    from clip2point.reproduction.measured_results import RecipeResult
    from clip2point.reproduction.planning import RecipePlan

TITLE = "Results of the paper: measured beside quoted"
QUICK = "A quick check on a few shapes: these figures mean nothing."
QUOTED = "Quoted figures are stated by papers and were never measured here."


@dataclass(frozen=True)
class ReproductionLine:
    """One line of the table.

    Attributes:
        recipe: Name of the recipe.
        title: Title of the recipe.
        row: Name of the figure in the recipe.
        quoted: Quoted figure in percent, "" if no paper states one.
        source: Source of the quoted figure, with remarks.
        measured: Measured figure in percent, a dash for none.
        state: State of the recipe, in a few words.
        model: Name of the model.
        data: Name of the data set.
        note: Remark on the data.
        seeds: Seeds of the samplings, draws or trainings that the mean is over.
        device: Device and duration of the run.
        commands: Command lines of the figure.
    """

    recipe: str
    title: str
    row: str
    quoted: str
    source: str
    measured: str
    state: str
    model: str
    data: str
    note: str
    seeds: str
    device: str
    commands: tuple[str, ...]


def entries_of(plan: RecipePlan, result: RecipeResult | None, state: str) -> list[ReproductionLine]:
    """Return the lines of a recipe: measured rows, and those that are quoted only.

    A quick check quotes nothing, since its figures are not comparable.
    """
    recipe = plan.recipe
    measured = {row.name: row for row in result.rows} if result else {}
    published = [] if plan.quick else recipe.published
    names = dict.fromkeys([*measured, *(row for row, _ in published)]) or {"": None}
    entries = []
    for name in names:
        quoted = [figure for row, figure in published if row == name]
        row = measured.get(name)
        entries.append(
            ReproductionLine(
                recipe=recipe.name,
                title=recipe.title,
                row=name,
                quoted=", ".join(f"{figure.accuracy:.2f}" for figure in quoted),
                source="; ".join(
                    ", ".join(part for part in (it.system, it.backbone, it.source, it.note) if part) for it in quoted
                ),
                measured="–" if row is None else str(row),
                state=state,
                model=result.model if result else "",
                data=result.shapes if result else "",
                note=result.note if result else "",
                seeds=_seeds(row.runs) if row else "",
                device=f"{result.device}, {result.seconds:,.0f} s" if result else "",
                commands=result.commands if result else tuple(plan.lines),
            )
        )
    return entries


def _seeds(runs: int) -> str:
    """Format the seeds of a number of runs, which count from 0."""
    return "0" if runs == 1 else f"0 to {runs - 1}"


def write_reproduction(path: Path, entries: Sequence[ReproductionLine], *, quick: bool, command: str) -> None:
    """Write the table as an HTML page or as Markdown, by the file's ending.

    Args:
        path: Path that ends in .html or .md.
        entries: Lines of the table.
        quick: True for lines of a quick check.
        command: Command line that makes the file again.

    Raises:
        OSError: The file cannot be written.
    """
    remarks = [QUICK, QUOTED] if quick else [QUOTED]
    notes = list(dict.fromkeys(entry.note for entry in entries if entry.note))
    if path.suffix == ".html":
        from clip2point.report.html import write_html

        write_html(
            *(path, "reproduction.html"), title=TITLE, entries=entries, remarks=remarks, notes=notes, command=command
        )
        return
    with replacing(path) as unfinished:
        unfinished.write_text(_markdown(entries, remarks, notes, command), encoding="utf-8")


def _markdown(entries: Sequence[ReproductionLine], remarks: Sequence[str], notes: Sequence[str], command: str) -> str:
    """Return the table and, below it, the commands of the measured figures."""
    lines = [f"# {TITLE}", "", *(f"{remark}\n" for remark in remarks)]
    lines += ["| recipe | row | quoted, % | measured, % | model | data | seeds |", "|---|---|---:|---:|---|---|---:|"]
    for entry in entries:
        cells = (entry.recipe, entry.row, entry.quoted, entry.measured, entry.model, entry.data, entry.seeds)
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    lines += ["", "## Sources of what is quoted", ""]
    lines += [f"- `{entry.recipe}` {entry.row}: {entry.quoted} %: {entry.source}" for entry in entries if entry.quoted]
    lines += ["", "## The data", "", *(f"- {note}" for note in notes)]
    lines += ["", "## Commands of what was measured", ""]
    measured = {entry.recipe: entry for entry in entries if entry.model}
    for entry in measured.values():
        lines += [f"{entry.recipe} ({entry.device}):", "", *(f"    {line}" for line in entry.commands), ""]
    return "\n".join([*lines, f"Made by `{command}`.", ""])
