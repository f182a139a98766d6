"""The limit of the cache: sizes as people write them, and where the limit is set."""

from __future__ import annotations

import os
import re

from clip2point.core.cache import cache_folder
from clip2point.core.errors import OptionError
from clip2point.core.files import replacing

#: Environment variable of the limit; 0 turns the store of single results off.
VARIABLE = "CLIP2POINT_CACHE_LIMIT"
#: Bytes, where nobody says anything.
DEFAULT = 10 * 1000**3

_FILE = "limit.txt"
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises:
        OptionError: The text is no size.

    Examples:
        >>> parse_size("500 MB"), parse_size("2.5G"), parse_size("0")
        (500000000, 2500000000, 0)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if not found:
        raise OptionError(f"{text!r} is no size: expected one such as 500MB, 10GB or 0")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def format_size(size: int) -> str:
    """Return a number of bytes as people write it.

    Examples:
        >>> format_size(999), format_size(2_500_000)
        ('999 B', '2.5 MB')
    """
    power = max(power for power in range(len(_UNITS)) if power == 0 or size >= 1000**power)
    return f"{size / 1000**power:.1f} {[*_UNITS][power]}B" if power else f"{size} B"


def read_limit() -> int:
    """Return the limit of the cache in bytes: that of the environment, else the one that was set, else ``DEFAULT``.

    Raises:
        OptionError: The environment names no size.
    """
    if given := os.environ.get(VARIABLE):
        try:
            return parse_size(given)
        except OptionError as error:
            raise OptionError(f"{VARIABLE}: {error}") from None
    try:
        return parse_size((cache_folder() / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, OptionError):
        return DEFAULT


def set_limit(size: int) -> None:
    """Set the limit of this cache folder, in bytes.

    Raises:
        OSError: The folder cannot be written to.
    """
    with replacing(cache_folder() / _FILE) as unfinished:
        unfinished.write_text(f"{size}\n", encoding="utf-8")
