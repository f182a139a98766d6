"""Ray clusters: a connection, and a function mapped over rows.

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
def connect(address: str, workers: int | None) -> Iterator[None]:
    """Connect to a cluster while the block runs, or use the connection that the program has already.

    Args:
        address: Address of the head (HOST:PORT), "auto", or ``LOCAL``.
        workers: Processes of a local cluster; None for one per core.

    Raises:
        OptionError: Ray is not installed, or there is no cluster.
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
        _check_reachable(address)
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


def _check_reachable(address: str) -> None:
    """Raise OSError or ValueError if nothing listens at an address: Ray itself would wait for minutes."""
    if address not in (LOCAL, "auto"):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


def map_rows(
    function: Callable[[dict[str, Any]], dict[str, Any]], rows: list[dict[str, Any]], workers: int | None
) -> Generator[dict[str, Any], None, None]:
    """Call a function for each row on the machines of the cluster.

    Args:
        function: Function of one row; each call occupies one core.
        rows: One or more rows; each is a task of its own.
        workers: Number of tasks at a time; None for as many as the cluster has cores.

    Yields:
        Result of each row, in the order of completion.

    Raises:
        DataError: Ray gave up.
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
        raise DataError(f"Ray gave up ({why}): run the same command again to continue") from None
