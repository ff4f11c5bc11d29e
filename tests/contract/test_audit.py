"""Every operation that writes says in the audit trail what it has changed, and no more."""

import hashlib
import json
import re
from uuid import uuid4

import pytest

from tests.contract.operations import OPERATIONS, WRITES, each
from tests.contract.writing import Writer

LIST = next(operation for operation in OPERATIONS if operation.id == "list_audit_events")
SECRET = re.compile("password|secret|token$|key$")


@pytest.fixture(scope="module")
def write(ask, known):
    return Writer(ask, known)


@pytest.fixture(scope="module")
def events(ask):
    """The events of a request to an operation, by the name that the request had."""

    def events(operation, request_id):
        newest = ask(LIST, path=LIST.path, params={"action": operation.id, "per_page": 100}).json()["items"]
        return [event for event in newest if event["request_id"] == request_id]

    return events


@each(WRITES)
def test_every_write_leaves_its_events(write, events, operation):
    name = f"write-{uuid4()}"
    assert write(operation, headers={"X-Request-Id": name}).headers["X-Request-Id"] == name
    left = events(operation, name)
    assert left, (
        f"{operation.id} writes past the ORM, and its service is to say what with db.changes.noted; "
        "or what was sent changes nothing, and tests/contract/writing.py is to say what does."
    )
    assert all(event["changes"] for event in left)


@each(WRITES)
def test_what_fails_leaves_none(ask, events, operation):
    name = f"fail-{uuid4()}"
    sent = {"headers": {"X-Request-Id": name}}
    if not operation.names("path"):
        sent |= {"json": {"colour": "blue"}, "undeclared": True} if operation.body is not None else {"role": None}
    answer = ask(operation, **sent)
    assert answer.status_code >= 400
    assert answer.json()["request_id"] == name
    assert events(operation, name) == []


def test_no_event_tells_a_secret(write, ask, client, tokens):
    secrets = set(tokens.values())
    for operation in WRITES:
        answer = write(operation)
        sent = answer.request.headers.get("Authorization", "").removeprefix("Bearer ")
        secrets |= {sent, *_secrets(_json(answer.request)), *_secrets(_json(answer))} - {""}
    secrets |= {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
    assert len(secrets) > 10
    for text in _pages(ask, client):
        assert [secret for secret in {*secrets, "$argon2", "canary"} if secret in text] == []


def _pages(ask, client):
    answer = ask(LIST, path=LIST.path, params={"per_page": 100})
    token = {"Authorization": answer.request.headers["Authorization"]}
    yield answer.text
    while following := answer.json()["_links"].get("next"):
        answer = client.get(following["href"], headers=token)
        yield answer.text


def _json(message):
    is_json = message.headers.get("Content-Type") == "application/json"
    return json.loads(message.content) if is_json else None


def _secrets(value):
    """The values, at any depth, of members whose names say that they are secret."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from [inner] if SECRET.search(name) and isinstance(inner, str) else _secrets(inner)
        case list():
            for inner in value:
                yield from _secrets(inner)
