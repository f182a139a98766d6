"""Mutation testing: change one thing in code that matters, and see whether a test notices.

A seeded sample of small changes (a comparison, an operator, a constant, a dropped statement, argument or dict entry) is
tried on the modules of ``TARGETS``, each against the tests that mirror its module. A change that no test notices is
printed with its line. Changes that alter no result are listed, with the reason, in ``tools/equivalent_mutants.txt``.

    python tools/mutants.py --count 120 --seed 0
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "src" / "clip2point"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
TIMEOUT = 120  # seconds for the tests of one mutant
os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")  # before the libraries are imported

#: Test runs begin as copies of a process that has imported what takes long.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["numba", "numpy", "pytest", "scipy.spatial", "torch", "transformers", "hypothesis"])

#: Modules whose meaning tests have to hold, and the tests of each, beside ``tests/ROOM/test_MODULE.py``.
TARGETS: dict[str, tuple[str, ...]] = {
    "rendering/depth.py": (),
    "rendering/scene.py": ("rendering/test_depth.py", "rendering/test_views.py"),
    "rendering/cameras.py": (),
    "rendering/discs_numba.py": ("rendering/test_depth.py",),
    "rendering/discs_torch.py": ("rendering/test_depth.py",),
    "rendering/pointclip.py": ("rendering/test_depth.py",),
    "rendering/views.py": (),
    "pretraining/losses.py": (),
    "pretraining/module.py": (),
    "pretraining/batches.py": (),
    "pretraining/captions.py": (),
    "training/optimizers.py": (),
    "backbones/pooling.py": (),
    "heads/aggregator.py": ("heads/test_networks.py", "heads/test_dpa.py"),
    "heads/dpa.py": ("heads/test_official.py",),
    "heads/gdpa.py": ("heads/test_networks.py",),
    "heads/inter_view.py": ("heads/test_networks.py",),
    "heads/linear.py": (),
    "heads/tip_adapter.py": (),
    "heads/training_free.py": (),
    "heads/trained.py": ("heads/test_heads.py",),
    "heads/selection.py": (),
    "heads/calibration.py": (),
    "heads/ood.py": (),
    "heads/metrics.py": (),
    "heads/examples.py": (),
    "shapes/normalise.py": (),
    "shapes/orientation.py": (),
    "shapes/sampling.py": (),
    "shapes/augmentation.py": (),
    "data/splits.py": (),
    "data/shots.py": (),
    "data/pairs/pair_files.py": (),
    "data/pairs/shard_index.py": (),
    "pretraining/pairs/pair_rendering.py": (),
    "core/cache.py": (),
    "model/encoding.py": ("features/test_view_features.py",),
    "model/zero_shot.py": (),
    "model/recogniser.py": ("model/test_adapted_folder.py",),
    "adaptation/head_fitting.py": (),
    "adaptation/weight_interpolation.py": (),
    "features/view_features.py": ("evaluation/test_zero_shot_run.py",),
    "features/augmented_views.py": ("features/test_view_features.py",),
    "evaluation/fitting.py": (),
    "search/library.py": (),
    "search/queries.py": (),
    "search/duplicates.py": (),
    "search/retrieval.py": (),
}

_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip

#: Arguments that alter no result on one machine: checks that always hold, a device (tests have a CPU only), messages.
_WITHOUT_RESULT = frozenset({"strict", "exist_ok", "encoding", "device", "non_blocking", "stacklevel", "desc"})


@dataclass(frozen=True)
class Mutant:
    """One changed piece of source.

    Attributes:
        module: Path of the module in the package.
        line: Number of its first line.
        before: Source of the piece.
        after: Changed source.
        start: Offset of the piece in the module's source, in bytes.
        context: Source of the line on which the piece begins.
    """

    module: str
    line: int
    before: str
    after: str
    start: int
    context: str

    @property
    def key(self) -> str:
        """Name under which an equivalent mutant is listed; it does not depend on line numbers."""
        change = f"{' '.join(self.before.split())} -> {' '.join(self.after.split())}"
        return f"{self.module}: {change}  in  {self.context.strip()}"


def find_mutants(module: str) -> list[Mutant]:
    """List all mutants of a module; docstrings, annotations, messages and type checks are left alone."""
    source = (PACKAGE / module).read_text(encoding="utf-8")
    starts, lines = [0], source.splitlines()
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _walk(ast.parse(source)):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        for changed in _change(node):
            before = ast.get_source_segment(source, node) or ""
            after = ast.unparse(changed) if changed is not None else "pass"
            if before and before != after:
                after = f"({after})" if isinstance(changed, ast.expr) else after
                start, context = starts[node.lineno - 1] + node.col_offset, lines[node.lineno - 1]
                found.append(Mutant(module, node.lineno, before, after, start, context))
    return found


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes whose change could alter a result."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            skipped = isinstance(child, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr)
            if not isinstance(child, ast.AST) or skipped or _is_text(child) or _is_without_result(child):
                continue
            yield child
            yield from _walk(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_without_result(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg in _WITHOUT_RESULT


def _change(node: ast.AST) -> Iterator[ast.AST | None]:
    """Yield changed copies of a node; None stands for ``pass`` in place of a statement."""
    if isinstance(node, ast.Expr | ast.AugAssign):
        yield None
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(node.value * 1.5 + 0.01)
    elif isinstance(node, ast.Dict) and len(node.keys) > 1:
        for index in range(len(node.keys)):
            yield ast.Dict(node.keys[:index] + node.keys[index + 1 :], node.values[:index] + node.values[index + 1 :])
    elif isinstance(node, ast.Call):
        for index in [index for index, keyword in enumerate(node.keywords) if not _is_without_result(keyword)]:
            yield ast.Call(node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :])
    else:
        yield from _change_operator(node)


def _change_operator(node: ast.AST) -> Iterator[ast.AST]:
    """Yield copies of a node with another operator."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        yield ast.Compare(node.left, [_COMPARE[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        yield ast.BinOp(node.left, _BINARY[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


class Overlay:
    """A copy of the package made of links, in which one module at a time is replaced.

    Args:
        folder: Folder for the copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, folder / "clip2point", copy_function=os.symlink, ignore=ignored)

    @contextlib.contextmanager
    def replaced(self, mutant: Mutant) -> Iterator[None]:
        """Hold a mutant in place of its module."""
        path, original = self.folder / "clip2point" / mutant.module, PACKAGE / mutant.module
        source, end = original.read_bytes(), mutant.start + len(mutant.before.encode())
        path.unlink()
        path.write_bytes(source[: mutant.start] + mutant.after.encode() + source[end:])
        try:
            yield
        finally:
            path.unlink()
            path.symlink_to(original)

    def passes(self, tests: list[str]) -> bool:
        """Return True if tests pass with the package as it is here."""
        answer, end = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(target=_run_tests, args=(str(self.folder), tests, end))
        process.start()
        assert process.pid
        end.close()
        try:
            return answer.poll(TIMEOUT) and bool(answer.recv())
        except EOFError:  # the tests' process has crashed
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.join()


def _run_tests(folder: str, tests: list[str], answer: Connection) -> None:
    """Run tests on the package in a folder, in a process of their own that begins with the libraries imported."""
    os.setsid()
    os.chdir(REPOSITORY)
    sys.path.insert(0, folder)
    os.environ.update(PYTHONPATH=folder, PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    import pytest

    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
    import clip2point

    if not str(clip2point.__file__).startswith(folder):
        status = pytest.ExitCode.INTERNAL_ERROR
    answer.send(status == pytest.ExitCode.OK)
    os._exit(0)


def find_tests(module: str) -> list[str]:
    """Return the paths of a module's tests, its own first.

    Raises:
        FileNotFoundError: A test file is missing, or the module has none.
    """
    room, _, name = module.rpartition("/")
    own = REPOSITORY / "tests" / re.sub("^data", "data_sets", room) / f"test_{name}"
    others = [REPOSITORY / "tests" / test for test in TARGETS[module]]
    paths = [*([own] if own.exists() else []), *others]
    if missing := [str(path) for path in paths or [own] if not path.exists()]:
        raise FileNotFoundError(f"{module} lacks its tests: {', '.join(missing)}")
    return [str(path.relative_to(REPOSITORY)) for path in dict.fromkeys(paths)]


def draw_sample(count: int, seed: int, equivalent: frozenset[str]) -> list[Mutant]:
    """Draw mutants, as evenly over the modules as they allow."""
    rng = random.Random(seed)
    pools = []
    for module in TARGETS:
        pool = [mutant for mutant in find_mutants(module) if mutant.key not in equivalent]
        rng.shuffle(pool)
        pools.append(pool)
    sample: list[Mutant] = []
    while len(sample) < count and any(pools):
        for pool in pools:
            if pool and len(sample) < count:
                sample.append(pool.pop())
    return sample


def read_equivalent() -> frozenset[str]:
    """Read the keys of mutants that alter no result; a line that begins with # gives the reason of those below."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def main() -> int:
    """Try a sample of mutants, print those that survive, and fail if too many do."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=120, help="number of mutants (default 120)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default 0)")
    parser.add_argument("--jobs", type=int, default=2, help="test runs at a time (default 2)")
    parser.add_argument("--least", type=float, default=0.9, help="least fraction to be killed (default 0.9)")
    parser.add_argument("--only", default="", help="modules whose path contains this")
    arguments = parser.parse_args()
    for module in [module for module in TARGETS if arguments.only not in module]:
        del TARGETS[module]
    sample = draw_sample(arguments.count, arguments.seed, read_equivalent())
    begin, survivors = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(arguments.jobs) as pool:
        overlays: Queue[Overlay] = Queue()
        for number in range(arguments.jobs):
            overlays.put(Overlay(Path(temporary) / str(number)))

        def passes(test: str) -> bool:
            overlay = overlays.get()
            try:
                return overlay.passes([test])
            finally:
                overlays.put(overlay)

        def survives(mutant: Mutant) -> bool:
            overlay = overlays.get()
            try:
                with overlay.replaced(mutant):
                    return overlay.passes(find_tests(mutant.module))
            finally:
                overlays.put(overlay)

        tests = sorted({test for mutant in sample for test in find_tests(mutant.module)})
        if failing := [test for test, good in zip(tests, pool.map(passes, tests), strict=True) if not good]:
            print(f"fail without any change: {' '.join(failing)}")
            return 2
        results = pool.map(survives, sample)
        for number, (mutant, alive) in enumerate(zip(sample, results, strict=True), 1):
            if alive:
                survivors.append(mutant)
                print(f"alive  line {mutant.line}  {mutant.key}", flush=True)
            print(f"\r{number}/{len(sample)}", end="", file=sys.stderr, flush=True)
    killed = 1 - len(survivors) / len(sample)
    print(f"\n{len(sample)} mutants, {killed:.1%} killed, {time.perf_counter() - begin:.0f} s")
    return 0 if killed >= arguments.least else 1


if __name__ == "__main__":
    sys.exit(main())
