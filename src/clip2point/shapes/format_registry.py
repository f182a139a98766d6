"""File formats by extension: the table of built-in readers, and those that plug-ins bring."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from clip2point.core.errors import OptionError, PluginError
from clip2point.core.plugin_code import plugin_code
from clip2point.core.registries import FORMATS
from clip2point.shapes.companions import COLUMNS_VARIABLE, Companions
from clip2point.shapes.orientation import check_up
from clip2point.shapes.parsed import Parsed

#: From the decompressed bytes of a file, and the files beside it, to arrays of which only the layout is known.
#: A reader raises ShapeError with what is wrong; any other error counts as a damaged file.
Reader = Callable[[bytes, Companions], Parsed]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        read: Reader of the format.
        up: Axis that points up in every file of the format, one of ``UP_AXES``, or "auto" if the format leaves it open.

    Raises:
        OptionError: If ``up`` is not an axis.
    """

    read: Reader
    up: str = "auto"

    def __post_init__(self) -> None:
        check_up(self.up, auto=True)


def register_format(extension: str, read: Reader, *, up: str = "auto") -> None:
    """Have ``load_shape`` and all that is built on it read another file format, for the rest of this process.

    Worker processes do not know the format: packages use the entry points ``clip2point.formats`` instead, which name a
    ``Format`` for the extension.

    Args:
        extension: Extension in lower case, with its dot.
        read: Reader of the format.
        up: Axis that points up in every file of the format, or "auto".

    Raises:
        OptionError: If the extension is none or built in, or ``up`` is not an axis.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> import numpy as np
        >>> from clip2point.shapes import Parsed, load_shape, register_format
        >>> def read(data, companions):
        ...     return Parsed(np.frombuffer(data, dtype="<f8").reshape(-1, 3))
        >>> register_format(".f8", read, up="z")
        >>> path = Path(mkdtemp(), "cloud.f8")
        >>> _ = path.write_bytes(np.eye(3).tobytes())
        >>> load_shape(path).up
        'z'
    """
    if extension != extension.lower() or not extension.startswith(".") or "." in extension[1:] or extension == ".gz":
        raise OptionError(
            f"{extension!r} is no extension for a file format: expected one in lower case, such as '.vox'"
        )
    FORMATS.register(extension, Format(read, up))


def find_format(extension: str) -> Format:
    """Return the format that an extension stands for.

    Raises:
        OptionError: If no format has it.
        PluginError: If the package that brings it is broken.
    """
    entry = FORMATS.built_in.get(extension)
    if entry is not None:
        module, _, attribute = entry.target.partition(":")
        return Format(getattr(import_module(module), attribute), entry.up)
    found: Format = FORMATS.load(extension, lambda value: isinstance(value, Format), "a clip2point.shapes.Format")
    return found


def format_code(extension: str) -> str | None:
    """Return what a file's points depend on besides: the code of a plug-in's reader, by its hash, or chosen columns."""
    if extension in FORMATS.built_in and (chosen := os.environ.get(COLUMNS_VARIABLE)):
        return f"columns {chosen}"
    if extension in FORMATS.built_in or extension not in FORMATS:
        return None
    try:
        return plugin_code(find_format(extension).read)
    except PluginError:  # to be told by whoever reads a file
        return None


def list_extensions() -> tuple[str, ...]:
    """Return the extensions that ``load_shape`` reads, each also with ``.gz`` behind it."""
    return FORMATS.names()


def file_extension(path: str | os.PathLike[str]) -> str:
    """Return the lower-case extension of a path that tells its format, without a final ``.gz``."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def format_up(path: str | os.PathLike[str]) -> str:
    """Return the axis that points up in every file of a path's format, or "auto"; the file is not read."""
    extension = file_extension(path)
    entry = FORMATS.built_in.get(extension)
    if entry is not None:
        return entry.up
    return find_format(extension).up if extension in FORMATS else "auto"
