"""Answers for many users at once: files are read side by side, the model answers one batch after the other."""

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
from clip2point.shapes import Shape, check_up, load_shape, supported_extensions

if TYPE_CHECKING:
    from clip2point.search import Entry, Hit, Library, Query

#: Files that are read at the same time, whoever sent them: enough that a slow one holds nobody up, few enough for
#: the memory.
_READERS = 4
#: Shapes that are answered in one go before other users have their turn.
_BATCH = 8
#: Most class names or phrases of one request, and most letters of one.
_MOST_WORDS, _LONGEST = 1000, 200
#: The model remembers the features of every list of names; after so many requests it starts afresh.
_REMEMBERED_REQUESTS = 1000


class Service:
    """A model, and perhaps a library, for many threads.

    Args:
        model: that answers.
        library: to search in; its vectors must be this model's.
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
        """Name the shapes among uploads; see ``Recogniser.classify_many``.

        Raises:
            OptionError: if there is no shape file, or an argument makes no sense.
        """
        names = None if labels is None else check_labels(labels)
        _check_words(names or ())
        wanted = _shape_files(uploads)
        answers: list[Classification | Failure] = []
        for start in range(0, len(wanted), _BATCH):
            batch = [self._read(upload, up) for upload in wanted[start : start + _BATCH]]
            shapes = [item for item in batch if isinstance(item, Shape)]
            with self._turn:
                given = self._model_of_the_day().classify_many(
                    shapes, names, up="auto", top=top, unknown_below=unknown_below, keep_views=keep_views
                )
                named = iter([_as_from_file(answer, up) for answer in given])
            answers += [item if isinstance(item, Failure) else next(named) for item in batch]
        return answers

    def embed(self, uploads: Sequence[Upload], up: str = "auto") -> Iterator[tuple[str, NDArray[np.float32]] | Failure]:
        """The name and the unit vector [D] of each shape among uploads, or what is wrong with it.

        Raises:
            OptionError: if there is no shape file, or ``up`` is no axis.
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
        """The first shape among uploads, for viewing.

        Raises:
            ShapeError: if it cannot be read.
            OptionError: if there is no shape file, or ``up`` is no axis.
        """
        return to_glb(self.shapes(_shape_files(uploads)[:1], up)[0])

    def search(self, query: Query, *, top: int = 10, where: str | None = None) -> list[Hit]:
        """The shapes of the library that fit best; see ``clip2point.search.search``.

        Raises:
            DataError: if there is no library.
            OptionError: if the query is empty or the condition makes no sense.
            ShapeError: if a shape of the query cannot be read.
        """
        from clip2point.search import search

        library = self._library()
        _check_words((*query.texts, *query.without))
        with self._turn:
            return search(library, self.model, query, top=top, where=where or None)

    def entry(self, path: str) -> Entry:
        """What the library holds about a path.

        Raises:
            DataError: if there is no library, or the path is not in it.
        """
        entry = self._library().get(path)
        if entry is None:
            raise DataError(f"{path}: not in the library: expected the path of a hit; search again")
        return entry

    def entry_shape(self, path: str) -> Shape:
        """A shape of the library, upright in its own way; no other file is ever opened.

        Raises:
            DataError: if there is no library, or the path is not in it.
            ShapeError: if the file cannot be read any more.
        """
        entry = self.entry(path)
        with self._readers:
            return load_shape(entry.path, up=entry.up)

    def shapes(self, uploads: Sequence[Upload], up: str) -> list[Shape]:
        """The shapes among uploads; none if there are no uploads.

        Raises:
            ShapeError: if one cannot be read.
            OptionError: if none of the uploads is a shape, or ``up`` is no axis.
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
        """A shape with the name that the user knows, or what is wrong with it in the same terms."""
        check_up(up, auto=True)
        if upload.path is None:
            extensions = ", ".join(supported_extensions())
            return Failure(
                upload.name, f"{upload.name}: unknown extension: expected one of {extensions}, also with .gz"
            )
        with self._readers:
            try:
                return replace(load_shape(upload.path, up=up), source=upload.name)
            except ShapeError as error:
                return Failure(upload.name, str(error).replace(str(upload.path), upload.name))

    def _model_of_the_day(self) -> Recogniser:
        """The model, now and then without what it remembers: users make up names without end."""
        self._requests += 1
        if self._requests % _REMEMBERED_REQUESTS == 0:
            self.model = self.model.with_settings(self.model.settings)
        return self.model


def _shape_files(uploads: Sequence[Upload]) -> list[Upload]:
    """Those that are to be read as shapes: all but materials, buffers and textures."""
    chosen = [upload for upload in uploads if upload.is_shape or not upload.name.lower().endswith(COMPANIONS)]
    if not chosen:
        raise OptionError(f"no shape file: expected one of {', '.join(supported_extensions())}, also with .gz")
    return chosen


def _check_words(words: Sequence[str]) -> None:
    """Raise OptionError if there are too many class names or phrases, or one is too long."""
    if len(words) > _MOST_WORDS:
        raise OptionError(f"{len(words)} names: expected at most {_MOST_WORDS}")
    for word in words:
        if len(word) > _LONGEST:
            raise OptionError(f"the name {word[:20]!r}... has {len(word)} letters: expected at most {_LONGEST}")


def _as_from_file(answer: Classification | Failure, up: str) -> Classification | Failure:
    """An answer for a shape that was read here, as the model would have given it for the file."""
    if isinstance(answer, Classification) and up == "auto" and answer.up_from == "declared":
        return replace(answer, up_from="format")
    return answer
