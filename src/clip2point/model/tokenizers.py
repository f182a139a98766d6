"""The tokenizer of a converted model, kept in its folder, so that this can be moved and used without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

from clip2point.core.errors import ModelError, OptionError
from clip2point.core.repositories import SETTINGS, Repository

#: Folder of the tokenizer in that of the model.
FOLDER = "tokenizer"
_MOST_BYTES = 64 * 1024**2


def store_tokenizer(source: str | None, out: Path) -> tuple[str | None, bool]:
    """Copy the files of a tokenizer into the folder of a model.

    Args:
        source: Folder of the tokenizer, its name on the hub, or None if none is known.
        out: Folder of the model; created if need be.

    Returns:
        Place where the tokenizer is now, and False if it could not be fetched from the hub and stays there.

    Raises:
        OptionError: If a folder holds no tokenizer.
    """
    if source is None:
        return None, True
    folder = Path(source)
    if not folder.is_dir():
        try:
            repository = Repository(source)
            folder = repository.fetch(
                [name for name in repository.list_files(weights=False) if SETTINGS.fullmatch(name)]
            )
        except ModelError:
            return source, False
    files = [path for path in sorted(folder.iterdir()) if SETTINGS.fullmatch(path.name) and path.is_file()]
    if not any(path.name not in ("config.json", "preprocessor_config.json") for path in files):
        raise OptionError(f"tokenizer {source!r}: holds no files of a tokenizer: expected tokenizer.json or vocab.json")
    if large := [path for path in files if path.stat().st_size > _MOST_BYTES]:
        raise OptionError(f"{large[0]}: has more than {_MOST_BYTES:,} bytes: expected a file of a tokenizer")
    target = out / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for path in files:
        if path.resolve() != (target / path.name).resolve():
            shutil.copyfile(path, target / path.name)
    return str(target), True
