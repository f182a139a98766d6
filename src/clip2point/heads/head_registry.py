"""Heads by name: made, read back, and the options that validation may choose between."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clip2point.core.errors import ModelError, OptionError, PluginError
from clip2point.core.registries import HEADS
from clip2point.heads.base import Head
from clip2point.heads.point_classifier import PointClassifier

if TYPE_CHECKING:
    from clip2point.core.arrays import Array


def register_head(kind: type[Head] | type[PointClassifier]) -> None:
    """Have commands and functions know another head by its ``name``, for the rest of this process.

    Packages use the entry points ``clip2point.heads`` instead, which name the class.

    Args:
        kind: Class with all methods that ``Head`` or ``PointClassifier`` asks for.

    Raises:
        OptionError: If methods are missing, or a built-in head has the name.

    Examples:
        >>> from clip2point.heads import NearestClassMean, make_head, register_head
        >>> class DepthMean(NearestClassMean):
        ...     name = "depth-mean"
        ...     grid = ({"path": "depth"},)
        >>> register_head(DepthMean)
        >>> make_head("depth-mean", {"path": "depth"}).options
        {'path': 'depth'}
    """
    if not _is_head(kind):
        raise OptionError(f"{kind!r} is no head: expected {_EXPECTED}")
    HEADS.register(kind.name, kind)


def find_head(name: str) -> type[Head] | type[PointClassifier]:
    """Return the class of a head or of a classifier of points.

    Raises:
        OptionError: If there is no such head.
        PluginError: If the package that brings it is broken.
    """
    kind: type[Head] | type[PointClassifier] = HEADS.load(name, _is_head, _EXPECTED)
    if kind.name != name:
        raise PluginError(
            f"the head {name!r} calls itself {kind.name!r}: expected the same name in its package's entry"
        )
    return kind


def make_head(name: str, options: Mapping[str, Any] | None = None) -> Head:
    """Make a head that has not been fitted.

    Args:
        name: Name of a head that reads view features.
        options: Some of the head's options; the others have their defaults.

    Raises:
        OptionError: If there is no such head or option, or a value makes no sense.
    """
    return _find_feature_head(name)(**(options or {}))


def make_point_classifier(name: str, options: Mapping[str, Any] | None = None) -> PointClassifier:
    """Make a classifier of points that has not been fitted.

    Args:
        name: Name of one.
        options: Some of its options; the others have their defaults.

    Raises:
        OptionError: If there is no such classifier or option, or a value makes no sense.
    """
    kind = find_head(name)
    if not issubclass(kind, PointClassifier):
        raise OptionError(f"the head {name!r} reads view features: expected a classifier of points")
    return kind(**(options or {}))


def reads_points(name: str) -> bool:
    """Return whether a name stands for a classifier of points rather than a head on view features.

    Raises:
        OptionError: If it stands for neither.
    """
    return name not in HEADS.built_in and issubclass(find_head(name), PointClassifier)


def parse_head(text: str) -> tuple[str, dict[str, Any]]:
    """Read name and options of a head or a classifier of points from words such as ``gdpa:gate=channel:epochs=50``.

    Raises:
        OptionError: If there is no such head or option, or a value makes no sense.

    Examples:
        >>> from clip2point.heads.head_registry import parse_head
        >>> parse_head("gdpa:gate=channel:epochs=50")
        ('gdpa', {'gate': 'channel', 'epochs': 50})
    """
    name, *words = text.split(":")
    options = {}
    for word in words:
        option, equals, value = word.partition("=")
        if not equals:
            raise OptionError(f"head {text!r}: {word!r} is no option: expected NAME=VALUE after each colon")
        try:
            options[option] = json.loads(value)
        except ValueError:  # a text, which has no quotes here
            options[option] = value
    find_head(name)(**options)
    return name, options


def head_from_state(name: str, options: Mapping[str, Any], state: Mapping[str, Array]) -> Head:
    """Make a fitted head from its state.

    Args:
        name: Name of the head.
        options: Options of the head.
        state: State of the head, arrays or tensors; not copied.

    Raises:
        ModelError: If there is no such head or option, or a tensor is missing, unexpected, misshapen, of another type
            or not finite.
    """
    if name not in HEADS and name not in HEADS.elsewhere:
        raise ModelError(
            f"was fitted with the head {name!r}, which no installed package provides: install the one that it is from"
        )
    try:
        head = make_head(name, options)
    except (OptionError, PluginError, TypeError) as error:
        raise ModelError(str(error)) from error
    return head.load_state(state)


def grid(name: str) -> list[dict[str, Any]]:
    """Return the options that validation may choose between; the first are the defaults.

    Raises:
        OptionError: If there is no such head.
    """
    return [dict(options) for options in _find_feature_head(name).grid]


_EXPECTED = "a class that derives from clip2point.heads.Head or PointClassifier and has all of its methods"


def _is_head(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Head | PointClassifier) and not inspect.isabstract(value)


def _find_feature_head(name: str) -> type[Head]:
    kind = find_head(name)
    if not issubclass(kind, Head):
        raise OptionError(f"{name} reads points, not view features: it goes with evaluate --protocol supervised alone")
    return kind
