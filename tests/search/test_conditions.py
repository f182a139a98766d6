"""The language of conditions: what it has, and that nothing else passes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clip2point.core.errors import OptionError
from clip2point.search.conditions import check_condition
from clip2point.search.entry import KINDS


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ("faces > 100", "faces > 100"),
        ("FACES > 100".lower() + "  ", "faces > 100"),
        ("faces>=1e3 AND extent_y < -.5", "(faces >= 1e3 and extent_y < -.5)"),
        ("path LIKE '%chair''s%' or not (bytes = 1)", "(path like '%chair''s%' or (not bytes = 1))"),
        ("path not like 'a%'", "path not like 'a%'"),
        ("faces IN (1, 2,3)", "faces in (1, 2, 3)"),
        ("faces not between 1 and 2 and bytes > 1", "(faces not between 1 and 2 and bytes > 1)"),
        ("path is not null or path is null", "(path is not null or path is null)"),
        ("labels[1] in ('chair', 'night stand')", "labels[1] in ('chair', 'night stand')"),
        ("label_scores[2] > 0.5", "label_scores[2] > 0.5"),
        ("array_has(labels, 'chair')", "array_has(labels, 'chair')"),
        ("1 < faces", "1 < faces"),
        ("((faces = 1))", "faces = 1"),
        ("path = 'a -- b; drop'", "path = 'a -- b; drop'"),
    ],
)
def test_conditions_are_written_anew(condition, sql):
    assert check_condition(condition, KINDS) == sql


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("", "it ends too early"),
        ("bytes >", "it ends too early"),
        ("labels", "a comparison is expected after labels"),
        ("1=1; DROP TABLE shapes", "';"),
        ("1 = 1 -- x", "'--"),
        ("face > 1", "no column 'face', did you mean 'faces'"),
        ("vector = 1", "no column 'vector'"),
        ("array_length(range(0,1000000000)) > 0", "no column 'array_length'"),
        ("length(repeat('a',2000000000)) > 0", "no column 'length'"),
        ("lower(path) like 'a'", "no column 'lower'"),
        ("path like path", "a text is expected, not path"),
        ("faces like 'a'", "a number that is a text is expected"),
        ("faces = 'a'", "faces and 'a' cannot be compared: number and text"),
        ("labels = 'a'", "cannot be compared"),
        ("faces in ()", r"no column '\)'"),
        ("faces in (1, 'a')", "a number is expected, not 'a'"),
        ("faces between 1", "'and' is expected, not the end"),
        ("array_has(path, 'a')", "array_has needs a column of lists, not path"),
        ("array_has(labels, 1)", "a text is expected, not 1"),
        ("labels[0] = 'a'", "an item of labels is a number from 1, not '0'"),
        ("faces = 1 faces = 2", "'faces' is not expected there"),
        ("faces + 1 > 2", "'\\+"),
        ("path = 'open", '"\'open"'),
        ("(" * 100 + "faces = 1" + ")" * 100, "nested more than 40 deep"),
        ("not " * 100 + "faces = 1", "nested more than 40 deep"),
        ("faces = 1 or " * 2_000 + "faces = 1", "letters: expected at most|parts, expected at most"),
        ("faces in (" + "1," * 1500 + "1)", "parts, expected at most"),
        ("path = '" + "a" * 30_000 + "'", "a condition of 30,009 letters"),
    ],
)
def test_everything_else_is_refused(condition, why):
    with pytest.raises(OptionError, match=why) as caught:
        check_condition(condition, KINDS)
    assert len(str(caught.value)) < 1000


WORDS = st.sampled_from(
    ["faces", "path", "labels", "=", "<", "and", "or", "not", "(", ")", "1", "'a'", "in", "like", "between", ",", "is",
     "null", "array_has", "[", "]", ";", "--", "sleep", "select", "*", "''", "\"", "\\"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12))
@example(["faces", "in", "(", "1", ")"])
def test_what_passes_passes_again_unchanged(words):
    try:
        sql = check_condition(" ".join(words), KINDS)
    except OptionError:
        return
    assert check_condition(sql, KINDS) == sql
    assert not {";", "--", "sleep", "select", "*", "\\"} & set(sql.replace("'a'", "").split())
