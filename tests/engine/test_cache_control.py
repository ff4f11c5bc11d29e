"""What answers say of who may keep them, because their contract declares it."""

import pytest

from accord.contract.errors import ContractError
from tests.support.engine import start

CACHES = """
x-cache-profiles:
  short: {description: For a minute., max-age: 60}
  never: {description: Asked for each time., max-age: 0}
components:
  securitySchemes:
    bearer:
      type: http
      scheme: bearer
      x-bearerInfoFunc: tests.support.callers.by_token
      x-roles: {customer: [read]}
    key: {type: apiKey, in: header, name: X-API-Key, x-apikeyInfoFunc: tests.support.callers.by_key}
paths:
  /open:
    get:
      operationId: get_open
      x-cache-profile: short
      security: [{bearer: [read]}, {key: [read]}, {}]
      parameters: &tags [{name: If-None-Match, in: header, schema: {type: string}}]
      responses: {'200': &it {
        description: It., headers: {ETag: {schema: {type: string}}}, content: {application/json: {schema: {}}}}}
  /asked:
    get: {operationId: get_asked, x-cache-profile: never, parameters: *tags, responses: {'200': *it}}
  /own:
    get: {operationId: get_own, security: [{bearer: [read]}]}
    post: {operationId: make, security: [{bearer: [read]}]}
  /free:
    get: {operationId: get_free}
    post: {operationId: make_free}
"""


def what_it_is():
    return "it"


NAMES = ("get_open", "get_asked", "get_own", "make", "get_free", "make_free")
FUNCTIONS = dict.fromkeys(NAMES, what_it_is)
KEYS = {"k-reader": "reader"}


@pytest.fixture(scope="module")
def engine():
    return start(CACHES, FUNCTIONS, dependencies={"keys": KEYS})


def said(reply):
    return reply.header("cache-control"), reply.header("vary")


WHO = "Accept-Encoding, Authorization, X-API-Key"


def test_what_nobody_in_particular_asked_for_is_public(engine):
    assert said(engine.get("/open")) == ("public, max-age=60", WHO)
    assert said(engine.get("/asked")) == ("public, no-cache", "Accept-Encoding")


@pytest.mark.parametrize("credentials", [{"Authorization": "Bearer reader"}, {"X-API-Key": "k-reader"}])
def test_what_somebody_asked_for_is_theirs(engine, credentials):
    assert said(engine.get("/open", credentials)) == ("private, no-cache", WHO)


def test_304_and_head_say_the_same(engine):
    tag = engine.get("/open").header("etag")
    assert engine.get("/open", {"If-None-Match": tag}).status == 304
    assert said(engine.get("/open", {"If-None-Match": tag})) == ("public, max-age=60", WHO)
    assert said(engine.send("HEAD", "/open")) == ("public, max-age=60", WHO)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_marked_is_kept_by_nobody(engine, method):
    reply = engine.send(method, "/own", headers={"Authorization": "Bearer reader"})
    assert (reply.status, *said(reply)) == (200, "private, no-store", "Accept-Encoding")
    assert said(engine.send(method, "/free")) == ("no-store", "Accept-Encoding")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/open", {"Authorization": "Bearer stranger"}, 401),
        ("GET", "/open", {"Accept": "text/css"}, 406),
        ("GET", "/open?no=such", {}, 400),
        ("GET", "/nowhere", {}, 404),
        ("PUT", "/open", {}, 405),
        ("OPTIONS", "/open", {}, 204),
    ],
)
def test_what_is_no_answer_of_an_operation_is_kept_by_nobody(engine, method, path, headers, status):
    reply = engine.send(method, path, headers=headers)
    assert (reply.status, reply.header("cache-control")) == (status, "no-store")


@pytest.mark.parametrize(
    ("there", "instead", "error"),
    [
        (
            "x-cache-profile: short",
            "x-cache-profile: long",
            'get_open: unknown cache profile "long"; known: short, never',
        ),
        (
            "max-age: 60",
            "max-age: -1",
            'cache profile "short": max-age must be a number of seconds, such as 60, not -1',
        ),
        (
            "max-age: 60",
            "max_age: 60",
            'cache profile "short": unknown key max_age; known: description, max-age, server-cache',
        ),
        (
            "headers: {ETag: {schema: {type: string}}},",
            "",
            "get_open has x-cache-profile; it must be a GET with an ETag",
        ),
        (
            "operationId: make,",
            "operationId: make, x-cache-profile: short,",
            "make has x-cache-profile; it must be a GET",
        ),
    ],
)
def test_what_cannot_be_promised_refuses_to_start(there, instead, error):
    with pytest.raises(ContractError, match=error):
        start(CACHES.replace(there, instead), FUNCTIONS, dependencies={"keys": KEYS})
