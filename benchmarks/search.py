"""How fast a library is searched, and how much its index finds of what an exact search finds.

    python benchmarks/search.py --entries 100000 1000000

Vectors are synthetic: unit vectors in clusters of about 200, each with a thumbnail's worth of bytes; queries are other
vectors of the same clusters. Times are of ``Library.nearest``, whole entries included, after a
warm-up. The time of the processors, which does not depend on what else they do, is given beside that of the clock.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import clip2point
from clip2point.cli.output import print_table
from clip2point.search import Entry, Library

CLUSTER, NOISE, THUMBNAIL, BLOCK, WARM_UP = 200, 0.04, 5000, 20_000, 10


def main() -> None:
    """Measure libraries of some sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[10_000, 100_000], metavar="N", help="sizes")
    parser.add_argument("--queries", type=int, default=100, help="of which times and recall are taken (default 100)")
    parser.add_argument("--top", type=int, default=10, help="hits of a query (default 10)")
    parser.add_argument("--folder", type=Path, help="for the libraries (default: a temporary one)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        rows = [measure(folder / str(size), size, arguments.queries, arguments.top) for size in arguments.entries]
    finally:
        shutil.rmtree(folder)
    recall = f"recall@{arguments.top}"
    columns = ("entries", "write s", "index s", "index CPU s", "median ms", "95 % ms", "CPU ms", recall, "disk MB")
    print_table(columns, rows, right=columns)


def measure(path: Path, size: int, queries: int, top: int) -> tuple[str, ...]:
    """One row of the table."""
    library = Library.create(path, clip2point.load("pocket"))
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(max(1, size // CLUSTER), library.dim)))
    began = time.perf_counter()
    wanted = draw(centres, queries + WARM_UP, np.random.default_rng(1))
    best = np.empty((len(wanted), 0)), np.empty((len(wanted), 0), int)
    for start, vectors in blocks(centres, size, rng):
        library.put([entry(start + row, vector) for row, vector in enumerate(vectors)])
        best = merged(best, wanted @ vectors.T, start, top)
    written = time.perf_counter()
    used = time.process_time()
    library.tidy()
    built, used = time.perf_counter() - written, time.process_time() - used
    times, processor, found = search(library, wanted, best[1], top)
    size_on_disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return (
        f"{size:,}",
        f"{written - began:.0f}",
        f"{built:.0f}",
        f"{used:.0f}",
        f"{statistics.median(times) * 1e3:.1f}",
        f"{float(np.percentile(times, 95)) * 1e3:.1f}",
        f"{processor * 1e3:.1f}",
        f"{found:.3f}",
        f"{size_on_disk / 1e6:,.0f}",
    )


def search(library: Library, wanted: np.ndarray, truth: np.ndarray, top: int) -> tuple[list[float], float, float]:
    """Seconds of each query, mean seconds of the processors, and the share of the truth [Q, top] that was found."""
    for query in wanted[:WARM_UP]:
        library.nearest(query, top)
    times, shares = [], []
    used = time.process_time()
    for query, rows in zip(wanted[WARM_UP:], truth[WARM_UP:], strict=True):
        began = time.perf_counter()
        hits = library.nearest(query, top)
        times.append(time.perf_counter() - began)
        shares.append(len({int(entry.path[1:-4]) for entry, _ in hits} & set(rows.tolist())) / top)
    return times, (time.process_time() - used) / len(times), statistics.mean(shares)


def entry(number: int, vector: np.ndarray) -> Entry:
    """An entry that looks like others."""
    return Entry(path=f"/{number:08d}.off", vector=vector, labels=("chair", "table"), thumbnail=bytes(THUMBNAIL))


def blocks(centres: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """The vectors of a library in parts, each with the number of its first."""
    for start in range(0, size, BLOCK):
        yield start, draw(centres, min(BLOCK, size - start), rng)


def draw(centres: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors [count, D] about some of the centres."""
    chosen = centres[rng.integers(len(centres), size=count)]
    return unit(chosen + NOISE * rng.normal(size=chosen.shape))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors as float32 of length 1."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def merged(
    best: tuple[np.ndarray, np.ndarray], cosines: np.ndarray, start: int, top: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best cosines and their numbers so far, with those of one more part."""
    scores = np.concatenate([best[0], cosines], axis=1)
    numbers = np.concatenate([best[1], np.broadcast_to(np.arange(cosines.shape[1]) + start, cosines.shape)], axis=1)
    order = np.argsort(-scores, axis=1)[:, :top]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(numbers, order, 1)


if __name__ == "__main__":
    main()
