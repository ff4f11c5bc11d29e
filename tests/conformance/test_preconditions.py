"""Preconditions of every operation whose target has a validator, declared or not (RFC 9110, section 13)."""

import pytest

from tests.support.operations import GETS, WRITES, at, each
from tests.support.write_operations import Writer

LONG_AGO = "Sat, 01 Jan 2000 00:00:00 GMT"


def validating_get(operation):
    """The GET of the path, or of its parent if the path has none; None if it has no validator."""
    get = at("GET", operation.path) or at("GET", operation.path.rpartition("/")[0])
    return get if get and {"ETag", "Last-Modified"} & get.success.get("headers", {}).keys() else None


TAGGED = [operation for operation in GETS if validating_get(operation)]
GUARDED = [operation for operation in WRITES if validating_get(operation)]


def is_dated(answer):
    """Whether the answer has a time of the last change."""
    is_json = answer.headers["Content-Type"] == "application/json"
    return "Last-Modified" in answer.headers or (is_json and "updated_at" in answer.json())


@pytest.fixture(scope="module")
def write(ask, known):
    return Writer(ask, known)


@each([*TAGGED, *GUARDED])
def test_operation_declares_that_a_precondition_can_fail(operation):
    assert "412" in operation.spec["responses"]


@each(TAGGED)
def test_read_is_guarded_by_every_precondition(ask, known, operation):
    path = known(operation)
    found = ask(operation, path=path)
    tag = found.headers["ETag"]
    expected = {
        ("If-Match", tag): 200,
        ("If-Match", '"other"'): 412,
        ("If-None-Match", f'"other", W/{tag}'): 304,
        ("If-Unmodified-Since", LONG_AGO): 412 if is_dated(found) else 200,
    }
    for (name, value), status in expected.items():
        assert (name, value, ask(operation, path=path, headers={name: value}).status_code) == (name, value, status)


@each(GUARDED)
def test_change_is_guarded_by_every_precondition(ask, write, operation):
    get, sent = validating_get(operation), write.prepare(operation)
    path = sent["path"] if get.path == operation.path else sent["path"].rpartition("/")[0]
    credentials = {name: value for name, value in sent["headers"].items() if name == "Authorization"}
    found = ask(get, path=path, role=sent.get("role", "admin"), headers=credentials)
    exists, tag = found.status_code == 200, found.headers.get("ETag", '"none"')
    if operation.path.endswith("/restoration"):
        assert not exists

    def attempt(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(operation, **{**sent, "headers": {**sent["headers"], **named}}).status_code

    assert attempt(If_Match='"other"') == 412
    if exists:
        assert attempt(If_None_Match="*") == 412
        without = {name: value for name, value in sent["headers"].items() if name != "If-Match"}
        if is_dated(found) and "If-Match" not in operation.required_headers():
            late = {**sent, "headers": {**without, "If-Unmodified-Since": LONG_AGO}}
            assert ask(operation, **late).status_code == 412
        assert attempt(If_Match=f"W/{tag}", If_Unmodified_Since=LONG_AGO, If_None_Match='"other"') < 300
    else:
        assert attempt(If_Match="*") == 412
        assert attempt(If_None_Match="*", If_Unmodified_Since=LONG_AGO) < 300
