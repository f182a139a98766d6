"""``clip2point app``: the web page and the REST endpoint."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.cli import libraries, options, output
from clip2point.core.errors import OptionError

if TYPE_CHECKING:
    from clip2point.cli.classify import Subparsers
    from clip2point.model import Recogniser
    from clip2point.search import Library


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "app",
        help="serve a web page and a REST endpoint that classify and search shapes",
        description="Serve a web page and a REST endpoint that classify shapes and search a library. Everything runs "
        "on this machine; nothing is fetched from any other.",
    )
    parser.add_argument(
        "--db", type=Path, metavar="DB", help="library to search, made by 'clip2point index'; its model is the default"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: reachable from this machine only)"
    )
    parser.add_argument(
        "--port",
        type=options.natural,
        default=7860,
        metavar="N",
        help="port to listen on (default 7860; 0 for any free one)",
    )
    parser.add_argument(
        "--max-upload-mb",
        type=options.positive,
        default=100,
        metavar="MB",
        help="largest size of a request with all its files, in megabytes (default 100)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    options.add_model(parser)
    parser.set_defaults(model=None, run=run)  # with a library, its model is the default


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    try:
        from clip2point.app.server import create_app, is_local, list_names, listen, make_server
        from clip2point.app.service import Service
    except ImportError as error:
        raise OptionError(f"the page needs {error.name}: pip install 'clip2point[app]'") from error

    with listen(arguments.host, arguments.port) as door:
        service = Service(*_load_model_and_library(arguments))
        app = create_app(service, max_upload_mb=arguments.max_upload_mb, hosts=list_names(arguments.host))
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        address = f"http://{host}:{door.getsockname()[1]}"
        if not is_local(arguments.host):
            output.remark(
                f"warning: others in your network can reach {arguments.host}; there is no password and no encryption"
            )
        print(f"Page:      {address}\nREST API:  {address}/api/docs\nPress Ctrl-C to stop.", flush=True)
        if not arguments.no_browser:
            _open_browser(address)
        with contextlib.suppress(KeyboardInterrupt):
            make_server(app).run(sockets=[door])
    return 0


def _load_model_and_library(arguments: argparse.Namespace) -> tuple[Recogniser, Library | None]:
    """Load the model, and open the library if one is given."""
    if arguments.db is None:
        from clip2point.model import load

        return load(arguments.model or "pocket", device=arguments.device, dtype=arguments.dtype), None
    from clip2point.search import Library

    library = Library.open(arguments.db)
    return libraries.load_model(library, arguments), library


def _open_browser(address: str) -> None:
    """Open the page; the server listens already, so it will get its answer as soon as there is one."""
    import threading
    import webbrowser

    # Some browsers run in the terminal and would not let go of this thread.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
