"""Registries: tables of what a user can name, each open to plug-ins.

A name is built in, registered by a call in this process, or offered by an installed package through an entry point. A
built-in is imported when it is asked for; packages are looked through only for a name that is not built in, or when
all names are listed. So a broken plug-in stops nobody who does not ask for it.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clip2point.core.errors import OptionError, PluginError, reason

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True)
class Entry:
    """A built-in: where it lives and what it is.

    Attributes:
        target: "module:attribute".
        summary: Half a sentence for help texts and tables; empty for what describes itself.
    """

    target: str
    summary: str = ""


AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(eq=False)
class Registry(Generic[AnyEntry]):
    """One table of names.

    Attributes:
        kind: Kind of the named objects, for messages: "style", "head", ...
        group: Entry points of this group add names; the name of one is the name, its object the value.
        built_in: Entries by name, in the order in which they are listed.
        elsewhere: Advice on installation, for names that belong to optional packages of this project.

    Examples:
        >>> from clip2point.core.registry import Entry, Registry
        >>> roots = Registry("root", "example.roots", {"square": Entry("math:sqrt", "square root")})
        >>> roots.load("square")(9.0)
        3.0
        >>> roots.register("cube", lambda value: value ** (1 / 3))
        >>> roots.names()
        ('square', 'cube')
    """

    kind: str
    group: str
    built_in: Mapping[str, AnyEntry]
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _registered: dict[str, Any] = field(default_factory=dict, repr=False)
    _offered: dict[str, list[EntryPoint]] | None = field(default=None, repr=False)

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._registered or name in self._offers()

    def names(self) -> tuple[str, ...]:
        """Return all names: the built-in ones, those registered in this process, those of installed packages."""
        return tuple(dict.fromkeys((*self.built_in, *self._registered, *sorted(self._offers()))))

    def load(self, name: str, accept: Callable[[Any], bool] = callable, expected: str = "a function") -> Any:
        """Return what a name stands for.

        Args:
            name: One of ``names()``.
            accept: Tells whether an object of a plug-in is of the right kind.
            expected: Right kind of object in words, for the message.

        Raises:
            OptionError: If there is no such name.
            PluginError: If the package that offers it is broken, or two packages do; the message names them.
        """
        if name in self.built_in:
            module, _, attribute = self.built_in[name].target.partition(":")
            return getattr(import_module(module), attribute)
        if name in self._registered:
            return self._registered[name]
        if name not in self._offers():
            raise OptionError(self.explain_unknown(name))
        value = self._load_offer(name)
        if not accept(value):
            raise PluginError(f"{self._describe_offer(name)} is {_describe(value)}: expected {expected}")
        return value

    def register(self, name: str, value: Any) -> None:
        """Add a name for the rest of this process; a name that was registered before is replaced.

        Args:
            name: Name that is not built in.
            value: Object that ``load`` returns for it.

        Raises:
            OptionError: If the name is built in, or no text.
        """
        if not isinstance(name, str) or not name or name != name.strip():
            raise OptionError(f"{name!r} is no name for a {self.kind}: expected text without blanks around it")
        if name in self.built_in:
            raise OptionError(f"the {self.kind} {name!r} is built in: choose another name for yours")
        self._registered[name] = value

    def unregister(self, name: str) -> None:
        """Remove a name that was registered in this process; others are left alone."""
        self._registered.pop(name, None)

    def is_registered(self, name: str) -> bool:
        """Return whether a name was registered in this process, so that worker processes do not know it."""
        return name in self._registered

    def refresh(self) -> None:
        """Forget which packages are installed, so that one that was installed since is found."""
        self._offered = None

    def explain_unknown(self, name: str) -> str:
        """Return the message for a name that nobody knows, with what to do."""
        if name in self.elsewhere:
            return f"the {self.kind} {name!r} is not installed: {self.elsewhere[name]}"
        names = self.names()
        near = difflib.get_close_matches(name, names, 1)
        return f"unknown {self.kind} {name!r}: expected one of {', '.join(names)}" + (
            f"; the nearest is {near[0]}" if near else ""
        )

    def _offers(self) -> dict[str, list[EntryPoint]]:
        """Entry points of installed packages by name, without those that would replace a built-in."""
        if self._offered is None:
            from importlib.metadata import entry_points  # a third of the time to build the parser of commands

            self._offered = {}
            for point in entry_points(group=self.group):
                if point.name in self.built_in:
                    offer = f"the {self.kind} {point.name!r} of {_package(point)}"
                    warnings.warn(f"{offer} is left out: clip2point has one of that name", stacklevel=3)
                else:
                    self._offered.setdefault(point.name, []).append(point)
        return self._offered

    def _load_offer(self, name: str) -> Any:
        """Import what a package offers."""
        first, *others = self._offers()[name]
        if others:
            packages = " and ".join(map(_package, (first, *others)))
            raise PluginError(f"the {self.kind} {name!r} is offered by {packages}: uninstall all but one")
        try:
            return first.load()
        except Exception as error:
            raise PluginError(
                f"{self._describe_offer(name)} cannot be loaded ({type(error).__name__}: {reason(error)}): "
                "update the package or uninstall it"
            ) from error

    def _describe_offer(self, name: str) -> str:
        point = self._offers()[name][0]
        return f"the {self.kind} {name!r} of {_package(point)} ({point.value})"


def _package(point: EntryPoint) -> str:
    """Return the name and version of the package that has an entry point."""
    dist = point.dist
    return "an unknown package" if dist is None else f"the package {dist.name} {dist.version}"


def _describe(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"an object of type {type(value).__name__}"
