"""What the contract declares as unique is refused the second time."""

import pytest

from tests.support.operations import OPERATIONS
from tests.support.write_operations import Writer


def unique_members(operation):
    """The names of the members of a new resource that are unique."""
    content = operation.resolve(operation.spec.get("requestBody", {})).get("content", {})
    schema = operation.resolve(content.get("application/json", {}).get("schema", {}))
    members = operation.members(operation.resolve(schema.get("items", schema)))
    return [name for name, member in members.items() if operation.resolve(member).get("x-unique")]


CASES = [
    pytest.param(o, name, id=f"{o.label}-{name}")
    for o in OPERATIONS
    if o.method == "POST" and "201" in o.spec["responses"]
    for name in unique_members(o)
]


def test_contract_declares_unique_members():
    assert {case.id for case in CASES} >= {"create_product-sku", "create_customer-phone", "register_user-username"}


@pytest.mark.parametrize(("operation", "name"), CASES)
def test_second_use_of_a_unique_value_is_a_conflict(ask, known, operation, name):
    write = Writer(ask, known)
    first, second = write.filled(operation.body), write.filled(operation.body)
    pointer = f"/{name}"
    if isinstance(first, list):
        second[0][name], pointer = first[0][name], f"/0/{name}"
    else:
        second[name] = first[name]
    write(operation, json=first)
    answer = ask(operation, path=operation.path, json=second)
    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
