"""What a client reads, changes and sends back: each operation that replaces takes it, or says what to do."""

import re

import pytest

from tests.support.operations import OPERATIONS, at, each
from tests.support.write_operations import Writer

REPLACEMENTS = [o for o in OPERATIONS if o.method == "PUT" and o.body is not None and at("GET", o.path)]


@pytest.fixture
def write(ask, known):
    return Writer(ask, known)


def followed(body, error):
    """The body after a client has done what an error says."""
    name = error["pointer"].removeprefix("/")
    value, rest = body[name], {other: body[other] for other in body if other != name}
    if error["detail"] == "This property is read-only in this operation. Leave it out.":
        return rest
    reference = re.fullmatch(
        r"This property is read-only in this operation\. Send the `id` in it as `(\w+)` instead\.", error["detail"]
    )
    assert reference, error
    return rest | {reference[1]: value["id"]}


def test_there_are_operations_that_replace():
    assert {"replace_product", "replace_customer", "replace_task"} <= {operation.id for operation in REPLACEMENTS}


@each(REPLACEMENTS)
def test_what_was_read_is_taken_but_for_the_properties_that_the_answer_names(write, ask, operation):
    """RFC 9110, section 9.3.4: a PUT that is inconsistent with the resource is refused with the reason."""
    path = write.made(operation.path)
    read = ask(at("GET", operation.path), path=path)
    tag = {"If-Match": read.headers["ETag"]}
    body = read.json()
    refused = ask(operation, path=path, json=body, headers=tag, undeclared=True)
    errors = refused.json()["errors"]
    assert refused.status_code == 422
    assert {error["code"] for error in errors} <= {"additionalProperties", "required"}
    for error in errors:
        if error["code"] == "additionalProperties":
            body = followed(body, error)
    replaced = ask(operation, path=path, json=body, headers=tag)
    assert replaced.status_code == 200, replaced.text
    changed = {name for name, value in replaced.json().items() if value != read.json()[name]}
    assert changed <= {"updated_at"}
