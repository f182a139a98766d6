"""Settings in mappings, read strictly into dataclasses: each key must be a field, each value of the annotated type."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from clip2point.core.errors import OptionError
from clip2point.core.yaml_files import said

_Section = TypeVar("_Section")

_MAX_BYTES = 1 << 18


def expect(holds: bool, key: str, value: object, expected: str) -> None:
    """Check one value of a settings class.

    Args:
        holds: Outcome of the check.
        key: Name of the field.
        value: Its value, for the message.
        expected: What a right value looks like, for the message.

    Raises:
        OptionError: If the check does not hold.
    """
    if not holds:
        raise OptionError(f"{key} is {value}: expected {expected}")


def to_plain(value: Any) -> Any:
    """JSON types: dataclasses as dicts, tuples as lists."""
    if is_dataclass(value):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    return [to_plain(item) for item in value] if isinstance(value, tuple | list) else value


def changed_key(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first key, as "section.key: before, now", in which two recipes as dicts differ."""
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


def read_section(kind: type[_Section], values: Any, source: str, prefix: str = "") -> _Section:
    """Make a dataclass of a mapping with its fields.

    Args:
        kind: the dataclass; its fields are text, numbers, Literals, tuples, optional values and further dataclasses.
        values: by field; what is left out has the default.
        source: name of the file, for messages.
        prefix: of the keys in messages.

    Raises:
        OptionError: if a key is unknown or missing, a value is of the wrong type, or the dataclass refuses it; the
            message names file and key.
    """
    if not isinstance(values, Mapping):
        raise OptionError(f"{source}: {prefix.rstrip('.') or 'the recipe'} is {said(values)}: expected keys and values")
    known: dict[str, Field[Any]] = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1, cutoff=0.5)
            raise OptionError(
                f"{source}: unknown key {prefix}{str(key)[:80]}: expected one of {', '.join(known)}"
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
    """A value of the annotated type."""
    if is_dataclass(hint):
        return read_section(hint, value, source, f"{key}.")  # type: ignore[arg-type]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, source, key)
    if origin is Literal:
        if value not in arguments:
            raise OptionError(f"{source}: {key} is {said(value)}: expected one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, source, key)
    return _scalar(hint, value, source, key)


def _tuple(arguments: tuple[Any, ...], value: Any, source: str, key: str) -> tuple[Any, ...]:
    of_any_length = len(arguments) == 2 and arguments[1] is Ellipsis
    if not isinstance(value, list | tuple) or not (of_any_length or len(value) == len(arguments)):
        length = "" if of_any_length else f" of {len(arguments)}"
        raise OptionError(f"{source}: {key} is {said(value)}: expected a list{length}")
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
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    raise OptionError(f"{source}: {key} is {said(value)}: expected {words[hint]}")
