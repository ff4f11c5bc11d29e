"""What a request leaves behind."""

import asyncio
import gc

import pytest

from accord.middleware.request_context import RequestContextMiddleware
from tests.support.engine import start

NOTES = {"paths": {"/notes": {"get": {"operationId": "list_notes"}}}}


def list_notes():
    return []


async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message):
    pass


@pytest.mark.parametrize("target", ["/notes", "/nowhere", "/notes?no=such"])
def test_requests_leave_nothing_for_the_garbage_collector(target):
    """It takes its time with thousands of circles a second, and everybody waits."""
    app = RequestContextMiddleware(start(NOTES, {"list_notes": list_notes}).app)
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [], "http_version": "1.1", "scheme": "http", "client": ("192.0.2.1", 40_000),
    }  # fmt: skip

    async def left():
        for _ in range(10):
            await app(dict(scope), receive, send)
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                await app(dict(scope), receive, send)
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(left()) == 0
