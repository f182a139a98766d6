"""Model repositories on a hub: their files, and downloads into the cache.

``huggingface_hub`` downloads into its own cache (``HF_HOME``), from its usual address or that of a mirror
(``HF_ENDPOINT``). What was downloaded once stays: without a network, or with ``HF_HUB_OFFLINE=1``, the cache is used.
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

#: Files besides weights of a model in transformers format, of its tokenizer and of a model of this package.
SETTINGS = re.compile(
    r"(config|expected|(pre)?processor_config|tokenizer(_config)?|special_tokens_map|added_tokens|vocab)\.json"
    r"|merges\.txt|vocab\.txt|(spiece|tokenizer|sentencepiece\.bpe)\.model"
)

#: Valid names of repositories.
_NAME = re.compile(r"(?!.*(--|\.\.))(\w[\w.-]*/)?\w[\w.-]*", re.ASCII)

#: Weights, whole or in shards, safetensors first: a pickle is read only where there is nothing else.
WEIGHTS = (
    re.compile(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"),
    re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin|pytorch_model\.bin\.index\.json"),
)

_INSTEAD = "the model 'pocket' works now"
LOGIN = "log in with 'hf auth login'"


class Repository:
    """A model repository, or its copy in the cache where the hub cannot be reached.

    Args:
        name: "ORGANISATION/NAME", or "ORGANISATION/NAME@REVISION" with a branch, a tag or a commit.

    Attributes:
        name: Name as passed in.
        files: Names of all files in it, with slashes between folders.

    Raises:
        ModelError: The repository does not exist or cannot be read; the message says why in one sentence.
    """

    def __init__(self, name: str) -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import OfflineModeIsEnabled, RevisionNotFoundError

        self.name = name
        self._id, self._revision = split_name(name)
        self._commit: str | None = None
        try:
            with silence_client():
                info = HfApi(library_name="clip2point", library_version=__version__).model_info(
                    self._id, revision=self._revision
                )
        except Exception as error:
            self.files = self._list_cached_files()
            if not self.files or isinstance(error, RevisionNotFoundError):
                raise ModelError(_explain_failure(error, name, self._id)) from error
            if not isinstance(error, OfflineModeIsEnabled):
                warnings.warn(f"{name}: {describe_hub(error)}; the copy in the cache is used", stacklevel=2)
        else:
            self._commit = info.sha
            self.files = frozenset(sibling.rfilename for sibling in info.siblings or ())

    def fetch(self, files: Collection[str]) -> Path:
        """Download files that the cache lacks, with a progress bar on stderr.

        Args:
            files: Names of files in the repository, at least one.

        Returns:
            Folder of the cache that holds the files under their names.

        Raises:
            ModelError: The files cannot be downloaded; the message says why in one sentence.
        """
        from huggingface_hub import snapshot_download

        if (folder := self._complete(files)) is not None:
            return folder
        if self._commit is None:
            raise self._in_part()
        try:
            with silence_client():
                found = snapshot_download(
                    self._id, revision=self._revision, allow_patterns=[glob.escape(file) for file in files]
                )
        except Exception as error:
            raise ModelError(_explain_failure(error, self.name, self._id)) from error
        return Path(found)

    def list_files(self, folder: str = "", *, weights: bool = True) -> list[str]:
        """List the files that a model, or its tokenizer alone, is loaded from.

        Args:
            folder: Folder in the repository, "" for its root.
            weights: True to include the weights: safetensors, or pickles where there are none.

        Raises:
            ModelError: The folder holds no model.
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
        """Return the folder of the cache with the current version of all these files; None if one is missing."""
        found = [find_cached_file(self._id, file, self._revision) for file in files]
        if None in found or (
            self._commit and found != [find_cached_file(self._id, file, self._commit) for file in files]
        ):
            return None
        first, path = next(zip(files, found, strict=True))
        assert path is not None
        return path.parents[len(PurePosixPath(first).parts) - 1]

    def _list_cached_files(self) -> frozenset[str]:
        """Return the names of the files of a cached snapshot that has a config."""
        config = find_cached_file(self._id, "config.json", self._revision)
        if config is None:
            return frozenset()
        folder = config.parent
        return frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def find_cached_file(repository: str, file: str, revision: str | None = None) -> Path | None:
    """Return the path of a file in the cache, or None; makes no request."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def find_cached_folder(name: str) -> Path | None:
    """Return the folder of a model in the cache, or None.

    Args:
        name: Name of a repository, as for ``Repository``.
    """
    repository, revision = split_name(name)
    config = find_cached_file(repository, "config.json", revision)
    return config.parent if config else None


def split_name(name: str) -> tuple[str, str | None]:
    """Split a name into repository and revision (None where the name has none).

    Raises:
        ModelError: The name is not that of a repository.

    Examples:
        >>> split_name("org/name@v1")
        ('org/name', 'v1')
    """
    repository, at, revision = name.partition("@")
    if not _NAME.fullmatch(repository) or (at and not revision):
        raise ModelError(f"{name!r} names no repository: expected ORGANISATION/NAME or ORGANISATION/NAME@REVISION")
    return repository, revision or None


@contextmanager
def silence_client() -> Iterator[None]:
    """Silence the client's retry messages while the block runs; a failure still raises."""
    logger = getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _explain_failure(error: Exception, name: str, repository: str) -> str:
    """Explain in one sentence why a repository or a file cannot be downloaded, and what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    hub = constants.ENDPOINT
    if isinstance(error, GatedRepoError):
        return f"{name}: its owners ask you to accept terms first: do so at {hub}/{repository}, then {LOGIN}"
    # For whoever is not logged in, the hub does not tell what is missing from what is private.
    if isinstance(error, RepositoryNotFoundError) or http_status(error) == 401:
        return f"{name}: {hub} has no such repository, or it is private: check the name, or {LOGIN}"
    if isinstance(error, RevisionNotFoundError):
        return f"{name}: the repository has no such branch, tag or commit: leave out what follows the @, or correct it"
    if http_status(error) == 403:
        return f"{name}: {describe_hub(error)}: {LOGIN}"
    if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        return (
            f"{name}: the cache {constants.HF_HUB_CACHE} cannot be written to ({error.strerror}): set HF_HOME to a "
            "folder with space"
        )
    return (
        f"{name}: {describe_hub(error)}, and the cache {constants.HF_HUB_CACHE} does not hold the model: try again "
        "with a network, set HF_ENDPOINT to the address of a mirror, or download the model elsewhere and give its "
        f"folder; {_INSTEAD}"
    )


def describe_hub(error: Exception) -> str:
    """Describe the state of the hub after a failed request."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if status := http_status(error):
        return f"{constants.ENDPOINT} answers with error {status}"
    return f"{constants.ENDPOINT} cannot be reached ({reason(error)})"


def http_status(error: Exception) -> int | None:
    """Return the HTTP status of a failed request, or None if the hub gave no answer."""
    return getattr(getattr(error, "response", None), "status_code", None)
