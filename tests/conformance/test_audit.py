"""Every operation that writes says in the audit trail what it has changed, and no more."""

from uuid import uuid4

import pytest

from tests.support.operations import OPERATIONS, WRITES, each
from tests.support.write_operations import Writer

LIST = next(operation for operation in OPERATIONS if operation.id == "list_audit_events")


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
        "or what was sent changes nothing, and tests/support/write_operations.py is to say what does."
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
