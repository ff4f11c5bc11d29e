"""What every answer says to browsers, and says once."""

import pytest

from accord.middleware.request_context import RequestContextMiddleware
from accord.middleware.security_headers import SECURITY_HEADERS
from tests.support.engine import Engine, start
from tests.support.operations import OPERATIONS, each
from tests.support.wire import request

NAMES = {name.decode() for name, _ in SECURITY_HEADERS} | {"x-request-id", "date"}
PAGES = [
    "/docs",
    "/problems",
    "/portal/docs.js",
    "/docs/swagger-ui/js/swagger-ui-bundle.js",
    "/docs/nowhere",
    "/nowhere",
]


def assert_guarded(answer):
    names = [name for name, _ in answer.headers]
    assert all(names.count(name) == 1 for name in NAMES), names
    assert set(names) >= NAMES
    assert "strict-transport-security" not in names
    assert "'none'" in answer.header("content-security-policy")
    assert "frame-ancestors 'none'" in answer.header("content-security-policy")


@each(OPERATIONS)
def test_every_operation_answers_with_each_security_header_once(shop, operation):
    # Somebody who ends all sessions ends that of other tests, too.
    lines = [shop.authorization] if operation.method == "GET" else []
    assert_guarded(shop.exchange(operation.method, operation.unknown(), *lines))


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/openapi.json", "/api/products?version=9", "/health/live"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_every_page_does_so_too(shop, path, method):
    assert_guarded(shop.exchange(method, path))


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", request("GET", "/" + "x" * 9_000), request("GET", "/", host=False)]
)
def test_what_is_refused_before_it_is_read_does_so_too(wire, sent):
    wire.tell(sent)
    answer = wire.answer()
    assert_guarded(answer)
    assert answer.header("x-request-id") == answer.json["request_id"]


def list_notes():
    return []


def test_answer_over_tls_asks_for_tls_from_now_on():
    engine = start({"paths": {"/notes": {"get": {"operationId": "list_notes"}}}}, {"list_notes": list_notes})
    answering = RequestContextMiddleware(engine.app)

    async def over_tls(scope, receive, send):
        await answering({**scope, "scheme": "https"}, receive, send)

    over = "strict-transport-security"
    assert Engine(over_tls).get("/notes").header(over) == "max-age=31536000"
    assert Engine(answering).get("/notes").header(over) is None
