"""Commands of recipes: child processes whose results are read from a pipe."""

from __future__ import annotations

import codecs
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from clip2point.core.errors import DataError
from clip2point.core.safe_path import start_python

#: Exit statuses of a command that has a result: all went well, or some inputs failed.
_DONE = (0, 1)
_INTERRUPTED = 130
#: Lines of messages that an error repeats, at most.
_LAST_LINES = 5
#: Escape sequences of terminals, as in progress bars.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class CommandResult:
    """Result of a command.

    Attributes:
        line: Command line.
        status: Exit status; negative for the number of a signal.
        output: Text on stdout.
        messages: Last lines on stderr.
    """

    line: str
    status: int
    output: str = ""
    messages: tuple[str, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether the command was asked to stop (Ctrl-C, SIGTERM)."""
        return self.status in (_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM)

    def check(self) -> None:
        """Check that the command has a result.

        Raises:
            DataError: If it failed; the message has the command and its last lines.

        Examples:
            >>> CommandResult("clip2point pairs x", 2, messages=("error: x: no such folder",)).check()
            Traceback (most recent call last):
            clip2point.core.errors.DataError: 'clip2point pairs x' failed with status 2: x: no such folder
        """
        if self.status in _DONE:
            return
        errors = [line.removeprefix("error: ") for line in self.messages if line.startswith("error: ")]
        said = errors[-1] if errors else " / ".join(self.messages) or "no message"
        how = f"with status {self.status}" if self.status > 0 else f"by signal {-self.status}"
        raise DataError(f"{self.line!r} failed {how}: {said}")

    def json(self) -> Any:
        """Return the JSON value on stdout.

        Raises:
            DataError: If there is none.

        Examples:
            >>> CommandResult("clip2point evaluate modelnet40 --json", 0, '{"samples": 2468}').json()
            {'samples': 2468}
        """
        try:
            return json.loads(self.output)
        except ValueError as error:
            raise DataError(f"{self.line!r} printed no JSON ({error}): expected the result of a measurement") from None


#: Runs a command, given by its words after "clip2point".
Runner = Callable[[Sequence[str]], CommandResult]


def command_line(words: Sequence[str]) -> str:
    """Return the command line of words after "clip2point".

    Examples:
        >>> command_line(["evaluate", "modelnet40", "--prompts", "a {}"])
        "clip2point evaluate modelnet40 --prompts 'a {}'"
    """
    return shlex.join(["clip2point", *words])


def run_process(words: Sequence[str]) -> CommandResult:
    """Run a command in a process of its own.

    Its messages appear on stderr as they come; so does stdout, unless the command prints JSON. A request to stop
    (Ctrl-C, SIGTERM, SIGHUP) is passed on to the process, which ends in its own time.

    Args:
        words: Words after "clip2point".
    """
    with_json = "--json" in words
    with _forward_signals() as forward_to:
        process = subprocess.Popen(
            start_python("from clip2point.cli.main import main; sys.exit(main())", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if with_json else subprocess.STDOUT,
            env=_environment(),
            # A process group of its own: the terminal's Ctrl-C reaches it once, through this process.
            start_new_session=os.name == "posix",
        )
        forward_to(process)
        output, last = bytearray(), deque[str](maxlen=_LAST_LINES)
        assert process.stdout is not None
        readers = [threading.Thread(target=_relay, args=(process.stderr or process.stdout, last))]
        if with_json:
            readers.append(threading.Thread(target=_collect, args=(process.stdout, output)))
        for reader in readers:
            reader.start()
        status = process.wait()
        for reader in readers:
            reader.join()
    return CommandResult(command_line(words), status, output.decode("utf-8", "replace"), tuple(last))


def _environment() -> dict[str, str]:
    """Return the environment of a child."""
    # Nothing is imported from the working directory, as by the installed program.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if sys.stderr.isatty():
        environment.setdefault("FORCE_COLOR", "1")  # progress bars go through the pipe to a terminal
    return environment


def _collect(stream: IO[bytes], output: bytearray) -> None:
    output += stream.read()


def _relay(stream: IO[bytes], last: deque[str]) -> None:
    """Pass messages on to stderr, and remember the last lines."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    while chunk := os.read(stream.fileno(), 1 << 16):
        text = decoder.decode(chunk)
        sys.stderr.write(text)
        sys.stderr.flush()
        *lines, rest = re.split(r"[\r\n]+", rest + text)
        last.extend(plain for line in lines if (plain := _ESCAPES.sub("", line).strip()))
    if plain := _ESCAPES.sub("", rest).strip():
        last.append(plain)


@contextmanager
def _forward_signals() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Pass requests to stop on to a process, which the caller names to the yielded function."""
    processes: list[subprocess.Popen[bytes]] = []
    requests: list[int] = []

    def forward_to(process: subprocess.Popen[bytes]) -> None:
        processes.append(process)
        for number in requests:  # they came while it was started
            process.send_signal(number)

    def forward(number: int, frame: object) -> None:
        requests.append(number)
        for process in processes:
            process.send_signal(number)

    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield forward_to  # elsewhere a console sends Ctrl-C to all of its processes
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield forward_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
