"""Search: a library of embedded shapes, and queries by text, photo and shape. Needs the extra ``search``.

Nothing heavy is imported before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clip2point.search.entry import Entry
    from clip2point.search.indexing import IndexReport, index_shapes
    from clip2point.search.library import Library
    from clip2point.search.queries import Hit, Query, search

#: Public names by module.
_ROOMS = {
    "entry": ("Entry",),
    "indexing": ("IndexReport", "index_shapes"),
    "library": ("Library",),
    "queries": ("Hit", "Query", "search"),
}

__all__ = ["Entry", "Hit", "IndexReport", "Library", "Query", "index_shapes", "search"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"clip2point.search.{room}"), name)
    raise AttributeError(f"module 'clip2point.search' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
