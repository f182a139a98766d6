"""Furniture catalogues of Sweet Home 3D: .sh3f files, its .jar, or the same unpacked.

A catalogue is a zip archive (or a folder) with models, mostly OBJ with MTL and textures, and a properties file that
has, for each number N, ``name#N``, ``model#N`` and more. Its models are y-up, some once ``modelRotation#N`` is applied,
and have their front towards +z. Their proportions are kept as they are; the sizes that a catalogue states differ from
them by more than a tenth for 39 of the 820 models that Debian packages.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from clip2point.core.errors import DataError, ShapeError
from clip2point.data.pairs import PairInfo, make_keys
from clip2point.pretraining.pairs import SourceModel, name_to_words
from clip2point.shapes import Shape, load_shape
from clip2point.shapes.guards import MAX_BYTES, expansion_limit, read_member
from pocket_recipe.properties import parse_properties

#: Files that are looked for in a folder. Which of them are catalogues, their content says.
ARCHIVES = (".sh3f", ".jar")

#: The English table of a catalogue; translations have a language behind "Catalog".
_TABLE = re.compile(r"(?:.*/)?[A-Za-z]*FurnitureCatalog\.properties")
_MAX_TABLE_BYTES = 32 * 1024**2
_NEIGHBOURS = (".mtl", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tga", ".tif", ".tiff")
_NAMING_LINES = re.compile(rb"(?im)^[ \t]*(?:mtllib|map_kd)[ \t].*$")
#: What no path in a catalogue has, and what would mean another place on some system.
_ODD = re.compile(r"[\\:\0]")
_FIELDS = ("id", "name", "tags", "category", "license", "creator", "model", "modelRotation")
#: Half a turn about y: from the front of catalogues, +z, to that of ShapeNet and of the samples, -z.
_TO_FRONT = np.diag([-1.0, 1.0, -1.0])


def find_catalogues(folder: Path) -> list[Path]:
    """Find the catalogues in a folder and below: archives, and folders with an unpacked one."""
    archives = [path for path in folder.rglob("*") if path.suffix.lower() in ARCHIVES and path.is_file()]
    tables = [path for path in folder.rglob("*FurnitureCatalog.properties") if _TABLE.fullmatch(path.name)]
    return sorted([path for path in archives if _has_table(path)] + [path.parent for path in tables])


def read_catalogues(catalogues: Sequence[Path]) -> list[SourceModel]:
    """List the models of catalogues.

    Args:
        catalogues: Archives, or folders that hold an unpacked one.

    Returns:
        Their models; ``captions`` are name and tags.

    Raises:
        DataError: If one is no catalogue or damaged. Models that are missing from it are found when they are opened.
    """
    found = [
        model
        for path in catalogues
        for table in _read_tables(path)
        for model in _list_rows(path, parse_properties(table))
    ]
    keys = make_keys([model.key for model in found])
    return [model.with_info(key=key) for key, model in zip(keys, found, strict=True)]


def _has_table(path: Path) -> bool:
    try:
        with _open_archive(path) as archive:
            return any(_TABLE.fullmatch(name) for name in archive.namelist())
    except DataError:
        return path.suffix.lower() == ".sh3f"  # a damaged catalogue should be heard of, some other jar not


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: is no zip archive or damaged ({error}): expected a catalogue; download it again"
        ) from None
    with archive:
        yield archive


def _read_tables(path: Path) -> list[bytes]:
    """Return the tables of a catalogue; an archive may hold several."""
    if path.is_dir():
        tables = sorted(table for table in path.iterdir() if _TABLE.fullmatch(table.name))
        if any(table.stat().st_size > _MAX_TABLE_BYTES for table in tables):
            raise DataError(
                f"{path}: its table has more than {_MAX_TABLE_BYTES:,} bytes: expected a furniture catalogue"
            )
        return [table.read_bytes() for table in tables]
    with _open_archive(path) as archive:
        names = sorted({name for name in archive.namelist() if _TABLE.fullmatch(name)})
        if not names:
            raise DataError(f"{path}: holds no table PluginFurnitureCatalog.properties: expected a furniture catalogue")
        try:
            return [read_member(archive, name, _MAX_TABLE_BYTES) for name in names]
        except ShapeError as error:
            raise DataError(f"{path}: {error}") from None


def _list_rows(path: Path, table: dict[str, str]) -> Iterator[SourceModel]:
    """Yield the rows that have a model; their keys are not final."""
    for number in [key.partition("#")[2] for key in table if key.startswith("model#")]:
        row = {field: " ".join(table.get(f"{field}#{number}", "").split()) for field in _FIELDS}
        member = row["model"].lstrip("/")
        caption = row["name"] or name_to_words(PurePosixPath(member).stem)
        provider, _, short = row["id"].rpartition("#")
        # Many catalogues tag all their models with their own name.
        tags = [tag.strip() for tag in row["tags"].split(",") if tag.strip() and not provider.startswith(tag.strip())]
        info = PairInfo(
            key=f"{provider}-{short}" if short else f"{path.stem}-{number}",
            captions=tuple(dict.fromkeys([caption, *tags])),
            category=row["category"],
            licence=row["license"] or " ".join(table.get("license", "").split()),
            creator=row["creator"],
            source=f"sweethome3d:{path.name}",
        )
        yield SourceModel(info, partial(open_model, path, member, row["modelRotation"]))


def open_model(catalogue: Path, member: str, rotation: str) -> Shape:
    """Read a model of a catalogue.

    Args:
        catalogue: An archive or a folder.
        member: Path of the model inside it.
        rotation: Nine numbers, the rows of a matrix that makes the model stand upright, or "".

    Returns:
        The shape, y-up, front towards -z.

    Raises:
        ShapeError: If it is missing or damaged, or points out of the catalogue.
    """
    name = f"{catalogue.name}: {member}"
    matrix = _TO_FRONT @ _parse_matrix(rotation, name)
    with _unpack_model(catalogue, member) as path:
        try:
            shape = load_shape(path, up="y")
        except ShapeError as error:
            raise ShapeError(str(error).replace(str(path), name, 1)) from None
    return replace(shape.rotate(matrix), source=name)


def _parse_matrix(text: str, name: str) -> np.ndarray:
    try:
        matrix = np.array(text.split() or np.eye(3).ravel(), dtype=np.float64).reshape(3, 3)
    except ValueError:
        matrix = np.zeros((3, 3))
    if not (np.isfinite(matrix).all() and 0.5 < abs(np.linalg.det(matrix)) < 2):
        raise ShapeError(f"{name}: modelRotation is {text[:80]!r}: expected the nine numbers of a rotation")
    return matrix


@contextmanager
def _unpack_model(catalogue: Path, member: str) -> Iterator[Path]:
    """Give the path of a model on disk, beside the neighbours that it names, for as long as the block runs."""
    parts = PurePosixPath(member).parts
    if not parts or ".." in parts or _ODD.search(member):
        raise ShapeError(f"{catalogue.name}: the model {member!r} lies outside the catalogue; expected one inside it")
    if catalogue.is_dir():
        if not (catalogue / member).resolve().is_relative_to(catalogue.resolve()):
            raise ShapeError(f"{catalogue.name}: a link leads from {member!r} out of the catalogue; remove it")
        yield catalogue / member
        return
    with tempfile.TemporaryDirectory(prefix="clip2point-") as folder:
        try:
            with _open_archive(catalogue) as archive:
                path = _Unpacking(archive, PurePosixPath(member), Path(folder)).model()
        except (DataError, ShapeError) as error:
            raise ShapeError(f"{catalogue.name}: {error}") from None
        yield path


class _Unpacking:
    """Unpacks one model, MAX_BYTES in all whatever the archive promises, to names that are made here."""

    def __init__(self, archive: zipfile.ZipFile, member: PurePosixPath, folder: Path) -> None:
        self._archive = archive
        self._member = member
        self._folder = folder
        self._bytes_left = MAX_BYTES
        # Archives that were packed on Windows differ in case from their tables.
        self._names = {name.lower(): name for name in archive.namelist()}

    def model(self) -> Path:
        """Unpack the model and what it names."""
        data = self._unpack(self._member)
        inside = f"{self._member.parent}/".removeprefix("./").lower()
        around = [
            PurePosixPath(name)
            for lower, name in self._names.items()
            if lower.startswith(inside)
            and lower.endswith(_NEIGHBOURS)
            and ".." not in PurePosixPath(name).parts
            and not _ODD.search(name)
        ]
        for ending in ((".mtl",), _NEIGHBOURS[1:]):
            named = b"\n".join(_NAMING_LINES.findall(data)).lower()
            wanted = [path for path in around if path.suffix.lower() in ending and path.name.lower().encode() in named]
            data = b"\n".join([self._unpack(path) for path in wanted])
        return self._folder / self._member.name

    def _unpack(self, path: PurePosixPath) -> bytes:
        """Write a member to the folder, at its place relative to the model, and return its bytes."""
        name = self._names.get(str(path).lower())
        if name is None:
            raise ShapeError(f"the catalogue names the model {str(path)!r}, but does not hold it; download it again")
        limit = min(self._bytes_left, expansion_limit(self._archive.getinfo(name).compress_size))
        data = read_member(self._archive, name, limit)
        self._bytes_left -= len(data)
        target = self._folder / PurePosixPath(*path.parts[len(self._member.parent.parts) :])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return data
