"""Files of a folder that are not read, counted by ending: nobody should think that they were seen."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from clip2point.core.registries import FORMATS
from clip2point.shapes.foreign import find_remedy
from clip2point.shapes.format_registry import file_extension

#: Endings of files that lie beside shapes, or of which nobody expects a shape.
_ASIDE = frozenset(
    (
        *("", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".tif", ".tiff", ".gif", ".webp", ".dds", ".ktx2", ".hdr"),
        ".exr",
        *(".mtl", ".md", ".rst", ".html", ".htm", ".pdf", ".doc", ".docx", ".log", ".json", ".jsonl", ".yaml", ".yml"),
        *(".toml", ".cfg", ".ini", ".xml", ".py", ".ipynb", ".sh", ".bat", ".cff", ".css", ".js", ".svg", ".mp4"),
        *(".license", ".prj", ".gitkeep", ".lock", ".parquet", ".tsv", ".xlsx", ".url", ".meta", ".db", ".ds_store"),
    )
)
_MOST = 8


def count_passed_over(folders: Iterable[str | os.PathLike[str]]) -> dict[str, int]:
    """Count the files below folders that are not read as shapes, by ending, the commonest first.

    Hidden files, pictures, texts and the like are not counted, nor are files that share an ending with shapes.

    Examples:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> for name in ("a.blend", "b.blend", "c.max", "chair.obj", "chair.mtl", "read me.txt"):
        ...     _ = (folder / name).write_text("")
        >>> count_passed_over([folder])
        {'.blend': 2, '.max': 1}
    """
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for folder in folders:
        for parent, _, names in os.walk(folder):
            if (real := os.path.realpath(parent)) in seen:  # given twice, or one in another
                continue
            seen.add(real)
            counts.update(file_extension(name) for name in names if not name.startswith("."))
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return {ending: count for ending, count in ordered if ending not in _ASIDE and ending not in FORMATS}


def describe_passed_over(paths: Iterable[str | os.PathLike[str]]) -> str:
    """Say in a line how many files of the folders among some paths are passed over, or return "" if there are none."""
    counts = count_passed_over(path for path in paths if Path(path).is_dir())
    if not counts:
        return ""
    shown = [f"{count:,} {ending[:20]}" for ending, count in list(counts.items())[:_MOST]]
    rest = sum(list(counts.values())[_MOST:])
    shown += [f"{rest:,} others"] if rest else []
    remedy = next((found for ending in counts if (found := find_remedy(ending))), "")
    first = next((ending for ending in counts if find_remedy(ending)), "")
    return f"Passed over, of formats that are not read: {', '.join(shown)}." + (
        f" {first}: {remedy}." if remedy else ""
    )
