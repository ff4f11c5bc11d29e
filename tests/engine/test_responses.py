"""An answer is what the contract promises, or a 500 that is logged and changes nothing."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from tests.support.engine import PROBLEM, NotThere, start

THING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "rate": {"type": "number"},
        "price": {"type": "string", "format": "decimal"},
        "id": {"type": "string", "format": "uuid"},
        "on": {"type": "string", "format": "date"},
        "size": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "inner": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
    },
}


def answering(returned, schema=THING, status="200", media_type="application/json", **more):
    """Return an engine whose PUT /t changes the store and then returns *returned*."""
    response = {"description": "It.", "content": {media_type: {"schema": schema}}, **more}

    def put_t(session):
        session["changed"] = True
        return returned

    return start(
        {"paths": {"/t": {"put": {"operationId": "put_t", "responses": {status: response}}}}}, {"put_t": put_t}
    )


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ({"name": "much too long"}, "/name"),
        ({}, "name"),
        ({"at": None}, "name"),
        ({"name": None}, "/name"),
        ({"name": 1}, "/name"),
        ({"name": "x", "size": "1"}, "/size"),
        ({"name": "x", "size": 1.5}, "/size"),
        ({"name": "x", "size": 2**70}, "64-bit"),
        ({"name": "x", "at": datetime(2026, 1, 1)}, "naive|/at"),  # noqa: DTZ001
        ({"name": "x", "at": "yesterday"}, "/at"),
        ({"name": "x", "rate": float("nan")}, "/rate"),
        ({"name": "x", "rate": float("-inf")}, "/rate"),
        ({"name": "x", "rate": Decimal("1.5")}, "Decimal"),
        ({"name": "x", "price": Decimal("NaN")}, "/price"),
        ({"name": "x", "price": None}, "/price|NoneType"),
        ({"name": "x", "id": "x"}, "/id"),
        ({"name": "x", "on": "x"}, "/on"),
        ({"name": "x", "tags": None}, "tags|NoneType"),
        ({"name": "x", "tags": 5}, "int"),
        ({"name": "x", "tags": [1]}, "/tags/0"),
        ({"name": "x", "inner": {}}, "'a'|/inner/a"),
        ({"name": "x", "inner": None}, "NoneType|inner"),
        ({"name": object()}, "object"),
        ({"name": "\ud800"}, "surrogate|utf-8|UTF-8"),
        (None, "NoneType|name"),
        ([], "list|name"),
        ("text", "str|name"),
        (object(), "object|name"),
    ],
)
def test_broken_promise_is_a_500_that_is_logged_with_its_reason_and_changes_nothing(caplog, returned, reason):
    engine = answering(returned)
    reply = engine.send("PUT", "/t", headers={"X-Request-Id": "request-17"})
    assert reply.status == 500
    assert reply.json["request_id"] == "request-17"
    assert engine.database.kept == {}
    record = caplog.records[-1]
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)
    assert "put_t" in record.getMessage()
    assert any(word in record.getMessage() for word in reason.split("|")), record.getMessage()


def test_broken_promise_says_nothing_of_itself_to_the_caller():
    reply = answering({"name": "much too long"}).send("PUT", "/t")
    assert b"much" not in reply.body
    assert b"maxLength" not in reply.body


@pytest.mark.parametrize(
    ("returned", "shown"),
    [
        ({"name": "x"}, {"name": "x"}),
        ({"name": "x", "not_shown": 1}, {"name": "x"}),
        ({"name": "x", "at": datetime(2026, 1, 1, tzinfo=UTC)}, {"name": "x", "at": "2026-01-01T00:00:00Z"}),
        (
            {"name": "x", "at": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
            {"name": "x", "at": "2026-01-01T00:00:00+05:00"},
        ),
        ({"name": "x", "at": None}, {"name": "x", "at": None}),
        ({"name": "x", "price": Decimal("1.50")}, {"name": "x", "price": "1.50"}),
        ({"name": "x", "price": Decimal("1E+2")}, {"name": "x", "price": "100"}),
        ({"name": "x", "id": UUID(int=7)}, {"name": "x", "id": "00000000-0000-0000-0000-000000000007"}),
        ({"name": "x", "on": date(2026, 1, 31)}, {"name": "x", "on": "2026-01-31"}),
        ({"name": "x", "tags": ("a", "b")}, {"name": "x", "tags": ["a", "b"]}),
        ({"name": "x", "tags": dict.fromkeys("ab").keys()}, {"name": "x", "tags": ["a", "b"]}),
        ({"name": "x", "inner": {"a": 1, "b": 2}}, {"name": "x", "inner": {"a": 1}}),
    ],
)
def test_what_a_handler_returns_is_shown_as_its_schema(returned, shown):
    engine = answering(returned)
    assert engine.send("PUT", "/t").json == shown
    assert engine.database.kept == {"changed": True}


def test_header_that_is_promised_and_not_set_is_a_500(caplog):
    engine = answering({"name": "x"}, headers={"X-Count": {"required": True, "schema": {"type": "integer"}}})
    assert engine.send("PUT", "/t").status == 500
    assert "x-count" in caplog.text.lower()
    assert engine.database.kept == {}


def test_empty_answer_has_no_content():
    raw = {"paths": {"/t": {"put": {"operationId": "put_t", "responses": {"204": {"description": "Done."}}}}}}
    assert start(raw, {"put_t": lambda: None}).send("PUT", "/t").body == b""


def test_something_returned_where_no_content_is_declared_is_a_500(caplog):
    raw = {"paths": {"/t": {"put": {"operationId": "put_t", "responses": {"204": {"description": "Done."}}}}}}
    assert start(raw, {"put_t": lambda: {"a": 1}}).send("PUT", "/t").status == 500
    assert "no content" in caplog.text


@pytest.mark.parametrize(("returned", "body"), [("héllo", "héllo".encode()), (b"\xff", b"\xff"), (7, b"7")])
def test_what_is_no_json_is_sent_as_it_is(returned, body):
    reply = answering(returned, {"type": "string"}, media_type="text/plain").send("PUT", "/t")
    assert (reply.status, reply.body, reply.header("content-type")) == (200, body, "text/plain")


def test_status_that_a_range_or_default_declares_is_that_status():
    def fail():
        raise NotThere("Not here.")

    for declared in ("404", "4XX", "default"):
        responses = {"200": {"description": "."}, "400": PROBLEM, "500": PROBLEM, "503": PROBLEM, declared: PROBLEM}
        raw = {
            "openapi": "3.1.0",
            "info": {"title": "T", "version": "1"},
            "paths": {"/t": {"get": {"operationId": "t", "security": [], "responses": responses}}},
        }
        reply = start(raw, {"t": fail}, completed=False).get("/t")
        assert (reply.status, reply.json["detail"]) == (404, "Not here.")


@pytest.mark.parametrize(
    "error", [RuntimeError("secret words"), KeyError("secret words"), SystemError(), RecursionError()]
)
def test_error_nobody_expected_is_a_500_without_its_words(caplog, error):
    def fail(session):
        session["changed"] = True
        raise error

    engine = start({"paths": {"/t": {"put": {"operationId": "put_t"}}}}, {"put_t": fail})
    reply = engine.send("PUT", "/t")
    assert (reply.status, engine.database.kept) == (500, {})
    assert b"secret" not in reply.body
    assert caplog.records[-1].exc_info[1] is error


def test_handler_gets_tools_by_name_and_no_session_it_does_not_ask_for():
    raw = {"paths": {"/t": {"get": {"operationId": "t"}}}}
    engine = start(raw, {"t": lambda clock: clock()}, dependencies={"clock": lambda: 7, "other": None})
    assert engine.get("/t").json == 7
    assert engine.database.modes == []


def test_safe_operations_read_and_others_write():
    raw = {"paths": {"/t": {"get": {"operationId": "a"}, "put": {"operationId": "b"}, "delete": {"operationId": "c"}}}}
    engine = start(raw, {name: lambda session: 1 for name in "abc"})
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        engine.send(method, "/t")
    assert engine.database.modes == ["read", "read", "write", "write"]


SECRET = {"type": "string", "format": "password"}


@pytest.mark.parametrize(
    ("members", "vary"),
    [
        ({"name": {"type": "string"}}, "Accept-Encoding"),
        ({"secret": SECRET}, None),
        ({"default": SECRET}, None),
        ({"value": {"type": "object", "properties": {"example": SECRET}}}, None),
        ({"given": {"type": ["object", "null"], "properties": {"secrets": {"type": "array", "items": SECRET}}}}, None),
        ({"next": {"$ref": "#/components/schemas/Knot"}}, None),
        ({"secret": {**SECRET, "writeOnly": True}}, "Accept-Encoding"),
        ({"name": {"type": "string", "example": "format: password"}}, "Accept-Encoding"),
    ],
)
def test_answer_may_be_compressed_unless_it_can_tell_a_secret(members, vary):
    knot = {"properties": {"next": {"$ref": "#/components/schemas/Knot"}, "end": SECRET}}
    responses = {"200": {"description": "It.", "content": {"application/json": {"schema": {"properties": members}}}}}
    raw = {
        "components": {"schemas": {"Knot": {"type": "object", **knot}}},
        "paths": {"/t": {"get": {"operationId": "get_t", "responses": responses}}},
    }

    def get_t():
        return {}

    assert start(raw, {"get_t": get_t}).get("/t").header("vary") == vary
