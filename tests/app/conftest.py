"""The embedded model, a small library and the application around them, made once."""

import socket

import pytest

import clip2point
from clip2point.shapes.demo_shapes import write_demo_shapes

NAMES = ("chair", "table", "lamp")


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    """Nothing in these tests, the server included, may connect to another machine."""
    connect = socket.socket.connect

    def checked(self, address):
        assert not isinstance(address, tuple) or address[0] in ("127.0.0.1", "localhost", "::1"), address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)


@pytest.fixture(scope="session")
def pocket():
    return clip2point.load("pocket")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A folder with a chair, a table and a lamp, y up."""
    folder = tmp_path_factory.mktemp("shapes")
    write_demo_shapes(folder, NAMES)
    return folder


@pytest.fixture(scope="session")
def library(pocket, shapes, tmp_path_factory):
    from clip2point.search import Library, index_shapes

    library = Library.create(tmp_path_factory.mktemp("library") / "db", pocket)
    index_shapes(library, pocket, [shapes], labels=NAMES)
    return library


@pytest.fixture(scope="session")
def app(pocket, library):
    """The application, which takes at most 2 MB."""
    from clip2point.app.server import create_app
    from clip2point.app.service import Service

    return create_app(Service(pocket, library), max_upload_mb=2)
