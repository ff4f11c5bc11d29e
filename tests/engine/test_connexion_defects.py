"""What stock Connexion gets wrong, each of it right here."""

import logging

import pytest

from accord.contract.errors import ContractError
from accord.engine.request import BodyLimits
from tests.support.engine import PROBLEM, NotThere, asking, echo, query, start

NOTE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "text"],
    "properties": {"id": {"type": "integer", "readOnly": True}, "text": {"type": "string", "maxLength": 9}},
}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


@pytest.fixture(scope="module")
def anything():
    return echo({})


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"a": "\xff"}', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', '{"a": 1}'.encode("utf-16")]
)
def test_body_that_is_not_utf8_is_a_400(anything, body):
    assert anything.send("POST", "/echo", body).status == 400


def test_body_without_content_type_is_a_415(anything):
    assert anything.send("POST", "/echo", b"{}", media_type=None).status == 415


def test_content_type_in_capitals_is_taken(anything):
    assert anything.send("POST", "/echo", b"{}", media_type="Application/JSON").status == 200


@pytest.mark.parametrize("depth", [500, 900, 1_000, 1_025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"$ref": "#/components/schemas/Tree"}])
def test_deep_nesting_is_no_500(schema, opening, closing, depth):
    tree = {"type": ["array", "object", "null"], "items": {"$ref": "#/components/schemas/Tree"}}
    tree["additionalProperties"] = tree["items"]
    middle = b"" if opening == b"[" else b"null"
    reply = echo(schema, components={"Tree": tree}).send("POST", "/echo", opening * depth + middle + closing * depth)
    assert reply.status in (200, 400, 422)


@pytest.mark.parametrize(
    "schema", [{"type": "integer"}, {"type": "integer", "maximum": 100}, {"type": ["integer", "null"]}]
)
@pytest.mark.parametrize("digits", [19, 20, 25, 400, 5_000])
def test_integer_of_many_digits_is_refused_or_kept_whole(schema, digits):
    text = b"9" * digits
    reply = echo(schema).send("POST", "/echo", text)
    assert reply.status in (400, 422) or reply.body == text


@pytest.mark.parametrize("schema", [{}, {"type": "integer"}, {"type": "number"}])
@pytest.mark.parametrize("text", [b"1e300", b"1e400", b"-1E999", b"18446744073709551616", b"1e19", b"9" * 5_000])
def test_number_beyond_all_bounds_is_no_500(schema, text):
    assert echo(schema).send("POST", "/echo", text).status in (200, 400, 422)


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b'{"a": NaN}', b"[1e999]"])
def test_nan_and_infinity_are_refused(anything, text):
    assert anything.send("POST", "/echo", text).status == 400


@pytest.mark.parametrize("text", [rb'"\ud800"', rb'{"\udfff": 1}', rb'"\ud83d\u0041"', b'"\xed\xa0\x80"'])
def test_lone_surrogate_is_refused(anything, text):
    assert anything.send("POST", "/echo", text).status == 400


def test_nul_in_a_text_is_that_of_the_schema(anything):
    assert anything.send("POST", "/echo", rb'{"a":"\u0000"}').body == rb'{"a":"\u0000"}'


def test_path_that_begins_with_two_slashes_is_a_404(anything):
    assert anything.get("//echo").status == 404


def test_head_is_answered_where_responses_are_checked():
    raw = {"paths": {"/n": {"get": {"operationId": "n", "responses": {"200": _json(NOTE)}}}}}
    engine = start(raw, {"n": lambda: {"id": 1, "text": "x"}})
    assert (engine.send("HEAD", "/n").status, engine.send("HEAD", "/n").body) == (200, b"")


def test_dict_is_returned_where_problems_are_declared_too():
    raw = {"paths": {"/n": {"get": {"operationId": "n", "responses": {"200": _json(NOTE), "404": PROBLEM}}}}}
    assert start(raw, {"n": lambda: {"id": 1, "text": "x"}}).get("/n").json == {"id": 1, "text": "x"}


def test_chunked_body_is_taken(anything):
    assert anything.send("POST", "/echo", chunks=[b'{"a"', b"", b":1}", b""]).json == {"a": 1}


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("date", "2026-01-31", "31.1.2026"),
        ("date-time", "2026-01-31T00:00:00Z", "2026-01-31 00:00"),
        ("uuid", "0b1f6a52-7d3e-4b51-a4f0-5f0c1e6f7a90", "0b1f6a527d3e4b51a4f05f0c1e6f7a90"),
        ("email", "a@example.com", "a@"),
        ("uri", "https://example.com/a", "a b"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
    ],
)
def test_formats_are_enforced_in_body_and_query(form, right, wrong):
    schema = {"type": "string", "format": form}
    body, parameter = echo(schema), asking([query("q", schema)])
    assert [body.post("/echo", text).status for text in (right, wrong)] == [200, 422]
    assert isinstance(parameter(f"/ask?q={right}"), dict)
    assert parameter(f"/ask?q={wrong.replace(' ', '+')}").status == 400


def test_read_only_members_are_not_demanded():
    content = {"content": {"application/json": {"schema": NOTE}}, "required": True}
    raw = {"paths": {"/n": {"post": {"operationId": "n", "requestBody": content, "responses": {"201": _json(NOTE)}}}}}
    engine = start(raw, {"n": lambda body: {"id": 1, **body}})
    assert engine.post("/n", {"text": "x"}).json == {"id": 1, "text": "x"}


def test_all_errors_come_at_once_without_the_schema():
    refused = echo(NOTE).post("/echo", {"text": "much too long", "colour": "red", "id": 7})
    assert refused.errors == {
        ("/text", "maxLength"),
        ("/colour", "additionalProperties"),
        ("/id", "additionalProperties"),
    }
    assert b"properties" not in refused.body.replace(b"additionalProperties", b"")


def test_405_and_options_say_the_same_right_allow(anything):
    assert anything.send("PUT", "/echo").header("allow") == "OPTIONS, POST"
    assert anything.send("OPTIONS", "/echo").header("allow") == "OPTIONS, POST"


def test_401_has_a_challenge():
    security = {"b": {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": "tests.support.callers.by_token"}}
    raw = {
        "paths": {"/n": {"get": {"operationId": "n", "security": [{"b": ["read"]}]}}},
        "components": {"securitySchemes": security},
    }
    refused = start(raw, {"n": lambda: 1}).get("/n")
    assert (refused.status, refused.header("www-authenticate")) == (401, 'Bearer realm="api"')


def test_published_document_keeps_its_names():
    engine = echo({"$ref": "#/components/schemas/Note"}, components={"Note": NOTE})
    published = engine.get("/openapi.json").json
    assert published["components"]["schemas"]["Note"]["required"] == ["id", "text"]
    body = published["paths"]["/echo"]["post"]["requestBody"]["content"]["application/json"]
    assert body == {"schema": {"$ref": "#/components/schemas/Note"}}


def test_undeclared_status_is_a_500(caplog):
    def fail():
        raise NotThere

    responses = {"200": _json({}), "400": PROBLEM, "406": PROBLEM, "5XX": PROBLEM}
    operation = {"operationId": "n", "security": [], "responses": responses}
    engine = start(
        {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/n": {"get": operation}}},
        {"n": fail},
        completed=False,
    )
    assert engine.get("/n").status == 500
    assert "n" in caplog.text
    assert "404" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


def test_two_operations_of_one_name_do_not_start():
    with pytest.raises(ContractError, match="operationId n is also that of get /a"):
        start({"paths": {"/a": {"get": {"operationId": "n"}}, "/b": {"get": {"operationId": "n"}}}}, {"n": lambda: 1})


def test_body_over_the_limit_is_a_413():
    engine = echo({}, body_limits=BodyLimits(max_size=4))
    assert [engine.send("POST", "/echo", body).status for body in (b"1234", b"12345")] == [200, 413]


def _json(schema):
    return {"description": "A note.", "content": {"application/json": {"schema": schema}}}
