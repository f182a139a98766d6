"""Numbers in text."""

import numpy as np
import pytest

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats import text
from clip2point.shapes.formats.text import parse_integers, parse_numbers, to_integers


def test_numbers_are_parsed_as_python_parses_them():
    assert parse_numbers(b" 1 -2.5e1\n\t+.5\r\n").tolist() == [1, -25, 0.5]
    assert parse_integers("1 -2\n30").tolist() == [1, -2, 30]
    assert parse_numbers(b" \n").tolist() == parse_integers("").tolist() == []
    assert np.isnan(parse_numbers("nan")).all()


@pytest.mark.parametrize("bad", [b"1 x 2", b"1,2", b"1 2 three", b"0x10 1", b"1 \0 2"])
def test_anything_else_is_refused(bad):
    with pytest.raises(ShapeError, match="has text where numbers were expected"):
        parse_numbers(bad)
    with pytest.raises(ShapeError, match="has text where integers were expected"):
        parse_integers(bad)


def test_fractions_are_no_integers():
    with pytest.raises(ShapeError, match="has text where integers were expected"):
        parse_integers("1 2.5")
    assert to_integers(np.array([1.0, 2.0])).tolist() == [1, 2]
    with pytest.raises(ShapeError, match="has a fraction"):
        to_integers(np.array([1.5]))
    for value in (1e300, np.nan, np.inf):
        with pytest.raises(ShapeError, match=r"beyond 2\^53"):
            to_integers(np.array([value]))


def test_too_many_numbers_are_refused_before_they_are_parsed(monkeypatch):
    monkeypatch.setattr(text, "MAX_NUMBERS", 4)
    assert len(parse_numbers("1.000 2.000 3.000 4.000")) == 4
    for numbers in ("1 2 3 4 5 6", b"1\n2\t3 4\r5 6"):
        with pytest.raises(ShapeError, match="has more than 4 numbers: thin the shape out first"):
            parse_numbers(numbers)
