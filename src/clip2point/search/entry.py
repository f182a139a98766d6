"""Entries of a library, and their columns in LanceDB."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Float32 = NDArray[np.float32]

_EXTENT = ("extent_x", "extent_y", "extent_z")


@dataclass(frozen=True, eq=False)
class Entry:
    """One file of a library. Fields that were not requested have the empty values below.

    Attributes:
        path: Absolute path, unique in the library.
        root: Absolute path of the folder that was indexed.
        hash: SHA-256 of the file's bytes and, for glTF, of its buffers, which hold the geometry. Materials and textures
            are left out, since depth maps do not show them.
        bytes: Size of the file.
        vector: [D] float32 unit vector, as of ``Recogniser.embed`` with the axis ``up``.
        labels: Best labels of the library's vocabulary, at most five, the best first.
        label_scores: Confidences of the labels, in [0, 1].
        vertices: Number of vertices of a mesh; 0 for a cloud.
        faces: Number of faces of a mesh; 0 for a cloud.
        points: Number of points of a cloud; 0 for a mesh.
        extent: Size of the bounding box along x, y and z of the file, in the file's own unit.
        up: Up-axis.
        up_from: Origin of the up-axis, as of ``Classification``: "declared", "format" or "guessed".
        thumbnail: Small WebP image of the depth maps, in two rows.
        indexed_at: Time of embedding, as ISO 8601 in UTC.
    """

    path: str = ""
    root: str = ""
    hash: str = ""
    bytes: int = 0
    vector: Float32 = field(default_factory=lambda: np.empty(0, np.float32), repr=False)
    labels: tuple[str, ...] = ()
    label_scores: tuple[float, ...] = ()
    vertices: int = 0
    faces: int = 0
    points: int = 0
    extent: tuple[float, float, float] = (0.0, 0.0, 0.0)
    up: str = ""
    up_from: str = ""
    thumbnail: builtins.bytes = field(default=b"", repr=False)
    indexed_at: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON types, without vector and thumbnail."""
        kept = (each.name for each in fields(self) if each.name not in ("vector", "thumbnail"))
        values = {name: getattr(self, name) for name in kept}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


#: Columns of the table in order: the fields, with the extent in three columns.
COLUMNS = tuple(column for each in fields(Entry) for column in (_EXTENT if each.name == "extent" else (each.name,)))

#: Kinds of the columns that conditions may name, as for ``check_condition``.
KINDS = {
    name: {"labels": "texts", "label_scores": "numbers"}.get(
        name, "number" if name in ("bytes", "vertices", "faces", "points", *_EXTENT) else "text"
    )
    for name in COLUMNS
    if name not in ("vector", "thumbnail")
}


def make_schema(dim: int, metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Return the Arrow schema of the table of entries.

    Args:
        dim: Dimension D of the vectors.
        metadata: Metadata stored with the table.
    """
    import pyarrow as pa

    kinds = {
        "bytes": pa.int64(),
        "vector": pa.list_(pa.float32(), dim),
        "labels": pa.list_(pa.string()),
        "label_scores": pa.list_(pa.float64()),
        "vertices": pa.int64(),
        "faces": pa.int64(),
        "points": pa.int64(),
        **dict.fromkeys(_EXTENT, pa.float64()),
        "thumbnail": pa.binary(),
    }
    return pa.schema([pa.field(name, kinds.get(name, pa.string()), nullable=False) for name in COLUMNS], metadata)


def to_table(entries: Sequence[Entry], schema: pa.Schema) -> pa.Table:
    """Convert entries to rows of a table."""
    import pyarrow as pa

    return pa.Table.from_pylist([_row(entry) for entry in entries], schema=schema)


def from_batch(batch: pa.RecordBatch) -> Iterator[Entry]:
    """Yield the entries of rows, which may lack columns or have further ones."""
    names = set(batch.schema.names)
    plain = [name for name in COLUMNS if name in names and name not in ("vector", *_EXTENT)]
    columns = {name: batch.column(name).to_pylist() for name in plain}
    for name in {"labels", "label_scores"} & names:
        columns[name] = [tuple(items) for items in columns[name]]
    if "vector" in names:
        columns["vector"] = list(to_vectors(batch.column("vector")))
    if names.issuperset(_EXTENT):
        columns["extent"] = list(zip(*(batch.column(name).to_pylist() for name in _EXTENT), strict=True))
    for values in zip(*columns.values(), strict=True):
        yield Entry(**dict(zip(columns, values, strict=True)))


def to_vectors(column: pa.Array) -> Float32:
    """Convert a column of vectors to [N, D]."""
    values: Float32 = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)


def _row(entry: Entry) -> dict[str, Any]:
    values = {each.name: getattr(entry, each.name) for each in fields(entry) if each.name != "extent"}
    return {**values, **dict(zip(_EXTENT, entry.extent, strict=True))}
