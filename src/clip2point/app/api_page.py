"""The page that documents the REST endpoint, made from its OpenAPI schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A parameter of a call.

    Attributes:
        name: Name in the form or the address.
        kind: Kind of value, in words.
        default: Default, in words.
        description: Description of one sentence.
    """

    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True)
class Call:
    """A call of the endpoint.

    Attributes:
        method: HTTP method.
        path: Path of the address.
        summary: Summary of a few words.
        paragraphs: Paragraphs of the description.
        fields: Parameters.
        example: Example as a command line.
        answer: Example of the answer as JSON text, or "" where the answer is a file.
    """

    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    fields: tuple[Field, ...]
    example: str
    answer: str


def list_calls(schema: dict[str, Any], address: str) -> list[Call]:
    """List all calls of an OpenAPI schema.

    Args:
        schema: Schema with an ``x-example`` in each operation, in which ``ADDRESS`` stands for the server.
        address: Address of the server.
    """
    return [
        Call(
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            paragraphs=tuple(operation["description"].replace("``", "").split("\n\n")),
            fields=tuple(_fields(operation, schema)),
            example=operation["x-example"].replace("ADDRESS", address),
            answer=_answer(operation),
        )
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def _fields(operation: dict[str, Any], schema: dict[str, Any]) -> Iterator[Field]:
    for parameter in operation.get("parameters", ()):
        yield _field(parameter["name"], parameter["schema"], parameter["required"])
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"]
        form = schema["components"]["schemas"][reference.rpartition("/")[2]]
        for name, kind in form["properties"].items():
            yield _field(name, kind, name in form.get("required", ()))


def _field(name: str, kind: dict[str, Any], required: bool) -> Field:
    default = "required" if required else json.dumps(kind["default"]) if kind.get("default") not in (None, []) else ""
    return Field(name, _describe_kind(kind), default.strip('"'), kind.get("description", ""))


def _describe_kind(kind: dict[str, Any]) -> str:
    """Describe the kind of a value of JSON schema."""
    if "anyOf" in kind:
        return _describe_kind(kind["anyOf"][0])
    if kind["type"] == "array":
        return f"{_describe_kind(kind['items'])}, repeatable"
    if "contentMediaType" in kind or kind.get("format") == "binary":
        return "file"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}[kind["type"]]
    if "maximum" in kind:
        return f"{words}, {kind['minimum']:g} to {kind['maximum']:g}"
    return words + (f" from {kind['minimum']:g}" if "minimum" in kind else "")


def _answer(operation: dict[str, Any]) -> str:
    content = operation["responses"]["200"].get("content", {}).get("application/json", {})
    return json.dumps(content["example"], indent=2) if "example" in content else ""
