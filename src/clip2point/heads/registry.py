"""The heads by name: made, read back, and the options that validation may choose between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from clip2point.core.errors import ModelError, OptionError
from clip2point.heads.base import Head
from clip2point.heads.linear import LogisticRegression
from clip2point.heads.tip_adapter import TipAdapter, TipAdapterF
from clip2point.heads.trained import DepthPathHead, DPAHead, GDPAHead, ImagePathHead, InterViewHead
from clip2point.heads.training_free import NearestClassMean, ZeroShot

_KINDS: tuple[type[Head], ...] = (
    ZeroShot,
    NearestClassMean,
    LogisticRegression,
    TipAdapter,
    TipAdapterF,
    InterViewHead,
    DepthPathHead,
    ImagePathHead,
    DPAHead,
    GDPAHead,
)
HEADS: Mapping[str, type[Head]] = {kind.name: kind for kind in _KINDS}


def make_head(name: str, options: Mapping[str, Any] | None = None) -> Head:
    """A head that has not been fitted.

    Args:
        name: one of ``HEADS``.
        options: some of the head's options; the others have their defaults.

    Raises:
        OptionError: if there is no such head or option, or a value makes no sense.
    """
    return _kind(name)(**(options or {}))


def parse_head(text: str) -> tuple[str, dict[str, Any]]:
    """Name and options of a head from words such as ``gdpa`` or ``gdpa:gate=channel:epochs=50``.

    Raises:
        OptionError: if there is no such head or option, or a value makes no sense.
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
    make_head(name, options)
    return name, options


def head_from_state(name: str, options: Mapping[str, Any], state: Mapping[str, Tensor]) -> Head:
    """A fitted head, from what was kept of it.

    Args:
        name: of the head.
        options: of the head.
        state: of the head; not copied.

    Raises:
        ModelError: if there is no such head or option, or a tensor is missing, too many, misshapen, of another type or
            not finite.
    """
    try:
        head = make_head(name, options)
    except (OptionError, TypeError) as error:
        raise ModelError(str(error)) from error
    return head.load_state(state)


def grid(name: str) -> list[dict[str, Any]]:
    """Options that validation may choose between; the first are the defaults.

    Raises:
        OptionError: if there is no such head.
    """
    return [dict(options) for options in _kind(name).grid]


def _kind(name: str) -> type[Head]:
    if name not in HEADS:
        raise OptionError(f"no head {name!r}: expected one of {', '.join(HEADS)}")
    return HEADS[name]
