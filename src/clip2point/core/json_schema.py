"""JSON schemas of strict configs, by which editors complete and check YAML files."""

from __future__ import annotations

import inspect
import math
import re
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from clip2point.core.ranges import range_of
from clip2point.core.strict_config import to_plain

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def make_schema(kind: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of the files that ``read_section`` reads into a dataclass.

    Descriptions are the entries of its docstring; ranges are those of ``declare_range`` fields.

    Args:
        kind: Dataclass, see ``read_section``.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Schedule:
        ...     epochs: int = 8
        >>> make_schema(Schedule)["properties"]
        {'epochs': {'type': 'integer', 'default': 8}}
    """
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_object_schema(kind)}


def _object_schema(kind: type[Any]) -> dict[str, Any]:
    hints, descriptions = get_type_hints(kind), _descriptions(kind)
    schema: dict[str, Any] = {
        "title": (inspect.getdoc(kind) or kind.__name__).partition("\n")[0].rstrip("."),
        "type": "object",
        "properties": {item.name: _field_schema(item, hints[item.name], descriptions) for item in fields(kind)},
        "additionalProperties": False,
    }
    required = [item.name for item in fields(kind) if item.default is item.default_factory is MISSING]
    return {**schema, "required": required} if required else schema


def _field_schema(item: Field[Any], hint: Any, descriptions: dict[str, str]) -> dict[str, Any]:
    schema = _type_schema(hint, _range_schema(item))
    if item.name in descriptions:
        schema["description"] = descriptions[item.name]
    if item.default is not MISSING and item.default is not None:
        schema["default"] = to_plain(item.default)
    return schema


def _type_schema(hint: Any, bounds: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type; the bounds are those of its numbers."""
    if is_dataclass(hint):
        return _object_schema(hint)  # type: ignore[arg-type]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        first, *others = (argument for argument in arguments if argument is not type(None))
        schemas = [_type_schema(first, bounds), *({"type": "object"} for _ in others)]
        return {"anyOf": [*schemas, {"type": "null"}] if type(None) in arguments else schemas}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        schema = {"type": "array", "items": _type_schema(arguments[0], bounds)}
        if arguments[-1] is Ellipsis:
            return schema
        return {**schema, "minItems": len(arguments), "maxItems": len(arguments)}
    return {"type": _TYPES[hint], **bounds}


def _range_schema(item: Field[Any]) -> dict[str, Any]:
    allowed = range_of(item)
    if allowed is None:
        return {}
    bounds = {"minimum" if allowed.includes_low else "exclusiveMinimum": allowed.low}
    if allowed.high != math.inf:
        bounds["maximum" if allowed.includes_high else "exclusiveMaximum"] = allowed.high
    return {name: int(bound) if bound.is_integer() else bound for name, bound in bounds.items()}


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """Return the entries of a docstring's attributes, each in one line."""
    _, _, attributes = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(attributes)}
