"""Lazy imports: public names when they are first used, and optional dependencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from clip2point.core.errors import OptionError


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


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module of an optional dependency.

    Args:
        module: Name of the module.
        extra: Extra of the distribution that installs it.
        purpose: Phrase for what needs it, as the subject of the message.

    Raises:
        OptionError: The module is not installed; the message says how to install it.

    Examples:
        >>> require("json", "train", "this").__name__
        'json'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise OptionError(f"{purpose} needs {module}: run pip install 'clip2point[{extra}]'") from None
