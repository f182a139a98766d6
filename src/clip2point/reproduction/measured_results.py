"""Results of recipes: rows of figures, in one file for each recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip2point.core.errors import DataError
from clip2point.core.files import replacing
from clip2point.core.strict_config import rename_keys
from clip2point.pretraining.recipe import RENAMED_KEYS


@dataclass(frozen=True)
class ResultRow:
    """One measured accuracy.

    Attributes:
        name: Name of the row in its recipe: "" where there is one only, "gdpa, 16 shots" or "gdpa" for a head,
            "style=pointclip" for a value of a sweep.
        accuracy: Mean over the runs, in [0, 1].
        deviation: Standard deviation over the runs; None for one run.
        runs: Number of samplings of the points, draws of the examples, or trainings.
    """

    name: str
    accuracy: float
    deviation: float | None
    runs: int

    def __str__(self) -> str:
        """Return the accuracy in percent, with its deviation."""
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        return f"{100 * self.accuracy:.2f}{spread}"


@dataclass(frozen=True)
class RecipeResult:
    """Result of a recipe.

    Attributes:
        recipe: Name of the recipe.
        fingerprint: Identity of model, data and command, see ``RecipePlanner.fingerprint``.
        commands: Command lines, in their order.
        rows: Measured accuracies.
        seconds: Duration of all commands together.
        device: Device of the run, in words.
        failures: Number of shapes that could not be read.
        measurement: JSON value that the last command printed.
    """

    recipe: str
    fingerprint: dict[str, Any]
    commands: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    seconds: float
    device: str
    failures: int
    measurement: dict[str, Any]

    @property
    def model(self) -> str:
        """Name of the measured model."""
        return str(self.measurement.get("model") or self.fingerprint["model"][0])

    @property
    def shapes(self) -> str:
        """Data set, split and number of the measured shapes, in words."""
        measurement = self.measurement
        count = f", {measurement['samples']:,} shapes" if "samples" in measurement else ""
        return f"{measurement['dataset']}, {measurement['split']}{count}"

    @property
    def note(self) -> str:
        """Note on the data, for comparisons."""
        return str(self.measurement.get("note", ""))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON types, which ``read_result`` reads."""
        return {**asdict(self), "commands": list(self.commands), "rows": [asdict(row) for row in self.rows]}


def make_rows(measurement: Mapping[str, Any]) -> tuple[ResultRow, ...]:
    """Return the rows of the JSON value of ``clip2point evaluate``.

    Args:
        measurement: One measurement, a sweep or a comparison of heads.

    Examples:
        >>> accuracy = {"mean": 0.4938, "deviation": None}
        >>> [str(row) for row in make_rows({"over_seeds": {"runs": 1, "accuracy": accuracy}})]
        ['49.38']
    """
    if "rows" in measurement:
        return tuple(_make_row(_sweep_name(entry), entry) for entry in measurement["rows"])
    summary = measurement["over_seeds"]
    if isinstance(summary, Mapping):
        return (_make_row("", summary),)
    alone = measurement["zero_shot"]["accuracy"]
    return (
        ResultRow("class names alone", alone, None, 1),
        *(_make_row(_head_name(entry["head"], entry["shots"]), entry) for entry in summary),
    )


def _make_row(name: str, summary: Mapping[str, Any]) -> ResultRow:
    accuracy = summary["accuracy"]
    return ResultRow(name, accuracy["mean"], accuracy["deviation"], summary["runs"])


def _sweep_name(entry: Mapping[str, Any]) -> str:
    """Return the values of a row of a sweep: its keys before those of the summary."""
    names = list(entry)[: list(entry).index("runs")]
    return ", ".join(f"{name}={entry[name]}" for name in names)


def _head_name(head: str, shots: int | None) -> str:
    """Return the name of a head, with its number of examples of each class."""
    return head if shots is None else f"{head}, {shots} shot{'s' if shots > 1 else ''}"


def write_result(folder: Path, result: RecipeResult) -> None:
    """Write a result; the previous one stays until this one is complete."""
    with replacing(_path(folder, result.recipe)) as unfinished:
        text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def read_result(folder: Path, recipe: str) -> RecipeResult | None:
    """Read the result of a recipe; None if it has not been run.

    Raises:
        DataError: If the file cannot be read, or is no result.
    """
    path = _path(folder, recipe)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        fingerprint = values.pop("stamp") if "stamp" in values else values.pop("fingerprint")  # release 0.1.0, today
        if fingerprint.get("pretraining"):
            fingerprint["pretraining"] = rename_keys(fingerprint["pretraining"], RENAMED_KEYS)
        rows = tuple(ResultRow(**row) for row in values.pop("rows"))
        commands = tuple(values.pop("commands"))
        result = RecipeResult(**values, fingerprint=fingerprint, commands=commands, rows=rows)
        _ = (result.model, result.shapes, [str(row) for row in rows])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f"{path}: is no result of clip2point reproduce: remove it and run {recipe} again") from None
    return result


def _path(folder: Path, recipe: str) -> Path:
    return folder / f"{recipe}.json"
