"""Ranges of settings: declared with the fields of a dataclass, checked when it is made, stated in its JSON schema."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from clip2point.core.errors import OptionError

_KEY = "range"
_INTERVAL = re.compile(r"([\[(])\s*(\S+?)\s*,\s*(\S+?)\s*([\])])")


@dataclass(frozen=True)
class Range:
    """Range of numbers.

    Attributes:
        low: Lower bound.
        high: Upper bound, or infinity.
        includes_low: True if the lower bound belongs to the range.
        includes_high: True if the upper bound belongs to the range.
    """

    low: float
    high: float
    includes_low: bool
    includes_high: bool

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.includes_low else value > self.low
        return above and (value <= self.high if self.includes_high else value < self.high)

    def __str__(self) -> str:
        """Return the range in words."""
        low, high = f"{self.low:.15g}", f"{self.high:.15g}"
        if self.high == math.inf:
            return f"{low} or more" if self.includes_low else f"above {low}"
        if self.includes_high:
            return f"{low} to {high}" if self.includes_low else f"above {low}, at most {high}"
        return f"from {low} to below {high}" if self.includes_low else f"above {low}, below {high}"


@cache
def parse_range(interval: str) -> Range:
    """Parse an interval in mathematical notation.

    Args:
        interval: Bounds in brackets, "[0, 1]", or in parentheses where they are excluded, "(0, inf)".

    Examples:
        >>> str(parse_range("[1, 100]")), str(parse_range("(0, 1]")), str(parse_range("[0, inf)"))
        ('1 to 100', 'above 0, at most 1', '0 or more')
    """
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(f"{interval!r}: expected an interval such as [0, 1) or (0, inf)")
    return Range(float(match[2]), float(match[3]), match[1] == "[", match[4] == "]")


def declare_range(default: Any, interval: str) -> Any:
    """Return a dataclass field whose value, or each value of a tuple, has to lie in a range; None is allowed.

    Args:
        default: Default value.
        interval: Range, see ``parse_range``.

    Examples:
        >>> @dataclass(frozen=True)
        ... class Schedule:
        ...     lr: float = declare_range(0.1, "(0, 1]")
        ...     def __post_init__(self) -> None:
        ...         check_ranges(self)
        >>> Schedule(lr=2.0)
        Traceback (most recent call last):
        clip2point.core.errors.OptionError: lr is 2.0: expected above 0, at most 1
    """
    return field(default=default, metadata={_KEY: parse_range(interval)})


def range_of(item: Any) -> Range | None:
    """Return the range of a dataclass field, or None."""
    found: Range | None = item.metadata.get(_KEY)
    return found


def check_ranges(settings: Any) -> None:
    """Check the values of a dataclass against the ranges of its fields.

    Raises:
        OptionError: If a value lies outside of its range; the message names the field.
    """
    for item in fields(settings):
        allowed, value = range_of(item), getattr(settings, item.name)
        if allowed is None or value is None:
            continue
        for number in value if isinstance(value, tuple) else (value,):
            if number not in allowed:
                each = "each " if isinstance(value, tuple) else ""
                raise OptionError(f"{item.name} is {value}: expected {each}{allowed}")
