from dataclasses import dataclass, field
from typing import Literal

from clip2point.core.json_schema import make_schema
from clip2point.core.ranges import declare_range


@dataclass
class Inner:
    """Inner settings.

    Attributes:
        name: Name of something
            with two lines.
    """

    name: str
    kind: Literal["a", "b"] = "b"


@dataclass
class Outer:
    """Outer settings."""

    inner: Inner
    rate: float | None = declare_range(None, "(0, 1)")
    words: tuple[str, ...] = ()
    pair: tuple[int, int] = declare_range((1, 2), "[1, 9]")
    more: Inner | None = None
    flag: bool = field(default=False)


def test_each_type_has_its_schema():
    schema = make_schema(Outer)
    assert (schema["title"], schema["required"], schema["additionalProperties"]) == ("Outer settings", ["inner"], False)
    inner = schema["properties"].pop("inner")
    assert inner == {
        "title": "Inner settings",
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Name of something with two lines."},
            "kind": {"enum": ["a", "b"], "default": "b"},
        },
        "additionalProperties": False,
        "required": ["name"],
    }
    assert schema["properties"] == {
        "rate": {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"type": "null"}]},
        "words": {"type": "array", "items": {"type": "string"}, "default": []},
        "pair": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 9},
            "minItems": 2,
            "maxItems": 2,
            "default": [1, 2],
        },
        "more": {"anyOf": [inner, {"type": "null"}]},
        "flag": {"type": "boolean", "default": False},
    }
