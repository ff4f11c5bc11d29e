"""Who may keep which answer, and for how long: of every operation, and of what stands beside them."""

from time import sleep

import httpx
import pytest

from accord.app.documents import PUBLISHED
from tests.support.operations import GETS, OPERATIONS, WRITES, each

MARKED = [operation for operation in OPERATIONS if "x-cache-profile" in operation.spec]
OTHERS = [operation for operation in GETS if operation not in MARKED]


def listed(answer, header):
    """What the header lists, in lower case."""
    return {part.strip().lower() for part in answer.headers.get(header, "").split(",")} - {""}


def chosen_by(operation):
    """The header fields that another answer may be for, and those that say who calls."""
    schemes = operation.document.raw["components"]["securitySchemes"]
    named = (schemes[name] for alternative in operation.security for name in alternative)
    forms = {"accept"} if len(operation.success["content"]) > 1 else set()
    return forms | {"accept-encoding"} | {scheme.get("name", "authorization").lower() for scheme in named}


@each(OPERATIONS)
def test_refusal_is_kept_by_nobody(ask, operation):
    refused = ask(operation, role=None, params={"no": "such"}, undeclared=True)
    assert refused.status_code in (400, 401)
    assert listed(refused, "Cache-Control") == {"no-store"}


@each(WRITES)
def test_answer_to_a_write_is_kept_by_nobody(ask, operation):
    assert "no-store" in listed(ask(operation, role=None), "Cache-Control")


@each(OTHERS)
def test_what_is_not_marked_is_kept_by_nobody(ask, known, operation):
    answer = ask(operation, path=known(operation))
    whose = {"private"} if operation.takes_credentials else set()
    assert (answer.status_code, listed(answer, "Cache-Control")) == (200, {"no-store"} | whose)


@each(MARKED)
def test_what_is_marked_is_public_where_nobody_says_who_asks(ask, known, operation):
    max_age = operation.document.raw["x-cache-profiles"][operation.spec["x-cache-profile"]]["max-age"]
    answer = ask(operation, role=None, path=known(operation, role=None))
    assert answer.status_code == 200
    assert listed(answer, "Cache-Control") == {"public", f"max-age={max_age}" if max_age else "no-cache"}
    assert listed(answer, "Vary") == chosen_by(operation)


@each(o for o in MARKED if o.takes_credentials)
def test_who_says_who_asks_gets_an_answer_of_their_own(ask, known, operation):
    answer = ask(operation, path=known(operation))
    assert (answer.status_code, listed(answer, "Cache-Control")) == (200, {"private", "no-cache"})
    assert listed(answer, "Vary") == chosen_by(operation)


@pytest.mark.parametrize("role", ["admin", None])
@each(o for o in GETS if "ETag" in o.success.get("headers", {}))
def test_304_says_what_the_whole_says(ask, known, operation, role):
    if role is None and operation.requires_credentials:
        role = "admin"
    path = known(operation, role)
    whole = ask(operation, role=role, path=path)
    same = ask(operation, role=role, path=path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (whole.status_code, same.status_code) == (200, 304)
    for name in ("Cache-Control", "Vary", "ETag", "Last-Modified"):
        assert same.headers.get(name) == whole.headers.get(name)


@each(o for o in GETS if "Last-Modified" in o.success.get("headers", {}))
def test_date_is_as_good_as_a_tag_where_there_is_none(ask, known, operation):
    path = known(operation)
    # The date of content that was changed in this second or the one before does not match yet.
    while (date := ask(operation, path=path).headers["Last-Modified"]) and ask(
        operation, path=path, headers={"If-Modified-Since": date}
    ).status_code != 304:
        sleep(0.1)
    both = {"If-Modified-Since": date, "If-None-Match": '"other"'}
    assert ask(operation, path=path, headers=both).status_code == 200


@pytest.mark.parametrize("path", [*PUBLISHED.values(), "/docs", "/problems", "/portal/docs.css"])
def test_pages_and_contracts_are_asked_for_again(server, path):
    answer = httpx.get(server.base + path)
    assert (answer.status_code, listed(answer, "Cache-Control")) == (200, {"public", "no-cache"})


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/products?version=9", "/docs?version=v9"])
def test_what_is_nowhere_is_kept_by_nobody(server, path):
    answer = httpx.get(server.base + path)
    assert answer.status_code in (400, 404)
    assert listed(answer, "Cache-Control") == {"no-store"}


def test_tokens_are_kept_by_nobody(server):
    login = {"username": "customer", "password": "customer-demo-password"}
    answer = httpx.post(f"{server.base}/api/v1/auth/login", json=login)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
