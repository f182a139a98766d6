import math
from dataclasses import dataclass

import pytest

from clip2point.core.errors import OptionError
from clip2point.core.ranges import check_ranges, declare_range, parse_range


@dataclass(frozen=True)
class Settings:
    rate: float = declare_range(0.5, "(0, 1]")
    betas: tuple[float, float] = declare_range((0.9, 0.99), "[0, 1)")
    limit: int | None = declare_range(None, "[1, inf)")

    def __post_init__(self):
        check_ranges(self)


@pytest.mark.parametrize(
    ("interval", "inside", "outside", "words"),
    [
        ("[0, 1]", (0, 0.5, 1), (-1e-9, 1.1, math.nan), "0 to 1"),
        ("(0, 1]", (1e-9, 1), (0, 1.1), "above 0, at most 1"),
        ("[0, 1)", (0, 0.999), (1, -1), "from 0 to below 1"),
        ("(0, 0.5)", (0.1,), (0, 0.5), "above 0, below 0.5"),
        ("[2, 1000000]", (2, 1_000_000), (1, 1_000_001), "2 to 1000000"),
        ("[1, inf)", (1, 1e300), (0,), "1 or more"),
        ("(0, inf)", (5e-324,), (0,), "above 0"),
    ],
)
def test_bounds_belong_to_a_range_by_their_brackets(interval, inside, outside, words):
    found = parse_range(interval)
    assert all(value in found for value in inside)
    assert not any(value in found for value in outside)
    assert str(found) == words


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 0}, "rate is 0: expected above 0, at most 1"),
        ({"betas": (0.9, 1.0)}, r"betas is \(0.9, 1.0\): expected each from 0 to below 1"),
        ({"limit": 0}, "limit is 0: expected 1 or more"),
    ],
)
def test_values_outside_of_their_range_are_refused(values, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        Settings(**values)


def test_defaults_and_none_are_allowed():
    assert Settings() == Settings(0.5, (0.9, 0.99), None)
    assert Settings(limit=3).limit == 3


def test_other_notations_are_no_intervals():
    with pytest.raises(ValueError, match="expected an interval such as"):
        parse_range("0..1")
