"""Lists in messages."""

from __future__ import annotations

from collections.abc import Sequence


def list_some(names: Sequence[str], most: int) -> str:
    """Return names parted by commas, the first ones of many.

    Examples:
        >>> list_some(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
