"""Repositories of models on a hub: what they hold, and the files of them that a model needs.

Files go through ``huggingface_hub`` into its normal cache (``HF_HOME``), from its normal address or that of a mirror
(``HF_ENDPOINT``), and are there for good: without a network, or with ``HF_HUB_OFFLINE=1``, the cache is used.
"""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from pathlib import Path, PurePosixPath

from clip2point.core.errors import ModelError, reason
from clip2point.core.version import __version__

#: What a model in transformers format, its tokenizer and a model of ours have besides weights.
SETTINGS = re.compile(
    r"(config|expected|(pre)?processor_config|tokenizer(_config)?|special_tokens_map|added_tokens|vocab)\.json"
    r"|merges\.txt|vocab\.txt|(spiece|tokenizer|sentencepiece\.bpe)\.model"
)

#: What a hub takes as the name of a repository.
_NAME = re.compile(r"(?!.*(--|\.\.))(\w[\w.-]*/)?\w[\w.-]*", re.ASCII)

#: Weights, whole or in parts, the better kind first: a pickle is read only where there is nothing else.
WEIGHTS = (
    re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"),
    re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin|pytorch_model\.bin\.index\.json"),
)

_INSTEAD = "the model 'pocket' works now"
LOGIN = "log in with 'hf auth login'"


class Repository:
    """A repository of a model, or what the cache holds of it where the hub cannot be asked.

    Args:
        name: "ORGANISATION/NAME", or "ORGANISATION/NAME@REVISION" with a branch, a tag or a commit.

    Attributes:
        name: as given.
        files: names of all files in it, with slashes between folders.

    Raises:
        ModelError: that says in one sentence why there is no such repository, or none that can be had.
    """

    def __init__(self, name: str) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

        self.name = name
        self._id, self._revision = split_name(name)
        self._commit: str | None = None
        try:
            with quiet():
                info = HfApi(library_name="clip2point", library_version=__version__).model_info(
                    self._id, revision=self._revision
                )
        except Exception as error:
            self.files = self._cached_files()
            if not self.files or isinstance(error, RevisionNotFoundError):
                raise ModelError(_fault(error, name, self._id)) from error
            if not isinstance(error, OfflineModeIsEnabled):
                warnings.warn(f"{name}: {hub_state(error)}; the copy in the cache is used", stacklevel=2)
        else:
            self._commit = info.sha
            self.files = frozenset(sibling.rfilename for sibling in info.siblings or ())

    def fetch(self, files: Collection[str]) -> Path:
        """Have files in the cache, with a progress bar on stderr for those that are not there yet.

        Args:
            files: some of those in the repository, at least one.

        Returns:
            The folder of the cache in which they lie, under their names.

        Raises:
            ModelError: that says in one sentence why they cannot be had.
        """
        from huggingface_hub import snapshot_download

        if (folder := self._complete(files)) is not None:
            return folder
        if self._commit is None:
            raise self._in_part()
        try:
            with quiet():
                found = snapshot_download(
                    self._id, revision=self._revision, allow_patterns=[glob.escape(file) for file in files]
                )
        except Exception as error:
            raise ModelError(_fault(error, self.name, self._id)) from error
        return Path(found)

    def needed(self, folder: str = "", *, weights: bool = True) -> list[str]:
        """The files that a model, or its tokenizer alone, is loaded from.

        Args:
            folder: of the repository, "" for its root.
            weights: whether those of the model are needed: safetensors, and pickles only where there are none.

        Raises:
            ModelError: if there is no model in the folder.
        """
        prefix = f"{folder}/" if folder else ""
        names = [file.removeprefix(prefix) for file in sorted(self.files) if file.startswith(prefix)]
        wanted = [name for name in names if SETTINGS.fullmatch(name)]
        expected = "tokenizer"
        if weights:
            expected = "config.json with model.safetensors or pytorch_model.bin"
            kinds = [[name for name in names if kind.fullmatch(name)] for kind in WEIGHTS]
            best = next((kind for kind in kinds if any(not name.endswith(".json") for name in kind)), [])
            wanted = wanted + best if best and "config.json" in wanted else []
        if not wanted and self._commit is None:
            raise self._in_part()
        if not wanted:
            raise ModelError(
                f"{self.name}: holds no {expected}{f' in {folder}' if folder else ''}: expected a model in "
                "transformers format or one of clip2point"
            )
        return [prefix + name for name in wanted]

    def _in_part(self) -> ModelError:
        return ModelError(
            f"{self.name}: the cache holds a part of it only, and the hub cannot be reached: load it again with a "
            f"network; {_INSTEAD}"
        )

    def _complete(self, files: Collection[str]) -> Path | None:
        """The folder of the cache that holds all these files as the hub has them now; None if there is none."""
        found = [cached_file(self._id, file, self._revision) for file in files]
        if None in found or (self._commit and found != [cached_file(self._id, file, self._commit) for file in files]):
            return None
        first, path = next(zip(files, found, strict=True))
        assert path is not None
        return path.parents[len(PurePosixPath(first).parts) - 1]

    def _cached_files(self) -> frozenset[str]:
        """Names of the files in the cache; of a snapshot, which has a config."""
        config = cached_file(self._id, "config.json", self._revision)
        if config is None:
            return frozenset()
        folder = config.parent
        return frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def cached_file(repository: str, file: str, revision: str | None = None) -> Path | None:
    """Where a file of a repository lies in the cache; None if it does not. Asks no hub."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def cached_folder(name: str) -> Path | None:
    """Where the cache has a model whose repository is named as for ``Repository``; None if it has not."""
    repository, revision = split_name(name)
    config = cached_file(repository, "config.json", revision)
    return config.parent if config else None


def split_name(name: str) -> tuple[str, str | None]:
    """Repository and revision, which is None if the name has none.

    Raises:
        ModelError: if the name is none of a repository.
    """
    repository, at, revision = name.partition("@")
    if not _NAME.fullmatch(repository) or (at and not revision):
        raise ModelError(f"{name!r} names no repository: expected ORGANISATION/NAME or ORGANISATION/NAME@REVISION")
    return repository, revision or None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the client from counting its retries out loud; what matters of them comes as an error at the end."""
    logger = getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _fault(error: Exception, name: str, repository: str) -> str:
    """Why a repository or a file of it cannot be had, and what to do, in one sentence."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    hub = constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        return f"{name}: its owners ask you to accept terms first: do so at {hub}/{repository}, then {LOGIN}"
    # For whoever is not logged in, the hub does not tell what is missing from what is private.
    if isinstance(error, RepositoryNotFoundError) or hub_status(error) == 401:
        return f"{name}: {hub} has no such repository, or it is private: check the name, or {LOGIN}"
    if isinstance(error, RevisionNotFoundError):
        return f"{name}: the repository has no such branch, tag or commit: leave out what follows the @, or correct it"
    if hub_status(error) == 403:
        return f"{name}: {hub_state(error)}: {LOGIN}"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        return (
            f"{name}: the cache {constants.HF_HUB_CACHE} cannot be written to ({error.strerror}): set HF_HOME to a "
            "folder with space"
        )
    return (
        f"{name}: {hub_state(error)}, and the cache {constants.HF_HUB_CACHE} does not hold the model: try again with a "
        "network, set HF_ENDPOINT to the address of a mirror, or download the model elsewhere and give its folder; "
        f"{_INSTEAD}"
    )


def hub_state(error: Exception) -> str:
    """What is the matter with the hub that a request ended in this error."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if status := hub_status(error):
        return f"{constants.ENDPOINT} answers with error {status}"
    return f"{constants.ENDPOINT} cannot be reached ({reason(error)})"


def hub_status(error: Exception) -> int | None:
    """The number of the error that a hub answered with; None if it gave no answer."""
    return getattr(getattr(error, "response", None), "status_code", None)
