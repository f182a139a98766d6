import os
import signal
import socket
import sys
import threading
import time
import urllib.request

import pytest

from clip2point.app.server import is_local, listen
from clip2point.cli.main import main
from clip2point.core.errors import OptionError


def test_the_command_serves_until_it_is_interrupted(tiny_clip, capsys):
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    pages = []

    def visit():
        for _ in range(600):
            try:
                pages.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read())
                break
            except OSError:
                time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        assert main(["app", "--model", str(tiny_clip), "--port", str(port), "--no-browser"]) == 0
    finally:
        visitor.join()
    captured = capsys.readouterr()
    assert b"clip2point" in pages[0]
    assert f"http://127.0.0.1:{port}\n" in captured.out
    assert captured.err == ""


def test_a_port_in_use_is_said_before_anything_is_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", "--port", str(port), "--model", "no such model", "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert f"port {port}" in error
    assert "--port" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("no-such-host.invalid", 0)])
def test_addresses_that_cannot_be(host, port):
    with pytest.raises(OptionError, match="cannot listen on"):
        listen(host, port)


def test_who_can_reach_a_host():
    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.2")] == [1, 1, 1, 0, 0]


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "clip2point.app.server", None)
    assert main(["app"]) == 2
    assert "pip install 'clip2point[app]'" in capsys.readouterr().err
