"""Java's .properties files: keys and values, as catalogues of furniture use them."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A key ends at the first "=", ":" or blank that no backslash protects.
_ENTRY = re.compile(r"((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.)|$)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(data: bytes) -> dict[str, str]:
    """Read a .properties file.

    Args:
        data: Content of the file, UTF-8 (as Java writes since version 9) or else Latin-1.

    Returns:
        Value by key; of keys that come twice, the last. Nothing is an error: what is no entry is an odd key.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    entries = (_ENTRY.fullmatch(line) for line in _logical_lines(text))
    return {_resolve_escapes(entry[1]): _resolve_escapes(entry[2]) for entry in entries if entry}


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines without comments; one that ends in a backslash (not an escaped one) goes on in the next."""
    pieces: list[str] = []
    for line in re.split(r"\r\n|\r|\n", text):
        line = line.lstrip(" \t\f")
        if not pieces and (not line or line[0] in "#!"):
            continue
        goes_on = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        pieces.append(line[:-1] if goes_on else line)
        if not goes_on:
            yield "".join(pieces)
            pieces = []
    if pieces:
        yield "".join(pieces)


def _resolve_escapes(text: str) -> str:
    """Resolve escapes; pairs of surrogates become the letter that they stand for, halves a question mark."""

    def letter(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _CONTROLS.get(match[2] or "", match[2] or "")

    return _ESCAPE.sub(letter, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
