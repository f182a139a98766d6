"""The application: routes, limits, error answers, and the server that runs it."""

from __future__ import annotations

import functools
import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from clip2point.app import rest
from clip2point.app.api_page import list_calls
from clip2point.app.guard import SecurityHeaders, UploadLimit
from clip2point.app.service import Service
from clip2point.app.uploads import PHOTOS
from clip2point.core.errors import Clip2PointError, DataError, OptionError, ShapeError
from clip2point.core.version import __version__
from clip2point.shapes import list_extensions

#: Names under which a server that only this machine reaches may be called, against DNS rebinding.
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
#: Seconds for running requests when the server is stopped.
_PATIENCE = 2
_STATUS = {OptionError: 400, DataError: 404, ShapeError: 422}


def create_app(service: Service, *, max_upload_mb: int = 100, hosts: Sequence[str] = _LOCAL_NAMES) -> FastAPI:
    """Create the application with the page and the REST endpoint.

    Args:
        service: Service that answers.
        max_upload_mb: Largest size of one request in megabytes.
        hosts: Names under which the server may be called; "*" for any.

    Returns:
        ASGI application.
    """
    app = FastAPI(
        title="clip2point",
        version=__version__,
        description="Names, vectors and search for 3D shapes. Forms go in and JSON comes out; where that is an error, "
        "its field 'error' says in a sentence what is wrong.",
        openapi_url="/api/openapi.json",
        # FastAPI's own pages fetch their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    app.include_router(rest.router)
    app.mount("/static", StaticFiles(packages=[("clip2point.app", "static")]))

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> str:
        return _page(service, max_upload_mb)

    @app.get("/api/docs", response_class=HTMLResponse, include_in_schema=False)
    async def api_page(request: Request) -> str:
        return _api_page(app, str(request.base_url).rstrip("/"))

    # The last is the outermost.
    app.add_middleware(UploadLimit, megabytes=max_upload_mb)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders)
    _answer_errors(app)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: Name or address of this machine.
        port: Port, or 0 for any free one.

    Raises:
        OptionError: The port is not available.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionError(
            f"cannot listen on {host}, port {port} ({reason}): stop what else runs there, or choose another --port"
        ) from error


def is_local(host: str) -> bool:
    """Return True if only this machine can reach a server that listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def list_names(host: str) -> tuple[str, ...]:
    """Return the names under which a server that listens on ``host`` may be called."""
    return _LOCAL_NAMES if is_local(host) else ("*",)


def make_server(app: FastAPI) -> uvicorn.Server:
    """Create a server that logs errors only; ``run(sockets=[...])`` starts it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
    )


def _page(service: Service, max_upload_mb: int) -> str:
    adapted = service.model.adapted
    return _render(
        "page.html",
        version=__version__,
        model=service.model.name,
        own_labels=None if adapted is None else adapted.classes,
        threshold=0.0 if adapted is None else adapted.threshold or 0.0,
        library=service.library,
        extensions=list_extensions(),
        photos=PHOTOS,
        max_upload_mb=max_upload_mb,
    )


def _api_page(app: FastAPI, address: str) -> str:
    schema = app.openapi()
    return _render("api.html", info=schema["info"], calls=list_calls(schema, address))


def _render(template: str, **values: Any) -> str:
    return _templates().get_template(template).render(**values)


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("clip2point.app"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _answer_errors(app: FastAPI) -> None:
    """Answer every error with one sentence in JSON."""

    @app.exception_handler(Clip2PointError)
    def input_error(_: Request, error: Clip2PointError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, _STATUS.get(type(error), 500))

    @app.exception_handler(HTTPException)
    def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def form_error(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return JSONResponse({"error": f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}"}, 422)

    @app.exception_handler(Exception)
    def bug(_: Request, __: Exception) -> JSONResponse:
        # The traceback goes to the server's terminal.
        return JSONResponse({"error": "something went wrong in the server; its terminal says what"}, 500)
