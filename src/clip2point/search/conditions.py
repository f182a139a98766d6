"""Conditions on entries of a library: a small language over its columns, a part of SQL.

Comparison (=, !=, <, <=, >, >=), LIKE, IN, BETWEEN, IS NULL, AND, OR, NOT, array_has, parentheses, numbers and texts.
A condition is parsed, checked and written anew, so that nothing else ever reaches the database.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from clip2point.core.errors import OptionError

_NUMBER, _TEXT, _NUMBERS, _TEXTS = "number", "text", "numbers", "texts"
#: Longest condition, deepest nesting, and most parts.
_MOST_LETTERS, _DEEPEST, _MOST_PARTS = 20_000, 40, 2_000
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign><=|>=|!=|<>|[=<>(),\[\]]))"
)
_COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")
_LANGUAGE = "expected comparisons, LIKE, IN, BETWEEN, IS NULL or array_has, joined by AND, OR and NOT"


class _Token(NamedTuple):
    kind: str
    text: str


def check_condition(condition: str, columns: dict[str, str]) -> str:
    """Return a condition as SQL of known form.

    Args:
        condition: Text of the user.
        columns: Kind of each column by name: "number", "text", or of lists "numbers" and "texts".

    Raises:
        OptionError: If it is anything else; columns are suggested.

    Examples:
        >>> check_condition("faces > 100 AND path LIKE '%chair%'", {"faces": "number", "path": "text"})
        "(faces > 100 and path like '%chair%')"
    """
    return _Parser(condition, columns).parse()


class _Parser:
    def __init__(self, condition: str, columns: dict[str, str]) -> None:
        self._condition, self._columns = condition, columns
        if len(condition) > _MOST_LETTERS:
            raise OptionError(f"a condition of {len(condition):,} letters: expected at most {_MOST_LETTERS:,}")
        self._tokens = self._split()
        self._place = 0
        self._depth = 0

    def parse(self) -> str:
        found = self._parse_or()
        if self._place < len(self._tokens):
            self._refuse(f"{self._tokens[self._place].text!r} is not expected there; {_LANGUAGE}")
        return found

    def _refuse(self, why: str) -> NoReturn:
        shown = self._condition if len(self._condition) <= 200 else self._condition[:200] + "..."
        raise OptionError(f"the condition {shown!r} makes no sense ({why}); columns are {', '.join(self._columns)}")

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        place, end = 0, len(self._condition.rstrip())
        while place < end:
            match = _TOKEN.match(self._condition, place)
            if match is None:
                self._refuse(f"{self._condition[place : place + 20].strip()!r} is not known; {_LANGUAGE}")
            kind = str(match.lastgroup)
            tokens.append(_Token(kind, match[kind]))
            place = match.end()
        if len(tokens) > _MOST_PARTS:
            self._refuse(f"it has {len(tokens):,} parts, expected at most {_MOST_PARTS:,}")
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._place].text.lower() if self._place < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        if self._peek() in wanted and self._tokens[self._place].kind != "text":
            self._place += 1
            return True
        return False

    def _require(self, wanted: str) -> None:
        if not self._take(wanted):
            found = f"{self._peek()!r}" if self._peek() else "the end"
            self._refuse(f"{wanted!r} is expected, not {found}")

    def _parse_or(self) -> str:
        parts = [self._parse_and()]
        while self._take("or"):
            parts.append(self._parse_and())
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def _parse_and(self) -> str:
        parts = [self._parse_not()]
        while self._take("and"):
            parts.append(self._parse_not())
        return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"

    def _parse_not(self) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse(f"it is nested more than {_DEEPEST} deep")
        if self._take("not"):
            found = f"(not {self._parse_not()})"
        elif self._take("("):
            found = self._parse_or()
            self._require(")")
        else:
            found = self._parse_comparison()
        self._depth -= 1
        return found

    def _parse_comparison(self) -> str:
        if self._peek() == "array_has":
            return self._parse_membership()
        left, kind = self._parse_operand()
        if self._take("is"):
            absent = "is not null" if self._take("not") else "is null"
            self._require("null")
            return f"{left} {absent}"
        word = "not " if self._take("not") else ""
        if self._take("like"):
            return f"{left} {word}like {self._parse_literal(kind, _TEXT)}"
        if self._take("in"):
            return f"{left} {word}in ({self._parse_list(kind)})"
        if self._take("between"):
            low = self._parse_literal(kind)
            self._require("and")
            return f"{left} {word}between {low} and {self._parse_literal(kind)}"
        sign = self._peek()
        if word or not self._take(*_COMPARISONS):
            self._refuse(f"a comparison is expected after {left}; {_LANGUAGE}")
        right, other = self._parse_operand()
        if kind != other or kind not in (_NUMBER, _TEXT):
            self._refuse(f"{left} and {right} cannot be compared: {kind} and {other}")
        return f"{left} {sign} {right}"

    def _parse_membership(self) -> str:
        self._place += 1
        self._require("(")
        column, kind = self._parse_operand()
        if kind not in (_NUMBERS, _TEXTS):
            self._refuse(f"array_has needs a column of lists, not {column}")
        self._require(",")
        literal = self._parse_literal(_NUMBER if kind == _NUMBERS else _TEXT)
        self._require(")")
        return f"array_has({column}, {literal})"

    def _parse_list(self, kind: str) -> str:
        self._require("(")
        literals = [self._parse_literal(kind)]
        while self._take(","):
            literals.append(self._parse_literal(kind))
        self._require(")")
        return ", ".join(literals)

    def _parse_literal(self, *kinds: str) -> str:
        literal, found = self._parse_operand()
        if self._tokens[self._place - 1].kind not in ("number", "text") or any(found != kind for kind in kinds):
            self._refuse(f"a {' that is a '.join(dict.fromkeys(kinds))} is expected, not {literal}")
        return literal

    def _parse_operand(self) -> tuple[str, str]:
        """Return a column, an item of one, or a literal, as SQL and its kind."""
        if self._place == len(self._tokens):
            self._refuse(f"it ends too early; {_LANGUAGE}")
        token = self._tokens[self._place]
        self._place += 1
        if token.kind in ("number", "text"):
            return token.text, token.kind
        if token.kind != "word" or token.text not in self._columns:
            near = get_close_matches(token.text.lower(), self._columns, 1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            self._refuse(f"no column {token.text!r}{hint}")
        kind = self._columns[token.text]
        if kind in (_NUMBERS, _TEXTS) and self._take("["):
            index = self._tokens[self._place].text if self._place < len(self._tokens) else ""
            self._place += 1
            if not re.fullmatch(r"[1-9]\d{0,3}", index):
                self._refuse(f"an item of {token.text} is a number from 1, not {index!r}")
            self._require("]")
            return f"{token.text}[{index}]", kind[:-1]
        return token.text, kind
