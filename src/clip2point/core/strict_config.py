"""Strict configs: mappings into dataclasses, with no unexpected key and each value of the annotated type."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from clip2point.core.errors import OptionError
from clip2point.core.yaml_files import describe_value

_Section = TypeVar("_Section")

_MAX_BYTES = 1 << 18


def to_plain(value: Any) -> Any:
    """Convert to JSON types: tuples to lists, dataclasses to dicts, by ``to_dict`` where they have ``from_dict``."""
    if hasattr(value, "from_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    return [to_plain(item) for item in value] if isinstance(value, tuple | list) else value


def find_changed_key(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Describe the first key in which two configs differ ("section.key was 1 and is now 2"); None if none does."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    for key in [*new, *old]:
        if old.get(key) != new.get(key):
            return f"{key} was {old.get(key, 'not set')!r} and is now {new.get(key, 'not set')!r}"
    return None


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def rename_keys(values: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Replace former names of keys by their present ones.

    Args:
        values: Sections by name.
        renamed: Present names by former ones, each as "section.key" within the same section.

    Examples:
        >>> rename_keys({"captions": {"name_share": 0.4}}, {"captions.name_share": "captions.name_probability"})
        {'captions': {'name_probability': 0.4}}
    """
    sections = dict(values)
    for former, present in renamed.items():
        (section, key), (_, name) = former.split("."), present.split(".")
        inside = sections.get(section)
        if isinstance(inside, Mapping) and key in inside and name not in inside:
            sections[section] = {name if other == key else other: value for other, value in inside.items()}
    return sections


def read_section(kind: type[_Section], values: Any, source: str, prefix: str = "") -> _Section:
    """Make a dataclass from a mapping.

    Args:
        kind: Dataclass with fields that are strings, numbers, Literals, tuples, optional values or dataclasses.
        values: Values by field; a missing one takes its default.
        source: Name of the file, for messages.
        prefix: Prefix of the keys in messages.

    Raises:
        OptionError: A key is unexpected or missing, a value is of the wrong type, or the dataclass rejects it; the
            message names file and key.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Schedule:
        ...     epochs: int = 8
        >>> read_section(Schedule, {"epochs": 3}, "recipe.yaml")
        Schedule(epochs=3)
    """
    if not isinstance(values, Mapping):
        raise OptionError(
            f"{source}: {prefix.rstrip('.') or 'the recipe'} is {describe_value(values)}: expected keys and values"
        )
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, cutoff=0.5)
            raise OptionError(
                f"{source}: unexpected key {prefix}{str(key)[:80]}: expected one of {', '.join(known)}"
                + (f"; the nearest is {near[0]}" if near else "")
            )
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise OptionError(f"{source}: {prefix}{name} is missing: expected a value, it has no default")
    hints = get_type_hints(kind)
    given = {str(key): _value(hints[key], value, source, f"{prefix}{key}") for key, value in values.items()}
    try:
        return kind(**given)
    except OptionError as error:
        named = not prefix or str(error).partition(" ")[0] in known
        raise OptionError(f"{source}: {prefix if named else f'{prefix[:-1]}: '}{error}") from None


def _value(hint: Any, value: Any, source: str, key: str) -> Any:
    """Return a value of the annotated type."""
    if is_dataclass(hint):
        return read_section(hint, value, source, f"{key}.")  # type: ignore[arg-type]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _value_of_one(arguments, value, source, key)
    if origin is Literal:
        if value not in arguments:
            raise OptionError(
                f"{source}: {key} is {describe_value(value)}: expected one of {', '.join(map(str, arguments))}"
            )
        return value
    if origin is tuple:
        return _tuple(arguments, value, source, key)
    return _scalar(hint, value, source, key)


def _value_of_one(hints: tuple[Any, ...], value: Any, source: str, key: str) -> Any:
    """Return a value of one of several types: a mapping for the one with ``from_dict``, else the first one."""
    first, *others = (hint for hint in hints if hint is not type(None))
    if not (others and isinstance(value, Mapping)):
        return _value(first, value, source, key)
    try:
        return others[0].from_dict(value)
    except OptionError as error:
        raise OptionError(f"{source}: {key}: {error}") from None


def _tuple(arguments: tuple[Any, ...], value: Any, source: str, key: str) -> tuple[Any, ...]:
    of_any_length = len(arguments) == 2 and arguments[1] is Ellipsis
    if not isinstance(value, list | tuple) or not (of_any_length or len(value) == len(arguments)):
        length = "" if of_any_length else f" of {len(arguments)}"
        raise OptionError(f"{source}: {key} is {describe_value(value)}: expected a list{length}")
    hints = [arguments[0]] * len(value) if of_any_length else arguments
    pairs = enumerate(zip(hints, value, strict=True))
    return tuple(_value(hint, item, source, f"{key}[{number}]") for number, (hint, item) in pairs)


def _scalar(hint: Any, value: Any, source: str, key: str) -> Any:
    # A bool is an int to Python, but not to whoever writes "epochs: yes".
    fits = isinstance(value, bool) == (hint is bool)
    if hint is float and fits and isinstance(value, int | float) and abs(value) <= sys.float_info.max:
        return float(value)
    if hint is not float and fits and isinstance(value, hint):
        return value
    words = {bool: "true or false", int: "an integer", float: "a number", str: "text"}
    raise OptionError(f"{source}: {key} is {describe_value(value)}: expected {words[hint]}")
