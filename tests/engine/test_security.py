"""Who calls is known by the schemes of the contract, and what they may by their scopes."""

import base64

import pytest

from tests.support.engine import start

SCHEMES = """
components:
  securitySchemes:
    bearer:
      type: http
      scheme: Bearer
      x-bearerInfoFunc: tests.support.callers.by_token_later
      x-roles: {customer: [read], admin: [read, write]}
    oauth:
      type: oauth2
      x-tokenInfoFunc: tests.support.callers.by_token
      flows: {password: {tokenUrl: /token, scopes: {read: Reads., write: Writes.}}}
    basic: {type: http, scheme: basic, x-basicInfoFunc: tests.support.callers.by_password}
    header: {type: apiKey, in: header, name: X-API-Key, x-apikeyInfoFunc: tests.support.callers.by_key}
    broken: {type: http, scheme: bearer, x-bearerInfoFunc: tests.support.callers.by_broken}
paths: {/t: {get: {operationId: who, security: %s}}}
"""
KEYS = {"k-reader": "reader", "k-writer": "writer"}


def asking_as(security):
    return start(SCHEMES % security, {"who": lambda caller: caller and caller.id}, dependencies={"keys": KEYS})


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("scheme", ["bearer", "oauth"])
@pytest.mark.parametrize("word", ["Bearer ", "bearer  ", "BEARER "])
def test_bearer_token_says_who_calls(scheme, word):
    assert asking_as(f"[{{{scheme}: [read]}}]").get("/t", {"Authorization": f"{word}reader"}).json == "reader"


def test_password_says_who_calls():
    engine = asking_as("[{basic: [read]}]")
    assert engine.get("/t", basic("reader:reader:secret")).json == "reader"


@pytest.mark.parametrize(
    "credentials",
    ["Basic !!", "Basic ", "Basic /////w==", "Basic cmVhZGVy", "basic cmVhZGVyOndyb25n", "Basic cmVhZGVyOg=="],
)
def test_wrong_or_garbled_password_is_a_401(credentials):
    refused = asking_as("[{basic: [read]}]").get("/t", {"Authorization": credentials})
    assert refused.status == 401
    assert refused.header("www-authenticate").startswith('Basic realm="api", charset="UTF-8"')


def test_key_says_who_calls():
    assert asking_as("[{header: [read]}]").get("/t", {"x-api-key": "k-reader"}).json == "reader"


def test_wrong_key_is_a_401():
    refused = asking_as("[{header: [read]}]").get("/t", {"X-API-Key": "x"})
    assert refused.status == 401
    assert refused.header("www-authenticate") == 'ApiKey realm="api", header="X-API-Key", error="invalid_token"'


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="api"'),
        ({"Authorization": "Basic cmVhZGVyOg=="}, 'Bearer realm="api"'),
        ({"Authorization": "Bearer"}, 'Bearer realm="api"'),
        (bearer("stranger"), 'Bearer realm="api", error="invalid_token"'),
        (bearer("réader"), 'Bearer realm="api", error="invalid_token"'),
        (
            [("Authorization", "Bearer reader"), ("Authorization", "Bearer reader")],
            'Bearer realm="api", error="invalid_token"',
        ),
    ],
)
def test_without_valid_credentials_the_answer_is_a_401_with_a_challenge(headers, challenge):
    refused = asking_as("[{bearer: [read]}]").get("/t", headers)
    assert (refused.status, refused.header("www-authenticate")) == (401, challenge)


def test_too_few_scopes_are_a_403_that_names_what_lacks():
    refused = asking_as("[{bearer: [read, write]}]").get("/t", bearer("reader"))
    assert refused.status == 403
    assert refused.header("www-authenticate") == 'Bearer realm="api", error="insufficient_scope", scope="write"'
    assert "write" in refused.json["detail"]


def test_any_of_several_alternatives_will_do():
    engine = asking_as("[{bearer: [write]}, {header: [read]}]")
    assert engine.get("/t", bearer("writer")).json == "writer"
    assert engine.get("/t", {"X-API-Key": "k-reader"}).json == "reader"
    assert engine.get("/t", bearer("reader")).status == 403
    nobody = engine.get("/t")
    assert nobody.status == 401
    assert nobody.header("www-authenticate") == 'Bearer realm="api", ApiKey realm="api", header="X-API-Key"'


@pytest.mark.parametrize("optional", ["", ", {}"])
@pytest.mark.parametrize("token", ["reader", "writer", "stranger"])
@pytest.mark.parametrize("key", ["k-reader", "k-writer", "x"])
def test_credentials_of_several_alternatives_are_not_mixed(optional, token, key):
    engine = asking_as(f"[{{bearer: [write]}}, {{header: [write]}}{optional}]")
    refused = engine.get("/t", {**bearer(token), "X-API-Key": key})
    assert refused.status == 401
    assert refused.header("www-authenticate") == 'Bearer realm="api", ApiKey realm="api", header="X-API-Key"'
    assert "one kind at a time" in refused.json["detail"]


def test_of_schemes_that_hold_together_and_alone_those_count_that_are_brought():
    engine = asking_as("[{bearer: [read]}, {bearer: [write], header: [write]}]")
    assert engine.get("/t", bearer("reader")).json == "reader"
    assert engine.get("/t", {**bearer("reader"), "X-API-Key": "k-writer"}).status == 403
    assert engine.get("/t", {**bearer("writer"), "X-API-Key": "k-writer"}).json == "writer"


def test_wrong_key_is_refused_where_a_token_would_do_and_where_none_is_needed():
    for requirements in ("[{bearer: [read]}, {header: [read]}]", "[{bearer: [read]}, {header: [read]}, {}]"):
        refused = asking_as(requirements).get("/t", {"X-API-Key": "x"})
        assert refused.status == 401
        assert refused.header("www-authenticate") == 'ApiKey realm="api", header="X-API-Key", error="invalid_token"'


def test_key_without_the_scope_is_told_which_in_its_own_scheme():
    refused = asking_as("[{bearer: [write]}, {header: [write]}]").get("/t", {"X-API-Key": "k-reader"})
    assert refused.status == 403
    challenge = 'ApiKey realm="api", header="X-API-Key", error="insufficient_scope", scope="write"'
    assert refused.header("www-authenticate") == challenge


def test_schemes_of_one_alternative_must_all_hold():
    engine = asking_as("[{bearer: [read], header: [write]}]")
    assert engine.get("/t", {**bearer("reader"), "X-API-Key": "k-writer"}).json == "reader"
    assert engine.get("/t", {**bearer("reader"), "X-API-Key": "k-reader"}).status == 403
    assert engine.get("/t", {**bearer("reader"), "X-API-Key": "x"}).status == 401
    assert engine.get("/t", bearer("reader")).status == 401


def test_optional_credentials_may_be_absent_but_not_wrong():
    engine = asking_as("[{bearer: [read]}, {}]")
    assert engine.get("/t").json is None
    assert engine.get("/t", bearer("reader")).json == "reader"
    assert engine.get("/t", bearer("stranger")).status == 401
    assert engine.get("/t", basic("a:b")).status == 401


def test_valid_credentials_without_the_scopes_are_those_of_nobody_where_none_are_needed():
    reply = asking_as("[{bearer: [read]}, {}]").get("/t", bearer("nobody"))
    assert (reply.status, reply.json) == (200, None)


def test_open_operation_looks_at_no_credentials():
    assert asking_as("[]").get("/t", bearer("stranger")).json is None


def test_credentials_come_before_parameters():
    assert asking_as("[{bearer: [read]}]").get("/t?unknown=1").status == 401


def test_security_function_that_fails_is_a_500_without_its_words():
    failed = asking_as("[{broken: [read]}]").get("/t", bearer("x"))
    assert failed.status == 500
    assert b"words of the failure" not in failed.body


def test_security_of_the_document_is_that_of_each_operation_that_says_none():
    text = "security: [{bearer: [write]}]\n" + (SCHEMES % "x").replace(", security: x", "")
    engine = start(text, {"who": lambda caller: caller.id}, dependencies={"keys": KEYS})
    assert engine.get("/t", bearer("reader")).status == 403
    assert engine.get("/t", bearer("writer")).json == "writer"


def test_published_contract_names_no_functions():
    published = asking_as("[{bearer: [read]}]").get("/openapi.json").body
    assert b"InfoFunc" not in published
    assert b"x-roles" in published
