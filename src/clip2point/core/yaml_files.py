"""YAML files that people write, such as recipes. No code runs, and no aliases unfold a small file into a large one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clip2point.core.errors import OptionError, reason

_MAX_BYTES = 1 << 20


def parse_yaml(path: Path, what: str) -> Any:
    """Read a YAML file: scalars, lists and mappings only.

    Args:
        path: File to read.
        what: Expected kind of file with an article ("a recipe"), for messages.

    Raises:
        OptionError: The file cannot be read, is too large, or is not such YAML.
    """
    import yaml

    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror or error}): expected {what} in YAML") from None
    if len(data) > _MAX_BYTES:
        raise OptionError(f"{path}: has more than {_MAX_BYTES:,} bytes: expected {what} in YAML")
    try:
        return yaml.load(data, _make_strict_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        why = getattr(error, "problem", None) or reason(error)
        raise OptionError(f"{path}{line}: is not YAML that {what} can be read from ({why}); correct it") from None


def _make_strict_loader() -> Any:
    """Return PyYAML's safe loader with 1e-4 as a number, and without duplicate keys and aliases."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # they make small files large
                mark = self.peek_event().start_mark
                raise yaml.composer.ComposerError(None, None, "references with * are not read", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if str(key.value) in seen:
                    problem = f"the key {str(key.value)[:80]!r} comes twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    number = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Loader


def describe_value(value: Any) -> str:
    """Return a value as messages show it: a long one by its type.

    Examples:
        >>> describe_value([1, 2, 3])
        'a list of 3'
    """
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    return f"a list of {len(value)}" if isinstance(value, list | tuple) else repr(value)[:80]
