"""Vectors of shapes in one file, for other programs: Parquet, or arrays of NumPy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clip2point.core.files import replacing
from clip2point.core.lazy import require

#: Endings of such files.
ENDINGS = (".parquet", ".npz")

#: Key of the metadata of a Parquet file.
_METADATA = b"clip2point"


def check_writable(path: Path) -> None:
    """Raise OptionError if a file of this ending cannot be written, because a package is missing."""
    if path.suffix.lower() == ".parquet":
        require("pyarrow", "search", f"{path}: writing Parquet")


def write_vectors(path: Path, records: Sequence[Mapping[str, Any]], dim: int, metadata: Mapping[str, Any]) -> None:
    """Write vectors with names, paths and notes; the file appears whole or not at all.

    A Parquet file has a row for each shape: path, name, vector (null where the shape could not be read), up, up_from,
    notes, content and error; the metadata are JSON under the key "clip2point" of its schema. An NPZ file has
    ``vectors`` [N, D] float32, and ``paths``, ``names``, ``ups``, ``notes`` and ``contents`` [N] of the shapes that
    could be read, ``failed_paths`` and ``errors`` [F] of the others, and ``metadata``, JSON.

    Args:
        path: File that ends in .parquet or .npz.
        records: Embeddings and failures as JSON types, with the hashes of the files as ``content``.
        dim: D, width of the vectors.
        metadata: All that the vectors depend on besides the files, as JSON types.

    Raises:
        OptionError: A package is missing.
        OSError: The file cannot be written.
    """
    write = _write_parquet if path.suffix.lower() == ".parquet" else _write_npz
    with replacing(path) as unfinished:
        write(unfinished, records, dim, json.dumps(metadata))


def _write_parquet(path: Path, records: Sequence[Mapping[str, Any]], dim: int, metadata: str) -> None:
    pa = require("pyarrow", "search", "writing Parquet")
    parquet = require("pyarrow.parquet", "search", "writing Parquet")
    texts = {key: pa.array([_text(record.get(key)) for record in records], pa.string()) for key in _TEXTS}
    columns = {
        "path": pa.array([_text(record["source"]) for record in records], pa.string()),
        "name": pa.array([_name(record) for record in records], pa.string()),
        "vector": pa.array([record.get("vector") for record in records], pa.list_(pa.float32(), dim)),
        "notes": pa.array([record.get("notes", []) for record in records], pa.list_(pa.string())),
        **texts,
    }
    parquet.write_table(pa.table(columns).replace_schema_metadata({_METADATA: metadata.encode()}), path)


_TEXTS = ("up", "up_from", "content", "error")


def _write_npz(path: Path, records: Sequence[Mapping[str, Any]], dim: int, metadata: str) -> None:
    good = [record for record in records if not record.get("error")]
    failed = [record for record in records if record.get("error")]
    arrays: dict[str, Any] = {
        "vectors": np.array([record["vector"] for record in good], np.float32).reshape(-1, dim),
        "paths": _texts(record["source"] for record in good),
        "names": _texts(map(_name, good)),
        "ups": _texts(record["up"] for record in good),
        "notes": _texts("\n".join(record["notes"]) for record in good),
        "contents": _texts(record["content"] for record in good),
        "failed_paths": _texts(record["source"] for record in failed),
        "errors": _texts(record["error"] for record in failed),
        "metadata": np.array(metadata),
    }
    with path.open("wb") as file:  # of a path, NumPy changes the ending
        np.savez(file, **arrays)


def _texts(values: Any) -> Any:
    return np.array([_text(value) for value in values], dtype=np.str_)


def _name(record: Mapping[str, Any]) -> str:
    return str(_text(Path(record["source"]).name))


def _text(value: str | None) -> str | None:
    """Return a text that is valid Unicode: bytes of a file name that are none are spelt out."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
