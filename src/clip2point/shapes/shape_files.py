"""Shape files: found in folders, read by their extension, with one kind of error whatever goes wrong."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clip2point.core.errors import OptionError, PluginError, ShapeError
from clip2point.core.registries import FORMATS
from clip2point.shapes.companions import Companions
from clip2point.shapes.foreign import find_remedy
from clip2point.shapes.format_registry import Format, file_extension, find_format
from clip2point.shapes.guards import gunzip, read_file
from clip2point.shapes.orientation import check_up
from clip2point.shapes.parsed import Parsed, to_shape
from clip2point.shapes.passed_over import describe_passed_over
from clip2point.shapes.shape import Shape

#: Extensions that other files have as well as shapes, with the module whose ``holds_points(begin, size)`` tells them
#: apart, and the bytes of such a file that tell which it is.
_AMBIGUOUS = {
    **dict.fromkeys((".txt", ".csv"), "delimited"),
    ".bin": "float_rows",
    **dict.fromkeys((".h5", ".hdf5"), "hdf5"),
    **dict.fromkeys((".dat", ".pkl"), "pickles"),
}
_TELLING = 65_536
#: Folders of what the kernel shows as files.
_KERNEL = ("/proc/", "/sys/", "/dev/")


def find_shapes(path: str | os.PathLike[str]) -> list[Path]:
    """Find the shape files in a folder and its sub-folders.

    Args:
        path: A folder; links to folders in it are not followed.

    Returns:
        The files with a supported extension, sorted. Hidden files, pipes and devices are passed over, and so are notes
        and tables: text in .txt and .csv without a line of three numbers where a cloud would begin, .bin that is no
        cloud or lies beside a .gltf, and other files that end in .h5, .dat or .pkl.

    Raises:
        ShapeError: If the folder is missing or cannot be listed.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> for name in ("chair.obj", "notes.txt", "scan.xyz.gz"):
        ...     _ = (folder / name).write_text("some words")
        >>> [path.name for path in find_shapes(folder)]
        ['chair.obj', 'scan.xyz.gz']
    """
    folder = Path(path)
    check_folder(folder)

    def refuse(error: OSError) -> None:
        raise ShapeError(f"{folder}: cannot be listed ({error}): change the folder's permissions") from None

    walked = os.walk(folder, onerror=refuse)
    return sorted(path for parent, _, names in walked for path in pick_shapes(Path(parent), names))


def pick_shapes(folder: Path, names: list[str]) -> list[Path]:
    """Return the shape files among the files of one folder, sorted; ``find_shapes`` says what is passed over."""
    found = [
        folder / name
        for name in _without_buffers(names)
        if not name.startswith(".") and file_extension(name) in FORMATS and _is_file(folder / name)
    ]
    return sorted(path for path in found if path.suffix.lower() not in _AMBIGUOUS or _may_be_cloud(path))


def _is_file(path: Path) -> bool:
    """Tell a file from pipes, devices, sockets and what the kernel shows as files, which may block or never end."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            mode = os.stat(path).st_mode  # noqa: PTH116
            if os.path.realpath(path).startswith(_KERNEL):
                return False
    except (OSError, ValueError):
        return True  # its reader says what is wrong with it
    return stat.S_ISREG(mode)


def _without_buffers(names: list[str]) -> list[str]:
    """Return the names of a folder's files without those in .bin that are buffers of glTF files beside them."""
    if not any(name.lower().endswith(".gltf") for name in names):
        return names
    return [name for name in names if not name.lower().endswith(".bin")]


def check_folder(folder: Path) -> None:
    """Raise ShapeError if a folder does not exist."""
    if not folder.is_dir():
        raise ShapeError(f"{folder}: no such folder: expected one with shape files; check the path")


def expand_folders(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Return files as they are, and the shape files below folders in place of them.

    Raises:
        ShapeError: A folder has no shape files, or cannot be listed.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        found = find_shapes(path) if path.is_dir() else [path]
        if not found:
            raise ShapeError(
                f"{path}: no shape files in this folder; expected {', '.join(FORMATS.names())}. "
                f"{describe_passed_over([path])}".rstrip(". ")
            )
        files += found
    return files


def _may_be_cloud(path: Path) -> bool:
    """Tell whether a file holds points, or its reader has to explain why not: it is empty or unreadable."""
    module = import_module(f"clip2point.shapes.formats.{_AMBIGUOUS[path.suffix.lower()]}")
    try:
        with path.open("rb") as file:
            begin = file.read(_TELLING)
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return True
    return not begin.strip() or bool(module.holds_points(begin, size))


def load_shape(path: str | os.PathLike[str], *, up: str = "auto", columns: str | None = None) -> Shape:
    r"""Read a mesh or a point cloud from a file.

    Meshes: OFF, OBJ (with MTL and textures), PLY, STL, GLB, glTF, DAE, FBX, 3DS, 3MF, AC3D, Draco, VTK, URDF, STEP,
    IGES, USD. Clouds: PLY, PCD, XYZ, TXT, CSV, ASC, PTS, PTX, NPY, NPZ, LAS, LAZ, E57, SPZ, SPLAT, BIN, HDF5, pickles.
    Some need the extra ``formats``; plug-ins add others (``register_format``). Any of them gzip-compressed, with
    ``.gz`` behind its name. The parts of a scene are moved to their places and joined.
    Coordinates stay as they are, with one exception: a shape that lies farther from the origin than 64 times its
    size (a georeferenced scan) is moved to the origin, in float64, before it is stored in float32. A mesh without
    area is returned as the cloud of its vertices.

    Files are not trusted: at most 50 million points, vertices or faces and 2 GiB after decompression; nothing in
    a file runs; of other files only its neighbours are read.

    Args:
        path: File whose extension says the format.
        up: Axis that points up, one of ``UP_AXES``. "auto" takes the format's convention (y for GLB, glTF and
            AC3D, z for 3MF, LAS and LAZ, the declared one for DAE) and stays "auto" where there is none.
        columns: Columns of x, y and z in a table of points, such as "x=3,y=4,z=5" (counted from 1, or names); found out
            by default, and told in ``notes`` where they are not the first three.

    Returns:
        Checked Shape, whose ``source`` is the path; nothing is rotated or scaled.

    Raises:
        ShapeError: If the file cannot be read as a shape; the message names it and says what to do.
        OptionError: If ``up`` is not an axis.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "triangle.obj")
        >>> _ = path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
        >>> shape = load_shape(path, up="y")
        >>> shape.points.shape, shape.mesh.faces.tolist()
        ((3, 3), [[0, 1, 2]])
    """
    check_up(up, auto=True)
    path = Path(path)
    extension = file_extension(path)
    if extension not in FORMATS:
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
            raise ShapeError(f"{path}: no such file: check the path")
        if remedy := find_remedy(extension):
            raise ShapeError(f"{path}: is of a format that is not read ({extension}): {remedy}")
        raise ShapeError(
            f"{path}: unknown extension {extension!r}: expected one of {', '.join(FORMATS.names())}, also with .gz"
        )
    try:
        file_format = find_format(extension)
    except PluginError as error:  # of the files in a folder, those in other formats go through
        raise ShapeError(f"{path}: {error}") from error
    try:
        # Overflow and the like in damaged files are found by the checks, so NumPy need not warn of them.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return to_shape(_read(path, file_format, columns), str(path), up)
    except ShapeError as error:
        raise ShapeError(f"{path}: {error}") from None
    except OptionError:
        raise
    except BaseException as error:  # native readers also raise panics, which are not Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            raise
        kind = extension.removeprefix(".").upper()
        raise ShapeError(
            f"{path}: is damaged or no valid {kind} file ({_describe_error(error)}): expected a whole {kind} file; "
            "export or download it again"
        ) from error


def _read(path: Path, file_format: Format, columns: str | None) -> Parsed:
    data = read_file(path)
    if path.suffix.lower() == ".gz":
        data = gunzip(data)
    if data[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ShapeError("is a web page, not a shape: the download went wrong; download the file itself")
    parsed = file_format.read(data, Companions(path, columns))
    return replace(parsed, up=file_format.up) if parsed.up == "auto" else parsed


def _describe_error(error: BaseException) -> str:
    """Say in a few words what a reader stumbled over."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "its parts are nested too deeply"
    if isinstance(error, KeyError):
        return f"{str(error)[:80]} is missing"
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__


def shape_from_points(points: ArrayLike | Any, up: str = "y", source: str = "array") -> Shape:
    """Make a checked cloud from an array.

    Args:
        points: Numbers, [N, 3 or more] with N >= 2, of which the first three columns are used. They are checked, and
            moved if far from the origin, as ``load_shape`` does.
        up: Axis that points up, or "auto".
        source: Name for messages.

    Raises:
        ShapeError: If the array holds no cloud; the message begins with ``source``.
        OptionError: If ``up`` is not an axis.

    Examples:
        >>> shape_from_points([[0, 0, 0], [0, 0, 1]], up="z").points.dtype
        dtype('float32')
    """
    from clip2point.shapes.formats.numpy_files import to_points

    check_up(up, auto=True)
    try:
        return to_shape(Parsed(to_points(np.asarray(points))), source, up)
    except (ShapeError, ValueError) as error:
        raise ShapeError(f"{source}: {error}") from None
