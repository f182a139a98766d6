"""Index runs that are killed at random moments; run by test_killed_runs.py, and imported for its model and files.

One process forks them all, because the imports take longest.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

from clip2point.model import Recogniser
from clip2point.model.settings import Settings

DIM, PIXELS = 16, 32


class PlainBackbone:
    """Towers without weights to load: fixed random projections, and texts by their letters."""

    name, dim, image_size, logit_scale = "plain", DIM, PIXELS, 30.0
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.randn(PIXELS * PIXELS, DIM, generator=generator)

    def encode_depth(self, depth, path="depth"):
        return depth.flatten(2) @ self.weight

    def encode_text(self, texts):
        seeds = [int.from_bytes(text.encode()[-6:], "big") for text in texts]
        return torch.stack([torch.randn(DIM, generator=torch.Generator().manual_seed(seed)) for seed in seeds])

    def state_dict(self):
        return {"weight": self.weight}

    def config(self):
        return {"backbone": self.name, "logit_scale": self.logit_scale}


class PlainModel(Recogniser):
    """A recogniser whose depth maps need no renderer: where points lie, seen along several pairs of axes."""

    def depth_maps(self, points, distances=None):
        maps = torch.ones(len(points), len(self.views), PIXELS * PIXELS)
        cells = ((torch.from_numpy(points) + 1) * (PIXELS / 2 - 0.01)).long()
        for view in range(len(self.views)):
            across, down, away = (0, 1, 2) if view % 2 else (2, 1, 0)
            place = cells[..., across] + PIXELS * (PIXELS - 1 - cells[..., down])
            maps[:, view].scatter_(1, place, cells[..., away] / PIXELS / (1 + view / 10))
        return maps.unflatten(2, (PIXELS, PIXELS))


def make_model(seed=0, name="plain", **settings):
    return PlainModel(PlainBackbone(seed), Settings(**{"points": 64, **settings}), name)


def write_box(path, x, y, z):
    """A box with edges of these lengths."""
    corners = [(x * a, y * b, z * c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    faces = ["3 0 1 3", "3 0 3 2", "3 4 6 7", "3 4 7 5", "3 0 4 5", "3 0 5 1"]
    lines = ["OFF", f"{len(corners)} {len(faces)} 0", *(" ".join(map(str, corner)) for corner in corners), *faces]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def prepare(folder, database):
    """A library of the folder as it was, and then the folder as it is: new, changed, moved, broken and lost files."""
    for number in range(12):
        write_box(folder / f"old_{number}.off", 1 + number, 2, 3)
    index(folder, database)
    (folder / "moved").mkdir()
    for number in range(4):
        (folder / f"old_{number}.off").rename(folder / "moved" / f"{number}.off")
    for number in (4, 5):
        write_box(folder / f"old_{number}.off", 1, 1, 20 + number)
    (folder / "old_6.off").unlink()
    (folder / "old_7.off").write_text("OFF\n3 1 0\n0 0")
    (folder / "copy.off").write_bytes((folder / "old_8.off").read_bytes())
    for number in range(24):
        write_box(folder / "new" / f"{number}.off", 1, 1 + number, 4)


def index(folder, database):
    from clip2point.search import index_plan as planning
    from clip2point.search import indexing
    from clip2point.search.library import Library

    indexing._ENTRIES, indexing._ROWS, indexing._TIDY = 3, 2, 3
    planning._HASHED_AT_ONCE = 8
    model = make_model()
    indexing.index_shapes(Library.open_or_create(database, model), model, [folder])


def contents(database):
    """What a library holds, as JSON types; fails if a path is there twice."""
    from clip2point.search.library import Library, is_library

    if not is_library(Path(database)):
        return {"entries": {}, "failures": []}
    library = Library.open(database)
    rows = [
        {**entry.to_dict(), "indexed_at": "", "vector": entry.vector.round(4).tolist(), "size": len(entry.thumbnail)}
        for entry in library.entries()
    ]
    entries = {row["path"]: row for row in rows}
    assert len(entries) == len(rows)
    return {"entries": entries, "failures": library.failures()}


def index_until(folder, database, method, call):
    """Index, and end as by kill -9 right after the library wrote in that way for the so-manieth time."""
    from clip2point.search.library import Library

    write, calls = getattr(Library, method), []

    def last(library, *arguments):
        write(library, *arguments)
        calls.append(method)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Library, method, last)
    index(folder, database)


def report(database):
    """Say what a library holds."""
    print(json.dumps(contents(database)), flush=True)


def forked(*calls, seconds=None):
    """Make calls in a process of its own, which is killed some seconds after the first; what they said, and how long
    those after the first took.
    """
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.dup2(writer, sys.stdout.fileno())
        os.close(writer)
        status = 1
        try:
            for function, *arguments in calls:
                function(*arguments)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        said = [pipe.readline()]
        began = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        said += pipe.readlines()
    assert os.waitpid(child, 0)[1] in (0, signal.SIGKILL)
    return [json.loads(line) for line in said], time.monotonic() - began


def main(folder, runs):
    shapes, killed, whole = (Path(folder) / name for name in ("shapes", "killed.lance", "whole.lance"))
    forked((prepare, shapes, whole), (report, whole))
    shutil.copytree(whole, killed)
    (_, expected), took = forked((report, whole), (index, shapes, whole), (report, whole))
    # Each run says first what the one before it left.
    held = []
    for method, call in (("put", 2), ("remove", 1), ("put", 3), ("put_failures", 2)):
        held += forked((report, killed), (index_until, shapes, killed, method, call))[0]
    rng = random.Random(0)
    for _ in range(runs):
        held += forked((report, killed), (index, shapes, killed), seconds=rng.uniform(0, 0.4) * took)[0]
    (last, resumed), _ = forked((report, killed), (index, shapes, killed), (report, killed))
    print(json.dumps({"expected": expected, "held": [*held[1:], last], "resumed": resumed}))


if __name__ == "__main__":
    import lancedb  # noqa: F401 - so that the forked processes need not

    main(sys.argv[1], int(sys.argv[2]))
