"""Requests find their operation, or are told what there is."""

import asyncio

import pytest

from tests.support.engine import PROBLEM, NotThere, Taken, start

CONTRACT = """
servers: [{url: 'https://shop.example/api/v1/'}]
paths:
  /things:
    get: {operationId: list_things}
    post: {operationId: create_thing}
  /things/mine: {get: {operationId: get_mine}}
  /things/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: get_thing}
    delete: {operationId: delete_thing, responses: {'204': {description: Gone.}}}
  /things/{thing_id}/parts/{part_id}:
    parameters:
      - {name: thing_id, in: path, required: true, schema: {type: string}}
      - {name: part_id, in: path, required: true, schema: {type: string}}
    get: {operationId: get_part}
  /things/{thing_id}.csv:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: get_table}
  /things/mine/parts: {get: {operationId: list_my_parts}}
  /café: {get: {operationId: get_menu}}
"""


@pytest.fixture(scope="module")
def engine():
    functions = {
        "list_things": lambda: "things",
        "create_thing": lambda: "created",
        "get_mine": lambda: "mine",
        "get_thing": lambda thing_id: thing_id,
        "delete_thing": lambda thing_id: None,
        "get_part": lambda thing_id, part_id: [thing_id, part_id],
        "get_table": lambda thing_id: {"csv": thing_id},
        "list_my_parts": lambda: "my parts",
        "get_menu": lambda: "menu",
    }
    return start(CONTRACT, functions)


@pytest.mark.parametrize(
    ("path", "made"),
    [
        ("", "things"),
        ("/mine", "mine"),
        ("/min%65", "mine"),
        ("/a", "a"),
        ("/a%20b%3Fc", "a b?c"),
        ("/caf%C3%A9", "café"),
        ("/mine2", "mine2"),
        ("/a.csv", {"csv": "a"}),
        ("/a.csv.csv", {"csv": "a.csv"}),
        ("/.csv", ".csv"),
        ("/..%2e", "..."),
        ("/%252F", "%2F"),
        ("/a/parts/b", ["a", "b"]),
        ("/mine/parts", "my parts"),
        ("/mine/parts/b", ["mine", "b"]),
        ("/;a=1", ";a=1"),
    ],
)
def test_path_finds_its_operation_literal_segments_first(engine, path, made):
    assert engine.get(f"/api/v1/things{path}").json == made


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//",
        "/api/v1",
        "/api/v1/",
        "/things",
        "/api/v1/things/",
        "/api/v1//things",
        "//api/v1/things",
        "/api/v1/things//",
        "/api/v1/things/a/",
        "/api/v1/things//parts/b",
        "/api/v1/things/a/parts/",
        "/api/v1/THINGS",
        "/api/v1/things/a%2Fb",
        "/api/v1/things%2Fa",
        "/api/v1/things/%00",
        "/api/v1/things/a%00b",
        "/api/v1/things/%ff",
        "/api/v1/things/%ed%a0%80",
        "/api/v1/things/a/b",
        "*",
        "",
        "/api/v1/./things",
        "/api/v1/x/../things",
        "/openapi",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "BREW"])
def test_any_other_path_is_not_found(engine, method, target):
    reply = engine.send(method, target)
    assert reply.status == 404
    assert reply.header("content-type") == "application/problem+json"


def test_encoded_path_of_the_contract_is_found(engine):
    assert engine.get("/api/v1/caf%C3%A9").json == "menu"


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/things", "GET, HEAD, OPTIONS, POST"),
        ("/things/mine", "GET, HEAD, OPTIONS"),
        ("/things/a", "DELETE, GET, HEAD, OPTIONS"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "CONNECT", "BREW", "get", ""])
def test_other_method_is_a_405_with_what_is_allowed(engine, path, allow, method):
    refused = engine.send(method, f"/api/v1{path}")
    assert (refused.status, refused.header("allow")) == (405, allow)
    answered = engine.send("OPTIONS", f"/api/v1{path}")
    assert (answered.status, answered.header("allow"), answered.body) == (204, allow, b"")


def test_head_is_get_without_its_body(engine):
    head, get = engine.send("HEAD", "/api/v1/things/a"), engine.get("/api/v1/things/a")
    assert head.body == b""
    assert (head.status, head.headers) == (get.status, get.headers)


def test_head_of_a_refused_get_has_no_body_either(engine):
    assert engine.send("HEAD", "/api/v1/things/a?x=1").status == 400
    assert engine.send("HEAD", "/api/v1/things/a?x=1").body == b""


def test_204_has_neither_body_nor_length(engine):
    reply = engine.send("DELETE", "/api/v1/things/a")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.header("content-length") is None
    assert reply.header("content-type") is None


def test_path_without_raw_path_is_found(engine):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/v1/things/a", "query_string": b"", "headers": []}
    asyncio.run(engine.app(scope, None, send))
    assert sent[0]["status"] == 200


def test_operation_for_head_or_options_of_the_contract_itself_counts():
    raw = {
        "paths": {
            "/t": {
                "get": {"operationId": "get_t"},
                "head": {"operationId": "head_t", "responses": {"204": {"description": "There."}}},
                "options": {"operationId": "options_t"},
            }
        }
    }
    engine = start(raw, {"get_t": lambda: 1, "head_t": lambda: None, "options_t": lambda: ["mine"]})
    assert engine.send("HEAD", "/t").status == 204
    assert engine.send("OPTIONS", "/t").json == ["mine"]
    assert engine.send("PUT", "/t").header("allow") == "GET, HEAD, OPTIONS"


def test_servers_of_path_and_operation_win():
    raw = {
        "servers": [{"url": "/a"}],
        "paths": {
            "/t": {"get": {"operationId": "get_t"}},
            "/u": {
                "servers": [{"url": "http://x/b/"}],
                "get": {"operationId": "get_u"},
                "put": {"operationId": "put_u", "servers": [{"url": "/c"}]},
            },
        },
    }
    engine = start(raw, {"get_t": lambda: "t", "get_u": lambda: "u", "put_u": lambda: "put"})
    assert [engine.get(path).json for path in ("/a/t", "/b/u")] == ["t", "u"]
    assert engine.send("PUT", "/c/u").json == "put"
    assert engine.send("PUT", "/b/u").status == 405


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_contract_is_published_with_a_tag(engine, suffix):
    reply = engine.get(f"/openapi.{suffix}")
    assert (reply.status, reply.header("content-type")) == (200, f"application/{suffix}")
    assert b"list_things" in reply.body
    again = engine.get(f"/openapi.{suffix}", {"If-None-Match": reply.header("etag")})
    assert (again.status, again.body, again.header("etag")) == (304, b"", reply.header("etag"))
    assert engine.send("HEAD", f"/openapi.{suffix}").body == b""
    assert engine.send("OPTIONS", f"/openapi.{suffix}").header("allow") == "GET, HEAD, OPTIONS"
    assert engine.send("POST", f"/openapi.{suffix}").status == 405


@pytest.mark.parametrize("tags", ["W/{}", '"a", {}', "*"])
def test_tag_of_the_published_contract_is_compared_as_any_tag(engine, tags):
    tag = engine.get("/openapi.json").header("etag")
    assert engine.get("/openapi.json", {"If-None-Match": tags.format(tag)}).status == 304


def test_what_is_in_no_contract_goes_on_to_the_next_app(engine):
    async def pages(scope, receive, send):
        await send({"type": "http.response.start", "status": 203, "headers": []})

    contract = start({"paths": {"/t": {"get": {"operationId": "t"}}}}, {"t": lambda: 1})
    contract.app.app = pages
    assert contract.get("/t").status == 200
    assert contract.send("PUT", "/t").status == 405
    assert contract.get("/openapi.json").status == 200
    assert contract.get("/pages").status == 203


def test_what_is_not_http_goes_on_to_the_next_app_if_there_is_one():
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope["type"])

    engine = start({"paths": {}}, {})
    asyncio.run(engine.app({"type": "lifespan"}, None, None))
    engine.app.app = lifespan
    asyncio.run(engine.app({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


def test_problem_says_which_request_it_is_about(engine):
    given = engine.get("/api/v1/nothing", {"X-Request-Id": "abcdef-123"})
    assert given.json["instance"] == "/api/v1/nothing"
    assert given.json["request_id"] == given.request_id == "abcdef-123"
    assert given.json["type"] == "/problems#not-found"


@pytest.mark.parametrize("text", ["short", "x" * 65, "a b c d e f", "ünïcödé-ünïcödé"])
def test_request_id_that_is_none_is_replaced(engine, text):
    assert engine.get("/api/v1/nothing", {"X-Request-Id": text}).request_id != text


def test_two_contracts_are_served_side_by_side():
    functions = {"one": lambda: 1, "two": lambda: 2}
    engine = start({"paths": {"/v1/t": {"get": {"operationId": "one"}}}}, functions)
    other = start({"paths": {"/v2/t": {"get": {"operationId": "two"}}}}, functions)
    engine.contract.add_document(other.contract.documents[0], "/v2/openapi")
    assert [engine.get(path).json for path in ("/v1/t", "/v2/t")] == [1, 2]
    assert b"/v2/t" in engine.get("/v2/openapi.json").body


def test_errors_of_the_program_are_the_problems_of_the_one_table():
    class Missing(NotThere):
        pass

    def fail(q):
        raise {"missing": Missing, "taken": Taken, "other": RuntimeError}[q]("Words for the caller.")

    raw = {
        "paths": {
            "/t": {
                "get": {
                    "operationId": "fail",
                    "parameters": [{"name": "q", "in": "query", "required": True, "schema": {}}],
                    "responses": {"200": {"description": "."}, "404": PROBLEM, "409": PROBLEM},
                }
            }
        }
    }
    engine = start(raw, {"fail": fail})
    missing, taken, other = (engine.get(f"/t?q={q}") for q in ("missing", "taken", "other"))
    assert (missing.status, missing.json["detail"]) == (404, "Words for the caller.")
    assert (taken.status, taken.header("retry-after")) == (409, "2")
    assert other.status == 500
    assert b"Words" not in other.body
