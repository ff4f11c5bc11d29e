"""No request whatever makes a failure: every answer is one that the contract declares."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.request import BodyLimits
from tests.engine.test_any_schema import SETTINGS
from tests.support.engine import complete, read, start

CONTRACT = """
paths:
  /things:
    get:
      operationId: list_things
      parameters:
        - {name: page, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 1}}
        - {name: on, in: query, schema: {type: string, format: date}}
        - {name: at, in: query, schema: {type: [string, 'null'], format: date-time}}
        - {name: price, in: query, schema: {type: string, format: decimal}}
        - {name: rate, in: query, schema: {type: number}}
        - {name: id, in: query, schema: {type: array, items: {type: string, format: uuid}, maxItems: 3}}
        - {name: size, in: query, explode: false, schema: {type: array, items: {type: [integer, 'null']}}}
        - {name: X-Depth, in: header, schema: {type: integer}}
        - {name: If-None-Match, in: header, schema: {type: string}}
      security: [{bearer: [read]}, {basic: [read]}, {key: [read]}, {}]
      responses: {'200': {$ref: '#/components/responses/Tagged'}}
    post:
      operationId: create_thing
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Thing'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Flat'}}
          multipart/form-data: {schema: {$ref: '#/components/schemas/Flat'}}
      responses:
        '201': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
  /things/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: get_thing
      responses: {'200': {$ref: '#/components/responses/Tagged'}}
    put:
      operationId: replace_thing
      parameters: [{name: If-Match, in: header, required: true, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
components:
  responses:
    Tagged:
      description: It.
      headers: {ETag: {schema: {type: string}}}
      content: {application/json: {schema: {}}}
  schemas:
    Flat:
      type: object
      additionalProperties: false
      properties:
        name: {type: string, maxLength: 20}
        on: {type: string, format: date}
        at: {type: string, format: date-time}
        amounts: {type: array, items: {type: string, format: decimal, maxLength: 20}}
    Thing:
      type: object
      additionalProperties: false
      properties:
        name: {type: string, maxLength: 20}
        on: {type: [string, 'null'], format: date}
        at: {type: string, format: date-time}
        id: {type: string, format: uuid}
        price: {type: string, format: decimal, maxLength: 20}
        rate: {type: number, minimum: -1000000, maximum: 1000000}
        count: {type: integer, minimum: -1000000, maximum: 1000000}
        amounts: {type: array, items: {type: [string, 'null'], format: decimal, maxLength: 20}, default: ['1.0']}
        parts: {type: array, items: {$ref: '#/components/schemas/Thing'}}
        by: {type: object, additionalProperties: {$ref: '#/components/schemas/Thing'}}
  securitySchemes:
    bearer: {type: http, scheme: bearer, x-bearerInfoFunc: tests.support.callers.by_token, x-roles: {all: [read]}}
    basic: {type: http, scheme: basic, x-basicInfoFunc: tests.support.callers.by_password}
    key: {type: apiKey, in: header, name: X-Key, x-apikeyInfoFunc: tests.support.callers.by_key}
"""


def list_things(page, on=None, at=None, price=None, rate=None, id=None, size=None, x_depth=None):  # noqa: A002
    return [str(value) for value in (page, on, at, price, rate, id, size, x_depth)]


def replace_thing(session, thing_id, body=None):
    session[thing_id] = True


@pytest.fixture(scope="module")
def engine():
    functions = {
        "list_things": list_things,
        "create_thing": lambda session, body: body,
        "get_thing": lambda thing_id: thing_id,
        "replace_thing": replace_thing,
    }
    return start(
        complete(read(CONTRACT)),
        functions,
        dependencies={"keys": {"k": "reader"}},
        body_limits=BodyLimits(max_size=2000),
    )


ODD = ["", "0", "-1", "1e3", "\xd9\xa3", "NaN", "null", "2026-02-30", "0000-01-01", "9999-12-31T23:59:60Z",
       "a,b", "%", "%00", "%ff", "*", '"', 'W/"a', "Bearer", "Bearer reader", "Basic !", "Basic OjpB",
       "Basic cmVhZGVyOnJlYWRlcjpzZWNyZXQ=", "k"]  # fmt: skip
VALUES = st.sampled_from(ODD) | st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=12)
NAMES = ["page", "on", "at", "price", "rate", "id", "size", "x"]
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get"])
PATHS = st.sampled_from(
    ["/things", "/things/1", "/things/01", "/things/%31", "//things", "/things/", "/openapi.json"]
) | st.text(st.sampled_from("/things1%2F0a.~;é\\ "), max_size=12)
QUERIES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES).map("=".join), max_size=4).map("&".join) | st.text(
    st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Authorization",
                "X-Key",
                "X-Depth",
                "If-None-Match",
                "If-Match",
                "X-Request-Id",
                "Content-Type",
                "Content-Length",
                "Content-Encoding",
                "Transfer-Encoding",
                "Expect",
                "Idempotency-Key",
                "Accept",
            ]
        ),
        VALUES
        | st.sampled_from(["application/json", "multipart/form-data; boundary=b", "chunked", "5", "99999", "identity"]),
    ),
    max_size=4,
)
THINGS = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "name": VALUES | st.sampled_from(["\0", "x" * 30]),
            "on": VALUES | st.none(),
            "at": VALUES | st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
            "id": VALUES | st.uuids().map(str),
            "price": VALUES | st.decimals(allow_nan=False, allow_infinity=False).map(str),
            "rate": st.floats(allow_nan=False) | st.integers(),
            "count": st.integers() | st.floats() | VALUES,
            "amounts": st.lists(VALUES | st.none() | st.just("1.5"), max_size=2) | VALUES,
            "parts": st.lists(THINGS, max_size=2),
            "by": st.dictionaries(VALUES, THINGS, max_size=2),
            "odd": st.none(),
        },
    )
)
TEXTS = THINGS.map(lambda thing: json.dumps(thing, ensure_ascii=False).encode("utf-8", "surrogatepass"))
FORMS = st.lists(
    st.tuples(st.sampled_from(["name", "on", "at", "amounts", "odd"]), VALUES).map("=".join), max_size=4
).map(lambda pieces: "&".join(pieces).encode("latin-1"))
PARTS = st.lists(st.sampled_from([
    b"--b\r\n", b"--b--", b'Content-Disposition: form-data; name="name"', b'; filename="x"', b"\r\n\r\n",
    b"Content-Type: text/plain", b"\r\n", b"\0", b"\xff", b"2026-01-01", b"\r\n--b",
    b'Content-Disposition: form-data; name="on"',
]), max_size=10).map(b"".join)  # fmt: skip


@st.composite
def broken(draw, texts):
    """Draw one of *texts* with a few bytes of it other than they were."""
    text = bytearray(draw(texts))
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(text)))
        text[position : position + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\u0000", b"[", b"1e999"])
        )
    return bytes(text)


@SETTINGS
@given(method=METHODS, path=PATHS, query=QUERIES, headers=HEADERS, body=st.none() | TEXTS | st.binary(max_size=20))
def test_any_request_gets_a_declared_answer(engine, method, path, query, headers, body):
    target = path.encode("ascii", "replace").replace(b"?", b"") + b"?" + query.encode("latin-1")
    _fine(engine.send(method, target, body, headers, media_type=None), method)


@SETTINGS
@given(body=broken(TEXTS))
def test_any_json_body_gets_a_declared_answer(engine, body):
    _fine(engine.send("POST", "/things", body), "POST")


@SETTINGS
@given(body=broken(FORMS) | TEXTS)
def test_any_form_gets_a_declared_answer(engine, body):
    _fine(engine.send("POST", "/things", body, media_type="application/x-www-form-urlencoded"), "POST")


@SETTINGS
@given(body=broken(PARTS), chunk=st.integers(1, 50))
def test_any_multipart_form_gets_a_declared_answer(engine, body, chunk):
    chunks = [body[n : n + chunk] for n in range(0, len(body), chunk)] or [b""]
    _fine(engine.send("POST", "/things", chunks=chunks, media_type="multipart/form-data; boundary=b"), "POST")


def _fine(reply, method):
    assert reply.status < 500, reply
    length = reply.header("content-length")
    assert method == "HEAD" or length is None or int(length) == len(reply.body)
    if reply.status >= 400 and method != "HEAD":
        problem = reply.json
        assert problem["status"] == reply.status
        assert all(error.get("pointer", error.get("parameter")) is not None for error in problem.get("errors", []))
