"""``clip2point cache``: what is kept from earlier runs, and how much of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clip2point.cli import output

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "cache",
        help="show, bound or empty the cache",
        description="Show what the cache holds: points and features, found again by the content of files. Everything "
        "in it may be deleted at any time.",
    )
    parser.add_argument(
        "--limit",
        metavar="SIZE",
        help="size that the cache keeps to from now on, such as 2GB, by deleting what was not used for longest "
        "(default 10GB; CLIP2POINT_CACHE_LIMIT goes before it; 0 keeps no single results)",
    )
    parser.add_argument("--empty", action="store_true", help="delete everything in the cache")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Bound or empty the cache, and show it."""
    from clip2point.core.cache import cache_folder
    from clip2point.core.cache_contents import empty_cache, list_kinds, shrink_cache
    from clip2point.core.cache_limit import format_size, parse_size, read_limit, set_limit

    if arguments.limit is not None:
        set_limit(parse_size(arguments.limit))
        shrink_cache(read_limit())
    if arguments.empty:
        empty_cache()
    kinds, limit = list_kinds(), read_limit()
    if arguments.json:
        found = [{"kind": kind.name, "entries": kind.entries, "bytes": kind.size} for kind in kinds]
        output.print_json({"folder": str(cache_folder()), "limit": limit, "kinds": found})
        return 0
    total = sum(kind.size for kind in kinds)
    print(f"{cache_folder()}: {format_size(total)} of at most {format_size(limit)}")
    if kinds:
        rows = [(kind.name, f"{kind.entries:,}", format_size(kind.size)) for kind in kinds]
        output.print_table(("kind", "entries", "size"), rows, right=("entries", "size"))
    return 0
