"""Who may call what: as the contract says, of every operation."""

import pytest

from tests.support.operations import OPERATIONS, PUBLISHED, ROLES, each

PERSONAL = {"account", "api-keys"}
"""Scopes of people only: no key changes an account, and none makes keys."""

KEYED = [operation for operation in OPERATIONS if operation.scopes_of("apiKey")]

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


@each(o for o in OPERATIONS if o.takes_credentials)
def test_key_may_what_a_token_may_but_for_what_is_personal(operation):
    tokens, keys = operation.scopes_of("bearer"), operation.scopes_of("apiKey")
    assert not any(PERSONAL.intersection(scopes) for scopes in keys)
    assert keys == tokens or any(PERSONAL.intersection(scopes) for scopes in tokens)


def test_key_can_have_every_scope_but_the_personal_ones():
    schemas = PUBLISHED["v1"].raw["components"]["schemas"]
    assert set(schemas["ApiKeyScope"]["enum"]) == {scope for has in ROLES.values() for scope in has} - PERSONAL


@each(KEYED)
def test_key_with_the_scope_is_let_in(ask, key, operation):
    (scopes,) = operation.scopes_of("apiKey")
    answer = ask(operation, role=None, headers={"X-API-Key": key(*scopes)}, params={"colour": "blue"}, undeclared=True)
    assert answer.status_code == 400


@each(o for o in KEYED if o.requires_credentials)
def test_key_without_the_scope_is_refused(ask, key, operation):
    other = next(scope for scope in ("tasks", "files") if [scope] not in operation.scopes_of("apiKey"))
    answer = ask(operation, role=None, headers={"X-API-Key": key(other)})
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].startswith("ApiKey ")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("wrong", ["of bad news", f"ak_{'a' * 12}_{'b' * 43}"])
@each(KEYED)
def test_invalid_key_is_refused_even_where_none_is_needed(ask, operation, wrong):
    answer = ask(operation, role=None, headers={"X-API-Key": wrong})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'ApiKey realm="api", header="X-API-Key", error="invalid_token"'


@each(KEYED)
def test_token_and_key_are_not_taken_together(ask, key, operation):
    (scopes,) = operation.scopes_of("apiKey")
    assert ask(operation, headers={"X-API-Key": key(*scopes)}).status_code == 401


@each(o for o in OPERATIONS if o.requires_credentials and o not in KEYED)
def test_key_opens_nothing_personal(ask, key, operation):
    answer = ask(operation, role=None, headers={"X-API-Key": key("users")})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
