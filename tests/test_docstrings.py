"""The English of docstrings and names: entries begin with a noun phrase or a verb, functions are verbs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ROOMS = [
    *sorted(path for path in (REPOSITORY / "src" / "clip2point").iterdir() if (path / "__init__.py").is_file()),
    *sorted((REPOSITORY / "packages").glob("*/src")),
    *sorted((REPOSITORY / "recipes").glob("*/src")),
    *sorted(path for path in (REPOSITORY / "benchmarks").iterdir() if path.is_dir()),
]

SECTION = re.compile(r"(\s*)(Args|Attributes|Returns|Raises|Yields|Examples?|Notes?):\s*")
ENTRY = re.compile(r"\*{0,2}[\w.,*\s]+?(?:\s*\([^)]*\))?:\s*(.*)")
HEADLESS = frozenset(
    """
    about above across after against along among around as at before behind below beneath beside between beyond by
    despite during except for from in inside into like near of off on onto out outside over past per since than through
    throughout till to toward towards under until up upon via with within without
    that which who whom whose what whatever whenever where wherever whether why how however while because although so
    and or but it its they them both either neither instead also only
    """.split()
)
#: After a participle, one of these makes a bare participle clause: "added to the root", "given twice".
PREPOSITIONS = HEADLESS | {"if", "when", "once", "anew"}
PARTICIPLE = re.compile(
    r"[a-z]+ed|[a-z]*[^aeiou]en|kept|made|held|found|drawn|left|said|told|taken|given|known|shown|seen|written|chosen"
    r"|built|sent|lost|meant|bound|worn|grown|thrown|laid|spelt|split|begun|put|set|cut|read"
)
#: Names of packages, types and variables keep their own spelling at the beginning of an entry.
LOWER_CASE = frozenset("matplotlib uint8 k".split())
NOT_PARTICIPLES = frozenset(
    "seed speed feed embed need token hidden open listen read set put cut split screen shorten flatten widen".split()
)


def find_entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield section and text of each entry; of Returns and Yields, whose text has no name, the first line."""
    section, level, lines = "", 0, docstring.split("\n")
    for number, line in enumerate(lines):
        if match := SECTION.fullmatch(line):
            section, level = match[2], len(match[1])
            if section in ("Returns", "Yields"):
                yield section, lines[number + 1].strip()
            continue
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= level:
            section = ""
        if section in ("Args", "Attributes", "Raises") and indent == level + 4 and (match := ENTRY.match(line.strip())):
            yield section, match[1] or lines[number + 1].strip()


def has_head(text: str) -> bool:
    """Return True if an entry begins with a capital, and with no preposition, relative word or bare participle clause.

    A shape ("[N, D] of the views") or a name in backticks is a head.
    """
    if text[:1].islower() and text.split()[0] not in LOWER_CASE:
        return False
    words = re.findall(r"[a-z'-]+", text.lower())
    if not words or not text[0].isalpha():
        return True
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first in HEADLESS:
        return False
    return not (PARTICIPLE.fullmatch(first) and first not in NOT_PARTICIPLES and second in PREPOSITIONS | {""})


def is_verb(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return True unless the name of a function begins with a participle; properties and fixtures are nouns."""
    decorators = {ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list}
    first = function.name.strip("_").partition("_")[0]
    if function.name.startswith("__") or any(name.endswith(("property", "fixture")) for name in decorators):
        return True
    return first in NOT_PARTICIPLES or PARTICIPLE.fullmatch(first) is None


def find_faults(path: Path) -> Iterator[str]:
    """Yield each headless entry and each participle among the functions of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_verb(node):
            yield f"{path.name}:{node.lineno} def {node.name}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for section, text in find_entries(ast.get_docstring(node) or ""):
                if not has_head(text):
                    yield f"{path.name}:{node.lineno} {section}: {text}"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: "/".join(room.relative_to(REPOSITORY).parts[-2:]))
def test_entries_have_a_head_and_functions_are_verbs(room):
    assert [fault for path in sorted(room.rglob("*.py")) for fault in find_faults(path)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seed of the point sampling.", True),
        ("seed of the point sampling.", False),
        ("Of the point sampling.", False),
        ("Added to the root of the latter.", False),
        ("Added constant of the denominator.", True),
        ("How far it is.", False),
        ("[N, 3] points.", True),
        ("[N, D] unit vectors.", True),
        ("If the file is missing.", True),
        ("That names both models.", False),
    ],
)
def test_the_check_itself(text, expected):
    assert has_head(text) is expected
