"""JSON bodies arrive as Python values, or are refused with all that is wrong with them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from accord.engine.request import BodyLimits
from tests.support.engine import echo, start, taking

ID = "0b1f6a52-7d3e-4b51-a4f0-5f0c1e6f7a90"
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


def shape(member):
    return {"type": "object", "required": ["v"], "properties": {"v": member}}


def taken(schema, body, **options):
    engine = taking(schema, **options)
    reply = engine.post("/take", body)
    return engine.database.kept["body"] if reply.status == 200 else reply


@pytest.mark.parametrize(
    ("schema", "sent", "value"),
    [
        ({"type": "string", "format": "uuid"}, ID.upper(), UUID(ID)),
        ({"type": "string", "format": "decimal"}, "12.50", Decimal("12.50")),
        ({"type": "string", "format": "date"}, "2026-02-28", date(2026, 2, 28)),
        (
            {"type": "string", "format": "date-time"},
            "2026-02-28T10:00:00.5Z",
            datetime(2026, 2, 28, 10, 0, 0, 500000, UTC),
        ),
        ({"type": "string", "format": "date-time"}, "2026-02-28t10:00:00z", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        (
            {"type": "string", "format": "date-time"},
            "2026-02-28T10:00:00.123456789Z",
            datetime(2026, 2, 28, 10, 0, 0, 123456, UTC),
        ),
        ({"type": "string", "format": "date-time"}, "2026-02-28T10:00:00-08:00", datetime(2026, 2, 28, 18, tzinfo=UTC)),
        ({"type": "integer"}, 2.0, 2),
        ({"type": "integer"}, 10**15, 10**15),
        ({"type": ["integer", "null"]}, 2.0, 2),
        ({"type": ["integer", "null"]}, None, None),
        ({"type": "number"}, 2, 2),
        ({"type": ["string", "null"], "format": "uuid"}, None, None),
        ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, ID, UUID(ID)),
        ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, None, None),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "x", "x"),
        ({"enum": ["a", None]}, None, None),
        ({"allOf": [{"type": "string"}, {"format": "uuid"}]}, ID, UUID(ID)),
        ({"type": "array", "items": {"type": "string", "format": "uuid"}}, [ID], [UUID(ID)]),
        ({"type": "array", "items": {"type": ["integer", "null"]}}, [2.0, None], [2, None]),
        ({"type": "array"}, [1, "a", None], [1, "a", None]),
        (
            {"type": "object", "additionalProperties": {"type": "string", "format": "date"}},
            {"a": "2026-01-01"},
            {"a": date(2026, 1, 1)},
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 2.0}, {"a": 2}),
        ({"type": "object"}, {"a": [1]}, {"a": [1]}),
        ({}, {"any": ["thing"]}, {"any": ["thing"]}),
        (True, 1, 1),
    ],
)
@pytest.mark.parametrize("depth", ["alone", "in an object", "in an object in a list"])
def test_value_arrives_as_the_python_value_of_its_schema(schema, sent, value, depth):
    match depth:
        case "alone":
            got = taken(schema, sent)
        case "in an object":
            got = taken(shape(schema), {"v": sent})["v"]
        case _:
            got = taken({"type": "array", "items": shape(schema)}, [{"v": sent}])[0]["v"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("date-time", "2016-12-31T23:59:60Z"),
        ("date-time", "0000-01-01T00:00:00Z"),
        ("date-time", "0001-01-01T00:00:00+01:00"),
        ("date-time", "9999-12-31T23:59:59-01:00"),
        ("date", "0000-01-01"),
    ],
)
@pytest.mark.parametrize("member", ["plain", "nullable"])
def test_moment_that_python_cannot_keep_is_a_422_with_a_pointer(form, text, member):
    schema = {"type": "string" if member == "plain" else ["string", "null"], "format": form}
    nested = {"type": "object", "properties": {"list": {"type": "array", "items": shape(schema)}}}
    fine = "2026-01-01" if form == "date" else "2026-01-01T00:00:00Z"
    refused = taken(nested, {"list": [{"v": fine}, {"v": text}]})
    assert refused.status == 422
    assert {pointer for pointer, _ in refused.errors} == {"/list/1/v"}
    assert taken(schema, text).json["errors"][0]["pointer"] == ""


def test_all_that_is_wrong_is_told_at_once_each_with_a_pointer():
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "price"],
        "properties": {
            "name": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
            "price": {"type": "integer"},
            "lines": {
                "type": "array",
                "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}},
            },
        },
    }
    refused = taken(schema, {"name": "x", "colour": 1, "size/~": 2, "lines": [{"sku": "A"}, {}, {"sku": 1}]})
    assert refused.status == 422
    assert refused.errors == {
        ("/name", "minLength"),
        ("/name", "pattern"),
        ("/price", "required"),
        ("/colour", "additionalProperties"),
        ("/size~1~0", "additionalProperties"),
        ("/lines/1/sku", "required"),
        ("/lines/2/sku", "type"),
    }


def test_faults_are_bounded_in_number():
    refused = taken({"type": "array", "items": {"type": "integer"}}, ["x"] * 5000)
    assert len(refused.json["errors"]) == 50


def test_fault_does_not_quote_the_value():
    assert b"sesame" not in taken({"type": "object", "properties": {"p": {"maxLength": 3}}}, {"p": "sesame-open"}).body


def test_false_schema_is_told_in_words():
    refused = taken({"type": "object", "properties": {"p": False}}, {"p": 1})
    assert refused.errors == {("/p", "false")}


def test_wrong_parameters_and_wrong_body_are_told_together_as_a_400():
    raw = {
        "paths": {
            "/take": {
                "post": {
                    "operationId": "take",
                    "parameters": [{"name": "q", "in": "query", "schema": {"type": "integer"}}],
                    "requestBody": {"content": {"application/json": {"schema": TEXT}}},
                }
            }
        }
    }
    engine = start(raw, {"take": lambda body, q=None: body})
    refused = engine.post("/take?q=x", {"text": 1})
    assert refused.status == 400
    assert refused.errors == {("q", "type"), ("/text", "type")}


def test_read_only_members_are_neither_demanded_nor_taken():
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "name"],
        "properties": {"id": {"type": "integer", "readOnly": True}, "name": {"type": "string"}},
    }
    assert taken(schema, {"name": "x"}) == {"name": "x"}
    assert taken(schema, {"name": "x", "id": 1}).errors == {("/id", "additionalProperties")}


def test_write_only_members_are_taken_and_not_shown():
    schema = {
        "type": "object",
        "required": ["name", "password"],
        "properties": {"name": {"type": "string"}, "password": {"type": "string", "writeOnly": True}},
    }
    engine = echo(schema)
    assert engine.post("/echo", {"name": "x"}).errors == {("/password", "required")}
    assert engine.post("/echo", {"name": "x", "password": "y"}).json == {"name": "x"}


def test_read_only_by_a_reference_is_read_only():
    components = {"Id": {"type": "integer", "readOnly": True}}
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"$ref": "#/components/schemas/Id"}}}
    assert taken(schema, {}, components=components) == {}


def test_defaults_are_applied_as_python_values_at_every_depth():
    inner = {"type": "object", "properties": {"on": {"type": "string", "format": "date", "default": "2026-01-01"}}}
    schema = {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
            "inner": {**inner, "default": {}},
            "note": {"type": ["string", "null"], "default": None},
        },
    }
    on = {"on": date(2026, 1, 1)}
    assert taken(schema, {}) == {"tags": [], "inner": on, "note": None}
    assert taken(schema, {"inner": {}, "tags": ["a"]}) == {"tags": ["a"], "inner": on, "note": None}


def test_default_that_a_handler_changes_is_whole_again_at_the_next_request():
    schema = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}, "default": []}}}
    content = {"application/json": {"schema": schema}}
    raw = {"paths": {"/take": {"post": {"operationId": "take", "requestBody": {"content": content}}}}}

    def take(body=None):
        body["tags"].append("seen")
        return body["tags"]

    engine = start(raw, {"take": take})
    assert [engine.post("/take", {}).json for _ in range(2)] == [["seen"], ["seen"]]


def test_members_that_an_open_object_does_not_name_arrive_as_they_are():
    assert taken({**TEXT, "additionalProperties": True}, {"text": "a", "x": [1]}) == {"text": "a", "x": [1]}


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"])
def test_content_type_is_compared_without_case_and_parameters(media_type):
    assert echo(TEXT).send("POST", "/echo", b"{}", media_type=media_type).status == 200


@pytest.mark.parametrize("media_type", [None, "", "text/plain", "application/xml", "application/jsonp", "json", ";"])
def test_body_of_another_media_type_is_a_415_that_names_the_right_ones(media_type):
    refused = echo(TEXT).send("POST", "/echo", b"{}", media_type=media_type)
    assert refused.status == 415
    assert refused.header("accept") == "application/json"


@pytest.mark.parametrize(
    "coding", ["gzip", "x-gzip", "br", "aes128gcm", "gzip, identity", "identity, gzip", "identityx"]
)
def test_encoded_body_is_a_415_that_names_the_codings(coding):
    """RFC 9110, section 15.5.16: `Accept-Encoding` if the coding was the cause, and otherwise `Accept`."""
    refused = echo(TEXT).send("POST", "/echo", b"{}", {"Content-Encoding": coding})
    assert (refused.status, refused.header("accept-encoding"), refused.header("accept")) == (415, "identity", None)
    other = echo(TEXT).send("POST", "/echo", b"{}", media_type="text/plain")
    assert (other.header("accept-encoding"), other.header("accept")) == (None, "application/json")


@pytest.mark.parametrize("coding", ["identity", "Identity", "identity, identity", " identity ,", ""])
def test_coding_that_changes_nothing_is_none(coding):
    assert echo(TEXT).send("POST", "/echo", b'{"text": "a"}', {"Content-Encoding": coding}).status == 200


def test_media_type_with_json_at_its_end_is_json():
    engine = taking(TEXT, "application/merge-patch+json")
    assert engine.send("POST", "/take", b'{"text":"a"}', media_type="application/merge-patch+json").status == 200
    assert engine.post("/take", {}).status == 415


def test_each_of_several_media_types_has_its_own_schema():
    content = {
        "application/json": {"schema": {"type": "object", "required": ["a"]}},
        "application/merge-patch+json": {"schema": {"type": "object"}},
        "application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    raw = {"paths": {"/t": {"post": {"operationId": "take", "requestBody": {"required": True, "content": content}}}}}
    engine = start(raw, {"take": lambda body: body})
    assert engine.send("POST", "/t", b"{}", media_type="application/json").status == 422
    assert engine.send("POST", "/t", b"{}", media_type="application/merge-patch+json").json == {}
    assert engine.send("POST", "/t", b"n=1", media_type="application/x-www-form-urlencoded").json == {"n": 1}


def optional():
    body = {"content": {"application/json": {"schema": TEXT}}}
    raw = {"paths": {"/t": {"post": {"operationId": "take", "requestBody": body}}}}
    return start(raw, {"take": lambda body=None: body})


def test_optional_body_may_be_absent():
    assert optional().send("POST", "/t").json is None
    assert optional().send("POST", "/t", b"", media_type=None).json is None


def test_optional_body_that_is_there_is_checked():
    assert optional().post("/t", {"text": "a"}).json == {"text": "a"}
    assert optional().post("/t", {"text": 1}).status == 422
    assert optional().send("POST", "/t", b"").status == 400


def test_required_body_that_is_absent_is_a_400():
    refused = echo(TEXT).send("POST", "/echo")
    assert (refused.status, refused.errors) == (400, {("", "required")})


def test_body_may_be_a_reference():
    raw = {
        "paths": {"/t": {"post": {"operationId": "take", "requestBody": {"$ref": "#/components/requestBodies/T"}}}},
        "components": {"requestBodies": {"T": {"required": True, "content": {"application/json": {"schema": TEXT}}}}},
    }
    assert start(raw, {"take": lambda body: body}).post("/t", {"text": 1}).status == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":1,}',
        b"nul",
        b"\xef\xbb\xbf{}",
        b"// x\n{}",
        b"01",
        b'"\x01"',
        b"+1",
    ],
)
def test_body_that_is_not_json_is_a_400(body):
    assert echo({}).send("POST", "/echo", body).status == 400


FREE_OF_NUL = {"type": "string", "pattern": "^[^\\x00]*$"}


@pytest.mark.parametrize(
    ("schema", "body", "errors"),
    [
        (FREE_OF_NUL, b'"\\u0000"', {("", "pattern")}),
        ({"items": FREE_OF_NUL}, b'["x", "y\\u0000"]', {("/1", "pattern")}),
        ({"type": "string", "format": "email"}, b'"a\\u0000@b.example"', {("", "format")}),
        ({"enum": ["a"]}, b'"a\\u0000"', {("", "enum")}),
        ({**TEXT, "additionalProperties": False}, b'{"b\\u0000": 1}', {("/b\0", "additionalProperties")}),
        ({"propertyNames": FREE_OF_NUL}, b'{"b\\u0000": 1}', {("", "propertyNames")}),
    ],
    ids=str,
)
def test_nul_is_a_422_where_the_schema_excludes_it(schema, body, errors):
    """A string can have any character, also an escaped U+0000 (RFC 8259, section 7). So the JSON is well-formed."""
    refused = echo(schema).send("POST", "/echo", body)
    assert (refused.status, refused.errors) == (422, errors)


@pytest.mark.parametrize("body", [b'"\\u0000"', b'{"a":["x","y\\u0000"]}', b'{"b\\u0000":1}'])
def test_nul_arrives_where_the_schema_allows_it(body):
    assert echo({}).send("POST", "/echo", body).body == body


def test_backslash_before_u0000_is_no_nul():
    assert echo({}).send("POST", "/echo", b'"\\\\u0000"').json == "\\u0000"


def test_member_that_stands_twice_counts_as_its_last_value():
    assert echo(TEXT).send("POST", "/echo", b'{"text": 1, "text": "b"}').json == {"text": "b"}


def test_body_over_the_limit_is_a_413_before_it_is_read():
    engine = echo({}, body_limits=BodyLimits(max_size=10))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
    reply = engine.raw("POST", "/echo", headers, [])
    assert (reply.status, reply.header("connection")) == (413, "close")


def test_body_that_grows_over_the_limit_is_a_413():
    engine = echo({}, body_limits=BodyLimits(max_size=10))
    assert engine.send("POST", "/echo", chunks=[b'"12345', b'67"']).json == "1234567"
    assert engine.send("POST", "/echo", chunks=[b'"12345', b'678901"']).status == 413


def test_body_at_the_limit_is_taken():
    assert echo({}, body_limits=BodyLimits(max_size=10)).send("POST", "/echo", b'"12345678"').json == "12345678"


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"", b"99999999999999999999999", "٣".encode()])
def test_content_length_that_lies_does_not_matter_to_the_answer(length):
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    reply = echo({}, body_limits=BodyLimits(max_size=10)).raw(
        "POST", "/echo", headers, [{"type": "http.request", "body": b"1"}]
    )
    assert reply.status in (200, 413)


def test_body_that_does_not_come_in_time_is_a_408():
    engine = echo({}, body_limits=BodyLimits(timeout=0.02))
    headers = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]
    messages = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.request", "after": 5}]
    reply = engine.raw("POST", "/echo", headers, messages)
    assert (reply.status, reply.header("connection")) == (408, "close")


def test_client_that_leaves_within_its_body_leaves_nothing_done_and_gets_nothing():
    engine = taking({})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
    assert engine.raw("POST", "/take", headers, [{"type": "http.request", "body": b"{}", "more_body": True}]) is None
    assert engine.database.kept == {}
    assert engine.database.modes == []


def test_body_where_none_is_declared_is_not_looked_at():
    raw = {"paths": {"/t": {"post": {"operationId": "touch"}}}}
    assert start(raw, {"touch": lambda: 1}).send("POST", "/t", b"\xff{", media_type="nonsense").status == 200
