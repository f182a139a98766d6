"""Bodies for collision: parts of a scene that its engine computes with and never draws, known by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Unreal's prefixes (UCX_ and the like), Decentraland's and Godot's endings; copies carry a number behind them.
_NAMES = re.compile(r"^(?:UCX|UBX|USP|UCP)_|(?i:_collider|-(?:conv)?col(?:only)?)(?:[._]?\d+)?$")


def is_collision(name: object) -> bool:
    """Return whether a part of this name is a body for collision.

    Examples:
        >>> [is_collision(name) for name in ("UCX_Chair_00", "seat_collider.001", "chair-col", "Column", None)]
        [True, True, True, False, False]
    """
    return isinstance(name, str) and _NAMES.search(name) is not None


def note_collision(names: Sequence[str]) -> str:
    """Return the note on parts that were left out, by the names that said so."""
    distinct = list(dict.fromkeys(names))
    shown = ", ".join(repr(name[:40]) for name in distinct[:3]) + (", ..." if len(distinct) > 3 else "")
    return f"{len(names):,} part{'s'[: len(names) != 1]} for collision ({shown}), which engines do not draw: left out"
