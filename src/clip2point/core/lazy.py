"""Lazy packages: public names that are imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_attributes(package: str, places: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package.

    Args:
        package: Name of the package.
        places: Public names by the module of the package that they are imported from.

    Examples:
        >>> find = lazy_attributes("xml", {"dom.minidom": ("parseString",)})
        >>> find("parseString").__module__
        'xml.dom.minidom'
    """

    def find(name: str) -> Any:
        for module, names in places.items():
            if name in names:
                return getattr(import_module(f"{package}.{module}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
