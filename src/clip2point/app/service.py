"""Answers for many users at once: files are read in parallel, the model answers batch by batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clip2point.app.uploads import COMPANIONS, Upload
from clip2point.app.viewer import to_glb
from clip2point.core.errors import DataError, OptionError, ShapeError
from clip2point.core.labels import check_labels
from clip2point.model import Classification, Failure, Recogniser
from clip2point.shapes import Shape, check_up, list_extensions, load_shape

if TYPE_CHECKING:
    from clip2point.search import Entry, Hit, Library, Query

#: Files read at the same time over all users: enough that a slow one delays nobody, few enough for the memory.
_READERS = 4
#: Shapes answered in one batch before other users have their turn.
_BATCH = 8
#: Most class names or phrases of one request, and most characters of one.
_MOST_WORDS, _LONGEST = 1000, 200
#: Requests after which the cached text features are dropped.
_REMEMBERED_REQUESTS = 1000


class Service:
    """A model, and optionally a library, for many threads.

    Args:
        model: Model that answers.
        library: Library to search, with vectors of this model.
    """

    def __init__(self, model: Recogniser, library: Library | None = None) -> None:
        self.model, self.library = model, library
        self._turn = threading.Lock()
        self._readers = threading.BoundedSemaphore(_READERS)
        self._requests = 0

    def classify(
        self,
        uploads: Sequence[Upload],
        labels: Sequence[str] | None,
        *,
        up: str = "auto",
        top: int = 5,
        unknown_below: float | None = None,
        keep_views: bool = False,
    ) -> list[Classification | Failure]:
        """Classify the shapes among uploads, as ``Recogniser.classify_many`` does.

        Raises:
            OptionError: There is no shape file, or an argument is invalid.
        """
        names = None if labels is None else check_labels(labels)
        _check_words(names or ())
        wanted = _shape_files(uploads)
        answers: list[Classification | Failure] = []
        for start in range(0, len(wanted), _BATCH):
            batch = [self._read(upload, up) for upload in wanted[start : start + _BATCH]]
            shapes = [item for item in batch if isinstance(item, Shape)]
            with self._turn:
                given = self._refresh_model().classify_many(
                    shapes, names, up="auto", top=top, unknown_below=unknown_below, keep_views=keep_views
                )
                named = iter([_as_from_file(answer, up) for answer in given])
            answers += [item if isinstance(item, Failure) else next(named) for item in batch]
        return answers

    def embed(self, uploads: Sequence[Upload], up: str = "auto") -> Iterator[tuple[str, NDArray[np.float32]] | Failure]:
        """Yield name and unit vector [D] of each shape among uploads, or its failure.

        Raises:
            OptionError: There is no shape file, or ``up`` is no axis.
        """
        for upload in _shape_files(uploads):
            shape = self._read(upload, up)
            if isinstance(shape, Failure):
                yield shape
                continue
            try:
                with self._turn:
                    vector = self.model.embed([shape])[0]
            except ShapeError as error:
                yield Failure(upload.name, str(error))
            else:
                yield upload.name, vector

    def glb(self, uploads: Sequence[Upload], up: str) -> bytes:
        """Return the first shape among uploads as GLB.

        Raises:
            ShapeError: The shape cannot be read.
            OptionError: There is no shape file, or ``up`` is no axis.
        """
        return to_glb(self.shapes(_shape_files(uploads)[:1], up)[0])

    def search(self, query: Query, *, top: int = 10, where: str | None = None) -> list[Hit]:
        """Find the best hits in the library, as ``clip2point.search.search`` does.

        Raises:
            DataError: There is no library.
            OptionError: The query is empty or the condition is invalid.
            ShapeError: A shape of the query cannot be read.
        """
        from clip2point.search import search

        library = self._library()
        _check_words((*query.texts, *query.without))
        with self._turn:
            return search(library, self.model, query, top=top, where=where or None)

    def entry(self, path: str) -> Entry:
        """Return the entry of a path.

        Raises:
            DataError: There is no library, or the path is not in it.
        """
        entry = self._library().get(path)
        if entry is None:
            raise DataError(f"{path}: not in the library: expected the path of a hit; search again")
        return entry

    def entry_shape(self, path: str) -> Shape:
        """Read a shape of the library with its up-axis; no other file is ever opened.

        Raises:
            DataError: There is no library, or the path is not in it.
            ShapeError: The file can no longer be read.
        """
        entry = self.entry(path)
        with self._readers:
            return load_shape(entry.path, up=entry.up)

    def shapes(self, uploads: Sequence[Upload], up: str) -> list[Shape]:
        """Read the shapes among uploads; none if there are no uploads.

        Raises:
            ShapeError: A shape cannot be read.
            OptionError: None of the uploads is a shape, or ``up`` is no axis.
        """
        shapes = [self._read(upload, up) for upload in _shape_files(uploads)] if uploads else []
        for shape in shapes:
            if isinstance(shape, Failure):
                raise ShapeError(shape.error)
        return [shape for shape in shapes if isinstance(shape, Shape)]

    def _library(self) -> Library:
        if self.library is None:
            raise DataError("no library to search: start the page with one: clip2point app --db DB")
        return self.library

    def _read(self, upload: Upload, up: str) -> Shape | Failure:
        """Read a shape under the user's name for it, or return its failure."""
        check_up(up, auto=True)
        if upload.path is None:
            extensions = ", ".join(list_extensions())
            return Failure(
                upload.name, f"{upload.name}: unknown extension: expected one of {extensions}, also with .gz"
            )
        with self._readers:
            try:
                return replace(load_shape(upload.path, up=up), source=upload.name)
            except ShapeError as error:
                return Failure(upload.name, str(error).replace(str(upload.path), upload.name))

    def _refresh_model(self) -> Recogniser:
        """Return the model, at intervals without its cached text features, which would grow with every new name."""
        self._requests += 1
        if self._requests % _REMEMBERED_REQUESTS == 0:
            self.model = self.model.with_settings(self.model.settings)
        return self.model


def _shape_files(uploads: Sequence[Upload]) -> list[Upload]:
    """Return the uploads to read as shapes: all but materials, buffers and textures."""
    chosen = [upload for upload in uploads if upload.is_shape or not upload.name.lower().endswith(COMPANIONS)]
    if not chosen:
        raise OptionError(f"no shape file: expected one of {', '.join(list_extensions())}, also with .gz")
    return chosen


def _check_words(words: Sequence[str]) -> None:
    """Raise OptionError if there are too many class names or phrases, or one is too long."""
    if len(words) > _MOST_WORDS:
        raise OptionError(f"{len(words)} names: expected at most {_MOST_WORDS}")
    for word in words:
        if len(word) > _LONGEST:
            raise OptionError(f"the name {word[:20]!r}... has {len(word)} letters: expected at most {_LONGEST}")


def _as_from_file(answer: Classification | Failure, up: str) -> Classification | Failure:
    """Adapt an answer for a shape to the one that the model gives for its file."""
    if isinstance(answer, Classification) and up == "auto" and answer.up_from == "declared":
        return replace(answer, up_from="format")
    return answer
