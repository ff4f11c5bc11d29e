"""Who may call what: as the contract says, of every operation."""

import pytest

from tests.contract.operations import OPERATIONS, ROLES, each

REFUSED = [
    pytest.param(operation, role, id=f"{operation.label}-{role}")
    for operation in OPERATIONS
    if operation.requires_credentials
    for role in ROLES
    if not operation.reaches(role)
]


@each(o for o in OPERATIONS if o.requires_credentials)
def test_nobody_is_asked_for_credentials(ask, operation):
    answer = ask(operation, role=None)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@each(o for o in OPERATIONS if o.takes_credentials)
def test_invalid_token_is_refused_even_where_none_is_needed(ask, operation):
    answer = ask(operation, role=None, headers={"Authorization": "Bearer of.bad.news"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("operation", "role"), REFUSED)
def test_role_without_the_scope_is_refused(ask, operation, role):
    answer = ask(operation, role=role)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@each(o for o in OPERATIONS if o.requires_credentials)
def test_somebody_reaches_every_operation(operation):
    assert any(operation.reaches(role) for role in ROLES)
