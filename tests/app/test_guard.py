import asyncio

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from clip2point.app.guard import SecurityHeaders, UploadLimit


async def length(request: Request):
    return PlainTextResponse(str(len(await request.body())))


GUARDED = UploadLimit(Starlette(routes=[Route("/", length, methods=["POST"])]), megabytes=1)


def call(headers, chunks):
    """Post to GUARDED; returns the status and how many chunks were read."""
    sent, waiting = [], list(chunks)

    async def receive():
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    asyncio.run(GUARDED(scope, receive, send))
    return sent[0]["status"], len(chunks) - len(waiting)


def test_a_request_that_announces_too_much_is_refused_before_it_is_read():
    assert call([(b"content-length", b"1000001")], [b"x"]) == (413, 0)
    assert call([(b"content-length", b"-5")], [b"x"]) == (413, 0)


def test_a_request_that_announces_nothing_is_refused_when_it_has_become_too_much():
    assert call([], [b"x" * 400_000] * 10) == (413, 3)


def test_smaller_requests_pass():
    assert call([(b"content-length", b"1000000")], [b"x" * 500_000] * 2) == (200, 2)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/api/docs", "/static/page.js", "/nothing"])
def test_every_answer_tells_the_browser_to_stay_here(app, path):
    client = TestClient(app, base_url="http://127.0.0.1")
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_headers_are_left_out_where_there_is_no_http():
    seen = []

    async def inner(scope, receive, send):
        seen.append(send)

    asyncio.run(SecurityHeaders(inner)({"type": "lifespan"}, None, "send"))
    assert seen == ["send"]
