"""Limits and checks that keep a hostile or damaged file from eating the machine: bytes, counts, archives, XML."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.core.errors import ShapeError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Most points, vertices or faces of one shape.
MAX_ELEMENTS = 50_000_000
#: Most bytes of one file, after decompression.
MAX_BYTES = 2 * 1024**3
#: A compressed file may always unfold to this many bytes, and beyond that to at most MAX_EXPANSION times its size.
FREE_BYTES = 16 * 1024**2
MAX_EXPANSION = 200
#: Most elements of an XML or JSON tree, each of which becomes an object of a few hundred bytes.
MAX_NODES = 10_000_000
#: Most numbers in the text of one file.
MAX_NUMBERS = 300_000_000
#: Most parts of one scene, counted after instances are unfolded.
MAX_INSTANCES = 100_000


def read_file(path: Path) -> bytes:
    """Read a regular file of at most MAX_BYTES.

    Raises:
        ShapeError: (without the file's name) if it is missing, a folder, unreadable, empty or too large.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ShapeError("is a folder: expected one shape file; give a file inside it")
        if not stat.S_ISREG(status.st_mode):
            raise ShapeError("is not a regular file: expected a shape file on disk")
        if status.st_size > MAX_BYTES:
            raise ShapeError(f"has {status.st_size:,} bytes: expected at most {MAX_BYTES:,}; thin the shape out first")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ShapeError("no such file: check the path") from None
    except PermissionError:
        raise ShapeError("no permission to read it: change the file's permissions or copy it") from None
    except OSError as error:
        raise ShapeError(f"cannot be opened ({error.strerror}): check the path and the disk") from None
    except ValueError as error:  # a NUL in the path
        raise ShapeError(f"cannot be opened ({error}): check the path") from None
    if not data:
        raise ShapeError("the file is empty: expected a shape; export or download it again")
    return data


def expansion_limit(compressed: int) -> int:
    """Return the number of bytes that ``compressed`` bytes may unfold to.

    Examples:
        >>> expansion_limit(1_000) // 1024**2, expansion_limit(1024**2) // 1024**2
        (16, 200)
    """
    return min(MAX_BYTES, max(FREE_BYTES, MAX_EXPANSION * compressed))


def gunzip(data: bytes) -> bytes:
    """Decompress gzip data, also of several members, within ``expansion_limit``.

    Raises:
        ShapeError: If the data is not gzip, is cut off, or decompresses beyond the limit.
    """
    limit = expansion_limit(len(data))
    pieces: list[bytes] = []
    total = 0
    rest = data
    while rest.startswith(b"\x1f\x8b"):
        inflater = zlib.decompressobj(wbits=31)
        try:
            piece = inflater.decompress(rest, limit - total + 1)
        except zlib.error as error:
            raise ShapeError(f"the gzip data is damaged ({error}): compress or download the file again") from None
        total += len(piece)
        if total > limit:
            raise ShapeError(f"decompresses to more than {limit:,} bytes: expected a shape, this is a gzip bomb")
        if not inflater.eof:
            raise ShapeError("the gzip data ends too early: the file is cut off; download it again")
        pieces.append(piece)
        rest = inflater.unused_data
    if not pieces:
        raise ShapeError("does not hold gzip data: expected it because of the ending .gz; remove the ending")
    if not total:
        raise ShapeError("the file is empty once decompressed: expected a shape; export or download it again")
    return b"".join(pieces)


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Read one member of a zip archive, at most ``limit`` bytes whatever its header declares.

    Raises:
        ShapeError: If the member decompresses beyond the limit or is damaged.
    """
    try:
        with archive.open(name) as member:
            data = member.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise ShapeError(f"the member {name!r} is damaged or locked ({error}): save the file again") from None
    if len(data) > limit:
        raise ShapeError(f"the member {name!r} decompresses to more than {limit:,} bytes: this is a zip bomb")
    return data


def check_count(what: str, count: int) -> None:
    """Raise ShapeError unless 0 <= ``count`` <= MAX_ELEMENTS; ``what`` is a plural noun."""
    if not 0 <= count <= MAX_ELEMENTS:
        raise ShapeError(f"has {count:,} {what}: expected at most {MAX_ELEMENTS:,}; thin the shape out first")


def check_parts(parts: int) -> None:
    """Raise ShapeError if a scene places more than MAX_INSTANCES parts, counted after instances are unfolded."""
    if parts > MAX_INSTANCES:
        raise ShapeError(f"places {parts:,} parts: expected at most {MAX_INSTANCES:,}; join them first")


def check_promise(what: str, count: int, least: int, available: int) -> None:
    """Check a header's promise against the bytes that are there, before anything is allocated.

    Args:
        what: Plural noun for the message.
        count: Number that the header declares.
        least: Fewest bytes that one of them takes.
        available: Number of bytes that are left.

    Raises:
        ShapeError: If the promise cannot be kept or is beyond MAX_ELEMENTS.
    """
    if count < 0 or count * least > available:
        raise ShapeError(
            f"the header declares {count:,} {what}, but only {available:,} bytes follow it: "
            "the file is cut off or damaged; export or download it again"
        )
    check_count(what, count)


def check_lines(data: bytes) -> None:
    """Raise ShapeError if text has more than MAX_ELEMENTS lines, for readers that hold every line as an object."""
    check_count("lines", max(data.count(b"\n"), data.count(b"\r")))


def check_nodes(nodes: int) -> None:
    """Raise ShapeError if a tree has more than MAX_NODES nodes."""
    if nodes > MAX_NODES:
        raise ShapeError(f"has {nodes:,} XML or JSON nodes: expected at most {MAX_NODES:,}; thin the shape out first")


def _to_utf8(data: bytes) -> bytes:
    """Return UTF-16 with a byte order mark as UTF-8; the encoding that the text declares goes."""
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError:
        raise ShapeError("is not whole XML text in UTF-16: the file is damaged; export it again") from None
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1).encode("utf-8", "replace")


def parse_xml(data: bytes) -> Element:
    """Parse XML without document types, entities, network or foreign encodings.

    Entities are how a small XML file grows without bound or reads other files, and no shape format needs them, so
    a file that declares any is refused before the parser sees it. That search is on bytes, hence the encodings.

    Raises:
        ShapeError: If the data is not well-formed XML or declares a document type.
    """
    from xml.etree import ElementTree

    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = _to_utf8(data)
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    encoding = re.match(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)", start)
    allowed = (b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252")
    if not start.startswith(b"<") or b"\0" in start[:64] or (encoding and encoding[1].lower() not in allowed):
        raise ShapeError("is not XML text in UTF-8: expected markup that starts with '<'; export it again")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ShapeError("declares an XML document type or entities: no shape needs them; export it again")
    check_nodes(data.count(b"<") - data.count(b"</"))
    check_nodes(data.count(b"=") // 4)  # attributes, of which an element of a shape has few
    try:
        return ElementTree.fromstring(start)
    except ElementTree.ParseError as error:
        raise ShapeError(f"is not well-formed XML ({error}): the file is cut off or damaged; export it again") from None
