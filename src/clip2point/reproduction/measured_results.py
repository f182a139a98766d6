"""What came out of a recipe: rows of figures, kept in one file for each recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip2point.core.errors import DataError
from clip2point.core.files import replacing


@dataclass(frozen=True)
class Row:
    """One measured accuracy.

    Attributes:
        name: what tells it from the other rows of a recipe: "" where there is one only, "gdpa, 16 shots" or "gdpa" for
            a head, "style=pointclip" for a value that was swept.
        accuracy: mean over the runs, in [0, 1].
        deviation: over the runs; None for one run.
        runs: samplings of the points, draws of the examples, or trainings.
    """

    name: str
    accuracy: float
    deviation: float | None
    runs: int

    def __str__(self) -> str:
        """The accuracy in percent, with its deviation."""
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        return f"{100 * self.accuracy:.2f}{spread}"


@dataclass(frozen=True)
class Result:
    """What came out of a recipe.

    Attributes:
        recipe: its name.
        stamp: what it was made of; see ``Planner.stamp``.
        commands: that made it, in their order.
        rows: the figures.
        seconds: that it took, all commands together.
        device: what it ran on.
        failures: how many shapes could not be read.
        measurement: all that the last command printed.
    """

    recipe: str
    stamp: dict[str, Any]
    commands: tuple[str, ...]
    rows: tuple[Row, ...]
    seconds: float
    device: str
    failures: int
    measurement: dict[str, Any]

    @property
    def model(self) -> str:
        """What was measured."""
        return str(self.measurement.get("model") or self.stamp["model"][0])

    @property
    def shapes(self) -> str:
        """On what it was measured, in words."""
        found = self.measurement
        count = f", {found['samples']:,} shapes" if "samples" in found else ""
        return f"{found['dataset']}, {found['split']}{count}"

    @property
    def note(self) -> str:
        """What has to be known of the data."""
        return str(self.measurement.get("note", ""))

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; ``read_result`` reads them back."""
        return {**asdict(self), "commands": list(self.commands), "rows": [asdict(row) for row in self.rows]}


def rows_of(measurement: Mapping[str, Any]) -> tuple[Row, ...]:
    """The rows of what ``clip2point evaluate --json`` printed: of one measurement, a sweep or a comparison of heads."""
    if "rows" in measurement:
        return tuple(_row(_swept(entry), entry) for entry in measurement["rows"])
    summary = measurement["over_seeds"]
    if isinstance(summary, Mapping):
        return (_row("", summary),)
    alone = measurement["zero_shot"]["accuracy"]
    return (
        Row("class names alone", alone, None, 1),
        *(_row(_fitted(entry["head"], entry["shots"]), entry) for entry in summary),
    )


def _row(name: str, summary: Mapping[str, Any]) -> Row:
    accuracy = summary["accuracy"]
    return Row(name, accuracy["mean"], accuracy["deviation"], summary["runs"])


def _swept(entry: Mapping[str, Any]) -> str:
    """The values that a row of a sweep is of: its keys before those of the summary."""
    names = list(entry)[: list(entry).index("runs")]
    return ", ".join(f"{name}={entry[name]}" for name in names)


def _fitted(head: str, shots: int | None) -> str:
    """A head, and how many examples of each class it learned from."""
    return head if shots is None else f"{head}, {shots} shot{'s' if shots > 1 else ''}"


def write_result(folder: Path, result: Result) -> None:
    """Keep a result; the one before stays until this one is whole."""
    with replacing(_path(folder, result.recipe)) as unfinished:
        text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def read_result(folder: Path, recipe: str) -> Result | None:
    """Read what came out of a recipe; None if it has not been run.

    Raises:
        DataError: if the file cannot be read, or was written by something else.
    """
    path = _path(folder, recipe)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in values.pop("rows"))
        result = Result(**{**values, "commands": tuple(values["commands"]), "rows": rows})
        _ = (result.model, result.shapes, [str(row) for row in rows])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f"{path}: is no result of clip2point reproduce; remove it and run {recipe} again") from None
    return result


def _path(folder: Path, recipe: str) -> Path:
    return folder / f"{recipe}.json"
