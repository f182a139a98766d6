"""Files into entries: reading in worker processes, embedding in batches; the same here and on a cluster."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from clip2point.core.errors import Clip2PointError, reason
from clip2point.core.workers import map_in_order
from clip2point.search.entry import Entry, Float32
from clip2point.shapes import Shape, load_shape, prepare_points
from clip2point.shapes.contents import hash_content
from clip2point.shapes.isolation import isolate_object

if TYPE_CHECKING:
    from clip2point.model import Classification, Recogniser

#: Largest number of labels of an entry.
TOP = 5

#: Thumbnails: side of a view in pixels, rows, most bytes, and the WebP qualities tried for them.
_TILE, _ROWS, _BYTES, _QUALITIES = 96, 2, 10_000, (60, 40, 20)


@dataclass(frozen=True)
class Job:
    """A file to embed.

    Attributes:
        path: Absolute path.
        hash: Content hash, as of ``hash_content``.
        up: Up-axis, or "auto".
        seed: Seed of the point sampling.
    """

    path: str
    hash: str
    up: str = "auto"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Sampled:
    """Sampled points of a file.

    Attributes:
        job: File and its settings.
        cloud: [N, 3] float32 points in the unit sphere, in the file's own axes.
        up: Up-axis, or "auto".
        facts: Fields of its entry that are known before embedding.
    """

    job: Job
    cloud: Float32
    up: str
    facts: Entry


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read.

    Attributes:
        path: Absolute path.
        hash: Hash of the faulty content; "" if another attempt may succeed.
        error: Error message, beginning with the path.
    """

    path: str
    hash: str
    error: str


def embed_files(
    model: Recogniser, jobs: Iterable[Job], labels: Sequence[str], workers: int = 0
) -> Iterator[Entry | Unreadable]:
    """Embed files as a stream.

    Args:
        model: Model without a head.
        jobs: Files, of which only a few are taken ahead of the results.
        labels: Vocabulary of the labels.
        workers: Processes that read files while the towers embed here; 0 to read in this process. A file that crashes
            its worker is a failure like any other.

    Yields:
        Entry (with an empty ``root``) or failure of each file, in order.
    """
    read = partial(read_sampled, points=model.settings.points)
    if workers:
        with closing(map_in_order(read, jobs, workers, report_crash)) as outcomes:
            yield from embed_sampled(model, outcomes, labels)
    else:
        yield from embed_sampled(model, map(read, jobs), labels)


def read_sampled(job: Job, points: int) -> Sampled | Unreadable:
    """Read a file and sample its points; a broken file is returned as such, not raised."""
    try:
        outcome: Sampled | Unreadable = _read(job, points)
    except Clip2PointError as error:
        said = str(error)
        outcome = Unreadable(job.path, job.hash, said if said.startswith(job.path) else f"{job.path}: {said}")
    except Exception as error:  # one odd file among thousands must not end a run of hours
        why = f"{type(error).__name__} ({reason(error)}) while it was read"
        outcome = Unreadable(job.path, job.hash, f"{job.path}: {why}")
    if job.hash and hash_content(job.path) != job.hash:
        return Unreadable(job.path, "", f"{job.path}: changed while it was read: run the same again")
    return outcome


def report_crash(job: Job) -> Unreadable:
    """Return the failure of a file that ended its worker process."""
    why = "ended the process that read it (out of memory, or a crash): expected a smaller or an undamaged shape"
    return Unreadable(job.path, job.hash, f"{job.path}: {why}")


def embed_sampled(
    model: Recogniser, outcomes: Iterable[Sampled | Unreadable], labels: Sequence[str]
) -> Iterator[Entry | Unreadable]:
    """Embed sampled points in batches that suit the towers; failures pass through."""
    from clip2point.backbones import shapes_per_batch
    from clip2point.model import Failure

    size, remaining = shapes_per_batch(len(model.views)), iter(outcomes)
    while batch := list(islice(remaining, size)):
        sampled = [outcome for outcome in batch if isinstance(outcome, Sampled)]
        shapes = [Shape(each.cloud, source=each.job.path, up=each.up) for each in sampled]
        answers = zip(
            sampled, model.classify_many(shapes, labels, prepare="none", top=TOP, keep_views=True), strict=True
        )
        for outcome in batch:
            if isinstance(outcome, Unreadable):
                yield outcome
                continue
            _, answer = next(answers)
            if isinstance(answer, Failure):
                yield Unreadable(outcome.job.path, outcome.job.hash, answer.error)
            else:
                yield _entry(outcome, answer)


def encode_thumbnail(depth: Float32) -> bytes:
    """Encode depth maps [V, S, S] in [0, 1] as a WebP image of two rows; six views take less than 10 kB."""
    from PIL import Image

    from clip2point.rendering.image_files import to_pixels

    columns = -(-len(depth) // _ROWS)
    sheet = Image.new("L", (columns * _TILE, min(len(depth), _ROWS) * _TILE))
    for number, view in enumerate(to_pixels(depth)):
        tile = Image.fromarray(view).resize((_TILE, _TILE), Image.Resampling.BOX)
        sheet.paste(tile, (number % columns * _TILE, number // columns * _TILE))
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality)
        if buffer.tell() < _BYTES:
            break
    return buffer.getvalue()


def _read(job: Job, points: int) -> Sampled:
    shape = isolate_object(load_shape(job.path, up=job.up))
    cloud = prepare_points(shape, points, job.seed, up="y")  # turned later, once for each up-axis that is tried
    mesh = shape.mesh
    extent = np.ptp(shape.points, axis=0).tolist()
    x, y, z = (float(f"{length:.6g}") for length in extent)  # float32 has no more digits
    facts = Entry(
        path=job.path,
        hash=job.hash,
        bytes=os.stat(job.path).st_size,  # noqa: PTH116
        vertices=0 if mesh is None else len(mesh.vertices),
        faces=0 if mesh is None else len(mesh.faces),
        points=len(shape.points) if mesh is None else 0,
        extent=(x, y, z),
        up_from="declared" if job.up != "auto" else "guessed" if shape.up == "auto" else "format",
    )
    return Sampled(job, cloud, shape.up, facts)


def _entry(sampled: Sampled, answer: Classification) -> Entry:
    assert answer.vector is not None
    assert answer.depth is not None
    return replace(
        sampled.facts,
        vector=answer.vector,
        labels=tuple(guess.label for guess in answer.guesses),
        label_scores=tuple(round(guess.confidence, 6) for guess in answer.guesses),
        up=answer.up,
        thumbnail=encode_thumbnail(answer.depth),
        indexed_at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
