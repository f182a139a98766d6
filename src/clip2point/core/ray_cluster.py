"""Ray clusters: a connection to one, and a function mapped over rows on it.

Needs the extra: ``pip install 'clip2point[ray]'``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from clip2point.core.errors import DataError, OptionError, reason
from clip2point.core.machine import available_cores

#: The address that stands for a cluster of this machine alone, which lives as long as the run.
LOCAL = "local"


@contextmanager
def connection(address: str, workers: int | None) -> Iterator[None]:
    """A connection to a cluster for as long as the block runs, or the one that the program has.

    Args:
        address: of its head, "auto", or ``LOCAL``.
        workers: processes of a local one; as many as there are cores if not given.

    Raises:
        OptionError: if Ray is not installed, or there is no cluster.
    """
    # Ray reads these when it starts; errors reach the user as ours and need no second telling.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    try:
        import ray
        import ray.data
    except ImportError:
        raise OptionError("Ray Data is not installed: run pip install 'clip2point[ray]'") from None
    if ray.is_initialized():
        yield
        return
    own: dict[str, Any] = (
        {"num_cpus": workers or available_cores(), "include_dashboard": False} if address == LOCAL else {}
    )
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="error", **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise OptionError(
            f"no Ray cluster at {address} ({reason(error)}): expected HOST:PORT of its head, 'auto' for the one that "
            f"this machine belongs to, or '{LOCAL}'; 'ray start' begins one"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError or ValueError if nobody listens at an address: Ray itself would wait for minutes."""
    if address not in (LOCAL, "auto"):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


def mapped(
    function: Callable[[dict[str, Any]], dict[str, Any]], rows: list[dict[str, Any]], workers: int | None
) -> Generator[dict[str, Any], None, None]:
    """What a function makes of each row on the machines of the cluster, in the order of their ends.

    Args:
        function: takes one core.
        rows: at least one; each is a task of its own.
        workers: tasks at a time; as many as there are cores if not given.

    Raises:
        DataError: if Ray gives up.
    """
    import ray
    from ray.exceptions import RayError

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    made = dataset.map(function, compute=ray.data.TaskPoolStrategy(workers), num_cpus=1)
    try:
        yield from made.iter_rows()
    except RayError as error:
        why = str(error).strip().splitlines()[-1]  # above it are traces
        raise DataError(f"Ray gave up ({why}): run the same again to go on with what remains") from None
