"""How often each operation may be called: as the contract says, of every operation."""

import re

import pytest

from tests.support.operations import OPERATIONS, PUBLISHED, ROLES, each

LIMITS = PUBLISHED["v1"].raw["x-rate-limits"]
EXEMPT = [operation for operation in OPERATIONS if operation.spec.get("x-rate-limit") == []]
LIMITED = [operation for operation in OPERATIONS if operation not in EXEMPT]
CREATING = [o for o in OPERATIONS if o.id.startswith("create_") and o.requires_credentials and o.reaches("customer")]
HARMLESS = [
    pytest.param(operation, role, id=f"{operation.label}-{role}")
    for operation in LIMITED
    for role in ROLES
    if operation.takes_credentials and (operation.method == "GET" or not operation.reaches(role))
]
"""Operations and roles that change nothing: they only read, or are refused."""


def policies(operation):
    return operation.spec.get("x-rate-limit", LIMITS["default"])


def told(answer):
    """The rate limit policies that an answer names, each once, without the windows they have."""
    names = re.findall(r'"([^"]+)";q=\d+;w=\d+', answer.headers.get("RateLimit-Policy", ""))
    return {max((c for c in LIMITS["policies"] if name.startswith(c)), key=len) for name in names}


def by(kinds, operation):
    return {name for name in policies(operation) if kinds & set(LIMITS["policies"][name]["by"])}


def test_service_itself_may_be_asked_at_any_time():
    service = {"get_liveness", "get_readiness", "get_jwks", "get_metrics", "get_metrics_history"}
    assert {operation.id for operation in EXEMPT} == service


@each(EXEMPT)
def test_what_is_exempt_says_nothing_of_limits(ask, operation):
    answer = ask(operation, role=None)
    assert not [name for name in answer.headers if "ratelimit" in name]
    assert "429" not in operation.spec["responses"]


@each(LIMITED)
def test_nobody_is_counted_by_address(ask, operation):
    answer = ask(operation, role=None)
    assert told(answer) == by({"address", "account"}, operation) != set()
    assert [int(answer.headers[f"X-RateLimit-{name}"]) > 0 for name in ("Limit", "Remaining", "Reset")] == [True] * 3
    windows = re.findall(r'"((?!\S+-account)[^"]+)";q=', answer.headers["RateLimit-Policy"])
    assert re.findall(r'"([^"]+)";r=\d+;t=\d+', answer.headers["RateLimit"]) == windows


@pytest.mark.parametrize(("operation", "role"), HARMLESS)
def test_caller_is_counted_unless_their_role_is_exempt(ask, operation, role):
    counted = by({"caller"}, operation)
    exempt = {name for name in counted if role in LIMITS["policies"][name].get("exempt", [])}
    assert told(ask(operation, role=role)) == counted - exempt


@each(CREATING)
def test_what_customers_create_has_a_limit_of_its_own(operation):
    assert "creating" in policies(operation)


@each(o for o in OPERATIONS if o.id == "log_in")
def test_log_in_is_counted_by_address_and_by_account(operation):
    assert LIMITS["policies"]["log-in"]["by"] == ["address", "account"]
    assert "log-in" in policies(operation)
