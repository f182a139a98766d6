"""Child processes that import nothing from the current folder, whatever lies there.

Python starts a child of multiprocessing by a command that looks for modules in the current folder first, and so runs a
``pickle.py`` or ``numpy.py`` that came with somebody's data. The option -I keeps it from that on every version of
Python; the packages of this process are found by the path that it sends along.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import process, spawn, util
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

_patching = threading.Lock()


def spawn_safely() -> SpawnContext:
    """Return a context of multiprocessing whose processes are spawned without the current folder.

    Processes are spawned and not forked: the threads of numba and torch do not survive a fork.
    """
    if os.name == "posix":  # semaphores of any context start the tracker, which is an interpreter, too
        from multiprocessing import resource_tracker

        with _isolate():
            resource_tracker.ensure_running()
    return _SafeContext()


class _SafeProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - the name that multiprocessing calls
        with _isolate():
            return SpawnProcess._Popen(process_obj)


class _SafeContext(SpawnContext):
    Process = _SafeProcess


@contextmanager
def _isolate() -> Iterator[None]:
    """Start interpreters with -I, the resource tracker's too, and leave the current folder out of the path sent."""
    flags, prepare = util._args_from_interpreter_flags, spawn.get_preparation_data  # type: ignore[attr-defined]

    def leave_out(name: str) -> dict[str, Any]:
        found: dict[str, Any] = prepare(name)
        if "" in sys.path:  # an interactive session, or a program given by -c
            current = {os.getcwd(), process.ORIGINAL_DIR} - set(sys.path)  # type: ignore[attr-defined]  # noqa: PTH109
            found["sys_path"] = [entry for entry in found["sys_path"] if entry and entry not in current]
        return found

    with _patching:
        util._args_from_interpreter_flags = lambda: [*flags(), "-I"]  # type: ignore[attr-defined]
        spawn.get_preparation_data = leave_out
        try:
            yield
        finally:
            util._args_from_interpreter_flags = flags  # type: ignore[attr-defined]
            spawn.get_preparation_data = prepare


def start_python(code: str, *words: str) -> list[str]:
    """Return the command line of an interpreter that looks for modules neither in the current folder nor in a script's.

    Args:
        code: Code to run.
        words: Arguments, in ``sys.argv`` from 1.
    """
    return [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {list_safe_path()!r}; {code}", *words]


def list_safe_path() -> list[str]:
    """Return where this process finds modules, without the current directory and the folder of its script.

    The folder of this package comes last where it is one of these.
    """
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    unsafe = {Path.cwd(), *([Path(main_file).resolve().parent] if main_file else [])}
    paths = [path for path in sys.path if Path(path).is_absolute() and Path(path).resolve() not in unsafe]
    own = str(Path(__file__).resolve().parents[2])
    return paths if own in map(os.path.realpath, paths) else [*paths, own]
