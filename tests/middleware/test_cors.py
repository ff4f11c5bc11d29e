"""Pages of other origins: which of them may call the API, and what their scripts may send and see."""

import ast
import re

import pytest

from accord.engine.headers import REQUEST_HEADERS
from accord.middleware.cors import EXPOSED_HEADERS, CorsMiddleware
from tests.support.engine import Engine, start
from tests.support.operations import OPERATIONS, each
from tests.support.server import ROOT

ORIGIN = "https://shop.example"
ALWAYS_SEEN = {"Cache-Control", "Content-Language", "Content-Length", "Content-Type", "Expires", "Last-Modified"}
"""Headers of answers that scripts see without being allowed to (the Fetch standard, section 2.2.2)."""


@pytest.fixture(scope="module")
def open_shop(start):
    """A service whose operator lets two origins in."""
    return start("sqlite", ACCORD_CORS_ORIGINS=f"{ORIGIN},http://localhost:3000")


@pytest.fixture
def preflight(open_shop):
    """Ask on behalf of a page whether it may send a request."""

    def preflight(path, method, origin=ORIGIN):
        lines = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}"]
        return open_shop.exchange("OPTIONS", path, *lines, "Access-Control-Request-Headers: authorization")

    return preflight


def cors(answer):
    return {name.removeprefix("access-control-"): value for name, value in answer.headers if "access-control" in name}


def names(text):
    return set(text.split(", "))


def vary(answer):
    return {name for header, value in answer.headers if header == "vary" for name in names(value)}


def taken(operation):
    """The headers that an operation takes, as its contract has it."""
    schemes = operation.document.raw["components"]["securitySchemes"]
    yield from operation.names("header")
    yield from (
        schemes[name].get("name", "Authorization") for alternative in operation.security for name in alternative
    )
    yield from ["Content-Type"] if "requestBody" in operation.spec else []


@each(OPERATIONS)
def test_preflight_has_the_methods_and_headers_of_the_path_and_of_every_path(preflight, operation):
    beside = [other for other in OPERATIONS if other.path == operation.path]
    methods = {other.method for other in beside}
    answer = preflight(operation.unknown(), operation.method)
    allowed = cors(answer)
    assert answer.status == 204
    assert names(allowed.pop("allow-methods")) == methods | ({"HEAD"} if "GET" in methods else set())
    headers = {header for other in beside for header in taken(other)}
    assert names(allowed.pop("allow-headers")) == headers | set(REQUEST_HEADERS)
    assert allowed == {"allow-origin": ORIGIN, "max-age": "3600"}
    assert vary(answer) == {"Origin", "Access-Control-Request-Method"}


def test_path_without_a_version_has_what_the_one_with_its_version_has(preflight):
    with_version, without = (cors(preflight(path, "GET")) for path in ("/api/v1/tags", "/api/tags"))
    assert with_version == without


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/docs", "/problems", "/portal/docs.css"])
def test_page_and_published_contract_take_what_every_path_takes(preflight, path):
    allowed = cors(preflight(path, "GET"))
    assert names(allowed["allow-headers"]) == set(REQUEST_HEADERS)
    assert names(allowed["allow-methods"]) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere"])
def test_nothing_may_be_sent_to_what_is_not_there(preflight, path):
    assert cors(preflight(path, "GET")) == {"allow-origin": ORIGIN}


READ_FROM_PARTS = {"content-transfer-encoding", "form-data"}
"""Header and type of a part of a form, which no preflight allows."""
READ_FROM_RESPONSES = {"content-disposition", "etag", "last-modified", "vary", "location", "link", "accept-ranges"}
SET_BY_BROWSERS = {"accept-encoding", "access-control-request-method", "content-length", "origin", "transfer-encoding"}
"""Header names that scripts cannot set (Fetch, section 2.2.2, *forbidden request-header*)."""
SET_BY_PROXIES = {"x-forwarded-prefix"}
REFUSED = {"content-encoding"}
"""Read only to refuse it: no operation takes an encoded body."""


def header_names_in(source):
    """The names that a module looks up in header fields, or compares with their names."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(slice=ast.Constant(value=bytes(name))):
                yield name
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=bytes(name)), *_]):
                yield name
            case ast.Compare(left=left, comparators=compared):
                yield from (each.value for each in (left, *compared) if isinstance(each, ast.Constant))
            case ast.Call(func=ast.Name(id="frozenset"), args=[ast.Set(elts=elements)]):
                yield from (each.value for each in elements if isinstance(each, ast.Constant))


def test_every_header_that_the_code_reads_is_allowed():
    """A header that the service reads, but a preflight does not allow, cannot be sent by a page."""
    rooms = (ROOT / "accord" / room for room in ("engine", "middleware", "telemetry"))
    header_name = re.compile(rb"[a-z]+(-[a-z]+)+|range|etag|vary|origin|accept|trace[a-z]+")
    read = {
        name.decode()
        for room in rooms
        for module in room.rglob("*.py")
        for name in header_names_in(module.read_text("utf-8"))
        if isinstance(name, bytes) and header_name.fullmatch(name)
    }
    declared = {header.lower() for operation in OPERATIONS for header in taken(operation)}
    read -= READ_FROM_RESPONSES | READ_FROM_PARTS | SET_BY_BROWSERS | SET_BY_PROXIES | REFUSED
    assert {"x-request-id", "traceparent", "if-match", "range", "idempotency-key"} <= read
    assert read <= declared | {name.lower() for name in REQUEST_HEADERS}


def test_every_header_of_an_answer_can_be_seen(open_shop):
    of_browsers = {
        "access-control-allow-origin", "access-control-expose-headers", "content-security-policy", "referrer-policy",
        "strict-transport-security", "x-content-type-options", "x-frame-options", "connection", "transfer-encoding",
    }  # fmt: skip
    visible = {name.lower() for name in ALWAYS_SEEN.union(EXPOSED_HEADERS)} | of_browsers
    for request in ("GET /api/products", "POST /api/v1/products", "DELETE /api/v1/tags", "GET /api/v1/customers"):
        method, path = request.split()
        lines = [f"Origin: {ORIGIN}", "Accept-Encoding: gzip", open_shop.authorization, "Content-Type: text/x"]
        answer = open_shop.exchange(method, path, *lines, body=b"{}" if method == "POST" else None)
        assert {name for name, _ in answer.headers} <= visible


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (200, "/api/v1/products"),
        (200, "/api/products"),
        (200, "/api/v1/openapi.json"),
        (200, "/problems"),
        (400, "/api/products?version=9"),
        (400, "/api/v1/products?page=0"),
        (401, "/api/v1/auth/me"),
        (404, "/nowhere"),
        (404, "/api/v1/nowhere"),
    ],
)
def test_page_of_a_listed_origin_may_read_answers_and_problems(open_shop, status, path):
    for origin in (ORIGIN, "http://localhost:3000"):
        answer = open_shop.exchange("GET", path, f"Origin: {origin}")
        assert answer.status == status
        assert cors(answer) == {"allow-origin": origin, "expose-headers": ", ".join(EXPOSED_HEADERS)}
        assert "Origin" in vary(answer)


def test_page_may_read_that_the_service_failed(open_shop):
    with open_shop.neighbour() as execute:
        execute("ALTER TABLE tags RENAME TO tags_elsewhere")
        answer = open_shop.exchange("GET", "/api/v1/tags", f"Origin: {ORIGIN}")
        execute("ALTER TABLE tags_elsewhere RENAME TO tags")
    assert (answer.status, cors(answer)["allow-origin"]) == (500, ORIGIN)


@pytest.mark.parametrize(
    "origin",
    ["null", "*", "https://shop.example.evil.example", "https://evil-shop.example", "http://shop.example",
     "https://shop.example:8443", "https://SHOP.example", f"{ORIGIN}/", f"{ORIGIN},http://localhost:3000", ""],
)  # fmt: skip
def test_other_origin_gets_no_header(open_shop, preflight, origin):
    for answer in (
        preflight("/api/v1/products", "POST", origin),
        open_shop.exchange("GET", "/api/v1/products", f"Origin: {origin}"),
    ):
        assert cors(answer) == {}
        assert "Origin" in vary(answer)


def test_nothing_is_said_where_nobody_is_let_in(shop):
    lines = [f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST"]
    for method in ("OPTIONS", "GET"):
        answer = shop.exchange(method, "/api/v1/products", *lines)
        assert (cors(answer), "Origin" in vary(answer)) == ({}, False)


def list_notes():
    return []


def test_all_origins_are_let_in_without_credentials():
    inner = start({"paths": {"/notes": {"get": {"operationId": "list_notes"}}}}, {"list_notes": list_notes})
    app = CorsMiddleware(inner.app, origins=["*"], path_item=inner.contract.path_item)
    reply = Engine(app).get("/notes", {"Origin": ORIGIN})
    assert reply.header("access-control-allow-origin") == "*"
    assert reply.header("access-control-allow-credentials") is None
    assert "Origin" not in reply.header("vary")


def test_every_header_that_the_contract_declares_can_be_seen():
    declared = {
        header
        for operation in OPERATIONS
        for answer in operation.spec["responses"].values()
        for header in operation.resolve(answer).get("headers", {})
    }
    assert declared - ALWAYS_SEEN <= set(EXPOSED_HEADERS)
