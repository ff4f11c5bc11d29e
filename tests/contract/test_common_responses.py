"""What every response has is declared once, and published for each operation."""

import pytest

from accord.app.documents import CONTRACTS
from accord.contract.document import Document
from accord.engine.policies.rate_limits import RateLimitPolicies, RateLimitStats
from accord.rate_limits.memory import MemoryStorage
from tests.support.engine import read

LIMIT_HEADERS = {"RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
OF_THE_SERVER = {"400", "408", "414", "431", "5XX"}
"""What `accord/server/protocol.py` answers, or the engine to any request."""

INDEX = """
x-rate-limits: {default: [few], policies: {few: {by: [address], limits: [1 per second]}}}
x-common-responses: {'431': {$ref: '#/components/responses/TooLarge'}, '400': {description: Bad.}}
x-common-headers:
  every: {X-Request-Id: {schema: {}}}
  limited: {RateLimit: {schema: {}}}
  deprecated: {Sunset: {schema: {}}}
paths:
  /a:
    get: {responses: {'200': {description: D, headers: {x-request-id: {description: Own., schema: {}}}}}}
    put: {x-rate-limit: [], deprecated: true, responses: {'204': {description: D}, '400': {description: Own.}}}
components: {responses: {TooLarge: {description: D}}}
"""


def operations():
    for index in CONTRACTS.values():
        document = Document.read(index)
        limits = RateLimitPolicies(document, MemoryStorage(), RateLimitStats(), str.casefold)
        for path, method, spec in document.operations():
            yield pytest.param(document, spec, limits.for_operation(spec), id=f"{method} {path}")


def test_operations_get_the_responses_and_headers_of_their_groups():
    document = read(INDEX).public()
    get, put = document["paths"]["/a"]["get"]["responses"], document["paths"]["/a"]["put"]["responses"]
    assert [*get] == ["200", "400", "431"]
    assert get["200"]["headers"] == {"x-request-id": {"description": "Own.", "schema": {}}, "RateLimit": {"schema": {}}}
    assert put["204"]["headers"].keys() == {"X-Request-Id", "Sunset"}
    assert put["400"]["description"] == "Own."
    shared = document["components"]["responses"]["TooLarge"]["headers"]
    assert shared.keys() == {"X-Request-Id", "RateLimit"}
    assert put["431"] == {"$ref": "#/components/responses/DeprecatedTooLarge"}
    own = document["components"]["responses"]["DeprecatedTooLarge"]["headers"]
    assert own.keys() == {"X-Request-Id", "RateLimit", "Sunset"}
    assert not {"x-common-responses", "x-common-headers"} & document.keys()


def test_deprecated_operation_may_refer_to_a_response_of_another_one():
    raw = read("""
x-common-headers: {deprecated: {Sunset: {schema: {}}}}
paths:
  /a:
    get: {responses: {'200': {description: D}}}
    put: {deprecated: true, responses: {'200': {$ref: '#/paths/~1a/get/responses/200'}}}
""").raw
    get, put = raw["paths"]["/a"]["get"], raw["paths"]["/a"]["put"]
    assert get["responses"]["200"] == {"description": "D"}
    assert put["responses"]["200"]["headers"].keys() == {"Sunset"}


@pytest.mark.parametrize("text", ["x-common-headers: []\npaths: []", "x-common-responses: 1\npaths: {/a: {get: 1}}"])
def test_document_without_the_form_of_openapi_is_read(text):
    read(text)


@pytest.mark.parametrize(("document", "spec", "limit"), [*operations()])
def test_every_response_declares_what_every_response_has(document, spec, limit):
    assert spec["responses"].keys() >= OF_THE_SERVER
    for response in spec["responses"].values():
        headers = document.resolve(response)["headers"]
        assert document.resolve(headers["X-Request-Id"])["required"] is True
        assert limit is None or headers.keys() >= LIMIT_HEADERS
        assert not spec.get("deprecated") or headers.keys() >= {"Deprecation", "Sunset", "Link"}


@pytest.mark.parametrize("index", CONTRACTS.values(), ids=CONTRACTS)
def test_contract_names_whom_to_ask(index):
    assert Document.read(index).raw["info"]["contact"]["name"]
