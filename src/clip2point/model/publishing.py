"""Publication of models of ours on a hub, from where ``hf:ORGANISATION/NAME`` loads them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip2point.core.errors import ModelError
from clip2point.core.repositories import LOGIN, SETTINGS, WEIGHTS, describe_hub, http_status, silence_client, split_name
from clip2point.model.cards import write_model_card
from clip2point.model.checkpoint import Checkpoint, is_checkpoint, read_checkpoint

_CARD = "README.md"
#: An absolute path or one in a home folder, of POSIX or Windows, alone or as a data set.
_ABSOLUTE = re.compile(r"(?P<kind>(?:folder|npz|h5|pickle):)?(?P<path>(?:[/~]|[A-Za-z]:[/\\]|\\\\).*)", re.DOTALL)


@dataclass(frozen=True)
class Publication:
    """Record of a publication.

    Attributes:
        model: Name for ``clip2point.load``.
        url: Address of its page.
        commit: Hash of the commit.
        files: Names in the repository.
        card_written: True if the folder had no model card, and one was written.
    """

    model: str
    url: str
    commit: str
    files: tuple[str, ...]
    card_written: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {**asdict(self), "files": list(self.files)}


def push(folder: str | Path, name: str, *, private: bool = False) -> Publication:
    """Publish a model of ours on the hub, in one commit.

    Args:
        folder: Folder that ``pretrain``, ``adapt`` or ``convert`` wrote. It is checked as for loading and stays as it
            is; only the files that loading needs and its ``README.md`` are uploaded. Absolute paths in ``config.json``,
            which tell who made it where, are cut to their last part. Without a card, one is written.
        name: "ORGANISATION/NAME", with or without "hf:" before; the repository is created if there is none.
        private: Create a private repository.

    Returns:
        Record of the publication.

    Raises:
        ModelError: If the folder is no whole model of ours, builds on one that would stay behind, nobody is logged in,
            or the hub does not take it.
    """
    folder, (repository, revision) = Path(folder), split_name(name.removeprefix("hf:"))
    if revision or "/" not in repository:
        raise ModelError(f"{name!r}: expected ORGANISATION/NAME to push to")
    if folder.is_dir() and (folder / "config.json").is_file() and not is_checkpoint(folder):
        raise ModelError(f"{folder}: no model of clip2point's own format; push others with 'hf upload'")
    checkpoint = read_checkpoint(folder)
    files: dict[str, Path | bytes] = {file.relative_to(folder).as_posix(): file for file in _list_files(checkpoint)}
    for file in [name for name in files if Path(name).name == "config.json"]:
        files[file] = json.dumps(
            _shorten_paths(json.loads((folder / file).read_text(encoding="utf-8"))), indent=2
        ).encode()
    card_written = _CARD not in files
    if card_written:
        files[_CARD] = write_model_card(_shorten_paths(checkpoint.config), repository).encode()
    url, commit = _commit(repository, files, private)
    return Publication(f"hf:{repository}", url, commit, tuple(sorted(files)), card_written)


def _list_files(checkpoint: Checkpoint) -> list[Path]:
    """Return the files that loading needs, of the folder and of the base model or tokenizer inside it."""
    folder, names = checkpoint.folder, ("config.json", "model.safetensors", "expected.json", _CARD)
    files = [folder / name for name in names if (folder / name).is_file()]
    for entry in ("base", "tokenizer"):
        value = str(checkpoint.config.get(entry) or "")
        path = folder / value
        if not value or not (path.is_dir() or value.startswith(".") or Path(value).is_absolute()):
            continue  # the name of a model, which others can load too
        inside = not Path(value).is_absolute() and path.resolve().is_relative_to(folder.resolve())
        if not (inside and path.is_dir()):
            raise ModelError(
                f"{folder}: its {entry} {value} would stay behind: copy it into the folder, or push it too, and "
                f'correct "{entry}" in config.json'
            )
        kinds = (SETTINGS, *WEIGHTS)
        files += [file for file in sorted(path.iterdir()) if any(kind.fullmatch(file.name) for kind in kinds)]
    return files


def _shorten_paths(value: Any) -> Any:
    """Replace each absolute path in JSON types by its last part, behind "folder:" and the like too."""
    if isinstance(value, Mapping):
        return {key: _shorten_paths(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_shorten_paths(entry) for entry in value]
    if not isinstance(value, str) or (found := _ABSOLUTE.fullmatch(value)) is None:
        return value
    return (found["kind"] or "") + (re.split(r"[/\\]", found["path"].rstrip("/\\"))[-1] or "?")


def _commit(repository: str, files: dict[str, Path | bytes], private: bool) -> tuple[str, str]:
    """Commit files, by their names in the repository, and return the address of the page and the hash."""
    from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise ModelError(f"{repository}: HF_HUB_OFFLINE is set, so nothing can be pushed: unset it")
    if get_token() is None:
        raise ModelError(f"{repository}: nobody is logged in: {LOGIN} and a token that may write, or set HF_TOKEN")
    api = HfApi()
    try:
        with silence_client():
            api.create_repo(repository, private=private or None, exist_ok=True)
            # Of a repository that existed, nobody asked whether it is private.
            if private and not api.model_info(repository).private:
                raise ModelError(
                    f"{repository}: exists already and is public: make it private first, or leave out --private"
                )
            operations = [CommitOperationAdd(name, file) for name, file in files.items()]
            commit = api.create_commit(repository, operations, commit_message="Model of clip2point")
    except ModelError:
        raise
    except Exception as error:
        advice = f"{LOGIN} and a token that may write there" if http_status(error) in (401, 403) else "try again"
        raise ModelError(f"{repository}: {describe_hub(error)}, and the model was not pushed: {advice}") from error
    return f"{api.endpoint}/{repository}", commit.oid
