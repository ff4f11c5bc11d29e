"""Pages of other origins: which of them may call the API, and what their scripts may send and see."""

import pytest

from accord.middleware.cors import EXPOSED_HEADERS, CorsMiddleware
from tests.support.engine import Engine, start
from tests.support.operations import OPERATIONS, each

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
def test_preflight_has_exactly_the_methods_and_headers_of_the_path(preflight, operation):
    beside = [other for other in OPERATIONS if other.path == operation.path]
    methods = {other.method for other in beside}
    answer = preflight(operation.unknown(), operation.method)
    allowed = cors(answer)
    assert answer.status == 204
    assert names(allowed.pop("allow-methods")) == methods | ({"HEAD"} if "GET" in methods else set())
    headers = {header for other in beside for header in taken(other)}
    assert names(allowed.pop("allow-headers", "")) - {""} == headers
    assert allowed == {"allow-origin": ORIGIN, "max-age": "3600"}
    assert vary(answer) == {"Origin", "Access-Control-Request-Method"}


def test_path_without_a_version_takes_the_header_that_names_one(preflight):
    with_version, without = (cors(preflight(path, "GET")) for path in ("/api/v1/tags", "/api/tags"))
    assert names(without["allow-headers"]) == names(with_version["allow-headers"]) | {"X-API-Version"}
    assert without["allow-methods"] == with_version["allow-methods"]


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
